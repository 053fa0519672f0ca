"""The patch of a prescription, and trials that run the patched script itself."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from nondet import record
from nondet.guest.factors import by_name
from nondet.host import files, launching
from nondet.host.planning import Settings
from nondet.host.prescribing import Written
from nondet.host.subject import Subject
from nondet.search.questions import Answer, Question
from nondet.verdict import Verdict

NOT_RUN = "not run, as asked: without --no-verify it is"
TEXT = "Does the patched script repeat, with nothing pinned?"


@dataclasses.dataclass(frozen=True)
class Mending:
    """What is to be run: the files as they will be, and how to start the script."""

    prescription: record.Prescription
    files: tuple[tuple[Path, bytes], ...] = ()
    launch: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @property
    def runnable(self) -> bool:
        """Whether there is a change to run, and it does all that the causes ask for."""
        return bool(self.files or self.launch) and not self.prescription.left

    def settings(self, settings: Settings) -> Settings:
        environ = launching.within(settings.environ, self.launch)
        return dataclasses.replace(settings, files=self.files, environ=environ, launch=self.launch)

    def question(self, comparisons: int) -> Question:
        return Question(TEXT, {}, comparisons)

    def told(self, answer: Answer) -> record.Prescription:
        """The prescription with what trials of the patched script have shown."""
        notes = {
            Verdict.DIVERGES: "the patched script still gives different results",
            Verdict.BROKEN: f"the patched script does not run: {answer.broken}",
            Verdict.UNSURE: "too few runs of the patched script to tell",
        }
        return msgspec.structs.replace(
            self.prescription,
            patch_trials=answer.trials,
            patch_verified=answer.verdict is Verdict.AGREES,
            patch_note=notes.get(answer.verdict, ""),
        )


def mend(
    prescription: record.Prescription,
    causes: Sequence[record.Cause],
    written: Sequence[Written],
    subject: Subject,
    trains: str = "",
) -> Mending:
    """Work the prescription into the subject's files. `trains`: the script that was recorded, where
    the subject starts it in a process of its own."""
    # It takes long to import, and few commands patch anything.
    from nondet.patching.patch import patch

    main = trains or subject.script
    top = tuple(dict.fromkeys(one.text for one in written))
    before = tuple(drawing(causes, subject, main))
    made = patch(
        main,
        top,
        prescription.edits,
        before,
        lambda file: text_of(subject.folders, file),
    )
    left = [*made.left, *unwritten(causes, prescription, written)]
    note = f"not run: {'; '.join(left)}" if left else NOT_RUN
    return Mending(
        msgspec.structs.replace(
            prescription,
            top=top,
            drawing=before,
            patch=made.diff or None,
            left=tuple(left),
            patch_note=note,
        ),
        tuple(
            (where(subject.folders, changed.file), changed.after.encode()) for changed in made.files
        ),
        prescription.variables,
    )


def where(folders: Sequence[Path], file: str) -> Path:
    """The file that a site names."""
    for folder in folders:
        if (folder / file).exists():
            return folder / file
    return folders[0] / file


def text_of(folders: Sequence[Path], file: str) -> str | None:
    """Its text; None for what can't be read, or is not the user's to change here."""
    path = where(folders, file)
    if not any(path.resolve().is_relative_to(folder.resolve()) for folder in folders):
        return None
    try:
        return files.read(path, files.MOST_SOURCE).decode("utf-8")
    except (OSError, UnicodeDecodeError):
        return None


def drawing(causes: Sequence[record.Cause], subject: Subject, main: str) -> list[str]:
    """The user's modules that use a cause while they are imported."""
    names: dict[str, None] = {}
    for site in (site for cause in causes for site in cause.sites):
        if (
            site.function == "<module>"
            and where(subject.folders, site.file).resolve() != (subject.cwd / main).resolve()
        ):
            names[Path(site.file).with_suffix("").parts[0]] = None
    return list(names)


def unwritten(
    causes: Sequence[record.Cause],
    prescription: record.Prescription,
    written: Sequence[Written],
) -> list[str]:
    """Causes that the patch does not hold, or not everywhere: for people there is advice."""
    held = {one.factor for one in written}
    for cause in causes:
        # The launch line holds only what it says: a cause whose lines are to change is not in it.
        if launching.holds(by_name(cause.factor), prescription.variables):
            held.add(cause.factor)
        own = [edit for edit in prescription.edits if edit.factor == cause.factor]
        if own and all(edit.template or edit.top for edit in own):
            held.add(cause.factor)
    return [
        f"what holds {cause.factor} is no line of code that can be changed by itself"
        for cause in causes
        if cause.factor not in held
    ]
