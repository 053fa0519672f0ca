"""The search of ``--stress``: which dormant sources part the runs once they are provoked.

The script as it is, or with its causes pinned, repeats: that is the reference. Factors are varied,
many at once, and the result compared with the reference. Equal: all of them are quiet, for the
price of two trials. Else they are halved until each that parts the runs stands alone.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Generator, Mapping, Sequence

from nondet.record import Arm
from nondet.search.questions import Answer, BudgetSpent, Question
from nondet.verdict import Verdict

AGREEING = 2
"""Provoked trials that must equal the reference: one may do so by chance (a set of two words)."""


@dataclasses.dataclass(frozen=True)
class Provoked:
    """What a stress test has established."""

    pinned: Mapping[str, Arm] = dataclasses.field(default_factory=dict)
    reference: tuple[str, ...] = ()
    dormant: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    """Factors that part the runs when varied, with the trials that differ from the reference."""
    quiet: tuple[str, ...] = ()
    trials: tuple[str, ...] = ()
    note: str = ""


class StressSearch:
    """Provokes factors on top of a plan whose trials agree; `finding` is right at any moment.

    Factors of one of the `groups` are provoked together first. Those that seldom matter belong in
    one group: equal, they are all quiet for the price of one question. Those that mostly do go in
    groups of their own.
    """

    def __init__(
        self,
        pinned: Mapping[str, Arm],
        reference: Sequence[str],
        groups: Sequence[Sequence[str]],
    ) -> None:
        rest = [tuple(name for name in group if name not in pinned) for group in groups]
        self.groups = [group for group in rest if group]
        self.finding = Provoked(pinned=dict(pinned), reference=tuple(reference))

    def run(self) -> Generator[Question, Answer, Provoked]:
        """Yields questions, is sent their answers, returns the finding."""
        try:
            for group in self.groups:
                yield from self._tell_apart(group)
        except BudgetSpent:
            done = {*self.finding.dormant, *self.finding.quiet}
            left = [name for group in self.groups for name in group if name not in done]
            self._note("the budget was spent before " + ", ".join(left) + " had been provoked")
        return self.finding

    def _tell_apart(
        self, names: tuple[str, ...], sure: bool = False
    ) -> Generator[Question, Answer, bool]:
        """Sort factors into dormant and quiet; whether all were quiet. `sure`: it is known that one
        of them is not."""
        if not sure or len(names) == 1:
            answer = yield from self._provoke(names)
            if answer.verdict is Verdict.AGREES:
                self._know(quiet=(*self.finding.quiet, *names))
                return True
            if len(names) == 1:
                self._alone(names[0], answer)
                return False
            sure = answer.verdict is Verdict.DIVERGES
        middle = len(names) // 2
        quiet = yield from self._tell_apart(names[:middle])
        yield from self._tell_apart(names[middle:], sure=sure and quiet)
        return False

    def _alone(self, name: str, answer: Answer) -> None:
        if answer.verdict is Verdict.DIVERGES:
            differing = tuple(t for t in answer.trials if t not in self.finding.reference)
            self._know(dormant={**self.finding.dormant, name: differing})
        else:
            self._note(f"{name} could not be provoked: {answer.broken or 'too few trials'}")

    def _provoke(self, names: Sequence[str]) -> Generator[Question, Answer, Answer]:
        text = f"Does {names[0]} part the runs once it is provoked?"
        if len(names) > 1:
            text = "Does anything that lies dormant part the runs? Several are provoked at once"
        held: dict[str, Arm] = {**self.finding.pinned, **dict.fromkeys(names, "varied")}
        answer = yield Question(text, held, AGREEING, reference=self.finding.pinned)
        new = [t for t in answer.trials if t not in self.finding.reference]
        self._know(trials=tuple(dict.fromkeys((*self.finding.trials, *new))))
        return answer

    def _note(self, text: str) -> None:
        self._know(note="; ".join(filter(None, (self.finding.note, text))))

    def _know(self, **changes: object) -> None:
        self.finding = dataclasses.replace(self.finding, **changes)  # type: ignore[arg-type]
