"""Nothing goes over the network, and nothing secret is written down."""

from __future__ import annotations

import subprocess
import sys
import venv
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.command.privileges import works
from tests.command.running import PATIENCE, QUICK, UNSEEDED, Project
from tests.notebooks import written

CALLING = """
import socket
import nondet
nondet.checkpoint("a", 1)
socket.create_connection(("::1", 9))
"""
ALONE = ("unshare", "--user", "--map-root-user", "--net")
"""A network namespace of its own, in which there is no other machine and not even this one."""


def asked(cut_off: Mapping[str, str]) -> str:
    log = Path(cut_off["NETWORK_LOG"])
    return log.read_text() if log.exists() else ""


def test_no_command_needs_or_tries_the_network(
    project: Project, cut_off: Mapping[str, str]
) -> None:
    project.write(UNSEEDED)
    prefix = ALONE if works([*ALONE, "true"]) else ()

    def run(*command: str) -> int:
        return project.run(*command, environ=cut_off, prefix=prefix).code

    assert run("diagnose", "--confidence", "0.75", "--stress", "train.py") == 1
    assert run("diagnose", "--resume", "--json", *QUICK, "train.py") == 1
    for form in ("html", "json", "sarif", "junit", "markdown"):
        assert run("report", "--format", form, "nondet-report") == 0
    assert run("fix", "nondet-report") == 0
    assert run("run", "--pin", "python-random", "train.py") == 0
    assert run("fix", "--apply", "nondet-report") == 0
    assert run("factors") == 0
    assert run("--version") == 0
    assert asked(cut_off) == ""


def test_no_command_besides_does(project: Project, cut_off: Mapping[str, str]) -> None:
    """What `nondet doctor` asks of libraries, and `nondet probe` of its trials: test_doctor.py,
    test_probe.py."""
    project.write(UNSEEDED)
    bare = project.folder.parent / "bare"
    venv.create(bare, with_pip=False)
    prefix = ALONE if works([*ALONE, "true"]) else ()

    def run(*command: str) -> int:
        return project.run(*command, environ=cut_off, prefix=prefix).code

    for name in ("a.nd", "b.nd"):
        assert run("record", "-o", name, "train.py") == 0
    assert run("diff", "--html", "page.html", "a.nd", "b.nd") == 1
    assert run("check", "--baseline", "a.nd", "train.py") == 1
    assert run("repeat", "-n", "2", "train.py") == 0
    assert run("doctor", "--python", str(bare / "bin" / "python")) in (0, 1)
    assert run("probe", "--list", "--all") == 0
    assert asked(cut_off) == ""


def test_the_refusal_reaches_host_and_trials(project: Project, cut_off: Mapping[str, str]) -> None:
    """Else the test above shows nothing."""
    project.write(CALLING)
    ran = project.diagnose(*QUICK, "train.py", environ=cut_off)
    assert ran.code == 5
    assert ran.diagnosis.error is not None
    assert "no network here" in ran.diagnosis.error.message
    assert "socket." in asked(cut_off)


@pytest.mark.subject
@pytest.mark.xdist_group("subjects")
def test_a_keras_script_is_diagnosed_without_the_network(
    project: Project, cut_off: Mapping[str, str]
) -> None:
    project.write(
        "import keras, numpy as np\nx = np.ones((8, 2), 'float32')\n"
        "model = keras.Sequential([keras.layers.Dense(1)])\nmodel.compile('sgd', 'mse')\n"
        "model.fit(x, x[:, :1], verbose=0)\n"
    )
    ran = project.diagnose("--max-trials", "2", "train.py", environ=cut_off)
    assert ran.code == 4, ran.out + ran.err
    assert ran.diagnosis.first_divergence is not None
    assert asked(cut_off) == ""


SECRETS = {
    name: f"xyzzy{number:03}"
    for number, name in enumerate(
        (
            *("AWS_SECRET_ACCESS_KEY", "HF_TOKEN", "WANDB_API_KEY", "DB_PASSWORD", "PGPASSWD"),
            *("GOOGLE_APPLICATION_CREDENTIALS", "MY_PRIVATE_KEY", "GITHUB_AUTH", "KERAS_API_KEY"),
            *(
                "TF_TOKEN",
                "XLA_SECRET",
                "CUDA_PASSPHRASE",
                "OMP_LICENSE_KEY",
                "PLAIN",
                "SSH_COOKIE",
                "TF_SIGNATURE",
            ),
        )
    )
}
USING = """
import os
seen = {name: os.environ[name] for name in SECRETS}
for name in SECRETS:
    os.environ[name + "_NEW_TOKEN"] = os.environ[name] + "-new"
    if name.startswith(("TF_", "KERAS_", "XLA_", "CUDA_", "OMP_")):
        os.environ[name] = os.environ[name] + "-changed"
import sys
"""


@pytest.mark.parametrize("end", ["", "raise OSError('no data')\n"])
def test_nothing_of_the_environment_is_written_down(project: Project, end: str) -> None:
    project.write(USING.replace("SECRETS", repr(list(SECRETS))) + "import torch\n" + UNSEEDED + end)
    (project.folder / "torch.py").write_text("__version__ = '0'\n")
    ran = project.diagnose(*QUICK, "--stress", "train.py", environ=SECRETS)
    assert ran.code == (5 if end else 1), ran.out + ran.err
    assert "xyzzy" not in ran.out + ran.err
    files = [path for path in project.output.rglob("*") if path.is_file()]
    assert len(files) > (8 if end else 30)
    for path in files:
        assert b"xyzzy" not in path.read_bytes(), path


LIBRARY = """
from nondet import library
library.diagnose("train.py", output="by-library", max_trials=2)
library.record("train.py", output="by-library.nd")
print(library.check("train.py", count=2), library.diff("by-library.nd", "a.nd"))
"""


def test_nothing_of_it_by_any_other_command(project: Project) -> None:
    text = USING.replace("SECRETS", repr(list(SECRETS))) + "import torch\n" + UNSEEDED
    project.write(text)
    (project.folder / "torch.py").write_text("__version__ = '0'\n")
    written(project.folder / "train.ipynb", text)
    before = set(project.folder.iterdir())

    def run(*command: str) -> int:
        ran = project.run(*command, environ=SECRETS)
        assert "xyzzy" not in ran.out + ran.err, command
        return ran.code

    assert run("diagnose", "--json", "--max-trials", "2", "train.ipynb") == 4
    assert run("record", "-o", "a.nd", "train.py") == 0
    assert run("run", "--pin", "python-random", "train.py") == 0
    assert run("repeat", "-n", "2", "--json", "train.py") == 0
    done = subprocess.run(
        [sys.executable, "-c", LIBRARY],
        cwd=project.folder,
        env=project.environ | SECRETS,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "xyzzy" not in done.stdout + done.stderr

    made = set(project.folder.iterdir()) - before
    names = {"a.nd", "by-library", "by-library.nd", "nondet-report", "nondet-repeat"}
    # What is run in the folder itself may have its module compiled there, as Python does.
    assert {path.name for path in made} - {"__pycache__"} == names
    for path in (below for top in made for below in (top, *top.rglob("*"))):
        if path.suffix == ".nd":
            with zipfile.ZipFile(path) as archive:
                every = [archive.read(member) for member in archive.namelist()]
            assert len(every) > 3
        else:
            every = [path.read_bytes()] if path.is_file() else []
        assert not any(b"xyzzy" in data for data in every), path
