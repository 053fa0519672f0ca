"""A closer look at where trials part: further trials whose steps are looked into."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from nondet import record
from nondet.guest.factors import by_name
from nondet.host.events import Inside
from nondet.host.horizon import Horizon
from nondet.host.laboratory import Laboratory
from nondet.host.planning import Settings, Window
from nondet.host.steps import parting
from nondet.host.trials import Trial
from nondet.record import Arm
from nondet.search.questions import Answer, Finding, Question
from nondet.verdict import Verdict, Witness

MARGIN = 16
"""Steps looked into on either side of the one where trials parted: a race strikes at another one
in every run."""
PAIRS = 2
"""Pairs that must part where a race is looked for; comparisons that must agree before it is said
that none parts."""
MOST = 3
"""Causes that are looked into."""
LOOKED_INTO = frozenset({"keras", "torch"})
"""Frameworks of which the guest can see the inside of a step."""
TEXT = "What is the first to differ inside a step?"


@dataclasses.dataclass(frozen=True)
class Place:
    """Where trials of a plan part, as far as their weights tell."""

    held: Mapping[str, Arm]
    factors: tuple[str, ...]
    """The causes that are free in them."""
    model: str
    index: int
    step: int
    before: int
    """The last step up to which they agree."""
    others: int
    """Steps that other models had made by then."""

    @property
    def window(self) -> Window:
        first = max(1, min(self.before + 1, self.step - MARGIN))
        return Window(first, self.step + MARGIN)

    @property
    def races(self) -> bool:
        """Whether what is free may strike at another place in every run, or nothing is known."""
        groups = {by_name(name).group for name in self.factors}
        return not groups or bool(groups & {"parallelism", "kernels"})

    def question(self, pairs: int) -> Question:
        return Question(TEXT, self.held, agreeing=PAIRS, parting=pairs)

    def settings(self, settings: Settings) -> Settings:
        """Those of trials that are looked into, and ended behind the window."""
        horizon = Horizon("step", self.others + self.window.last)
        return dataclasses.replace(settings, zoom=self.window, granularity="step", horizon=horizon)


def places(laboratory: Laboratory, finding: Finding) -> Iterator[Place]:
    """Where runs part because of each cause; without one, with everything pinned. Not because of
    `leftovers`: trials that are looked into are ended, and none starts from another's files."""
    by_id = {trial.id: trial for trial in laboratory.trials}
    found: list[tuple[tuple[str, ...], tuple[str, ...]]]
    if finding.verdict == "unresolved":
        found = [((), finding.pinned_trials or finding.free_trials)]
    elif finding.verdict == "causes-found":
        guilty = [guilt for guilt in finding.guilty if guilt.factor != "leftovers"]
        found = [((guilt.factor,), guilt.parting) for guilt in guilty[:MOST]]
    else:
        return
    for factors, ids in found:
        parted = [by_id[i] for i in ids if i in by_id and by_id[i].witness is not None]
        for trial in parted[:1]:
            reference = by_id.get(trial.reference)
            if reference is None or keras_2(reference.frameworks):
                continue
            if where := place(reference, trial, factors):
                yield where


def keras_2(frameworks: Mapping[str, str]) -> bool:
    """Whether what trains is Keras 2, of whose steps nothing is seen inside. `frameworks`: what a
    trial has imported, with the versions."""
    if "keras" in frameworks:
        return frameworks["keras"].startswith(("1.", "2."))
    return "tf_keras" in frameworks


def place(reference: Trial, trial: Trial, factors: Sequence[str]) -> Place | None:
    """Where these two part; None when that is before any step, not in training, or in a step that
    can't be looked into."""
    witness = trial.witness
    if witness is None or witness.checkpoint.kind not in ("step", "epoch"):
        return None
    checkpoint = witness.checkpoint
    seen = reference.frameworks.keys()
    if not checkpoint.step or (seen and not seen & LOOKED_INTO):
        return None
    index = model_of(witness, reference)
    steps: dict[int, list[int]] = {index: []}
    earlier = zip(reference.owners, reference.checkpoints, strict=True)
    for owner, other in itertools.islice(earlier, witness.index):
        if owner >= 0:
            steps.setdefault(owner, []).append(other.step)
    own = steps.pop(index)
    before = max([step for step in own if step < checkpoint.step], default=0)
    trace = reference.traces.get(index)
    if checkpoint.kind == "step" and trace is not None and trace.has(checkpoint.step - 1):
        before = checkpoint.step - 1
    return Place(
        held=trial.held,
        factors=tuple(factors),
        model=checkpoint.model,
        index=index,
        step=checkpoint.step,
        before=before,
        others=sum(max(made) for made in steps.values()),
    )


def model_of(witness: Witness, reference: Trial) -> int:
    """The model that a witness is of, by its place in the order of first training."""
    name = witness.checkpoint.model
    alike = [index for index, other in reference.models.items() if other == name]
    # That of a step lies before the model's next checkpoint, if it has come so far.
    owner = next(iter(reference.owners[witness.index :]), -1)
    return owner if owner in alike else max(alike, default=0)


def zoom(
    place: Place, answer: Answer, looked: Sequence[Trial], plain: Sequence[Trial]
) -> record.Zoom:
    """What the trials that were looked into show. `plain`: others of the same plan."""
    window = place.window
    found = record.Zoom(
        model=place.model,
        factors=place.factors,
        trials=tuple(trial.id for trial in looked),
        first_step=window.first,
        last_step=window.last,
    )
    if answer.verdict is Verdict.BROKEN:
        return msgspec.structs.replace(
            found, note=f"looked into, the script does not run: {answer.broken}"
        )
    by_id = {trial.id: trial for trial in looked}
    parted = [t for t in looked if t.witness is not None and t.reference in by_id]
    pairs = [(by_id[t.reference], t) for t in parted]
    partings = [(a, b, part) for a, b in pairs if (part := first_inside(a, b)) is not None]
    if not partings:
        note = "the weights part, and nothing that is seen of a step does" if pairs else ""
        if not any(trial.insides for trial in looked):
            note = "nothing of a step could be seen"
        return msgspec.structs.replace(found, note=note)
    one, other, shown = partings[0]
    return msgspec.structs.replace(
        found,
        pairs=len(partings),
        firsts=firsts([part for _, _, part in partings]),
        step=shown.step,
        pair=(one.id, other.id),
        moments=shown.moments,
        mode=one.scenes[one.insides[shown.key].layout].mode,
        unchanged_steps=max(
            (unchanged(look, p, *shown.key) for look in (one, other) for p in plain),
            default=0,
        ),
    )


@dataclasses.dataclass(frozen=True)
class PartingInside:
    """The first step of which something differs, with all that was seen of it."""

    key: tuple[int, int]
    """(model, step)."""
    moments: tuple[record.Moment, ...]
    first: record.Moment

    @property
    def step(self) -> int:
        return self.key[1]


def first_inside(one: Trial, other: Trial) -> PartingInside | None:
    """Where the insides of two trials differ first, in the order in which the steps were taken."""
    for key, a in one.insides.items():
        b = other.insides.get(key)
        if b is None:
            return None
        moments = tuple(paired(one, a, other, b))
        first = next((moment for moment in moments if moment.differs), None)
        if first is not None:
            return PartingInside(key, moments, first)
    return None


def paired(one: Trial, a: Inside, other: Trial, b: Inside) -> Iterator[record.Moment]:
    """The moments of a step of two trials, each with whether it differs.

    A moment that only one of them has differs. Where the steps were put together in another way,
    what comes then can't be told apart, and is left out.
    """
    rows = zip(
        itertools.zip_longest(one.scenes[a.layout].moments, other.scenes[b.layout].moments),
        itertools.zip_longest(a.digests, b.digests),
        strict=True,
    )
    for (mine, theirs), (left, right) in rows:
        phase, layer, kind, op, tensor, dtype, shape = mine or theirs
        yield record.Moment(
            phase=phase,  # type: ignore[arg-type]
            layer=layer,
            kind=kind,
            op=op,
            tensor=tensor,
            dtype=dtype,
            shape=tuple(shape),
            differs=left != right or mine != theirs,
        )
        if mine != theirs:
            return


def firsts(partings: Sequence[PartingInside]) -> tuple[record.First, ...]:
    """What was the first to differ, and how often, the most frequent first."""
    counts: dict[tuple[str, str, str], list[PartingInside]] = {}
    for part in partings:
        key = part.first.phase, part.first.layer, part.first.tensor
        counts.setdefault(key, []).append(part)
    groups = sorted(counts.values(), key=len, reverse=True)
    return tuple(
        record.First(step=group[0].step, moment=group[0].first, pairs=len(group))
        for group in groups
    )


def sharpened(
    divergence: record.Divergence | None, zooms: Sequence[record.Zoom]
) -> record.Divergence | None:
    """The place where runs part, by what is first to differ inside that step, if it always is."""
    for found in zooms:
        if divergence is None or divergence.checkpoint not in ("step", "epoch"):
            break
        if found.model != divergence.model or len(found.firsts) != 1 or found.pair is None:
            continue
        first = found.firsts[0]
        if first.step != divergence.step:
            continue
        moment = first.moment
        name = moment.tensor.removeprefix("gradient of its ")
        return record.Divergence(
            checkpoint="step",
            model=found.model,
            epoch=divergence.epoch,
            step=first.step,
            tensor=f"{moment.layer}/{name}" if moment.layer else name,
            kind=moment.phase,
            trials=found.pair,
            tensors_differing=sum(each.differs for each in found.moments),
            tensors=len(found.moments),
        )
    return divergence


def unchanged(look: Trial, plain: Trial, index: int, step: int) -> int:
    """Steps before this one up to which weights are those of a trial that was not looked into."""
    if index not in look.traces or index not in plain.traces:
        return 0
    one, other = look.traces[index], plain.traces[index]
    # Not their checkpoints: these are closer to one another in trials that are looked into.
    part = parting(one, other)
    return min(step - 1, one.last, other.last) if part is None else min(step - 1, part.before)
