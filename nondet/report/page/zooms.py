"""What a look inside a step found, in sentences: the first tensor to differ, although all before
it agree."""

from __future__ import annotations

from collections.abc import Sequence

from nondet.naming import enumerated
from nondet.record import First, Moment, Zoom
from nondet.report.page import words
from nondet.report.page.moments import ITS, called, first, named, spec, thing

_MODES = {
    "eager": "looked into as it runs eagerly",
    "graph": "looked into as the compiled graph",
    "xla": "looked into as XLA compiles it",
    "jit": "looked into as JAX compiles it",
}

_ALREADY = {
    "state": "before the batch arrives and any layer has run",
    "batch": "before any layer has run: the data pipeline hands over something else",
}

_EARLIER = {
    "state": "the model's state",
    "batch": "the batch",
    "forward": "every layer's output",
    "loss": "the loss",
    "gradient": "all gradients",
    "update": "all updates",
}
"""What the moments of a phase are called together."""


def sentence(zoom: Zoom) -> str:
    """What differs first in these steps, as one would tell a colleague; names in backticks."""
    if not zoom.pairs:
        return (
            f"None of the {words.plural(len(zoom.trials), 'run')} looked into parted in "
            f"{_steps(zoom)}, so what differs first inside a step is not known."
        )
    if not zoom.firsts:
        return (
            f"{words.plural(zoom.pairs, 'pair')} of runs looked into parted in {_steps(zoom)}, and "
            "nothing that was recorded inside a step tells where."
        )
    return _single(zoom, zoom.firsts[0]) if len(zoom.firsts) == 1 else _several(zoom)


def conditions(zoom: Zoom) -> str:
    """How the step ran while it was looked into, and what that leaves open; may be empty."""
    parts = [_MODES[zoom.mode]] if zoom.mode in _MODES else []
    if zoom.unchanged_steps:
        before = f"{zoom.unchanged_steps} steps" if zoom.unchanged_steps > 1 else "step"
        parts.append(
            f"over the {before} before, weights have the same bits as in runs that were not "
            "looked into, so looking changed nothing so far"
        )
    told = f"{_capital('; '.join(parts))}." if parts else ""
    return " ".join(filter(None, (told, zoom.note.strip())))


def heading(zoom: Zoom) -> str:
    """``Inside step 17``; ``Inside steps 1 to 32`` where none is shown."""
    return f"Inside step {zoom.step}" if zoom.step else f"Inside {_steps(zoom)}"


def _single(zoom: Zoom, found: First) -> str:
    """What differs first in all pairs that part at one and the same place."""
    moment = found.moment
    name, call = named(moment)
    how_many = _how_many(found, zoom.pairs)
    when = f"At step {found.step}, {how_many and f'in {how_many}, '}{thing(moment)}"
    if moment.phase in _ALREADY:
        return f"{when} already differs, {_ALREADY[moment.phase]}."
    kind = moment.kind if (moment.phase, name) == ("forward", "output") else ""
    aside = ", ".join(filter(None, (kind, call)))
    return f"{when}{aside and f' ({aside})'} is the first thing that differs: {_why(zoom, found)}"


def _why(zoom: Zoom, found: First) -> str:
    """What agrees although this differs, and what computes it."""
    moment, before = found.moment, _before(zoom, found)
    if (moment.phase, named(moment)[0]) == ("forward", "output"):
        return f"its inputs agree, its output doesn't{spec(moment)}."
    gradients = {_whose(one) for one in before if one.phase == "gradient" and ITS not in one.tensor}
    if moment.phase == "update" and moment.kind and gradients:
        if _whose(moment) in gradients:
            return f"its gradient agrees, what {moment.kind} makes of it doesn't{spec(moment)}."
        if not moment.layer:
            return f"all gradients agree, what {moment.kind} makes of them doesn't{spec(moment)}."
    unseen = "" if moment.phase != "loss" or zoom.saw_targets else f" {words.UNSEEN}"
    return f"{_agreeing(zoom, before)}.{_origin(moment)}{unseen}"


def _several(zoom: Zoom) -> str:
    """Where the pairs part first, when that is not always the same."""
    kept = zoom.firsts if len(zoom.firsts) <= 4 else zoom.firsts[:3]
    rest = sum(found.pairs for found in zoom.firsts[len(kept) :])
    shares = [f"in {found.pairs}" for found in kept]
    shares[0] += f" of {words.plural(zoom.pairs, 'pair')} of runs"
    things = list(dict.fromkeys(called(found.moment) for found in zoom.firsts))
    if len(things) == 1:
        told = [f"at step {one.step} {share}" for one, share in zip(kept, shares, strict=True)]
        told += [f"at other steps in {rest}"] if rest else []
        return (
            f"{_capital(things[0])} is always the first thing that differs, "
            f"{enumerated(told, len(told))}.{_origin(zoom.firsts[0].moment)}"
        )
    told = [
        f"{share}, {called(one.moment)} at step {one.step}"
        for one, share in zip(kept, shares, strict=True)
    ]
    told[0] += " is the first thing that differs"
    told += [f"in {rest}, something else"] if rest else []
    # What differs before anything is computed is other data, and no race of kernels.
    race = not any(found.moment.phase in _ALREADY for found in zoom.firsts)
    again = " As a race does, it strikes at another place each time." if race else ""
    return f"{_capital('; '.join(told))}.{again}"


def _how_many(found: First, pairs: int) -> str:
    """In how many pairs; empty when there is but one."""
    if found.pairs < pairs:
        return f"{found.pairs} of {words.plural(pairs, 'pair')} of runs"
    if pairs == 2:
        return "both pairs of runs"
    return f"all {pairs} pairs of runs" if pairs > 1 else ""


def _before(zoom: Zoom, found: First) -> Sequence[Moment]:
    """What had been recorded by then, where the step shown is the one that is meant."""
    place = first(zoom.moments)
    if place is None or found.step != zoom.step:
        return ()
    return zoom.moments[:place] if called(found.moment) == called(zoom.moments[place]) else ()


def _agreeing(zoom: Zoom, before: Sequence[Moment]) -> str:
    """What has the same bits: a clause that says no more than was recorded."""
    phases = list(dict.fromkeys(moment.phase for moment in before))
    if not phases:
        return "all that was recorded before it has the same bits"
    later = {moment.phase for moment in zoom.moments[len(before) :]}
    told = [_EARLIER[phase] for phase in phases]
    computed = " computed before it" if later & set(phases) else ""
    verb = "have" if len(told) > 1 or phases[0] in ("gradient", "update") else "has"
    return f"{enumerated(told, len(told))}{computed} {verb} the same bits"


def _origin(moment: Moment) -> str:
    """What computes it, as a sentence after a space; empty when that is not known."""
    if (moment.phase, named(moment)[0]) == ("forward", "input"):
        return f" It is computed between the layers{spec(moment)}."
    if not moment.kind:
        return ""
    owner = f"{moment.kind}'s backward pass" if moment.phase == "gradient" else moment.kind
    return f" {owner} computes it{spec(moment)}."


def _whose(moment: Moment) -> tuple[str, str]:
    return moment.layer, named(moment)[0]


def _steps(zoom: Zoom) -> str:
    if zoom.first_step == zoom.last_step:
        return f"step {zoom.first_step}"
    return f"steps {zoom.first_step} to {zoom.last_step}"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
