"""The lines of the user's code that a cause asks to change where they stand."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence

import msgspec

from nondet import record
from nondet.guest.factors import by_name
from nondet.host.plugins import Plugin

MADE_THERE, NAMED_LAST = "{made}", "{last}"
"""In place of a name in `Factor.rewrites`: what makes a NumPy generator at the user's line; the
last word of what was seen there, without what stands before a dot in it."""
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
                edit = _edit(site, factor, written, call, template, top)
                # Calls alike at one line change together; others there are changes of their own.
                found.setdefault((*record.spot(site), call, template or written), edit)
                break
    return tuple(found.values())


def _edit(
    site: record.Site, factor: str, code: str, call: str, template: str, top: str = ""
) -> record.Edit:
    return record.Edit(
        file=site.file,
        line=site.line,
        cell=site.cell,
        cell_line=site.cell_line,
        code=code,
        factor=factor,
        call=call,
        template=template,
        top=top,
    )


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
            edit = _edit(site, factor, code, call if named else "", template)
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


def all_edited(factor: str, found: Places, plugins: Sequence[Plugin]) -> bool:
    """Whether changing the lines named covers every place where the factor was seen."""
    return (
        bool(found.sites)
        and not found.elsewhere
        and all(edits(factor, [site], plugins) for site in found.sites)
    )
