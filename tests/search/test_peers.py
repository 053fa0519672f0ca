"""The tools that the search is measured against: they find what they are meant to find."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.benchmarks.searching.cases import Family

PAGE = Path(__file__).resolve().parents[2] / "docs" / "searching.md"
BLOCK = re.compile(r"<!-- figures: (\w+) -->\n(.*?)<!-- end of figures -->\n", re.DOTALL)


def test_every_block_of_figures_holds_a_table() -> None:
    blocks = dict(BLOCK.findall(PAGE.read_text(encoding="utf-8")))
    assert set(blocks) == {"peers", "tools", "causes", "default", "narrowing", "proof"}
    for name, text in blocks.items():
        assert text.count("\n| ") >= 5, name


def test_peers() -> None:
    pytest.importorskip("picire", reason="the peers come with the extra `benchmarks`")
    pytest.importorskip("mlbisect", reason="the peers come with the extra `benchmarks`")
    from tests.benchmarks.searching import peers

    tools: dict[str, tuple[Callable[[peers.Oracle], frozenset[str]], int | None]] = {
        "one at a time": (lambda o: peers.one_at_a_time(o, 2), 2 * (8 + 2)),
        "ddmin": (lambda o: peers.ddmin(o, 2), None),
        "auto-build": (peers.auto_build, 8 + 3),
        "rddmin": (lambda o: peers.rddmin(o, 5), None),
        "mlbisect": (lambda o: peers.mlbisect_(o, 0.5), None),
    }
    for name, (find, runs) in tools.items():
        for seed in range(20):
            for causes in range(4):
                case = Family(8, causes).case(seed)
                oracle = peers.Oracle(case)
                named = find(oracle)
                assert named == {c.factors[0] for c in case.causes}, (name, seed, causes)
                assert oracle.subject.seconds == pytest.approx(oracle.subject.trials * case.whole)
                if runs is not None and causes:
                    assert oracle.subject.trials == runs, name
