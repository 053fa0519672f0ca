"""The host, or the process that trials are forked from, is killed while a forked trial runs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.benchmarks.killing import roles
from tests.command.running import until

HOST = """
import sys
from pathlib import Path
sys.path.insert(0, {root!r})
from tests.guest.forking import forking
with forking(Path({folder!r})) as found:
    found.run("train.py")
"""
SCRIPT = """
import os
import time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        open("daemon", "w").close()
        time.sleep(600)
    os._exit(0)
os.wait()
open("main", "w").close()
time.sleep(600)
"""


@pytest.mark.parametrize("killed", ["host", roles.PARENT])
def test_nothing_outlives_it(tmp_path: Path, killed: str) -> None:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "train.py").write_text(SCRIPT)
    text = HOST.format(root=str(Path(__file__).parents[3]), folder=str(folder))
    with subprocess.Popen([sys.executable, "-c", text], stderr=subprocess.PIPE) as host:
        try:
            noted = [folder / name for name in ("main", "daemon")]
            until(lambda: all(path.exists() for path in noted) or host.poll(), "the trial")
            below = psutil.Process(host.pid).children(recursive=True)
            found = roles.roles(map(roles.Process.of, below), host.pid)
            assert sorted(found.values()) == sorted(
                [roles.PARENT, roles.FORKED_SUPERVISOR, roles.FORKED_TRIAL]
            )
            assert len(below) == 4  # the daemon is the trial's
            victim = next((p for p in below if found.get(p.pid) == killed), None)
            (victim or host).kill()
            ending = [process for process in below if process != victim]
            _, alive = psutil.wait_procs(ending, timeout=60)
            assert alive == []
        finally:
            host.kill()
            host.communicate()
