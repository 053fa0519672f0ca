"""Recognises how deterministic mode refuses an operation, from the crash of a trial.

A refusal names the operation that has no deterministic form, or that got no seed: a finding of its
own. The forms are those of TensorFlow 2.9 to 2.21 (kernels for the CPU and for GPUs), of XLA, and
of PyTorch.
"""

from __future__ import annotations

import dataclasses
import re


@dataclasses.dataclass(frozen=True)
class Found:
    """A refusal."""

    op: str
    """The operation, or what stood in the way when the message names none."""
    message: str
    """The framework's own words, in one line."""
    advice: str
    file: str = ""
    """The innermost line of the traceback outside installed packages; empty when there is none."""
    line: int = 0


@dataclasses.dataclass(frozen=True)
class Form:
    """One way of refusing. The pattern's group ``op`` is the operation, where it has one."""

    pattern: str
    advice: str
    op: str = ""
    """What stood in the way, where the pattern names no operation."""


SEED_FIRST = (
    "Seed before the first random operation: `keras.utils.set_random_seed(42)`, then "
    "`tf.config.experimental.enable_op_determinism()`."
)
NO_KERNEL = (
    "Replace the operation, or run it on the CPU (`with tf.device('CPU:0'):`), where it is not "
    "refused."
)
WITHOUT_XLA = (
    "Compile without XLA: `model.compile(..., jit_compile=False)`, and no `jit_compile=True` at "
    "`tf.function`."
)
NO_TORCH_KERNEL = (
    "Replace the operation, or run it on the CPU if it runs on a GPU. "
    "`torch.use_deterministic_algorithms(True, warn_only=True)` lets it run as it is, and the "
    "results may then differ."
)

FORMS = (
    # TensorFlow, on every device.
    Form(
        r"Random ops require a seed to be set when determinism is enabled",
        SEED_FIRST,
        op="a random operation without a seed",
    ),
    Form(
        r"When determinism is enabled, random ops must have a seed specified",
        SEED_FIRST,
        op="a random operation without a seed",
    ),
    Form(
        r"\"(?P<op>from_non_deterministic_state)\" cannot be called when determinism is enabled",
        "Make the generator from a seed: `tf.random.Generator.from_seed(42)`.",
    ),
    Form(
        r"\"(?P<op>get_global_generator)\" cannot be called if determinism is enabled",
        "Set the generator before: "
        "`tf.random.set_global_generator(tf.random.Generator.from_seed(42))`.",
    ),
    Form(
        r"(?P<op>tf\.[\w.]+) requires .{1,120}? when (?:op )?determinism is enabled",
        "Give this call a seed of its own that is not 0: `seed=42`, and `seed2=42` and "
        "`deterministic=True` where it takes them.",
    ),
    Form(
        r"(?P<op>Timestamp) cannot be called when determinism is enabled",
        "Take the time outside the graph, with `time.perf_counter()` in place of `tf.timestamp()`.",
    ),
    # XLA, by TensorFlow and by JAX.
    Form(
        r"GPU (?P<op>MaxPool gradient) ops do not yet have a deterministic XLA implementation",
        WITHOUT_XLA,
    ),
    Form(
        r"HLO instruction (?P<op>.+?) does not have a deterministic implementation, but run-to-run "
        r"determinism is required",
        WITHOUT_XLA + " JAX has no other way than XLA: replace the operation there.",
    ),
    # TensorFlow's kernels for GPUs.
    Form(
        r"[Dd]eterministic GPU implementation of (?P<op>.+?)(?:,? is not currently available| not "
        r"available)",
        NO_KERNEL,
    ),
    Form(
        r"The GPU implementation of (?P<op>\w+) that would have been executed is not deterministic",
        NO_KERNEL,
    ),
    Form(
        r"Determinism is not yet supported (?:in GPU implementation of|for) (?P<op>.+?)\.?(?: when "
        r"| \[|$)",
        NO_KERNEL,
    ),
    # PyTorch.
    Form(
        r"this operation is not deterministic because it uses (?P<op>CuBLAS)",
        "Start the script with `CUBLAS_WORKSPACE_CONFIG=:4096:8` in its environment.",
    ),
    Form(
        r"(?P<op>\S+) does not have a deterministic implementation, but you set "
        r"'torch\.use_deterministic_algorithms\(True",
        NO_TORCH_KERNEL,
    ),
)

REPLACEMENTS = (
    ("CropAndResize", "slices of the image and `tf.image.resize`"),
    ("ResizeNearestNeighborGrad", "`tf.repeat` along both sides, or bilinear upsampling"),
    ("AdjustContrast", "`mean + factor * (image - mean)`, written out"),
    ("Bincount", "`tf.math.unsorted_segment_sum`"),
    ("SparseTensorDenseMatmul", "`tf.matmul` of `tf.sparse.to_dense`"),
    ("MaxPoolGradWithArgmax", "`tf.nn.max_pool2d`"),
    ("DebugNumericSummary", "no `tf.debugging.enable_check_numerics`"),
    ("put_", "an assignment by indices that do not repeat, `x.view(-1)[index] = values`"),
    ("upsample", "`repeat_interleave` along both sides"),
    ("adaptive_avg_pool", "an average pooling of fixed size"),
    ("adaptive_max_pool", "a maximum pooling of fixed size"),
)
"""What does the same work deterministically, by how an operation's name goes."""

PREFIX = re.compile(r"^(?:\{\{.*?\}\}\s*)+|^\w+Error: ")
SUFFIX = re.compile(r"\s*(?:\[\[.*|\[Op:.*)$")
FRAME = re.compile(r'File "([^"]+)", line (\d+), in (\S+)')
INSTALLED = re.compile(r"[\\/](?:site-packages|dist-packages|lib[\\/]python[\d.]+)[\\/]|^<")


def refusal(kind: str, message: str, traceback: str) -> Found | None:
    """How this crash refuses an operation, or None when it is another kind of failure.

    `kind` is the exception's class. It decides nothing: TensorFlow uses five of them, and XLA's
    arrive in others.
    """
    text = message or traceback.rstrip().rpartition("\n")[2].removeprefix(f"{kind}: ")
    for form in FORMS:
        line, match = _matching(form.pattern, text)
        if match is None:
            continue
        op = match.groupdict().get("op") or form.op
        file, number = _place(traceback)
        return Found(_tidy(op), _words(line), _advice(form.advice, op), file, number)
    return None


def _matching(pattern: str, message: str) -> tuple[str, re.Match[str] | None]:
    """The line of a message that fits: a graph's error carries a stack of its own."""
    lines = [*message.splitlines(), " ".join(message.split())]
    for line in lines:
        match = re.search(pattern, line.strip())
        if match is not None:
            return line, match
    return "", None


def _words(line: str) -> str:
    return SUFFIX.sub("", PREFIX.sub("", " ".join(line.split())))


def _tidy(op: str) -> str:
    return {"Timestamp": "tf.timestamp"}.get(op, op.strip().rstrip("."))


def _advice(advice: str, op: str) -> str:
    for part, instead in REPLACEMENTS:
        if part.lower() in op.lower():
            return f"{advice} What does the same: {instead}."
    return advice


def _place(traceback: str) -> tuple[str, int]:
    """The innermost line of the user's own code."""
    own = [
        (file, int(line))
        for file, line, _ in FRAME.findall(traceback)
        if not INSTALLED.search(file) and "__autograph_generated_file" not in file
    ]
    return own[-1] if own else ("", 0)
