"""Compares two recorded runs, of one machine or of two, as far as both have the same things."""

from __future__ import annotations

import dataclasses
import shlex
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from nondet import __version__
from nondet.host import compared, comparing, differences, surroundings
from nondet.host.portable import Opened
from nondet.host.trials import Trial
from nondet.naming import numbered
from nondet.record import Compared
from nondet.runs import Comparison, Far, Gap, Measured, Parting, RecordedRun
from nondet.verdict import Checkpoint

MOST_TENSORS = 500
"""Tensors of one moment whose distances are told; all are compared."""
SEVERAL = ("arguments", "pins", "instruction sets", "cores to use", "GPUs")
"""Names of what is around a run that stand for several things."""
MOST_NAMES = 3
"""Names in a sentence."""

Key = tuple[str, int, str, int, int, int, int]
Tensor = tuple[str, str, tuple[int, ...]]
"""Path, dtype and shape."""


@dataclasses.dataclass(frozen=True)
class Moment:
    """A checkpoint with what is known of its tensors."""

    checkpoint: Checkpoint
    tensors: tuple[Tensor, ...]
    digests: tuple[str, ...]
    late: bool = False
    """Whether it shows a last step as the script left it later on."""

    @property
    def label(self) -> str:
        name = self.checkpoint.label
        return f"the weights left after {name}" if self.late else name


@dataclasses.dataclass(frozen=True)
class Pair:
    """One tensor in both runs."""

    one: Tensor
    other: Tensor
    digests: tuple[str, str]

    @property
    def differs(self) -> bool:
        return self.digests[0] != self.digests[1]

    @property
    def comparable(self) -> bool:
        return self.one[1:] == self.other[1:]


def compare(one: Opened, other: Opened, *, repeats: bool = False) -> Comparison:
    """All that can be said of two runs. The order of the moments is that of the first. `repeats`:
    whether it is known that the script does."""
    here, there = dict(moments(one.trial)), dict(moments(other.trial))
    common = [key for key in here if key in there]
    renamed: dict[str, None] = {}
    lacking: dict[str, None] = {}
    parted: list[tuple[Moment, list[Pair], int]] = []
    for key in common:
        pairs, names, lacks = aligned(here[key], there[key])
        renamed |= dict.fromkeys(names)
        lacking |= dict.fromkeys(lacks)
        apart = [pair for pair in pairs if pair.differs]
        if apart:
            parted.append((here[key], apart, len(pairs)))
    lacking |= dict.fromkeys(lengths(here, there))
    stores = one.values, other.values
    first = _step(one.trial, other.trial, parted[0][0] if parted else None)
    if first is None and parted:
        first = _parting(*parted[0], stores)
    at_end = bool(parted) and bool(common) and parted[-1][0] is here[common[-1]]
    last = _parting(*parted[-1], stores) if at_end and len(parted) > 1 else None
    found = surroundings.gaps(one.run, other.run)
    agreed = compared.of([one.trial]) if not lacking else None
    agree = bool(common) and first is None and not lacking
    return Comparison(
        nondet=__version__,
        files=(str(one.path), str(other.path)),
        one=one.run,
        other=other.run,
        agree=agree,
        summary=" ".join(
            _summary(len(common), first, tuple(lacking), found, one.run, agreed, repeats)
        ),
        compared=len(common),
        first=first,
        last=last,
        shape=(*renamed, *lacking),
        gaps=found,
        metrics=tuple(_metrics(one.run, other.run)),
    )


def moments(trial: Trial) -> Iterator[tuple[Key, Moment]]:
    """The checkpoints of a run by what they are, whatever the models' names."""
    times: Counter[tuple[str, str]] = Counter()
    rows = zip(trial.owners, trial.forms, trial.checkpoints, strict=True)
    for index, (owner, form, c) in enumerate(rows):
        # A value of the user's is told by its name and by how often it has come.
        name = c.model if c.kind == "user" else ""
        times[c.kind, name] += c.kind == "user"
        digests = tuple(digest for _, digest in c.tensors)
        moment = Moment(c, tuple(form.tensors), digests, index in trial.late)
        yield (c.kind, owner, name, times[c.kind, name], c.fit, c.epoch, c.step), moment


def aligned(one: Moment, other: Moment) -> tuple[list[Pair], list[str], list[str]]:
    """The tensors that both have: of one path, else, in their order, of one dtype and shape. Then
    what is to be told of those with two names, and of those that one lacks."""
    there = {name: place for place, name in enumerate(numbered(t[0] for t in other.tensors))}
    pairs: list[Pair] = []
    alone = []
    for place, name in enumerate(numbered(t[0] for t in one.tensors)):
        match = there.pop(name, None)
        if match is None:
            alone.append(place)
        else:
            pairs.append(_pair(one, place, other, match))
    left = sorted(there.values())
    renamed = []
    for place in list(alone):
        like = [i for i in left if other.tensors[i][1:] == one.tensors[place][1:]]
        if like:
            left.remove(like[0])
            alone.remove(place)
            renamed.append((place, like[0]))
    pairs += [_pair(one, place, other, match) for place, match in renamed]
    model = one.checkpoint.model
    told, notes = [], []
    if renamed:
        names = [f"{one.tensors[a][0]} is {other.tensors[b][0]}" for a, b in renamed]
        told.append(f"in {model}, other names for the same place: {_some(names)}")
    if alone:
        notes.append(f"in {model}, only the first has {_some([one.tensors[i][0] for i in alone])}")
    if left:
        notes.append(
            f"in {model}, only the second has {_some([other.tensors[i][0] for i in left])}"
        )
    changed = [pair for pair in pairs if not pair.comparable]
    if changed:
        names = [f"{p.one[0]} ({_kind(p.one)} and {_kind(p.other)})" for p in changed]
        notes.append(f"in {model}, of another dtype or shape: {_some(names)}")
    return pairs, told, notes


def _pair(one: Moment, place: int, other: Moment, match: int) -> Pair:
    return Pair(
        one.tensors[place], other.tensors[match], (one.digests[place], other.digests[match])
    )


def _kind(tensor: Tensor) -> str:
    return f"{tensor[1]} {'x'.join(map(str, tensor[2])) or 'scalar'}"


def _some(names: Sequence[str]) -> str:
    more = len(names) - MOST_NAMES
    return ", ".join(names[:MOST_NAMES]) + (f" and {more} more" if more > 0 else "")


def lengths(here: dict[Key, Moment], there: dict[Key, Moment]) -> Iterator[str]:
    """Moments that only one of the runs has."""
    for own, others, which in ((here, there, "first"), (there, here, "second")):
        extra = [moment.checkpoint for key, moment in own.items() if key not in others]
        if extra:
            labels = list(dict.fromkeys(checkpoint.label for checkpoint in extra))
            yield f"only the {which} has {_some(labels)}"


def _step(one: Trial, other: Trial, before: Moment | None) -> Parting | None:
    """The step at which they part, where both logged steps and that comes before that moment."""
    witness = comparing.parting(one, other, ended=False)
    if witness is None or witness.checkpoint.kind != "step":
        return None
    if witness.checkpoint in one.checkpoints[witness.index : witness.index + 1]:
        # No logged step: it is compared as a moment, whatever the other run has at that place.
        return None
    c = witness.checkpoint
    if before is not None and before.checkpoint.kind == "init":
        return None
    return Parting(
        checkpoint="step",
        label=c.label,
        model=c.model,
        epoch=c.epoch,
        step=c.step,
        tensors=len(c.tensors),
        differing=witness.differing,
        apart=(Far(tensor=witness.tensor),) if witness.tensor else (),
    )


def _parting(
    moment: Moment, apart: Sequence[Pair], tensors: int, stores: tuple[Path, Path]
) -> Parting:
    c = moment.checkpoint
    return Parting(
        checkpoint=c.kind,  # type: ignore[arg-type]
        label=moment.label,
        model=c.model,
        epoch=c.epoch,
        step=c.step,
        tensors=tensors,
        differing=len(apart),
        apart=tuple(_far(pair, stores) for pair in apart[:MOST_TENSORS]),
    )


def _far(pair: Pair, stores: tuple[Path, Path]) -> Far:
    distance = differences.NOTHING
    # What is no digest may name any file.
    if pair.comparable and pair.one[1] and all(digest.isalnum() for digest in pair.digests):
        one, other = (store / digest for store, digest in zip(stores, pair.digests, strict=True))
        try:
            distance = differences.between(one, other, pair.one[1])
        except (OSError, TypeError):  # not kept, or a dtype that nobody knows
            distance = differences.NOTHING
    return Far(
        tensor=pair.one[0],
        other=pair.other[0] if pair.other[0] != pair.one[0] else "",
        max_abs=distance.max_abs,
        max_rel=distance.max_rel,
        max_ulp=distance.max_ulp,
        share=distance.share,
    )


def _metrics(one: RecordedRun, other: RecordedRun) -> Iterator[Measured]:
    for name in dict.fromkeys([*one.metrics, *other.metrics]):
        a, b = one.metrics.get(name), other.metrics.get(name)
        if a != b:
            yield Measured(name=name, one=a, other=b)


def _summary(
    count: int,
    first: Parting | None,
    notes: Sequence[str],
    gaps: Sequence[Gap],
    run: RecordedRun,
    agreed: Compared | None,
    repeats: bool,
) -> Iterator[str]:
    if not count:
        yield "The runs have nothing in common that could be compared."
    elif first is None:
        moments = f"all {count} checkpoints" if count > 1 else "the one checkpoint"
        both = " that both have" if notes else ""
        what = f": {agreed.what}" if agreed is not None else ""
        yield f"The runs agree bit for bit in {moments}{both}{what}."
        if agreed is not None and (unseen := compared.unseen(agreed)):
            yield f"{unseen[0].upper()}{unseen[1:]}."
    else:
        yield f"The runs part at {first.label}: {_where(first)}."
    known = [gap for gap in gaps if gap.effect]
    if known:
        names = [f"{gap.name} ({gap.one} and {gap.other})" for gap in known]
        several = len(known) > 1 or known[0].name in SEVERAL
        differ = "differ" if several else "differs"
        yield f"Around them, {_some(names)} {differ}."
    elif first is not None and repeats:
        yield (
            "Nothing around them differs that is known to matter: look at the files that the "
            "script reads and the modules that it imports, which are not compared."
        )
    elif first is not None:
        command = shlex.join(["nondet", "diagnose", *run.subject.named, *run.subject.args])
        yield (
            "Nothing around them differs that is known to matter: look whether the script repeats "
            f"by itself, with `{command}`."
        )


def _where(parting: Parting) -> str:
    noun = "tensor" if parting.tensors == 1 else "tensors"
    verb = "differs" if parting.differing == 1 else "differ"
    text = f"{parting.differing} of {parting.tensors} {noun} {verb}"
    if parting.apart:
        far = parting.apart[0]
        text += f", first {far.tensor}"
        if far.max_rel is not None:
            text += f", by up to {far.max_rel:.3g} relative"
    return text
