"""The page docs/scaling.md, from what was measured."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

import numpy as np

from nondet import stats
from nondet.host import machine
from nondet.host.executing import MOST_JOBS
from nondet.host.executors.cluster.attendant import LOOK_SECONDS
from nondet.host.executors.cluster.lease import BEAT_SECONDS
from nondet.host.laboratory import POLL_SECONDS
from nondet.host.planning import VALUES_LIMIT
from tests.benchmarks.scaling.axes import AXES, EPOCHS, STEP_TENSORS, Axis
from tests.benchmarks.scaling.fitting import FITTED, Growth, growth, power, shown

Found = Mapping[int, Mapping[str, float]]
"""By size, what was measured by quantity."""
BUDGETS = {"time": 3600.0, "bytes": 10e9, "count": 1000.0}
"""An hour, 10 GB, 1,000 trials: from there on a quantity is a wall."""
PAGE_BUDGET = 20e6
"""Bytes of a page that a browser opens at once."""


def growths(axis: Axis, found: Found) -> dict[str, Growth]:
    return {
        name: growth({size: measured[name] for size, measured in found.items()})
        for name in axis.quantities
    }


def at_target(axis: Axis, found: Found) -> dict[str, float]:
    """What each quantity comes to at the target: as measured, or else extrapolated."""
    if axis.target in found:
        return dict(found[axis.target])
    return {name: law.at(axis.target) for name, law in growths(axis, found).items()}


def wall(axis: Axis, found: Found) -> tuple[str, float]:
    """The quantity that first comes to its budget, and the size at which it does."""
    reached = {
        name: law.reaches(PAGE_BUDGET if name == "report.html" else BUDGETS[axis.quantities[name]])
        for name, law in growths(axis, found).items()
    }
    name = min(reached, key=reached.__getitem__)
    return name, reached[name]


def line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |\n"


def table(axis: Axis, found: Found) -> str:
    """A row for each size, for the exponents, and for the target where that was not measured."""
    rows = [[axis.unit, *axis.quantities], ["---"] * (1 + len(axis.quantities))]
    for size in sorted(found):
        cells = [shown(found[size][name], kind) for name, kind in axis.quantities.items()]
        rows.append([power(size), *cells])
    laws = growths(axis, found)
    rows.append(
        ["*grows by the power*", *(f"{max(0.0, law.exponent):.2f}" for law in laws.values())]
    )
    if axis.target not in found:
        target = at_target(axis, found)
        cells = [f"*{shown(target[name], kind)}*" for name, kind in axis.quantities.items()]
        rows.append([f"*{power(axis.target)}, extrapolated*", *cells])
    return "".join(map(line, rows))


def summary(every: Mapping[str, Found]) -> str:
    """At the targets, and where the first wall stands."""
    rows = [["axis", "target", "there", "first wall"], ["---"] * 4]
    for axis in AXES:
        found = every[axis.name]
        target = at_target(axis, found)
        cells = [f"{name} {shown(target[name], kind)}" for name, kind in axis.quantities.items()]
        how = "measured" if axis.target in found else "extrapolated"
        name, size = wall(axis, found)
        stands = f"{name}, at {rough(size)}" if size < 1e30 else "none"
        rows.append([axis.title, f"{power(axis.target)}, {how}", "; ".join(cells), stands])
    return "".join(map(line, rows))


def rough(size: float) -> str:
    """A size with one digit."""
    digits = len(str(int(size))) - 1
    first = int(size) // 10**digits
    return f"{first * 10**digits:,}" if digits < 6 else f"{first}·10^{digits}"


def page(every: Mapping[str, Found]) -> str:
    """The whole of docs/scaling.md."""
    by_name = {axis.name: axis for axis in AXES}

    def target(axis: str, quantity: str) -> float:
        return at_target(by_name[axis], every[axis])[quantity]

    events = target("tensors", "disk")
    log = target("steps", "disk")
    weights = target("parameters", "disk")
    return TEXT.format(
        cores=machine.cores(),
        cpu=machine.cpu_name(),
        numpy=np.__version__,
        load=os.getloadavg()[1],
        fitted=("no", "one", "two", "three")[FITTED],
        summary=summary(every),
        axes="\n".join(
            f"### {axis.title}\n\n{axis.text}\n\n{table(axis, every[axis.name])}" for axis in AXES
        ),
        epochs=EPOCHS,
        step_tensors=STEP_TENSORS,
        trial_sends=shown(events + log, "bytes"),
        trials_send=shown(10_000 * (events + log), "bytes"),
        values=f"{VALUES_LIMIT / 2**20:.0f} MiB",
        looks=round(1 / POLL_SECONDS),
        orders=round(1 / LOOK_SECONDS),
        beat=f"{BEAT_SECONDS:g}",
        side_by_side=MOST_JOBS,
        all_looks=f"{MOST_JOBS / POLL_SECONDS:,.0f}",
        shared=shown(target("tensors", "memory"), "bytes"),
        unshared=shown(10_000 * target("tensors", "memory"), "bytes"),
        weights=shown(weights, "bytes"),
        half=shown(weights / 2, "bytes"),
        fast=shown(target("parameters", "xxh3_128"), "time"),
        slow=shown(target("parameters", "sha256"), "time"),
        distance=shown(target("parameters", "distance"), "time"),
        each=shown(target("trials", "host's time") / 10_000, "time"),
        page=shown(target("record", "report.html"), "bytes"),
        least=f"{stats.divergence_bound(0, 9999, 0.95):.1g}",
        needed="; ".join(
            f"{stats.comparisons_needed(rate, 0.95):,} at {rate:g}"
            for rate in (0.5, 0.1, 0.01, 0.001, 0.0003)
        ),
    )


TEXT = """\
<!-- Written by `python -m tests.benchmarks.scaling`. -->

# At scale

What 10^4 trials, 10^6 steps, 10^4 tensors and 10^11 parameters cost, where the first wall stands on
each axis, and what moves it. `sh .ci/do scaling` measures all of it anew, each size in a process of
its own, and writes this page.

{cores} cores ({cpu}), NumPy {numpy}; {load:.1f} processes wanted to run, on average. Times are
processor time. What is *extrapolated* was not measured: it is the value at the largest size,
carried on by the power by which the {fitted} largest grow. No cluster, and no model of that size,
stood behind it.

## In short

A wall is an hour, 10 GB, 1,000 trials, or a page of 20 MB. Where one quantity comes to that first,
by the same powers, is the first wall.

{summary}
## Where the walls stand

- *Parameters*. A checkpoint of 10^11 parameters is {weights} in float32, {half} in bfloat16. By one
  core and from memory, its digest takes {fast} with xxHash, and {slow} with SHA-256, which is taken
  where the script's interpreter has no `xxhash`. The store of values comes first: each distinct
  tensor is a file there, so that distances can be told. Therefore a trial adds 256 MiB at most;
  beyond that, differences are found, and not measured. To measure all would take {distance}. What
  moves the wall is to digest weights where they lie, each shard by itself: on one GPU that is done,
  across several it is not.
- *Trials*. The host takes {each} for each, whatever their number, beside the trial itself. The wall
  is the script: if it takes a minute, 10^4 runs one after the other take a week, and only more
  machines move that. Trials that agree share one trajectory in memory: with 10^4 tensors and
  {epochs} epochs {shared}, which would be {unshared} for 10^4 trials.
- *Network*. On a [cluster](cluster.md) a trial writes its events and the log of its steps to the
  folder that all machines share: with 10^4 tensors, {epochs} epochs, and 10^6 steps of
  {step_tensors} tensors {trial_sends}, and {trials_send} for 10^4 trials. Values of
  tensors go there too, each distinct one once, {values} a trial at most.
  As long as a trial runs, the host opens its files about {looks} times a second to see
  what is new, its machine looks {orders} times a second whether it
  is to end, and each looks every {beat} s whether the other lives. So at most {side_by_side} trials
  run side by side, unless `--jobs` says more: that is {all_looks} times a second that a file is
  opened by the host alone. The number is an estimate; it was tried on no network.
- *Steps*. The log takes 48 bytes a step. The digests of single tensors are kept as well, for every
  step until they take 32 MiB, and for fewer and fewer up to 64 MiB. The first step that differs is
  found by bisection: among 10^6 steps that reads some forty records.
- *The report*. The page lists 500 trials at most, those first that its claims name, and thins the
  matrix of layers at two million cells: {page} for 10^4 trials. The record holds all.
- *Factors and causes*. Ten times as many factors take a few trials more: a group is halved, again
  and again. Each cause takes about as many as the first one, so it is they that cost. nondet
  has [some dozens](factors.md).
- *Rates*. What acts rarely needs the comparisons that the binomial law asks for, at 95 %: {needed}.
  So 10^4 trials that agree leave a rate of {least} open. No search changes that; to provoke what is
  rare does (`--stress`).

## Each axis

{axes}"""
