"""The change to a user's files that a prescription asks for, as new texts and as a unified diff."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Callable, Sequence
from pathlib import PurePath

import libcst as cst

from nondet import record
from nondet.patching.calls import Rewrite, rewritten
from nondet.patching.top import inserted


@dataclasses.dataclass(frozen=True)
class Changed:
    """A file before and after."""

    file: str
    before: str
    after: str


@dataclasses.dataclass(frozen=True)
class Patch:
    files: tuple[Changed, ...] = ()
    left: tuple[str, ...] = ()
    """What could not be changed, and why, in words."""

    @property
    def diff(self) -> str:
        """All changes as one unified diff, which ``patch -p1`` and ``git apply`` take."""
        return "".join(unified(changed) for changed in self.files)


def patch(
    script: str,
    snippets: Sequence[str],
    edits: Sequence[record.Edit],
    drawing: Sequence[str],
    read: Callable[[str], str | None],
) -> Patch:
    """The patch of a script and of the user's files beside it.

    `snippets` go behind the script's imports, `edits` where they stand; those without a template
    are for people. `drawing`: names of the user's modules that draw while they are imported.
    `read` gives a file's text, by its name in the edits, or None where there is no such file.
    """
    by_file: dict[str, list[Rewrite]] = {script: []}
    tops: dict[str, dict[str, None]] = {script: dict.fromkeys(snippets)}
    for edit in edits:
        if edit.template:
            by_file.setdefault(edit.file, []).append(Rewrite(edit.line, edit.call, edit.template))
        if edit.top:
            # What no line needs, the script does before all else.
            tops.setdefault(edit.file if edit.template else script, {})[edit.top] = None
    files, left = [], []
    for file, rewrites in by_file.items():
        text = read(file)
        if text is None:
            left.append(f"{file} can't be read.")
            continue
        try:
            module = cst.parse_module(text)
        except cst.ParserSyntaxError as error:
            left.append(f"{file} can't be parsed: {error.message}")
            continue
        module, missing = rewritten(module, rewrites)
        left += [f"{file}:{one.line}: there is no call of {one.call}." for one in missing]
        module = inserted(module, tuple(tops.get(file, ())), drawing if file == script else ())
        if module.code != text:
            files.append(Changed(file, text, module.code))
    return Patch(tuple(files), tuple(left))


def unified(changed: Changed) -> str:
    name = PurePath(changed.file).as_posix().lstrip("/")
    lines = difflib.unified_diff(
        changed.before.splitlines(keepends=True),
        changed.after.splitlines(keepends=True),
        f"a/{name}",
        f"b/{name}",
    )
    return "".join(
        line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines
    )
