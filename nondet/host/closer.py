"""A closer look once the causes are known, by trials beside those of the search: inside the steps
where runs part, at single operations, and at the patched script.

What was found stands without them: each way out leaves what was learnt so far.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Mapping

import msgspec

from nondet import record
from nondet.host import kernels, releasing, zooming
from nondet.host.assembling import Assembly
from nondet.host.executors.interface import ExecutorError
from nondet.host.laboratory import Laboratory
from nondet.host.mending import Mending
from nondet.host.planning import Settings
from nondet.record import Arm
from nondet.search.questions import Answer, BudgetSpent, Finding, Question
from nondet.verdict import Verdict

Note = Callable[[Laboratory, Question, Answer], None]
"""Keeps a question with its answer."""


class CloserLook:
    """What further trials show of one finding."""

    def __init__(
        self, laboratory: Laboratory, finding: Finding, note: Note, *, resume: bool, gpus: bool
    ) -> None:
        """`resume`: use trials of a former session again. `gpus`: whether there are some."""
        self.laboratory = laboratory
        self.finding = finding
        self.note = note
        self.resume = resume
        self.gpus = gpus
        self.laboratories: list[Laboratory] = []
        """Those whose trials stand in the record beside the search's own."""
        self.zooms: list[record.Zoom] = []
        self.needed: list[releasing.Needed] = []
        """Operations that were seen to need deterministic kernels."""
        self.interrupted = False

    def into_steps(self) -> None:
        """Look into the steps where trials part, for each cause that shows in a step."""
        for place in zooming.places(self.laboratory, self.finding):
            looking = self._beside(place.settings(self.laboratory.settings))
            question = place.question(1)
            try:
                answer = looking.ask(question)
                if place.races and answer.verdict is Verdict.DIVERGES:
                    question = place.question(zooming.PAIRS)
                    answer = looking.ask(question)
            except BudgetSpent:
                return
            except KeyboardInterrupt:
                self.interrupted = True
                return
            except ExecutorError:
                return
            self.note(looking, question, answer)
            looked, plain = looking.counting(place.held), self.laboratory.of_plan(place.held)
            self.zooms.append(zooming.zoom(place, answer, looked, plain))

    def at_operations(self, held: Mapping[str, Arm], usual: int) -> None:
        """Let single operations have their usual kernels, with everything else held: `held` is what
        can be, beside the causes. `usual`: comparisons that the pins of causes have to stand."""
        guilty = [guilt.factor for guilt in self.finding.guilty]
        if not releasing.applies(guilty, self.laboratory.of_plan({})):
            return
        held = {**held, **{guilt.factor: guilt.arm for guilt in self.finding.guilty}}
        assembly = Assembly(self.laboratory, self.finding)
        lines = assembly.places(releasing.HOLDER).sites
        asking = releasing.search(kernels.switched(self.gpus), lines, self.needed)
        settings = self._up_to_parting()
        agreeing = releasing.patience(self.finding.comparisons, usual)
        shown: releasing.Shown | None = None
        with contextlib.suppress(BudgetSpent, ExecutorError, StopIteration):
            try:
                while True:
                    release = asking.send(shown) if shown is not None else next(asking)
                    released = self._beside(
                        dataclasses.replace(settings, released=release.patterns)
                    )
                    question = release.question(held, agreeing)
                    answer = released.ask(question)
                    self.note(released, question, answer)
                    shown = releasing.shown(answer, released.trials, assembly.sites)
            except KeyboardInterrupt:
                self.interrupted = True

    def _up_to_parting(self) -> Settings:
        """Those of trials that are ended somewhat behind the step where the kernels make runs part;
        where there is no such step, those of whole ones."""
        settings = self.laboratory.settings
        for place in zooming.places(self.laboratory, self.finding):
            if releasing.HOLDER in place.factors:
                return dataclasses.replace(place.settings(settings), zoom=None)
        return settings

    def at_patch(self, mending: Mending, comparisons: int) -> record.Prescription:
        """Run the patched script itself, with nothing pinned, until so many comparisons agree."""
        patched = self._beside(mending.settings(self.laboratory.settings))
        question = mending.question(comparisons)
        try:
            answer = patched.ask(question)
        except BudgetSpent:
            answer = Answer(Verdict.UNSURE, tuple(trial.id for trial in patched.trials))
        except KeyboardInterrupt:
            self.interrupted = True
            answer = Answer(Verdict.UNSURE, tuple(trial.id for trial in patched.trials))
        except ExecutorError as error:
            # The folder is shared by all trials: none can have a script of its own.
            return msgspec.structs.replace(mending.prescription, patch_note=f"not run: {error}")
        self.note(patched, question, answer)
        return mending.told(answer)

    def _beside(self, settings: Settings) -> Laboratory:
        other = self.laboratory.beside(settings)
        other.max_trials -= sum(each.spent for each in self.laboratories)
        if self.resume:
            other.restore(self.laboratory.settings.output / "trials")
        self.laboratories.append(other)
        return other
