"""What a shell completes, once it was told to as docs/command.md says."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from click.shell_completion import BashComplete, get_completion_class

from nondet.cli import main
from tests.command.running import NONDET, PATIENCE, Project

PAGE = Path(__file__).parents[2] / "docs" / "command.md"
VARIABLE = "_NONDET_COMPLETE"

# `compopt` works within a completion alone; what it is asked for is what counts here.
COMPLETE = """
compopt() { echo compopt "$@"; }
complete_words() {
    COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=()
    _nondet_completion nondet
    echo "${COMPREPLY[*]}"
}
complete_words nondet dia
complete_words nondet diagnose --granularity s
complete_words nondet diagnose tr
"""


def line_for(shell: str) -> str:
    """The line of the documentation that switches it on."""
    found = re.search(rf"^.*{VARIABLE}={shell}_source nondet.*$", PAGE.read_text(), re.M)
    assert found is not None
    return found[0]


def completed(*words: str) -> list[tuple[str, str]]:
    """(kind, value) of what stands for the last of these words."""
    *before, last = words
    shell = BashComplete(main, {}, "nondet", VARIABLE)
    return [(item.type, item.value) for item in shell.get_completions(before, last)]


def plain(*values: str) -> list[tuple[str, str]]:
    return [("plain", value) for value in values]


def test_bash_completes_as_the_page_says(project: Project) -> None:
    path = f"{Path(NONDET).parent}:{project.environ['PATH']}"
    done = subprocess.run(
        ["bash", "--norc", "-c", line_for("bash") + COMPLETE],
        cwd=project.folder,
        env=project.environ | {"PATH": path},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == ["diagnose", "step", "compopt -o default", ""]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_a_script_that_it_can_read(shell: str) -> None:
    assert line_for(shell)
    kind = get_completion_class(shell)
    assert kind is not None
    script = kind(main, {}, "nondet", VARIABLE).source()
    assert f"{VARIABLE}={shell}_complete" in script
    if shutil.which(shell) is not None:
        subprocess.run([shell, "-n"], input=script, text=True, check=True)


def test_commands_and_options_are_completed() -> None:
    assert completed("dia") == plain("diagnose")
    assert completed("re") == plain("record", "repeat", "report")
    assert completed("diagnose", "--gran") == plain("--granularity")
    assert completed("no-such") == []


def test_the_last_factor_of_a_list_is_completed() -> None:
    assert completed("run", "--pin", "clo") == plain("clock")
    assert completed("run", "--pin", "clock,python-r") == plain("clock,python-random")
    assert completed("run", "--pin", "clock,clo") == []


@pytest.mark.parametrize("verb", ["check", "diagnose", "record", "repeat", "run"])
def test_files_are_asked_for_where_a_script_belongs(verb: str) -> None:
    assert completed(verb, "tr") == [("file", "tr")]
    assert completed(verb, "train.py", "da") == [("file", "da")]
    assert completed(verb, "--python", "bi") == [("file", "bi")]
