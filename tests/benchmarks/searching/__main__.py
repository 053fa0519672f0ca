"""Measures the search on simulated subjects, and writes the tables of docs/searching.md.

``python -m tests.benchmarks.searching``; ``--cases N`` for each family (200 if not given). With
``--rows FILE`` every diagnosis is written there as one JSON line, with the family and the seed that
make its case again. The peers need the extra ``benchmarks``.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from nondet.search.diagnosing import Goal, Search
from tests.benchmarks.searching import peers
from tests.benchmarks.searching.cases import EVIDENCE, Case, Family
from tests.benchmarks.searching.judging import Judged, Sum, diagnose, sum_up
from tests.benchmarks.searching.variants import VARIANTS, KFromTheRate

PAGE = Path(__file__).resolve().parents[3] / "docs" / "searching.md"
START, END = "<!-- figures: {} -->\n", "<!-- end of figures -->\n"
CASES = 200
FACTORS = (8, 16, 32)
STRICT = {1.0: Goal(0.99, 0.5), 0.5: Goal(0.99, 0.5), 0.2: Goal(0.95, 0.2)}
"""The goal by the rate at which the planted causes act."""
TARGET = {1.0: 0.99, 0.5: 0.99, 0.2: 0.95}

Rows = list[Judged]


@dataclasses.dataclass(frozen=True)
class Tool:
    """A peer, and whether it does as it comes or runs each plan as often as the goal asks."""

    name: str
    find: Callable[[peers.Oracle, Goal], frozenset[str]]


TOOLS = (
    Tool("one at a time, twice", lambda o, g: peers.one_at_a_time(o, 2)),
    Tool("ddmin (picire), twice", lambda o, g: peers.ddmin(o, 2)),
    Tool("reprotest --auto-build", lambda o, g: peers.auto_build(o)),
    Tool("rddmin (Verrou), 5 samples", lambda o, g: peers.rddmin(o, peers.SAMPLES)),
    Tool("mlbisect", lambda o, g: peers.mlbisect_(o, g.rate)),
    Tool("one at a time, k + 1 times", lambda o, g: peers.one_at_a_time(o, g.comparisons + 1)),
    Tool("ddmin (picire), k + 1 times", lambda o, g: peers.ddmin(o, g.comparisons + 1)),
    Tool("rddmin (Verrou), k samples", lambda o, g: peers.rddmin(o, g.comparisons)),
)


def families(factors: int, rate: float) -> Iterator[Family]:
    """0 to 4 causes; then with pins either of which is enough, and with causes that hide others."""
    for causes in range(5):
        yield Family(factors, causes, (rate,))
    for causes in range(1, 5):
        yield Family(factors, causes, (rate,), "redundant")
    for causes in range(2, 5):
        yield Family(factors, causes, (rate,), "masking")


def judge(tool: Tool, case: Case, goal: Goal) -> Judged:
    oracle = peers.Oracle(case)
    named = tool.find(oracle, goal)
    return Judged(
        case.family,
        case.seed,
        tool.name,
        goal.confidence,
        goal.rate,
        case.recalled(named),
        len(case.accused(named)),
        oracle.subject.seconds / case.whole,
        oracle.subject.trials,
    )


def progress(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


# -- tables


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def recall(found: Sum) -> str:
    low, high = found.between
    return f"{found.recall:.3f} ({low:.3f} to {high:.3f})"


def runs(found: Sum) -> str:
    return f"{found.runs:.1f} ± {1.96 * found.error:.1f}"


@dataclasses.dataclass(frozen=True)
class Cell:
    """All that was measured of one rate and number of factors."""

    rate: float
    factors: int
    least: float
    own: dict[Family, Sum]
    """nondet, by family."""
    tools: dict[str, Sum]
    """nondet and the peers, over all families."""

    @property
    def ours(self) -> Sum:
        return self.tools["nondet"]

    def as_good(self, peer: Sum) -> bool:
        return peer.recall >= min(TARGET[self.rate], self.ours.recall)

    @property
    def best(self) -> Sum | None:
        """The cheapest peer that is as good."""
        able = [peer for peer in self.tools.values() if peer.by != "nondet" and self.as_good(peer)]
        return min(able, key=lambda peer: peer.runs, default=None)


def measured(count: int) -> tuple[list[Cell], Rows]:
    """nondet and its peers on the same cases."""
    cells, every = [], Rows()
    for rate, goal in STRICT.items():
        for factors in FACTORS:
            progress(f"{factors} factors, rate {rate:g}")
            cases = {
                family: [family.case(seed) for seed in range(count)]
                for family in families(factors, rate)
            }
            own = {f: [diagnose(case, goal) for case in found] for f, found in cases.items()}
            flat = [case for found in cases.values() for case in found]
            judged = {"nondet": [row for found in own.values() for row in found]}
            for tool in TOOLS:
                judged[tool.name] = [judge(tool, case, goal) for case in flat]
            every += [row for found in judged.values() for row in found]
            cells.append(
                Cell(
                    rate,
                    factors,
                    goal.comparisons + 1,
                    {family: sum_up(found) for family, found in own.items()},
                    {name: sum_up(found) for name, found in judged.items()},
                )
            )
    return cells, every


def against_peers(cells: Sequence[Cell]) -> str:
    """nondet, the best peer of the same recall there, and the one of the same recall everywhere."""
    names = [name for name in cells[0].tools if name != "nondet"]
    steady = [n for n in names if all(cell.as_good(cell.tools[n]) for cell in cells)]
    lines = []
    for cell in cells:
        ours, best = cell.ours, cell.best
        line = [f"{cell.rate:g}", str(cell.factors), recall(ours), f"{ours.accused:.4f}"]
        line += [runs(ours), f"{cell.least:.1f}"]
        able = [cell.tools[name] for name in steady]
        for peer in (best, min(able, key=lambda peer: peer.runs, default=None)):
            line += [peer.by, f"{ours.runs / peer.runs:.2f}"] if peer is not None else ["none", ""]
        lines.append(line)
    head = ["rate", "factors", "recall", "false", "runs", "least"]
    head += ["as good here", "nondet's runs to its", "as good everywhere", "nondet's runs to its"]
    return table(head, lines)


def in_full(cells: Sequence[Cell]) -> str:
    """Every tool, one line for each rate."""
    lines: dict[tuple[str, str], list[str]] = {}
    for cell in cells:
        for name, found in cell.tools.items():
            ratio = found.runs / cell.ours.runs
            told = f"{found.recall:.3f}, {found.accused:.2f}, {ratio:.2f}"
            lines.setdefault((f"{cell.rate:g}", name), []).append(told)
    head = ["rate", "tool", *(f"{factors} factors" for factors in FACTORS)]
    return table(head, [[*name, *told] for name, told in lines.items()])


def by_causes(cells: Sequence[Cell]) -> str:
    """nondet alone, family by family."""
    lines = []
    for cell in cells:
        if cell.factors != 16:
            continue
        for family, found in cell.own.items():
            told = [recall(found), f"{found.accused:.4f}", runs(found)]
            told += [f"{found.trials:.1f}", f"{found.after:.1f}"]
            name = [f"{cell.rate:g}", str(family.causes), family.interactions]
            lines.append([*name, *told])
    head = ["rate", "causes", "interaction", "recall", "false", "runs", "trials", "after"]
    return table(head, lines)


OTHERS = (
    *(Family(16, 1, (1.0,), evidence=kind) for kind in EVIDENCE),
    *(Family(16, 2, (1.0,), evidence=kind) for kind in EVIDENCE),
    Family(16, 0),
    Family(16, 2, (0.5,)),
    Family(16, 2, (0.3,)),
    Family(16, 2, (0.2,)),
    Family(16, 2, (1.0, 0.5)),
    Family(16, 2, (1.0, 0.2)),
    Family(16, 1, (1.0,), outcomes=2),
    Family(16, 2, (1.0,), outcomes=2),
    Family(16, 2, (1.0,), shifting=True),
    Family(16, 2, (0.5,), shifting=True),
    Family(16, 2, (1.0,), breaking=True),
)
"""What the default goal does with."""


def by_default(count: int) -> tuple[str, Rows]:
    """nondet alone, with the goal that it has when nothing is asked for."""
    lines, every = [], Rows()
    for family in OTHERS:
        progress(f"default goal: {family.name}")
        judged = [diagnose(family.case(seed), Goal()) for seed in range(count)]
        every += judged
        found = sum_up(judged)
        told = [recall(found), f"{found.accused:.4f}", runs(found), f"{found.trials:.1f}"]
        lines.append([family.name, *told])
    return table(["cases", "recall", "false", "runs", "trials"], lines), every


EARLY = 0.05
"""Start, and delay of the first cause, up to which a trial that parts costs little."""
TRIED = ((1.0, 2), (0.5, 2), (0.2, 1))
"""Rates and numbers of causes that the other ways of narrowing were tried with."""


def by_variant(count: int) -> tuple[str, Rows]:
    """The ways to narrow down, where nothing is seen of a cause."""
    lines, every = [], Rows()
    for name, kind in VARIANTS:
        progress(f"narrowing: {name}")
        told = []
        for rate, causes in TRIED:
            family = Family(16, causes, (rate,), evidence="unseen")
            judged = [
                diagnose(family.case(seed), STRICT[rate], kind, name) for seed in range(count)
            ]
            every += judged
            found = sum_up(judged)
            told += [f"{found.recall:.3f}", runs(found)]
        lines.append([name, *told])
    head = ["narrowing"]
    for rate, causes in TRIED:
        which = f"{causes} cause{'s' if causes > 1 else ''} at {rate:g}"
        head += [f"recall, {which}", "runs"]
    return table(head, lines), every


PROVEN = (
    Family(16, 1, (1.0,), evidence="visible"),
    Family(16, 2, (1.0, 0.5), evidence="visible"),
    Family(16, 2, (1.0, 0.5), evidence="unseen"),
)


def by_proof(count: int) -> tuple[str, Rows]:
    """What a shorter proof saves and misses, among the cases in which it can save anything."""
    lines, every = [], Rows()
    for family in PROVEN:
        progress(f"proof: {family.name}")
        cases = [family.case(seed) for seed in range(10 * count)]
        early = [case for case in cases if case.start <= EARLY and case.causes[0].delay <= EARLY]
        for name, kind in (("k by the goal", Search), ("k by the rate seen", KFromTheRate)):
            judged = [diagnose(case, Goal(), kind, name) for case in early]
            every += judged
            found = sum_up(judged)
            told = [recall(found), f"{found.accused:.4f}", runs(found)]
            lines.append([family.name, name, *told])
    return table(["cases", "proof", "recall", "false", "runs"], lines), every


def put_in(page: str, name: str, text: str) -> str:
    """The page with the block of that name made anew."""
    before, start, rest = page.partition(START.format(name))
    if not start:
        raise ValueError(f"{PAGE.name} has no block {name!r}")
    return before + start + "\n" + text + "\n" + END + rest.partition(END)[2]


def main(args: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.searching")
    parser.add_argument("--cases", type=int, default=CASES, help="of each family")
    parser.add_argument("--rows", type=Path, help="write every diagnosis there, as JSON lines")
    options = parser.parse_args(args)
    cells, rows = measured(options.cases)
    default, more = by_default(options.cases)
    rows += more
    narrowing, more = by_variant(options.cases)
    rows += more
    proof, more = by_proof(options.cases)
    rows += more
    page = PAGE.read_text(encoding="utf-8")
    for name, text in (
        ("peers", against_peers(cells)),
        ("tools", in_full(cells)),
        ("causes", by_causes(cells)),
        ("default", default),
        ("narrowing", narrowing),
        ("proof", proof),
    ):
        page = put_in(page, name, text)
    PAGE.write_text(page, encoding="utf-8")
    if options.rows is not None:
        lines = (json.dumps(dataclasses.asdict(row)) + "\n" for row in rows)
        options.rows.write_text("".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
