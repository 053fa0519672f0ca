from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.command.privileges import SETPRIV, works
from tests.command.running import NONDET, Project

SITE = """
import os
import sys


def refuse(event, arguments):
    # Addresses of the network are tuples; those of sockets in the file system are not.
    sends = event in ("socket.connect", "socket.sendto") and isinstance(arguments[1], tuple)
    if sends or event.startswith(("socket.getaddrinfo", "socket.gethostby", "urllib.Request")):
        with open(os.environ["NETWORK_LOG"], "a") as file:
            file.write(event + chr(10))
        raise PermissionError("no network here: " + event)


sys.addaudithook(refuse)
"""


@pytest.fixture
def cut_off(tmp_path: Path) -> Mapping[str, str]:
    """An environment in which every Python process is refused the network, and tells of it."""
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(SITE)
    return {"PYTHONPATH": str(site), "NETWORK_LOG": str(tmp_path / "network.log")}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path / "project")


@pytest.fixture
def unprivileged(project: Project) -> tuple[str, ...]:
    """How to start a command that permissions hold for, in a folder that is its user's own."""
    if os.geteuid() != 0:
        return ()
    if shutil.which("setpriv") is None:
        pytest.skip("permissions don't hold for root, and there is no setpriv")
    for user, prefix in SETPRIV.items():
        # Through a shell: setpriv itself starts programs with more rights than it leaves them.
        if works([*prefix, "sh", "-c", 'exec "$0" --version', NONDET]):
            for folder in project.folder.parents:
                if folder.stat().st_uid == 0 and not folder.stat().st_mode & 0o001:
                    folder.chmod(0o711)  # pytest's folders are closed to others
            os.chown(project.folder, user, user)
            return prefix
    pytest.skip("this interpreter can't be read without root's rights")
