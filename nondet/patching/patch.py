"""The change to a user's files that a prescription asks for, as new texts and as a unified diff."""

from __future__ import annotations

import dataclasses
import difflib
import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePath

import libcst as cst

from nondet import notebook, record
from nondet.patching.calls import Rewrite, rewritten
from nondet.patching.cells import Cells
from nondet.patching.names import renamed
from nondet.patching.python import worse
from nondet.patching.snippets import Snippets
from nondet.patching.top import end_of_imports, put

BYTE_ORDER = "\ufeff"
"""What some editors of Windows put before a file's first line. Python and its parsers skip it."""


@dataclasses.dataclass(frozen=True)
class Changed:
    """A file before and after."""

    file: str
    before: str
    after: str


@dataclasses.dataclass(frozen=True)
class Top:
    """What goes to the top of a script; see `patch`."""

    snippets: Sequence[str]
    drawing: Sequence[str]
    package: str


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
    package: str = "",
    others: Mapping[str, Top] | None = None,
) -> Patch:
    """The patch of a script and of the user's files beside it.

    `snippets` go behind the script's imports, `edits` where they stand; those without a template
    are for people. `drawing`: names of the user's modules that draw while they are imported.
    `read` gives a file's text, by its name in the edits, or None where there is no such file.
    `package`: the one that the script is a module of. `others`: what goes to the tops of scripts
    that it starts, by their files.
    """
    started = {script: Top(snippets, drawing, package), **(others or {})}
    by_file: dict[str, list[record.Edit]] = {file: [] for file in started}
    tops = {file: dict.fromkeys(top.snippets) for file, top in started.items()}
    for edit in edits:
        if edit.template:
            by_file.setdefault(edit.file, []).append(edit)
        if edit.top:
            # What no line needs, the script does before all else.
            tops.setdefault(edit.file if edit.template else script, {})[edit.top] = None
    files, left = [], []
    for file, wanted in by_file.items():
        text = read(file)
        if text is None:
            left.append(f"{file} can't be read.")
            continue
        try:
            cells = Cells(notebook.read(text)) if notebook.is_notebook(file) else None
            code = cells.code if cells is not None else text.removeprefix(BYTE_ORDER)
            module = cst.parse_module(code)
        except (cst.ParserSyntaxError, notebook.NotebookError) as error:
            why = error.message if isinstance(error, cst.ParserSyntaxError) else str(error)
            left.append(f"{file} can't be parsed: {why}")
            continue
        before = module.code
        module, undone = changed(
            module,
            tuple(tops.get(file, ())),
            {rewrite(edit, cells): edit for edit in wanted},
            started[file].drawing if file in started else (),
            started[file].package if file in started else package,
        )
        left += undone
        if worse(before, module.code):
            left.append(f"{file}: what the patch makes of it is no Python, so it stays as it is.")
        elif module.code != before:
            code = kept(code, before, module.code)
            mark = BYTE_ORDER if text.startswith(BYTE_ORDER) else ""
            after = cells.back(code) if cells is not None else mark + code
            files.append(Changed(file, text, after))
    return Patch(tuple(files), tuple(left))


def changed(
    module: cst.Module,
    snippets: Sequence[str],
    edits: Mapping[Rewrite, record.Edit],
    drawing: Sequence[str],
    package: str,
) -> tuple[cst.Module, list[str]]:
    """The module with these calls rewritten, and the snippets at its top; and what could not be
    changed, in words."""
    made, why = rewritten(module, tuple(edits))
    place = end_of_imports(made.body, drawing, package)
    uses: dict[str, list[str]] = {}
    for one, edit in edits.items():
        uses.setdefault(edit.top, []).append(one.template)
    idle = {edits[one].top for one in why} - {edits[one].top for one in edits if one not in why}
    needed = [snippet for snippet in snippets if snippet not in idle]
    top = Snippets(module, place, needed, uses)
    names = {one: top.aliases.get(edit.top, {}) for one, edit in edits.items()}
    own = [dataclasses.replace(o, template=renamed(o.template, names[o])) for o in edits]
    if own != list(edits):
        made, _ = rewritten(module, own)
    left = [f"{edits[one].place}: {text}." for one, text in why.items()]
    return put(made, place, top.text), left


def kept(text: str, before: str, after: str) -> str:
    """The changed text, in which lines that are not changed are as they were. `before`: the text as
    the parser gives it back, without the form feeds that indent a line."""
    own, told, new = lines_of(text), lines_of(before), lines_of(after)
    if own == told or len(own) != len(told):
        return after
    matcher = difflib.SequenceMatcher(None, told, new, autojunk=False)
    return "".join(
        line
        for what, i, end, j, behind in matcher.get_opcodes()
        for line in (own[i:end] if what == "equal" else new[j:behind])
    )


def rewrite(edit: record.Edit, cells: Cells | None) -> Rewrite:
    line = cells.line(edit.cell, edit.cell_line) if cells is not None else edit.line
    return Rewrite(line, edit.call, edit.template)


def essence(diff: str) -> list[str]:
    """The lines of a diff; of a notebook's those that change, and not what stands around them:
    outputs do, which are others after each run."""
    kept, book = [], False
    for line in diff.split("\n"):
        if line.startswith("--- "):
            book = notebook.is_notebook(line.rstrip())
        if not book or line[:1] in "+-":
            kept.append(line)
    return kept


def unified(changed: Changed) -> str:
    name = PurePath(changed.file).as_posix().lstrip("/")
    lines = difflib.unified_diff(
        lines_of(changed.before),
        lines_of(changed.after),
        f"a/{name}",
        f"b/{name}",
    )
    return "".join(
        line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines
    )


def lines_of(text: str) -> list[str]:
    """With their ends, as `patch` and `git apply` count them: nothing else ends a line."""
    return io.StringIO(text, newline="\n").readlines()
