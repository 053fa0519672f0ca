"""How the trials that bear on a question stand, kept up at a cost that does not grow with them."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator, Sequence

from nondet.host.trials import Trial
from nondet.host.warming import by_start

FAILED = ("crashed", "killed", "timed-out")


@dataclasses.dataclass
class Counts:
    """What there is of trials of each kind. Lists are in the order in which trials were started.

    All but `running` and `failed` are of those that count as evidence.
    """

    running: list[Trial] = dataclasses.field(default_factory=list)
    failed: list[Trial] = dataclasses.field(default_factory=list)
    usable: int = 0
    parted: list[Trial] = dataclasses.field(default_factory=list)
    compared: int = 0
    """Comparisons that have come to an end, those of forked trials only where these differ."""
    forked: list[Trial] = dataclasses.field(default_factory=list)
    alone: int = 0
    """Those that started by themselves; so are the following."""
    alone_running: int = 0
    fresh: int = 0
    """They did not start from what another one left."""
    lost: int = 0
    """They were stopped before their end."""
    alone_whole: int = 0
    first_whole: Trial | None = None
    whole: int = 0
    whole_fresh: int = 0
    firsts: dict[str, Trial] = dataclasses.field(default_factory=dict)
    """By the process that trials were forked from, if any, the first of them: it is what the others
    are compared with."""

    def copy(self) -> Counts:
        """One that can take in more."""
        return dataclasses.replace(
            self,
            running=list(self.running),
            failed=list(self.failed),
            parted=list(self.parted),
            forked=list(self.forked),
            firsts=dict(self.firsts),
        )

    def later(self) -> Iterator[Trial]:
        """Those that run and are not the first of those that start alike."""
        return (t for t in self.running if t.counts and self.firsts[t.parent] is not t)


class Standing:
    """The trials that bear on one question.

    One that has ended and is compared to its end changes no more: it is *settled*, counted once and
    not looked at again. Only what the settled ones rest upon is watched, that is, the trials that
    they were compared with: where one of these does not count any more, or another one takes its
    place, all are looked at again. `set_aside` of a trial is not seen here, and needs a `reset`.
    """

    def __init__(
        self,
        find: Callable[[], Sequence[Trial]],
        compare: Callable[[Trial, Trial], None],
        beside: bool,
    ) -> None:
        """`find` gives all trials that there are. With `beside`, the first that counts is another
        plan's, and all others are compared with it."""
        self.find, self.compare, self.beside = find, compare, beside
        self.reset()

    def reset(self) -> None:
        """Look at all again."""
        self.open = list(self.find())
        self.places = {trial: place for place, trial in enumerate(self.open)}
        self.settled = Counts()
        self.other: Trial | None = None
        """The other plan's trial."""
        self.references: dict[str, list[Trial]] = {}
        """By the process that trials were forked from, those that later ones are compared with."""
        self.last: dict[str, int] = {}
        """Likewise the last place of one that is settled."""

    def add(self, trial: Trial) -> None:
        """Take in a trial that has just started."""
        self.places[trial] = len(self.places)
        self.open.append(trial)

    def look(self) -> None:
        """Compare what has gone on, after events have come."""
        if not self._stands():
            self.reset()
        if not self._compare():
            self.reset()
            self._compare()
        if not self._stands():  # a comparison may find the log of a trial damaged
            self.reset()
            return
        self._settle()

    @property
    def counts(self) -> Counts:
        """Of all trials, as they are now."""
        found = self.settled.copy()
        for trial in self.open:
            self._take(trial, found)
        for every in (found.parted, found.forked, found.failed):
            every.sort(key=self.places.__getitem__)
        return found

    def _stands(self) -> bool:
        """Whether all that others were compared with count still."""
        others = [self.other] if self.other is not None else []
        return all(t.counts for group in (*self.references.values(), others) for t in group)

    def _compare(self) -> bool:
        """Whether that leaves as it was what settled trials are compared with."""
        usable = [trial for trial in self.open if trial.counts]
        if self.beside and self.other is None and usable:
            self.other = usable[0]
        for alike in by_start([trial for trial in usable if trial is not self.other]):
            for trial in alike:
                references = self.references.setdefault(trial.parent, [])
                first = self._reference(trial)
                trial.refer_to(first.id if first is not None else "")
                if first is not None:
                    self.compare(first, trial)
                if (first is None or trial.extends) == (trial in references):
                    continue
                if trial in references:
                    references.remove(trial)
                else:
                    references.append(trial)
                    references.sort(key=self.places.__getitem__)
                if self.last.get(trial.parent, -1) > self.places[trial]:
                    return False
        return True

    def _reference(self, trial: Trial) -> Trial | None:
        """What a trial is compared with; None for the first of its kind."""
        place = self.places[trial]
        before = [t for t in self.references.get(trial.parent, ()) if self.places[t] < place]
        return before[-1] if before else self.other

    def _settle(self) -> None:
        still_open = []
        for trial in self.open:
            if self._over(trial):
                self._take(trial, self.settled)
                if trial.counts:
                    last = self.last.get(trial.parent, -1)
                    self.last[trial.parent] = max(last, self.places[trial])
            else:
                still_open.append(trial)
        self.open = still_open

    def _over(self, trial: Trial) -> bool:
        if trial.outcome is None:
            return False
        if not trial.counts or trial is self.other or trial.witness is not None or trial.matched:
            return True
        first = self._reference(trial)
        return first is None or first.outcome is not None

    def _take(self, trial: Trial, counts: Counts) -> None:
        if trial.outcome is None:
            counts.running.append(trial)
        if trial.outcome in FAILED:
            counts.failed.append(trial)
        if not trial.counts:
            return
        counts.usable += 1
        if trial.witness is not None:
            counts.parted.append(trial)
        if trial is not self.other:
            counts.compared += trial.witness is not None or (trial.matched and not trial.parent)
        counts.whole += trial.whole
        counts.whole_fresh += trial.whole and not trial.chained
        first = counts.firsts.get(trial.parent)
        if self._place(trial) < self._place(first):
            counts.firsts[trial.parent] = trial
        if trial.parent:
            counts.forked.append(trial)
            return
        counts.alone += 1
        counts.alone_running += trial.outcome is None
        counts.fresh += not trial.chained
        counts.lost += trial.outcome == "stopped-early" and not trial.whole
        counts.alone_whole += trial.whole
        if trial.whole and self._place(trial) < self._place(counts.first_whole):
            counts.first_whole = trial

    def _place(self, trial: Trial | None) -> float:
        return math.inf if trial is None else self.places[trial]
