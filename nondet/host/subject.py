"""The subject: checked before any trial, with one clear line for whatever is wrong."""

from __future__ import annotations

import dataclasses
import errno
import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import msgspec

from nondet import notebook, record
from nondet.host import interrupting, scratch
from nondet.host.errors import BrokenSubject, UsageError

GUEST = Path(__file__).resolve().parent.parent / "guest"
DESCRIBE_SECONDS = 120
DESCRIPTION_BYTES = 1 << 16
"""Room that its answer may need on the disk."""


class Description(msgspec.Struct, frozen=True):
    """What the guest says of the interpreter and the script (guest/describe.py)."""

    python: str
    executable: str
    packages: dict[str, str]
    found: dict[str, bool]
    syntax_error: str | None
    script: str | None = None
    """Of a module: its file; None where there is none."""
    module: str = ""
    """Of a module: its whole name, with a package's ``__main__``."""
    package: str = ""
    """Folder of the installed package that the script is a part of; empty for other code."""
    conda: tuple[str, ...] = ()
    """Name, version and build of every package of a conda environment."""


@dataclasses.dataclass(frozen=True)
class Subject:
    """A checked script with its arguments, interpreter and folder."""

    script: str
    args: tuple[str, ...]
    python: str
    cwd: Path
    sha256: str
    """Of the script; of a notebook, its code alone."""
    description: Description
    module: str = ""
    """As it was named, when it is run as ``python -m`` does; `script` is its file then."""

    @property
    def command(self) -> str:
        """What follows the interpreter's name when it is started."""
        return f"-m {self.module}" if self.module else self.script

    @property
    def started(self) -> str:
        """What starts it, to be put behind variables of the environment."""
        if not self.module and notebook.is_notebook(self.script):
            return f"jupyter lab {self.script}"
        return f"python {self.command}"

    @property
    def first_on_path(self) -> Path:
        """The folder that the interpreter looks for modules in first."""
        return self.cwd if self.module else self.path.parent

    @property
    def path(self) -> Path:
        return (self.cwd / self.script).resolve()

    @property
    def folders(self) -> tuple[Path, ...]:
        """Folders that trials may write to: the working folder, and the script's if elsewhere."""
        if self.description.package:
            # Installed code is not where a script writes, and may be of any size.
            return (self.cwd,)
        own = own_folder(self.path, self.description.module)
        inside = own == self.cwd or self.cwd in own.parents
        return (self.cwd,) if inside else (self.cwd, own)

    def to_record(self) -> record.Subject:
        return record.Subject(
            script=self.script,
            args=self.args,
            python=self.python,
            cwd=str(self.cwd),
            sha256=self.sha256,
            module=self.module,
        )


def own_folder(path: Path, module: str) -> Path:
    """The folder of a script, or that of the outermost package of a module."""
    return path.parents[max(0, module.count(".") - 1)]


def check(script: str, args: tuple[str, ...], python: str, module: bool = False) -> Subject:
    """`module`: `script` is a module's name. Raises UsageError or BrokenSubject."""
    try:
        cwd = Path.cwd().resolve()
    except FileNotFoundError:
        raise UsageError(
            "no-working-folder", "the working folder was deleted: change to one that exists"
        ) from None
    interpreter = _interpreter(python)
    if not module:
        script = _console_script(script, interpreter)
    source = b"" if module else _source(Path(script))
    if not module and notebook.is_notebook(script):
        source = _notebook(script, source).code
    description = _describe(interpreter, script, module)
    if not module and notebook.is_notebook(script) and not description.found.get("IPython"):
        raise UsageError(
            "no-ipython",
            f"{script} is a notebook, and {python} has no IPython to run it with: "
            f"`{python} -m pip install ipython`",
        )
    name = script if module else ""
    if module:
        script = _file_of(description, script, cwd)
        source = _source(cwd / script)
    if description.syntax_error is not None:
        raise BrokenSubject(
            "syntax-error",
            f"{script} is not valid Python {description.python}",
            description.syntax_error,
        )
    sha256 = hashlib.sha256(source).hexdigest()
    return Subject(script, args, interpreter, cwd, sha256, description, name)


def unchecked(script: str, args: tuple[str, ...], python: str, module: bool) -> record.Subject:
    """What the record says of a subject that `check` found broken."""
    return record.Subject(script=script, args=args, python=python, module=script if module else "")


def _file_of(description: Description, module: str, cwd: Path) -> str:
    """Relative to the working folder where it lies in it."""
    if description.script is None:
        what = description.module if description.module != module else module
        raise UsageError(
            "no-such-module",
            f"no such module: {what} (looked from {cwd}); -m takes a name such as pkg.train, "
            "and options go before it",
        )
    path = Path(description.script)
    return str(path.relative_to(cwd)) if path.is_relative_to(cwd) else str(path)


def _console_script(script: str, interpreter: str) -> str:
    """The path of a command beside the interpreter, where no file has that name."""
    beside = Path(interpreter).parent / script
    if os.sep in script or os.path.exists(script) or not os.path.isfile(beside):
        return script
    with beside.open("rb") as file:
        first = file.readline(1024)
    return str(beside) if first.startswith(b"#!") and b"python" in first else script


def _notebook(script: str, source: bytes) -> notebook.Notebook:
    try:
        book = notebook.read(source.decode())
    except UnicodeDecodeError as error:
        raise UsageError("not-a-notebook", f"{script} is no notebook: {error}") from None
    except notebook.NotebookError as error:
        if error.slug == "notebook-format":
            raise UsageError(
                "notebook-format",
                f"{script}: {error}, and nondet reads format 4: "
                f"`jupyter nbconvert --to notebook --inplace {script}` converts it",
            ) from None
        raise UsageError("not-a-notebook", f"{script} is no notebook: {error}") from None
    if book.language not in ("python", "ipython"):
        raise UsageError(
            "notebook-language",
            f"{script} is a notebook of another language than Python: {book.language}",
        )
    if not book.cells:
        raise UsageError("no-code-cell", f"{script} has no code cell that is not empty")
    return book


def _source(path: Path) -> bytes:
    if os.path.isdir(path):
        raise UsageError(
            "script-is-a-folder", f"{path} is a folder: name the script in it, as with `python`"
        )
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise UsageError(
            "no-such-script",
            f"no such script: {path} (looked in {Path.cwd()}); options go before SCRIPT",
        ) from None
    except OSError as error:
        raise UsageError(
            "script-unreadable", f"can't read {path}: {error.strerror or error}"
        ) from error
    if b"\0" in data:
        raise UsageError(
            "not-python", f"{path} is not a Python script: it holds binary data; name a .py file"
        )
    return data


def _interpreter(python: str) -> str:
    found = shutil.which(python)
    if found is None:
        raise UsageError(
            "no-such-interpreter",
            f"--python {python}: no such program; give the path of a Python interpreter",
        )
    # Not resolved through links: a virtual environment's interpreter is a link.
    return os.path.abspath(found)


def interpreter(python: str) -> tuple[str, Description]:
    """An interpreter without a script: its path, and what it says of itself. Raises UsageError."""
    path = _interpreter(python)
    return path, _describe(path, "", False)


def _describe(python: str, script: str, module: bool) -> Description:
    """Ask the subject's interpreter about itself and the script; nothing of the script runs."""
    with scratch.Private(scratch.temporary()) as folder:
        out = folder / "description.json"
        named = ["-m", script] if module else [script]
        command = [python, str(GUEST), "--describe", str(out), *named]
        # One that can't answer for want of space would be taken for none that starts.
        out.write_bytes(bytes(DESCRIPTION_BYTES))
        out.unlink()
        try:
            done = interrupting.run(command, DESCRIBE_SECONDS, text=True, errors="replace")
        except (OSError, subprocess.TimeoutExpired) as error:
            if isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE):
                raise  # it is not the interpreter's fault
            raise UsageError(
                "interpreter-does-not-start",
                f"--python {python}: it does not start as a Python interpreter ({error})",
            ) from error
        if done.returncode != 0 or not out.exists():
            said = (
                f"killed by signal {-done.returncode}" if done.returncode < 0 else "it said nothing"
            )
            last = (done.stderr.strip().splitlines() or [said])[-1]
            raise UsageError(
                "interpreter-does-not-start",
                f"--python {python}: not a Python 3.7 or newer that starts here ({last})",
            )
        try:
            return msgspec.json.decode(out.read_bytes(), type=Description)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise UsageError(
                "interpreter-does-not-start",
                f"--python {python}: it answered something else than expected ({error})",
            ) from error
