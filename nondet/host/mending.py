"""The patch of a prescription, and trials that run the patched script itself."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from nondet import record
from nondet.guest.factors import by_name
from nondet.host import files, launching
from nondet.host.planning import Settings
from nondet.host.prescribing import Written
from nondet.host.sites import shown
from nondet.host.subject import Subject
from nondet.search.questions import Answer, Question
from nondet.verdict import Verdict

if TYPE_CHECKING:
    from nondet.patching.patch import Patch

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
        return Question(TEXT, {}, comparisons, patched=True)

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
    started = msgspec.structs.replace(subject.to_record(), trains=trains)
    others = [where(subject.folders, program.file) for program in prescription.programs]
    scripts = [main(started, subject.folders), *others]

    def drawing_in(program: str) -> tuple[str, ...]:
        elsewhere = {one.factor for one in written if one.program != program}
        elsewhere -= {one.factor for one in written if one.program == program}
        its = [cause for cause in causes if cause.factor not in elsewhere]
        told = msgspec.structs.replace(started, trains=program) if program else started
        return tuple(drawing(its, told, subject.folders, scripts))

    prescription = msgspec.structs.replace(
        prescription,
        top=tuple(dict.fromkeys(one.text for one in written if not one.program)),
        drawing=drawing_in(""),
        programs=tuple(
            msgspec.structs.replace(program, drawing=drawing_in(program.file))
            for program in prescription.programs
        ),
    )
    made = patched(started, prescription, subject.folders)
    left = [*made.left, *unwritten(causes, prescription, written)]
    note = f"not run: {'; '.join(left)}" if left else NOT_RUN
    return Mending(
        msgspec.structs.replace(
            prescription,
            patch=made.diff or None,
            left=tuple(left),
            patch_note=note,
        ),
        tuple(
            (where(subject.folders, changed.file), changed.after.encode()) for changed in made.files
        ),
        prescription.variables,
    )


def patched(
    subject: record.Subject, prescription: record.Prescription, folders: Sequence[Path]
) -> Patch:
    """The patch of the subject's files in these folders, of which the working folder is first.

    Each file goes by one name, however the script and the sites are called.
    """
    # It takes long to import, and few commands patch anything.
    from nondet.patching.patch import Top, patch

    def named(path: Path) -> str:
        return shown(folders, str(path.resolve()))

    script = main(subject, folders)
    return patch(
        named(script),
        prescription.top,
        [
            msgspec.structs.replace(edit, file=named(where(folders, edit.file)))
            for edit in prescription.edits
        ],
        prescription.drawing,
        lambda file: text_of(folders, file),
        package(script, subject),
        {
            named(path): Top(
                program.top,
                program.drawing,
                package(path, msgspec.structs.replace(subject, trains=program.file)),
            )
            for program in prescription.programs
            for path in [where(folders, program.file).resolve()]
        },
    )


def main(subject: record.Subject, folders: Sequence[Path]) -> Path:
    """The script that was recorded."""
    return where(folders, subject.trains or subject.script).resolve()


def package(script: Path, subject: record.Subject) -> str:
    """The package that the script is run as a module of; empty where it is none."""
    if not subject.trains:
        inside, _, last = subject.module.rpartition(".")
        return subject.module if script.stem == "__main__" != last else inside
    # How it was started is not known: a script in a package is mostly started as its module.
    names: list[str] = []
    for folder in script.parents:
        if not (folder / "__init__.py").exists():
            break
        names.insert(0, folder.name)
    return ".".join(names)


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


def drawing(
    causes: Sequence[record.Cause],
    subject: record.Subject,
    folders: Sequence[Path],
    scripts: Sequence[Path] = (),
) -> list[str]:
    """The user's modules that use a cause while they are imported, by their whole names. `scripts`:
    others that are run and not imported."""
    script = main(subject, folders)
    run = {script, *(other.resolve() for other in scripts)}
    inside = package(script, subject)
    # The folder that the interpreter looks for modules in first, when it runs the script.
    depth = len(inside.split(".")) if inside else 0
    first = script.parents[min(depth, len(script.parents) - 1)]
    names: dict[str, None] = {}
    for site in (site for cause in causes for site in cause.sites):
        path = where(folders, site.file)
        if site.function == "<module>" and path.resolve() not in run:
            names[module_name(path, (first, *folders))] = None
    return list(names)


def module_name(path: Path, roots: Sequence[Path]) -> str:
    """What a file is imported as; `roots`: where it may be looked for, the likeliest first."""
    path = path.parent if path.name == "__init__.py" else path.with_suffix("")
    for root in roots:
        if path != root and path.is_relative_to(root):
            return ".".join(path.relative_to(root).parts)
    return path.name


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
