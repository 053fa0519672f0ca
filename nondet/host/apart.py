"""What a diagnosis tells apart from its causes: what deterministic mode refused, what no factor
explains, and what ``--stress`` provoked."""

from __future__ import annotations

from collections.abc import Sequence

from nondet import record
from nondet.guest.factors import by_name
from nondet.host import evidence, prescribing
from nondet.host.assembling import Assembly
from nondet.host.events import Place
from nondet.host.refusals import Found
from nondet.host.sites import foremost
from nondet.host.trials import Trial
from nondet.search.stressing import Provoked


def suspects(assembly: Assembly) -> tuple[record.Suspect, ...]:
    """What was seen in the trials that no factor explains or controls."""
    return tuple(
        record.Suspect(
            what=s.detail,
            site=assembly.sites.site(s.site, s.detail, s.count) if s.site is not None else None,
        )
        for s in evidence.unexplained(assembly.laboratory.trials)
    )


def refusals(assembly: Assembly) -> tuple[record.Refusal, ...]:
    """What deterministic mode refused, each once, with the trials that ended so."""
    found: dict[Found, list[Trial]] = {}
    for trial in assembly.laboratory.trials:
        if (refused := evidence.refusal_of(trial)) is not None:
            found.setdefault(refused, []).append(trial)
    return tuple(
        record.Refusal(
            op=refused.op,
            message=refused.message,
            advice=refused.advice,
            site=_refused_at(assembly, refused, group[0]),
            trials=tuple(t.id for t in group),
            own=any("op-determinism" not in t.held for t in group),
        )
        for refused, group in found.items()
    )


def _refused_at(assembly: Assembly, refused: Found, trial: Trial) -> record.Site | None:
    if not refused.file:
        return None
    place = trial.own_place(Place(refused.file, refused.line, ""))
    return assembly.sites.site(place, refused.op)


def stress(assembly: Assembly, provoked: Provoked) -> record.Stress:
    """What was provoked, apart from the kernels' other choices (see `shifted`)."""
    dormant = {n: t for n, t in provoked.dormant.items() if by_name(n).stress == "dormant"}
    return record.Stress(
        reference=provoked.reference,
        pinned=tuple(provoked.pinned),
        dormant=tuple(_dormant(assembly, name, trials) for name, trials in dormant.items()),
        quiet=provoked.quiet,
        trials=provoked.trials,
        note=provoked.note,
    )


def _dormant(assembly: Assembly, name: str, trials: Sequence[str]) -> record.Dormant:
    factor = by_name(name)
    seen = evidence.sightings_of(name, assembly.laboratory.trials)
    return record.Dormant(
        factor=name,
        title=factor.title,
        explanation=factor.explanation,
        provoked=factor.varied,
        advice=prescribing.advice(factor, assembly.frameworks, assembly.backend),
        fix=assembly.change(factor),
        sites=foremost(assembly.sites.of(seen)),
        trials=tuple(trials),
        first_divergence=assembly.parting(trials),
    )


def shifted(assembly: Assembly, provoked: Provoked) -> tuple[record.Sensitivity, ...]:
    """Kernels whose other choice gives another result, the same in every run."""
    return tuple(
        record.Sensitivity(
            factor=name,
            trials=tuple(trials),
            explanation=f"provoked, it gives another result: {by_name(name).varied}",
            first_divergence=assembly.parting(trials),
        )
        for name, trials in provoked.dormant.items()
        if by_name(name).stress == "sensitivity"
    )
