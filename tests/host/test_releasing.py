"""Which operations need deterministic kernels: what is asked, and what is made of the answers."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from nondet.host import kernels
from nondet.host.releasing import Needed, Release, Shown, search, shown
from nondet.host.sites import Sites
from nondet.record import Cause, First, Moment, Site, Zoom
from nondet.search.questions import Answer
from nondet.verdict import Verdict
from tests.host import acting

LINE = Site(file="train.py", line=8, function="<module>")
OTHER = Site(file="train.py", line=3, function="<module>")


class Script:
    """Uses operations at these lines, of which some race."""

    def __init__(
        self,
        racing: set[str],
        used: Mapping[str, tuple[Site, ...]],
        *,
        steady: bool = True,
    ) -> None:
        """Unless it is `steady`, its runs part whatever is released."""
        self.racing = racing
        self.used = used
        self.steady = steady
        self.asked: list[Release] = []

    def answer(self, release: Release) -> Shown:
        self.asked.append(release)
        gone = [op for op in self.used if any(re.search(p, op) for p in release.patterns)]
        parts = bool(self.racing & set(gone)) or not self.steady
        verdict = Verdict.DIVERGES if parts else Verdict.AGREES
        trials = (f"t{2 * len(self.asked)}", f"t{2 * len(self.asked) + 1}")
        return Shown(verdict, trials, {op: self.used[op] for op in gone})

    def searched(self, *suspected: Site, most: int = 100) -> list[Needed]:
        """What is found with so many questions."""
        found: list[Needed] = []
        asking = search(("index", "scatter", "sum"), suspected, found)
        with contextlib.suppress(StopIteration):
            release = next(asking)
            for _ in range(most):
                release = asking.send(self.answer(release))
        return found

    @property
    def patterns(self) -> list[tuple[str, ...]]:
        return [release.patterns for release in self.asked]


def used(*names: str) -> dict[str, tuple[Site, ...]]:
    return {name: (LINE,) if name == "index_put_" else () for name in names}


def test_of_one_operation_it_is_made_sure_that_runs_agree_without_it() -> None:
    script = Script({"index_put_"}, used("addmm", "index_put_", "relu"))
    assert script.searched() == [Needed("index_put_", LINE, ("t2", "t3"))]
    assert script.patterns[1:] == [("(?!)",)]


def test_of_several_one_is_released_and_then_what_is_left() -> None:
    script = Script({"cumsum", "index_put_"}, used("index_put_", "scatter_add", "cumsum"))
    found = script.searched()
    assert [each.op for each in found] == ["index_put_", "cumsum"]
    assert script.patterns[1:] == [
        ("^index_put_$",),
        ("^scatter_add$", "^cumsum$"),
        ("^scatter_add$",),
        ("^cumsum$",),
    ]
    assert found[1].trials == ("t10", "t11")


def test_once_what_is_left_agrees_it_is_not_told_apart() -> None:
    # That at a suspected line comes first.
    script = Script({"index_put_"}, used("index_add", "bincount", "index_put_", "cumsum"))
    assert [each.op for each in script.searched(LINE)] == ["index_put_"]
    assert script.patterns[1:] == [("^index_put_$",), ("^index_add$", "^cumsum$")]


def test_nothing_is_said_where_those_that_are_known_make_no_difference() -> None:
    script = Script({"new_kind_of_kernel"}, used("index_put_", "cumsum", "new_kind_of_kernel"))
    assert script.searched() == []
    assert len(script.asked) == 1


@pytest.mark.parametrize("names", [("index_put_",), ("index_put_", "cumsum")])
def test_nothing_is_said_where_runs_part_whatever_is_released(names: tuple[str, ...]) -> None:
    """Such as by another source, or by what is done to release operations."""
    script = Script({"index_put_"}, used(*names), steady=False)
    assert script.searched() == []
    assert script.patterns[-1] == ("(?!)",)


def test_what_was_found_stands_when_no_more_may_be_asked() -> None:
    script = Script({"index_put_", "cumsum"}, used("index_put_", "scatter_add", "cumsum"))
    assert [each.op for each in script.searched(most=4)] == ["index_put_"]
    # Before anything has agreed, it may be anything.
    assert script.searched(most=3) == []


def test_at_most_a_few_are_released() -> None:
    script = Script({"index_3", "index_30"}, used(*(f"index_{number}" for number in range(40))))
    assert [each.op for each in script.searched()] == ["index_3"]
    assert len(script.asked) == 9


def test_a_line_is_named_where_only_one_can_be_meant() -> None:
    def line(*suspected: Site) -> Site | None:
        (found,) = Script({"index_put_"}, {"index_put_": (OTHER, LINE)}).searched(*suspected)
        return found.site

    assert line() is None
    assert line(LINE) == LINE
    assert line(LINE, OTHER) is None


def test_what_is_released_depends_on_there_being_a_gpu() -> None:
    def chosen(name: str, gpus: bool) -> bool:
        return any(re.search(p, name, re.IGNORECASE) for p in kernels.switched(gpus))

    assert chosen("_index_put_impl_", gpus=False)
    assert chosen("convolution_backward", gpus=True)
    assert not chosen("convolution_backward", gpus=False)
    # cuBLAS is told by the environment, which no operation can have for itself.
    assert not chosen("addmm", gpus=True)


def test_it_joins_what_the_other_witnesses_say() -> None:
    needed = Needed("index_put_", LINE, ("t20", "t21"))
    (found,) = kernels.of((), (), (), (), needed=[needed])
    assert (found.words, found.seen) == ("scatter-add by `index_put_`", ("released",))
    assert found.site == LINE
    assert found.trials == ("t20", "t21")


def test_where_trials_part_gives_way_where_it_names_another_kind() -> None:
    """The gradient of an output is computed by what comes after it, which need not be a layer."""
    moment = Moment(phase="gradient", layer="net/dense", kind="Dense", tensor="kernel")
    first = First(step=3, moment=moment, pairs=2)
    looked = Zoom(
        model="net",
        factors=("op-determinism",),
        trials=("t07", "t08"),
        first_step=1,
        last_step=9,
        pairs=2,
        firsts=(first,),
        step=3,
        pair=("t07", "t08"),
    )
    causes = (Cause(factor="op-determinism"),)
    (guessed,) = kernels.of(causes, (looked,), (), ())
    assert guessed.words == "matrix product in the backward pass of `Dense`"
    needed = Needed("index_put_", LINE, ("t20", "t21"))
    (found,) = kernels.of(causes, (looked,), (), (), needed=[needed])
    assert kernels.behind("op-determinism", [found]) == "scatter-add by `index_put_`"


def test_two_operations_without_a_line_stay_two() -> None:
    needed = [Needed("index_put_", None, ("t20",)), Needed("scatter_add", None, ("t22",))]
    assert [k.op for k in kernels.of((), (), (), (), needed=needed)] == [
        "index_put_",
        "scatter_add",
    ]


@pytest.mark.parametrize("divergences", [1, 2])
def test_a_single_difference_names_nothing(tmp_path: Path, divergences: int) -> None:
    sites = Sites(acting.settings(tmp_path).subject)
    answer = Answer(Verdict.DIVERGES, ("t01", "t02"), comparisons=4, divergences=divergences)
    told = shown(answer, (), sites).verdict
    assert told is (Verdict.DIVERGES if divergences == 2 else Verdict.UNSURE)
