"""The change that the causes ask for: code for the top of the script, and the launch line."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Container, Mapping, Sequence

import msgspec

from nondet import record
from nondet.guest.factors import by_name
from nondet.guest.factors.base import Factor
from nondet.host.launching import TENSORFLOW, launching, line, together
from nondet.host.plugins import Plugin
from nondet.search.questions import Finding

SEED_ALL = "import keras\nkeras.utils.set_random_seed(42)"
MADE_THERE, NAMED_LAST = "{made}", "{last}"
"""In place of a name in `Factor.rewrites`: what makes a NumPy generator at the user's line; the
last word of what was seen there, without what stands before a dot in it."""

FIRST, KERAS = "tensorflow-1", "keras"
"""What TensorFlow's first version is called in `Factor.fixes` and `Factor.advices`, and what Keras
that seeds all at once, whatever it computes with."""

MADE = (
    ("default_rng", "np.random.default_rng(42)"),
    ("RandomState", "np.random.RandomState(42)"),
    ("SeedSequence", "np.random.SeedSequence(42)"),
    ("PCG64", "np.random.PCG64(42)"),
    ("MT19937", "np.random.MT19937(42)"),
    ("Philox", "np.random.Philox(42)"),
    ("SFC64", "np.random.SFC64(42)"),
)
"""What makes a NumPy generator, by the name that stands at the user's line."""
SEEDED = (*(name for name, _ in MADE), "PCG64DXSM", "Random", "key", "PRNGKey")
"""What else is given a seed, beside what says so in its name."""
NUMBERS = tuple(
    f"time.{name}{unit}"
    for name in ("time", "monotonic", "perf_counter", "process_time", "thread_time")
    for unit in ("", "_ns")
)
"""Readings of the clock that are numbers."""


@dataclasses.dataclass(frozen=True)
class Written:
    """Code that holds a cause."""

    factor: str
    text: str
    runs: bool = True
    """Whether it does so at the top of the script; else it shows what to write."""
    program: str = ""
    """The script at whose top it goes; empty for the one that was recorded."""


@dataclasses.dataclass(frozen=True)
class Places:
    """All places of a cause in the user's code."""

    sites: tuple[record.Site, ...]
    elsewhere: bool = False
    """Whether it was also seen where no line of the user's is behind it."""
    seedings: tuple[record.Seeding, ...] = ()
    """All seeds that bear on it. A cause in the record shows the first of them."""


def in_place(factor: str, found: Places, plugins: Sequence[Plugin] = ()) -> tuple[record.Edit, ...]:
    """Lines of the user's code to change where they stand, seeds that vary before what was used."""
    seeds = seed_edits(factor, found.seedings)
    if seeds:
        return origin(factor, found) or seeds
    return edits(factor, found.sites, plugins)


def origin(factor: str, found: Places) -> tuple[record.Edit, ...]:
    """The change of the one line that all seeds which vary are taken from, where they are given at
    others: the script can then still be given a seed, and tells the one that it uses. None where
    that line can't be changed by itself, or speaks of no seed: what names a folder must vary."""
    seeds = {record.spot(s.site) for s in found.seedings if s.fault == "varies"}
    spots = {record.spot(site) for site in found.sites}
    if found.elsewhere or len(spots) != 1 or spots & seeds:
        return ()
    if not all("seed" in f"{site.function} {site.text}".lower() for site in found.sites):
        return ()
    made = edits(factor, found.sites)
    if factor == "clock" and [site.count for site in found.sites] == [1]:
        # Read once, it is a number like any other. Read again and again, it ends loops.
        made = tuple(msgspec.structs.replace(edit, **reading(found.sites[0])) for edit in made)
    there = {word for site in found.sites for word in re.findall(r"\w+", site.text)}
    return made if all(edit.call in there for edit in made) else ()


def reading(site: record.Site) -> dict[str, str]:
    """How a reading of the clock that gives a number becomes one."""
    name = site.detail.rpartition(".")[2]
    return {"call": name, "template": "42"} if site.detail in NUMBERS else {}


def edits(
    factor: str, sites: Sequence[record.Site], plugins: Sequence[Plugin] = ()
) -> tuple[record.Edit, ...]:
    """Lines of the user's code to change where they stand."""
    known = list(by_name(factor).edits)
    if factor == "third-party-rng":
        known = [edit for plugin in plugins for edit in plugin.edits] + known
    found: dict[tuple[str, int, int, str, str], record.Edit] = {}
    for site in sites:
        for start, code in known:
            open_ended = start.endswith((" ", "."))
            if site.detail == start or (open_ended and site.detail.startswith(start)):
                written = made_there(site) if factor == "numpy-generator" else code
                call, template, top = rewrite(factor, site)
                edit = record.Edit(
                    file=site.file,
                    line=site.line,
                    cell=site.cell,
                    cell_line=site.cell_line,
                    code=written,
                    factor=factor,
                    call=call,
                    template=template,
                    top=top,
                )
                # Calls alike at one line change together; others there are changes of their own.
                found.setdefault((*record.spot(site), call, template or written), edit)
                break
    return tuple(found.values())


def rewrite(factor: str, site: record.Site) -> tuple[str, str, str]:
    """The call to change at a site, what becomes of it, and what that needs at the top."""
    for start, call, template, top in by_name(factor).rewrites:
        if site.detail.startswith(start):
            if call == MADE_THERE:
                call = next((name for name, _ in MADE if name in site.text), "")
            elif call == NAMED_LAST:
                call = site.detail.split()[-1].rpartition(".")[2].strip("()`'")
            return (call, template if call else "", top)
    return "", "", ""


def seed_edits(factor: str, seedings: Sequence[record.Seeding]) -> tuple[record.Edit, ...]:
    """Seeds that are taken from what varies, with a number in its place; not those that are drawn
    first: they repeat once that draw does, and the script can still be given another one."""
    found: dict[tuple[str, int, int, str], record.Edit] = {}
    for seeding in seedings:
        if seeding.fault == "varies" and not drawn(factor, seeding):
            site = seeding.site
            call = seeding.call.rpartition(".")[2]
            named = call.isidentifier()
            code, template = "42  # in place of the seed that varies", ""
            if named and seeds_alone(call):
                code, template = f"{seeding.call}(42)", "=42"
            elif named:
                code, template = f"{seeding.call}(...)  # with 42 for its seed", "=seed=42"
            edit = record.Edit(
                file=site.file,
                line=site.line,
                cell=site.cell,
                cell_line=site.cell_line,
                code=code,
                factor=factor,
                call=call if named else "",
                template=template,
            )
            found.setdefault((*record.spot(site), seeding.call), edit)
    return tuple(found.values())


def drawn(factor: str, seeding: record.Seeding) -> bool:
    """Whether a seed that varies was drawn, at another line, from the generator that it seeds: with
    this cause alone free it varies, and that generator drew before. Code at the top holds that."""
    there = record.spot(seeding.site)
    elsewhere = any(record.spot(site) != there for site in seeding.before)
    return seeding.fault == "varies" and elsewhere and seeded_at_top(factor)


def seeded_at_top(factor: str) -> bool:
    """Whether this is a generator that code at the top of a script holds."""
    generator = by_name(factor)
    return generator.group == "generators" and bool(generator.fix) and not generator.fix_is_sample


def seeds_alone(call: str) -> bool:
    """Whether what is called so does nothing but seed, or make what is seeded: what it is given is
    a seed, whatever the argument's name. Others are given one among much else."""
    return "seed" in call.lower() or call in SEEDED


def made_there(site: record.Site) -> str:
    """The seeded form of what the user's line makes."""
    for name, code in MADE:
        if name in site.text:
            return code
    return "# give the generator that is made here a seed"


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
    seeds = {name: seed_edits(name, found.seedings) for name, found in places.items()}
    changes = {name: in_place(name, found, plugins) for name, found in places.items()}
    # A cause all of whose places are changed where they stand needs nothing at the top; neither
    # does one that acts through a seed, once that is a number.
    factors = [
        by_name(c.factor)
        for c in causes
        if not seeds[c.factor] and not all_edited(c.factor, places[c.factor], plugins)
    ]
    alone = {n for n, found in places.items() if any(drawn(n, s) for s in found.seedings)}
    others = {n: tuple(p) for n, p in (programs or {}).items() if p and seeded_at_top(n)}
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


def all_edited(factor: str, found: Places, plugins: Sequence[Plugin]) -> bool:
    """Whether changing the lines named covers every place where the factor was seen."""
    return (
        bool(found.sites)
        and not found.elsewhere
        and all(edits(factor, [site], plugins) for site in found.sites)
    )
