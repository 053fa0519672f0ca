"""The change that the causes ask for: code for the top of the script, and the launch line."""

from __future__ import annotations

import dataclasses
from collections.abc import Container, Mapping, Sequence

from nondet import record
from nondet.guest.factors import by_name
from nondet.guest.factors.base import Factor
from nondet.host import line_edits
from nondet.host.launching import TENSORFLOW, launching, line, together
from nondet.host.line_edits import Places
from nondet.host.plugins import Plugin
from nondet.search.questions import Finding

SEED_ALL = "import keras\nkeras.utils.set_random_seed(42)"
FIRST, KERAS = "tensorflow-1", "keras"
"""What TensorFlow's first version is called in `Factor.fixes` and `Factor.advices`, and what Keras
that seeds all at once, whatever it computes with."""


@dataclasses.dataclass(frozen=True)
class Written:
    """Code that holds a cause."""

    factor: str
    text: str
    runs: bool = True
    """Whether it does so at the top of the script; else it shows what to write."""
    program: str = ""
    """The script at whose top it goes; empty for the one that was recorded."""


def prescribe(
    finding: Finding,
    causes: Sequence[record.Cause],
    places: Mapping[str, Places],
    started: str,
    frameworks: Mapping[str, str],
    plugins: Sequence[Plugin] = (),
    backend: str = "",
    programs: Mapping[str, Sequence[str]] | None = None,
) -> tuple[record.Prescription, tuple[Written, ...]]:
    """The change for all causes together, and the code of it for the top of the script. `started`:
    what starts it, such as ``python train.py``. `frameworks`: those it uses, with their versions.
    `backend`: what Keras computes with. `programs`: by cause, the scripts that use it, where the
    subject starts some; empty for the one that was recorded.

    Verified means: with exactly these pins, the trials named agree.
    """
    seeds = {name: line_edits.seed_edits(name, found.seedings) for name, found in places.items()}
    changes = {name: line_edits.in_place(name, found, plugins) for name, found in places.items()}
    # A cause all of whose places are changed where they stand needs nothing at the top; neither
    # does one that acts through a seed, once that is a number.
    factors = [
        by_name(c.factor)
        for c in causes
        if not seeds[c.factor] and not line_edits.all_edited(c.factor, places[c.factor], plugins)
    ]
    alone = {
        n for n, found in places.items() if any(line_edits.drawn(n, s) for s in found.seedings)
    }
    others = {n: tuple(p) for n, p in (programs or {}).items() if p and line_edits.seeded_at_top(n)}
    own = [factor for factor in factors if "" in others.get(factor.name, ("",))]
    written = at_top(own, frameworks, backend, alone)
    top = [one.text for one in written]
    started_by_it = in_programs(factors, others, frameworks, backend)
    without = [factor for factor in factors if not code(factor, frameworks, backend)]
    variables = together(pair for factor in without for pair in launching(factor, frameworks))
    spoken = [factor for factor in without if not launching(factor, frameworks)]
    prescription = record.Prescription(
        snippet="\n\n".join(dict.fromkeys(top)),
        edits=tuple(dict.fromkeys(edit for cause in causes for edit in changes[cause.factor])),
        advice=(*moves(causes), *(advice(factor, frameworks, backend) for factor in spoken)),
        launch=line(variables, started),
        variables=variables,
        pins=tuple(cause.factor for cause in causes),
        verified_trials=finding.verified,
        verified=finding.verdict == "causes-found" and bool(finding.verified),
        programs=tuple(
            record.Program(file=file, top=tuple(o.text for o in started_by_it if o.program == file))
            for file in dict.fromkeys(one.program for one in started_by_it)
        ),
    )
    return prescription, (*(one for one in written if one.runs), *started_by_it)


def in_programs(
    factors: Sequence[Factor],
    programs: Mapping[str, Sequence[str]],
    frameworks: Mapping[str, str],
    backend: str,
) -> list[Written]:
    """Code for the tops of scripts that the subject starts. Each generator has its own: what else
    seeds it may be a framework that only the subject uses."""
    return [
        Written(factor.name, code(factor, frameworks, backend), program=program)
        for factor in factors
        for program in programs.get(factor.name, ())
        if program
    ]


def at_top(
    factors: Sequence[Factor],
    frameworks: Mapping[str, str],
    backend: str = "",
    alone: Container[str] = (),
) -> list[Written]:
    """Code for the top of the script, in the terms of the frameworks that it uses. `alone`: names
    of generators from which the script draws seeds, and which need no others beside them."""
    found = []
    seeded = []
    if seeds_all(frameworks):
        seeded = [f for f in factors if f.reseeds or backend in f.reseeds_on]
    if all(factor.name in alone for factor in seeded):
        seeded = []
    found += [Written(factor.name, SEED_ALL) for factor in seeded]
    for factor in factors:
        if factor not in seeded and (text := code(factor, frameworks, backend)):
            found.append(Written(factor.name, text, not factor.fix_is_sample))
    return found


def code(factor: Factor, frameworks: Mapping[str, str], backend: str = "") -> str:
    """A factor's code in the terms of the script. Empty where no code at its top holds the factor:
    then the launch line does, or advice is all there is."""
    return said(factor.fixes, frameworks, backend, elsewhere=not factor.launch) or factor.fix


def advice(factor: Factor, frameworks: Mapping[str, str], backend: str = "") -> str:
    """What to change, in the terms of the script."""
    return said(factor.advices, frameworks, backend) or factor.advice


def said(
    texts: Sequence[tuple[str, str]],
    frameworks: Mapping[str, str],
    backend: str = "",
    elsewhere: bool = True,
) -> str:
    """Of texts by framework, that of Keras' backend, which is not all that a script may use: Keras
    imports TensorFlow to seed it, whatever it computes with. Without one, with `elsewhere`, that of
    what else the script uses; else empty."""
    home = backend or (TENSORFLOW if TENSORFLOW in frameworks else "")
    used = [(name, text) for name, text in texts if _uses(name, frameworks)]
    # `torch on a GPU` is PyTorch's.
    families = {name: name.partition(" ")[0].removesuffix("-1") for name, _ in used}
    own = [text for name, text in used if not home or families[name] in (home, KERAS)]
    other = [text for _, text in used] if elsewhere else []
    return next(iter(own + other), "")


def _uses(name: str, frameworks: Mapping[str, str]) -> bool:
    old = frameworks.get(TENSORFLOW, "").startswith("1.")
    if name == FIRST:
        return old
    if name == KERAS:
        return seeds_all(frameworks)
    return name in frameworks and not (name == TENSORFLOW and old)


def seeds_all(frameworks: Mapping[str, str]) -> bool:
    """Whether Keras seeds everything at once: a function that it has since 2.7."""
    numbers = frameworks.get("keras", "0").split(".")[:2]
    known = [int(number) for number in numbers if number.isdigit()]
    return "keras" in frameworks and (len(known) < 2 or known >= [2, 7])


def moves(causes: Sequence[record.Cause]) -> tuple[str, ...]:
    """Seeds that come too late, and what they must come before."""
    late: dict[tuple[str, str], dict[str, None]] = {}
    for seeding in (s for cause in causes for s in cause.seedings if s.fault == "late"):
        for first in seeding.before[:1]:
            key = (seeding.call, seeding.site.place)
            where = f"{first.place}, where {first.detail} draws"
            late.setdefault(key, {})[where] = None
    return tuple(
        f"Or move `{call}` from {place} up, before {' and '.join(places)}."
        for (call, place), places in late.items()
    )
