"""Settings of GPUs' libraries that fight each other, from what trials tell of theirs: one rule a
function, pure.

Sources: tensorflow PR#24747 (the two variables of cuDNN), keras PR#20315 (deterministic operations
and XLA), PyTorch's notes on reproducibility, openxla/xla#12520 (the two flags).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from nondet.host.trials import Trial

Knobs = Mapping[str, str]
ON = ("1", "true", "True")
WORKSPACES = (":4096:8", ":16:8")


def of(knobs: Knobs, compiled: bool) -> list[str]:
    """What to say of these settings, a sentence each. `compiled`: XLA compiles a model."""
    return [text for rule in RULES for text in rule(knobs, compiled)]


def of_trials(free: Sequence[Trial]) -> list[str]:
    """The same of the script as it is: of these trials with nothing held."""
    told = [trial for trial in free if trial.knobs]
    if not told:
        return []
    seen = {s.detail for s in told[0].sightings.values() if s.factor == "xla"}
    return of(told[0].knobs, compiled="a model compiled by XLA" in seen)


def on(knobs: Knobs, name: str) -> bool:
    return knobs.get(name, "") in ON


def flags(knobs: Knobs) -> dict[str, str]:
    """XLA's, by name; the last of two is what counts."""
    pairs = (flag.partition("=") for flag in knobs.get("XLA_FLAGS", "").split())
    return {name.lstrip("-"): value or "true" for name, _, value in pairs}


def autotune(knobs: Knobs, compiled: bool) -> Iterator[str]:
    wanted = [n for n in ("TF_CUDNN_DETERMINISTIC", "TF_DETERMINISTIC_OPS") if on(knobs, n)]
    if wanted and knobs.get("TF_CUDNN_USE_AUTOTUNE", "") in ("0", "false"):
        yield f"TF_CUDNN_USE_AUTOTUNE=0 undoes {wanted[0]}=1: leave it unset"


def workspace(knobs: Knobs, compiled: bool) -> Iterator[str]:
    given = knobs.get("CUBLAS_WORKSPACE_CONFIG", "")
    if on(knobs, "torch.deterministic") and given not in WORKSPACES:
        does = "only warns of" if on(knobs, "torch.warn-only") else "refuses"
        yield (
            f"PyTorch in deterministic mode {does} products by cuBLAS with "
            f"CUBLAS_WORKSPACE_CONFIG {given or 'unset'}: start the script with "
            f"CUBLAS_WORKSPACE_CONFIG={WORKSPACES[0]}"
        )


def benchmark(knobs: Knobs, compiled: bool) -> Iterator[str]:
    asked = on(knobs, "torch.deterministic") or on(knobs, "torch.cudnn.deterministic")
    if asked and on(knobs, "torch.cudnn.benchmark"):
        yield (
            "torch.backends.cudnn.benchmark is on beside deterministic algorithms: it times those, "
            "and another run may keep another one"
        )


def xla(knobs: Knobs, compiled: bool) -> Iterator[str]:
    given = flags(knobs)
    all_off = on(given, "xla_gpu_deterministic_ops")
    tunes = given.get("xla_gpu_autotune_level") != "0" and not persisted(given)
    if on(given, "xla_gpu_exclude_nondeterministic_ops") and tunes and not all_off:
        yield (
            "--xla_gpu_exclude_nondeterministic_ops leaves autotuning on, which chooses anew in "
            "every process: add --xla_gpu_autotune_level=0, or load its results from a file"
        )
    if all_off and persisted(given):
        yield "--xla_gpu_deterministic_ops does not tune, so loading autotune results does nothing"


def persisted(given: Knobs) -> bool:
    return bool(given.get("xla_gpu_load_autotune_results_from"))


def compiling(knobs: Knobs, compiled: bool) -> Iterator[str]:
    if on(knobs, "tensorflow.op-determinism") and compiled:
        yield (
            "a model is compiled by XLA beside op determinism: gradients of MaxPool have no "
            "deterministic form there and are refused; compile it with jit_compile=False"
        )


RULES: tuple[Callable[[Knobs, bool], Iterator[str]], ...] = (
    autotune, workspace, benchmark, xla, compiling,
)  # fmt: skip
