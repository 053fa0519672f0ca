"""A script or a module that is edited while its trials run."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from nondet import record
from tests.command.running import NONDET, PATIENCE, QUICK, until

SCRIPT = """
import os, sys, time
import data
import nondet

flag = sys.argv[1]
open("%s.%d" % (flag, os.getpid()), "w").close()
while not os.path.exists(flag):
    time.sleep(0.01)
nondet.checkpoint("value", data.x + 0)
"""


@pytest.mark.parametrize("edited", ["train.py", "data.py"])
def test_an_edit_is_no_cause(tmp_path: Path, edited: str) -> None:
    project, flag = tmp_path / "project", tmp_path / "flag"
    project.mkdir()
    (project / "train.py").write_text(SCRIPT)
    (project / "data.py").write_text("x = 1\n")
    command = [NONDET, "diagnose", "--jobs", "1", *QUICK, "--force", "train.py", str(flag)]
    running = subprocess.Popen(
        command, cwd=project, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    with running:
        until(lambda: list(tmp_path.glob("flag.*")), "the first trial")
        path = project / edited
        path.write_text(path.read_text().replace("x = 1", "x = 2").replace("+ 0", "+ 1"))
        flag.touch()
        out, err = running.communicate(timeout=PATIENCE)
    said = f"{edited} was changed while trials ran, so they can't be compared"
    assert running.returncode == 2
    assert said in " ".join(err.split())
    assert not (project / "nondet-report" / "diagnosis.json").exists(), out
    # Once it stays as it is, all is well.
    assert subprocess.run(command, cwd=project, timeout=PATIENCE, check=False).returncode == 0
    found = record.decode((project / "nondet-report" / "diagnosis.json").read_bytes())
    assert found.verdict == "reproducible"
