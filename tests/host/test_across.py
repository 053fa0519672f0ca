"""Two recorded runs: which tensors are taken for the same, and what was around them."""

from __future__ import annotations

import dataclasses
import struct
from pathlib import Path
from typing import Any

import pytest

from nondet import record, runs
from nondet.host import surroundings
from nondet.host.across import Moment, aligned, compare
from nondet.host.portable import Opened
from nondet.verdict import Checkpoint
from tests.host.written import Written, digest

KERNEL, BIAS = ("float32", (4, 3)), ("float32", (3,))


def moment(*tensors: tuple[str, tuple[str, tuple[int, ...]], str]) -> Moment:
    rows = tuple((path, digest) for path, _, digest in tensors)
    return Moment(
        Checkpoint("epoch", "model", 1, 1, 5, rows),
        tuple((path, *kind) for path, kind, _ in tensors),
        tuple(digest for _, digest in rows),
    )


def test_tensors_of_one_path_are_the_same_wherever_they_stand() -> None:
    one = moment(("a", KERNEL, "1"), ("b", KERNEL, "2"))
    other = moment(("b", KERNEL, "2"), ("a", KERNEL, "9"))
    pairs, renamed, lacking = aligned(one, other)
    assert [(pair.one[0], pair.other[0], pair.differs) for pair in pairs] == [
        ("a", "a", True),
        ("b", "b", False),
    ]
    assert not renamed
    assert not lacking


def test_one_path_may_come_twice() -> None:
    one = moment(("1", BIAS, "1"), ("1", BIAS, "2"), ("2", BIAS, "3"))
    pairs, renamed, lacking = aligned(one, one)
    assert [pair.differs for pair in pairs] == [False, False, False]
    assert not renamed
    assert not lacking
    other = moment(("1", BIAS, "1"), ("1", BIAS, "9"), ("2", BIAS, "3"))
    assert [pair.differs for pair in aligned(one, other)[0]] == [False, True, False]


def test_layers_of_other_names_are_matched_in_their_order() -> None:
    one = moment(("x/kernel", KERNEL, "1"), ("x/bias", BIAS, "2"), ("y/kernel", KERNEL, "3"))
    other = moment(("u/kernel", KERNEL, "1"), ("u/bias", BIAS, "2"), ("v/kernel", KERNEL, "4"))
    pairs, renamed, lacking = aligned(one, other)
    assert [(pair.one[0], pair.other[0]) for pair in pairs] == [
        ("x/kernel", "u/kernel"),
        ("x/bias", "u/bias"),
        ("y/kernel", "v/kernel"),
    ]
    assert [pair.differs for pair in pairs] == [False, False, True]
    assert renamed == [
        "in model, other names for the same place: x/kernel is u/kernel, x/bias is u/bias, "
        "y/kernel is v/kernel"
    ]
    assert not lacking


def test_what_one_lacks_is_told_and_not_compared() -> None:
    one = moment(("a", KERNEL, "1"), ("gone", ("int64", ()), "2"))
    other = moment(("a", KERNEL, "1"), ("new", ("bool", (7,)), "3"))
    pairs, renamed, lacking = aligned(one, other)
    assert len(pairs) == 1
    assert not renamed
    assert lacking == ["in model, only the first has gone", "in model, only the second has new"]


def test_another_dtype_has_no_distance() -> None:
    one, other = moment(("a", KERNEL, "1")), moment(("a", ("float64", (4, 3)), "2"))
    (pair,), _, lacking = aligned(one, other)
    assert pair.differs
    assert not pair.comparable
    assert lacking == ["in model, of another dtype or shape: a (float32 4x3 and float64 4x3)"]


def run(**facts: Any) -> runs.RecordedRun:
    packages = facts.pop("packages", {"tensorflow-cpu": "2.21.0", "rich": "14"})
    machine = {"python": "3.11", "platform": "Linux", "cpu": "one", "cores": 2}
    machine |= {k: facts.pop(k) for k in ("gpus", "driver", "cpu", "python") if k in facts}
    more = {k: facts.pop(k) for k in ("seed", "pins") if k in facts}
    return runs.RecordedRun(
        nondet="1",
        subject=record.Subject(script="train.py", sha256="0" * 64),
        facts=runs.Facts(
            environment=record.Environment(packages=packages, **machine),  # type: ignore[arg-type]
            **{"frameworks": {"tensorflow": "2.21.0"}, **facts},
        ),
        started="2026-01-01T00:00:00+00:00",
        seconds=1.0,
        granularity="epoch",
        **{"seed": 1, **more},
    )


@pytest.mark.parametrize(
    ("one", "other", "kind", "name"),
    [
        ({}, {"packages": {"tensorflow-cpu": "2.20.0", "rich": "14"}}, "package", "tensorflow-cpu"),
        ({"cpu": "one"}, {"cpu": "two"}, "processor", "processor"),
        ({"features": ("avx2", "fma")}, {"features": ("avx2",)}, "processor", "instruction sets"),
        ({"threads": 2}, {"threads": 8}, "threads", "cores to use"),
        ({}, {"gpus": ("H100",)}, "gpu", "GPUs"),
        ({"driver": "550"}, {"driver": "560"}, "gpu", "NVIDIA driver"),
        ({"python": "3.11"}, {"python": "3.13"}, "python", "Python"),
        ({"pins": {"clock": "pinned"}}, {}, "pins", "pins"),
        (
            {"pins": {"clock": "pinned"}, "seed": 1},
            {"pins": {"clock": "pinned"}, "seed": 2},
            "pins",
            "seed of the pins",
        ),
        (
            {"variables": {"TF_ENABLE_ONEDNN_OPTS": "0"}},
            {"variables": {}},
            "variable",
            "TF_ENABLE_ONEDNN_OPTS",
        ),
        (
            {"variables": {"OMP_NUM_THREADS": "1"}},
            {"variables": {"OMP_NUM_THREADS": "2"}},
            "variable",
            "OMP_NUM_THREADS",
        ),
    ],
    ids=str,
)
def test_each_thing_around_a_run_is_told_with_what_it_does(
    one: dict[str, Any], other: dict[str, Any], kind: str, name: str
) -> None:
    (gap,) = surroundings.gaps(run(**one), run(**other))
    assert (gap.kind, gap.name) == (kind, name)
    assert gap.effect
    assert gap.one != gap.other


def test_what_is_known_to_matter_comes_first() -> None:
    other = run(packages={"rich": "15", "tensorflow-cpu": "2.20.0"})
    found = surroundings.gaps(run(), other)
    assert [gap.name for gap in found] == ["tensorflow-cpu", "rich"]
    assert not found[1].effect
    assert not surroundings.gaps(run(), run())


def test_variables_that_may_be_secret_are_left_out() -> None:
    environ = {"OMP_NUM_THREADS": "1", "HOME": "/x", "TF_TOKEN": "s", "KERAS_API_KEY": "s"}
    assert surroundings.telling(environ) == {"OMP_NUM_THREADS": "1"}


def test_a_framework_is_known_under_the_name_of_its_wheel_and_comes_first() -> None:
    one = run(packages={"tensorflow_cpu": "2.19.1", "numpy": "2.1"})
    other = run(packages={"tensorflow-cpu": "2.21.0", "numpy": "2.4"})
    found = surroundings.gaps(one, other)
    assert [(gap.name, gap.one, gap.other) for gap in found] == [
        ("tensorflow-cpu", "2.19.1", "2.21.0"),
        ("numpy", "2.1", "2.4"),
    ]
    assert all(gap.effect for gap in found)


def test_a_framework_that_no_run_imported_changes_nothing() -> None:
    one = run(packages={"torch": "2.12", "jaxlib": "0.9"}, frameworks={"jax": "0.9"})
    other = run(packages={"torch": "2.13", "jaxlib": "0.10"}, frameworks={"jax": "0.9"})
    effects = {gap.name: gap.effect for gap in surroundings.gaps(one, other)}
    assert effects["torch"] == ""
    assert effects["jaxlib"] != ""


def opened(
    folder: Path, steps: dict[int, int], *, late: bool = False, logs: int | None = None
) -> Opened:
    """A recorded run with these steps: values by number. The last one may be recorded `late`.
    `logs`: all steps were logged, and from this one on they are others."""
    written = Written(folder).model()
    if logs is not None:
        written.train(range(1, 6), epoch=99, apart=logs)
    for step, value in steps.items():
        last = step == max(steps)
        written.checkpoint("step", step=step, values=[0, 0, value], late=late and last)
    return Opened(folder, run(), written.heard("completed"), folder)


def test_a_step_that_one_run_alone_has_is_no_difference(tmp_path: Path) -> None:
    one, other = opened(tmp_path / "a", {1: 1, 3: 3}), opened(tmp_path / "b", {1: 1, 2: 2, 4: 4})
    found = compare(one, other)
    assert found.first is None
    assert found.summary.startswith("The runs agree bit for bit in all 2 checkpoints that both")
    assert found.shape == ("only the first has step 3", "only the second has step 2, step 4")


def test_how_far_apart_a_recorded_step_is_is_looked_up(tmp_path: Path) -> None:
    one, other = opened(tmp_path / "a", {1: 1, 2: 2}), opened(tmp_path / "b", {1: 1, 2: 9})
    for run, value, number in ((one, 2, 1.0), (other, 9, 1.5)):
        (run.values / digest(value)).write_bytes(struct.pack("f", number))
    first = compare(one, other).first
    assert first is not None
    assert (first.label, first.differing) == ("step 2", 1)
    assert [(far.tensor, far.max_abs) for far in first.apart] == [("dense_1/kernel", 0.5)]


def test_a_logged_step_comes_before_the_moment_behind_it(tmp_path: Path) -> None:
    one, other = opened(tmp_path / "a", {5: 1}, logs=99), opened(tmp_path / "b", {5: 9}, logs=2)
    first = compare(one, other).first
    assert first is not None
    assert first.label == "step 2"


def test_a_last_step_that_was_recorded_late_is_not_told_as_that_step(tmp_path: Path) -> None:
    one, other = (
        opened(tmp_path / name, {1: 1, 5: v}, late=True) for name, v in (("a", 2), ("b", 3))
    )
    found = compare(one, other)
    assert found.summary.startswith("The runs part at the weights left after step 5: 1 of 3")


@pytest.mark.parametrize(
    ("facts", "told"),
    [
        ({"gpus": ("H100",)}, "GPUs (none and H100) differ."),
        ({"driver": "560"}, "NVIDIA driver (none and 560) differs."),
    ],
)
def test_things_around_a_run_are_one_or_several(
    facts: dict[str, Any], told: str, tmp_path: Path
) -> None:
    one = opened(tmp_path / "a", {1: 1})
    other = dataclasses.replace(one, run=run(**facts))
    assert told in compare(one, other).summary
