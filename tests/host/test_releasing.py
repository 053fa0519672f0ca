"""Which operations need deterministic kernels: what is asked, and what is made of the answers."""

from __future__ import annotations

import re

from nondet.host import kernels
from nondet.host.releasing import Needed, Release, Shown, search
from nondet.record import Cause, First, Moment, Site, Zoom
from nondet.verdict import Verdict

LINE = Site(file="train.py", line=8, function="<module>")


def drive(
    racing: set[str], used: list[str], *suspected: Site
) -> tuple[tuple[Needed, ...], list[Release]]:
    """The search on a script that uses these operations, of which some race."""
    asking = search(("index", "scatter", "sum"), suspected)
    release, asked = next(asking), []
    while True:
        asked.append(release)
        gone = [op for op in used if any(re.search(p, op) for p in release.patterns)]
        verdict = Verdict.DIVERGES if racing & set(gone) else Verdict.AGREES
        trials = (f"t{2 * len(asked)}", f"t{2 * len(asked) + 1}")
        lines = {op: LINE if op == "index_put_" else None for op in gone}
        try:
            release = asking.send(Shown(verdict, trials, tuple(gone), lines))
        except StopIteration as stop:
            return stop.value, asked


def test_one_operation_alone_needs_no_further_question() -> None:
    found, asked = drive({"index_put_"}, ["addmm", "index_put_", "relu"])
    assert found == (Needed("index_put_", LINE, ("t2", "t3")),)
    assert len(asked) == 1


def test_of_several_one_is_released_and_then_what_is_left() -> None:
    found, asked = drive({"cumsum", "index_put_"}, ["index_put_", "scatter_add", "cumsum"])
    assert [each.op for each in found] == ["index_put_", "cumsum"]
    assert [release.patterns for release in asked[1:]] == [
        ("^index_put_$",),
        ("^scatter_add$", "^cumsum$"),
        ("^scatter_add$",),
        ("^cumsum$",),
    ]
    assert found[1].trials == ("t10", "t11")


def test_once_what_is_left_agrees_it_is_not_told_apart() -> None:
    # That at a suspected line comes first.
    found, asked = drive({"index_put_"}, ["index_add", "bincount", "index_put_", "cumsum"], LINE)
    assert [each.op for each in found] == ["index_put_"]
    assert [release.patterns for release in asked[1:]] == [
        ("^index_put_$",),
        ("^index_add$", "^cumsum$"),
    ]


def test_nothing_is_said_where_those_that_are_known_make_no_difference() -> None:
    found, asked = drive({"new_kind_of_kernel"}, ["index_put_", "cumsum", "new_kind_of_kernel"])
    assert found == ()
    assert len(asked) == 1


def test_at_most_a_few_are_released() -> None:
    used = [f"index_{number}" for number in range(40)]
    found, asked = drive({"index_3", "index_30"}, used)
    assert [each.op for each in found] == ["index_3"]
    assert len(asked) == 9


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
