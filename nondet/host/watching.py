"""What the engine tells whoever watches a diagnosis. Plain data only; watching changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol

from nondet.record import Diagnosis

FactorState = Literal[
    "waiting", "not-tested", "not-exercised", "suspected", "cleared", "guilty", "shifts"
]


class Watcher(Protocol):
    """Receives the calls below, from one thread, in the order things happen."""

    def opened(self, script: str, output: str, jobs: int) -> None:
        """A diagnosis begins; `jobs` trials run side by side."""

    def question(
        self,
        text: str,
        pinned: Sequence[str],
        free: Sequence[str],
        trials: int,
        varied: Sequence[str] = (),
    ) -> None:
        """The search asks this now, of up to `trials` trials."""

    def trial_started(self, trial: str, question: str) -> None:
        """A process was started."""

    def trial_progress(
        self, trial: str, checkpoints: int, expected: int | None, seconds: float
    ) -> None:
        """`expected`: checkpoints of a whole run, None as long as no run was complete.
        `seconds`: since the trial started. Called a few times a second."""

    def trial_ended(self, trial: str, outcome: str, seconds: float, note: str) -> None:
        """`note` says in a few words what was seen: ``parts from t01 at init, dense/kernel``."""

    def answered(self, text: str, verdict: str, conclusion: str) -> None:
        """The question's verdict, and what it shows in a few words."""

    def factor(self, name: str, title: str, state: FactorState, evidence: str) -> None:
        """A factor's state, with the evidence in a few words; first `waiting` for each."""

    def message(self, text: str) -> None:
        """A line for people: a warning, a fallback taken."""

    def remaining(self, seconds: float | None) -> None:
        """Estimate of the time left, None when unknown."""

    def closed(self, diagnosis: Diagnosis, report: str) -> None:
        """The diagnosis is written; `report` is the path of its HTML page."""


class Silent:
    """A watcher that says nothing."""

    def opened(self, script: str, output: str, jobs: int) -> None: ...
    def question(
        self,
        text: str,
        pinned: Sequence[str],
        free: Sequence[str],
        trials: int,
        varied: Sequence[str] = (),
    ) -> None: ...
    def trial_started(self, trial: str, question: str) -> None: ...
    def trial_progress(
        self, trial: str, checkpoints: int, expected: int | None, seconds: float
    ) -> None: ...
    def trial_ended(self, trial: str, outcome: str, seconds: float, note: str) -> None: ...
    def answered(self, text: str, verdict: str, conclusion: str) -> None: ...
    def factor(self, name: str, title: str, state: FactorState, evidence: str) -> None: ...
    def message(self, text: str) -> None: ...
    def remaining(self, seconds: float | None) -> None: ...
    def closed(self, diagnosis: Diagnosis, report: str) -> None: ...
