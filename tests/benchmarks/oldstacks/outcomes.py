"""How many results the classic script has with one thing changed: the table of the page."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.benchmarks.oldstacks.environments import ROOT

PAGE = ROOT / "docs" / "old-stacks.md"
BEGIN, END = "<!-- table -->", "<!-- end of the table -->"
RUNS = 8
VARIANTS = (
    (("adam",), "as it is: Keras' own Adam"),
    (("adam", "one-thread"), "one thread for each of TensorFlow's two pools"),
    (("sgd",), "Keras' own SGD, which does not read the count"),
    (("sgd", "by-resource"), "the same, with variables that are read as a whole"),
    (("adam", "by-resource"), "Keras' own Adam, with variables that are read as a whole"),
    (("tensorflow",), "TensorFlow's own Adam"),
)


def table(output: Callable[[tuple[str, ...]], str]) -> str:
    """`output` runs a variant and gives what it printed of its weights. Raises ValueError when one
    fails."""
    lines = [f"| changed | results in {RUNS} runs |", "| --- | --- |"]
    for command, told in VARIANTS:
        found = [output(command) for _ in range(RUNS)]
        if not all(found):
            raise ValueError(f"{' '.join(command)} failed")
        lines.append(f"| {told} | {len(set(found))} |")
        print(f"  {lines[-1]}", flush=True)
    return "\n".join(lines)


def publish(text: str, page: Path = PAGE) -> None:
    """Put the table where the page has it."""
    whole = page.read_text(encoding="utf-8")
    before, rest = whole.split(BEGIN)
    after = rest.split(END)[1]
    page.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}", encoding="utf-8")
