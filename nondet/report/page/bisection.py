"""The search as a picture: what each question held, its answer, and what that settled."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from nondet.record import Arm, Diagnosis, QuestionRecord

CONSUMERS = (
    "initial-weights",
    "dropout",
    "noise-and-augmentation",
    "shuffle",
    "jax-seed",
    "keras-seed",
)
"""Factors that take randomness from others; they stand right of their sources."""

ARMS: dict[str, str] = {
    "pinned": "pinned",
    "free": "free",
    "varied": "provoked",
    "ablated": "switched off",
    "": "not part of it",
}
"""What a question did with a factor, in words."""


@dataclasses.dataclass(frozen=True)
class Cell:
    """What one question did with one factor."""

    factor: str
    arm: Arm | str
    """Empty where the question says nothing of the factor."""
    mark: str = ""
    """``cause`` or ``cleared`` where this answer is what shows it."""

    @property
    def said(self) -> str:
        return ARMS[self.arm] + {"cause": ", the cause", "cleared": ", cleared"}.get(self.mark, "")


@dataclasses.dataclass(frozen=True)
class Row:
    """One question."""

    number: int
    asked: QuestionRecord
    cells: tuple[Cell, ...]
    causes: tuple[tuple[str, int], ...]
    """Causes that stand proven with this answer, each with the question that showed its other
    side."""
    cleared: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Picture:
    """All questions, over the factors that they were about."""

    sources: tuple[str, ...]
    consumers: tuple[str, ...]
    rows: tuple[Row, ...]
    outcomes: tuple[str, ...]
    """What became of each factor, in the order of the columns; empty where nothing was settled."""
    idle: int
    """Factors without a column: the script does not use them, or nothing was asked about them."""

    def uses(self, arm: str) -> bool:
        return any(cell.arm == arm for row in self.rows for cell in row.cells)

    def marks(self, mark: str) -> bool:
        return any(cell.mark == mark for row in self.rows for cell in row.cells)


def picture(diagnosis: Diagnosis) -> Picture:
    """The questions in their order; no rows where nothing was asked."""
    told = [_arms(diagnosis, asked) for asked in diagnosis.questions]
    outcomes = dict(_outcomes(diagnosis))
    columns = [name for name in _factors(diagnosis) if _shown(name, told, outcomes, diagnosis)]
    columns.sort(key=CONSUMERS.__contains__)
    proven = _proven(diagnosis)
    cleared = _cleared(diagnosis)
    marks = {(place, name): "cleared" for name, place in cleared.items()}
    marks |= {(place, name): "cause" for name, sides in proven.items() for place in sides}
    rows = tuple(
        Row(
            number=place + 1,
            asked=asked,
            cells=tuple(
                Cell(name, told[place].get(name, ""), marks.get((place, name), ""))
                for name in columns
            ),
            causes=tuple(
                (name, min(sides) + 1) for name, sides in proven.items() if max(sides) == place
            ),
            cleared=tuple(name for name in columns if cleared.get(name) == place),
        )
        for place, asked in enumerate(diagnosis.questions)
    )
    return Picture(
        sources=tuple(name for name in columns if name not in CONSUMERS),
        consumers=tuple(name for name in columns if name in CONSUMERS),
        rows=rows,
        outcomes=tuple(outcomes.get(name, "") for name in columns),
        idle=len({name for arms in told for name in arms} - set(columns)),
    )


def _arms(diagnosis: Diagnosis, asked: QuestionRecord) -> dict[str, Arm]:
    """Arm by factor. Of what a question names pinned, its trials tell what was switched off."""
    plans = {trial.id: trial.plan for trial in diagnosis.trials}
    plan = next((plans[name] for name in asked.trials if name in plans), {})
    arms: dict[str, Arm] = dict.fromkeys(asked.free, "free")
    for name in asked.pinned:
        arms[name] = "ablated" if plan.get(name) == "ablated" else "pinned"
    return arms | dict.fromkeys(asked.varied, "varied")


def _factors(diagnosis: Diagnosis) -> list[str]:
    """Every factor of any question, in the catalogue's order as far as the record has it."""
    named = [
        name
        for asked in diagnosis.questions
        for name in (*asked.pinned, *asked.free, *asked.varied)
    ]
    known = set(named)
    return list(dict.fromkeys([*(n for n in diagnosis.titles if n in known), *named]))


def _shown(
    name: str, told: list[dict[str, Arm]], outcomes: dict[str, str], diagnosis: Diagnosis
) -> bool:
    """Whether a factor has a column: something became of it, or something was asked about it."""
    if name in outcomes:
        return True
    idle = {item.factor for item in diagnosis.cleared if item.why == "not-exercised"}
    idle |= {item.factor for item in diagnosis.not_tested}
    return name not in idle and len({arms.get(name) for arms in told}) > 1


def _outcomes(diagnosis: Diagnosis) -> Iterator[tuple[str, str]]:
    """What became of factors; what is told last counts."""
    for cause in diagnosis.causes:
        for name in cause.consumers:
            yield name, "draws"
    for cleared in diagnosis.cleared:
        if cleared.why != "not-exercised":
            yield cleared.factor, "cleared"
    for shift in diagnosis.sensitivities:
        yield shift.factor, "shifts"
    if diagnosis.stress is not None:
        for dormant in diagnosis.stress.dormant:
            yield dormant.factor, "dormant"
    for names in diagnosis.alternatives:
        for name in names:
            yield name, "alternative"
    for cause in diagnosis.causes:
        yield cause.factor, "cause"


def _proven(diagnosis: Diagnosis) -> dict[str, tuple[int, int]]:
    """Places of the two questions that prove each cause: runs part with it free, and agree with
    it pinned."""
    found = {}
    for cause in diagnosis.causes:
        parted = _best(diagnosis, "DIVERGES", "free", cause.factor, cause.trials)
        agreed = _best(diagnosis, "AGREES", "pinned", cause.factor, cause.agreeing)
        if parted is not None and agreed is not None:
            found[cause.factor] = (parted, agreed)
    return found


def _cleared(diagnosis: Diagnosis) -> dict[str, int]:
    """Place of the question whose agreeing trials clear each factor."""
    found = {
        item.factor: _best(diagnosis, "AGREES", "free", item.factor, item.trials)
        for item in diagnosis.cleared
    }
    return {name: place for name, place in found.items() if place is not None}


def _best(
    diagnosis: Diagnosis, verdict: str, arm: str, factor: str, trials: tuple[str, ...]
) -> int | None:
    """Place of the question with that answer and the factor so whose trials are these most nearly.

    Of those about the same trials, the last: what is asked of them then is most to the point.
    """
    found = [
        (len(set(trials) & set(asked.trials)), -len(set(asked.trials) - set(trials)), place)
        for place, asked in enumerate(diagnosis.questions)
        if asked.verdict == verdict and factor in (asked.free if arm == "free" else asked.pinned)
    ]
    shared, _, place = max(found, default=(0, 0, 0))
    return place if shared else None
