"""The tables of docs/gpu.md: what was measured on a GPU, or that nothing was.

``python -m tests.gpu.table [RESULTS]`` writes them into the page, from what `tests.gpu.measure`
found; the results are kept beside this file.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from nondet.host import shipped

PAGE = Path(__file__).parents[2] / "docs" / "gpu.md"
KEPT = Path(__file__).with_name("measured.json")
BLOCK = re.compile(r"(<!-- measured -->\n).*?(<!-- end of measured -->)", re.DOTALL)
NOT = "not measured"
DOCUMENTED = {
    "cudnn": "TensorFlow: deterministic with op determinism; it times algorithms otherwise",
    "device": "TensorFlow: refused with op determinism",
    "tf32": "the same in every run; about three digits from full precision",
    "gpu_benchmark": "PyTorch: the benchmark may choose others in each run",
    "gpu_bilinear": "PyTorch: no deterministic gradient",
    "gpu_control_dropout": "PyTorch: repeats from a seed, on one kind of GPU",
    "gpu_ctc": "PyTorch: no deterministic gradient",
    "gpu_cumsum": "PyTorch: neither has a deterministic kernel",
    "gpu_depthwise": "PyTorch: deterministic on request",
    "gpu_keras_jax": "XLA: deterministic with its flag",
    "gpu_keras_torch": "PyTorch: the gradient of an embedding is not listed",
    "gpu_nearest": "TensorFlow: refused with op determinism",
    "gpu_precision": "PyTorch: sums in 16 bits are allowed by default",
    "gpu_scatter": "PyTorch: deterministic on request",
    "gpu_segment_sum": "XLA: deterministic with its flag",
    "gpu_split_k": "cuBLAS: repeats, on one stream or with a fixed workspace",
    "gpu_streams": "CUDA: streams run in no order unless they wait",
}
"""What the maker says of what is planted in each probe that needs a GPU."""


def tables(found: Mapping[str, Any] | None) -> str:
    """Markdown."""
    return "\n".join([*probes(found), "", *operations(found), "", *overhead(found), ""])


def probes(found: Mapping[str, Any] | None) -> Iterator[str]:
    measured = (found or {}).get("probes", {})
    yield "| probe | what is planted | the maker's own words, in short | measured |"
    yield "| --- | --- | --- | --- |"
    for probe in shipped.all_probes():
        if probe.needs_gpu:
            told = f"`{probe.name}` | {probe.what} | {DOCUMENTED[probe.name]}"
            yield f"| {told} | {measured.get(probe.name, NOT)} |"


def operations(found: Mapping[str, Any] | None) -> Iterator[str]:
    frameworks = [f for f in (found or {}).get("frameworks", ()) if "kernels" in f]
    if found is None or not frameworks:
        yield f"Operations by themselves, 20 pairs each, free and held deterministic: {NOT}."
        return
    machine = found["machine"]
    yield f"On {', '.join(machine['gpus'])}, driver {machine['driver']}:"
    for each in frameworks:
        yield ""
        head = f"{each['framework']} {each['version']}"
        yield f"| {head} | documented | differ in one process | results of 3 processes | held |"
        yield "| --- | --- | --- | --- | --- |"
        for row in each["kernels"]:
            yield f"| {row['name']} | {row['documented']} | {' | '.join(cells(row))} |"
        if "drift" in each:
            drift = ", ".join(f"{name} {value:.1e}" for name, value in each["drift"].items())
            yield ""
            yield f"The largest relative error of a product, against the CPU in float64: {drift}."


def cells(row: Mapping[str, Any]) -> tuple[str, str, str]:
    if row["failure"]:
        return f"fails: {row['failure']}", "", ""
    return (
        f"{row['differing']}, {row['distinct']} distinct",
        f"{row['between_processes']} distinct",
        row["held"],
    )


def overhead(found: Mapping[str, Any] | None) -> Iterator[str]:
    told = [each for each in (found or {}).get("overhead", ()) if "ratio" in each]
    if not told:
        yield f"A step of ResNet-50 with recording, as a multiple of one without: {NOT}."
    for each in told:
        yield (
            f"A step of ResNet-50 by Keras on {each['backend']}: {1000 * each['plain']:.1f} ms, "
            f"with recording {each['ratio']:.3f} times that ({each['logged']} of {each['steps']} "
            "steps logged)."
        )


def results() -> Mapping[str, Any] | None:
    """What was measured last; None when nothing was."""
    if not KEPT.exists():
        return None
    found: Mapping[str, Any] = json.loads(KEPT.read_text(encoding="utf-8"))
    return found


def page(text: str, found: Mapping[str, Any] | None) -> str:
    """The page with its tables."""
    return BLOCK.sub(lambda m: f"{m[1]}\n{tables(found)}\n{m[2]}", text)


def main() -> None:
    if sys.argv[1:]:
        KEPT.write_bytes(Path(sys.argv[1]).read_bytes())
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8"), results()), encoding="utf-8")


if __name__ == "__main__":
    main()
