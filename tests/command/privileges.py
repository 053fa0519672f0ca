"""Commands that permissions hold for, whoever runs the tests."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence

from tests.command.running import Project

NOBODY = 65534
SETPRIV = {
    NOBODY: ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--"),
    # Still root by number, but it may do no more than any owner of files.
    0: ("setpriv", "--bounding-set=-all", "--inh-caps=-all", "--"),
}


def works(command: Sequence[str]) -> bool:
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    return done.returncode == 0


def own(project: Project) -> None:
    """Hand all files of the project to the owner of its folder."""
    state = project.folder.stat()
    for path in project.folder.rglob("*"):
        os.chown(path, state.st_uid, state.st_gid, follow_symlinks=False)
