"""``nondet``, and ``python -m nondet``: the command, or one clear line where it can't be loaded."""

from __future__ import annotations

import contextlib
import os
import sys

# As `typing` has it, which may be what can't be loaded.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn


def main() -> None:
    """Python's own exit code for what goes wrong while modules are imported is 1, which says that
    causes were found; and a module that calls `sys.exit` meanwhile could say that there are none.
    """
    try:
        command = loaded()
        command(prog_name="nondet")
    except KeyboardInterrupt:
        complain("interrupted", "interrupted before there was a result", 130)


def loaded() -> Callable[..., object]:
    """All of it. Ends with what stands in the way."""
    try:
        from nondet.cli import main as command
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        told = " ".join(f"{type(error).__name__}: {error}".split())
        complain(
            "not-loadable",
            f"it can't be loaded ({told}; see {place(error)}): where that file is yours, it has "
            "the name of one that nondet needs, so rename it or take its folder out of "
            "PYTHONPATH; else install nondet-diagnose again",
        )
    return command


def place(error: BaseException) -> str:
    """The file of the module that is another than it should be; else where it failed."""
    name = str(getattr(error, "name", None) or "").partition(".")[0]
    file = getattr(error, "filename", None) or getattr(sys.modules.get(name), "__file__", None)
    if file:
        return str(file)
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace.tb_frame.f_code.co_filename if trace is not None else "its files"


def complain(slug: str, message: str, code: int = 2) -> NoReturn:
    """As the command itself does, which is not there."""
    clean = "".join(c if c.isprintable() else "?" for c in message)
    line = f"nondet: {clean} [{slug}]\n"
    if sys.stderr is not None:
        data = line.encode(sys.stderr.encoding, "backslashreplace")
        with contextlib.suppress(OSError):  # the code tells as well
            os.write(sys.stderr.fileno(), data)  # its buffer would be written again as Python ends
    sys.exit(code)


if __name__ == "__main__":
    main()
