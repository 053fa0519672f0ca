"""Every `nondet ...` of the documentation: understood by the command, and run where it can be."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import rich_click as click

from nondet.cli import main
from tests import notebooks
from tests.command.running import NONDET, PATIENCE, QUICK, UNSEEDED, Project

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^( *)```(\w+)\n(.*?)^\1```$", re.M | re.S)
HELP = re.compile(r"<!-- help: .*?\n```text\n.*?\n```\n", re.S)
SPAN = re.compile(r"`([^`\n]*(?:\n[^`\n]+)?)`")
CALL = re.compile(r"(?:^|[\s;|&(])nondet (?=[\w-])")

CODES = {
    "check": 1, "diagnose": 1, "diff": 1, "doctor": 0, "factors": 0, "fix": 0, "probe": 0,
    "record": 0, "repeat": 0, "report": 0, "run": 0,
}  # fmt: skip
"""What each command ends with, on a script that draws without a seed."""
ELSEWHERE = {
    "docs/tutorial.md": "tests/command/test_tutorial.py runs it as a whole, with Keras",
    "docs/cluster.md": "tests/command/test_cluster.py starts a scheduler, workers and jobs",
    "docs/ci.md yaml": "tests/command/test_ci.py runs the steps, in the order of the service",
    "nondet doctor --python .venv/bin/python": "tests/command/test_doctor.py names an interpreter",
    "nondet diagnose --python old/bin/python train.py": (
        "tests/command/test_interpreters.py names interpreters of every version"
    ),
    "nondet probe": "takes minutes; tests/command/test_probe.py runs one probe",
    "nondet probe op_determinism cpu-threads": "takes minutes; so does that",
    "nondet repeat -n 30 --jobs 2 --resume --by-source classic_unseeded.py": (
        "goes on from an example further up in a folder of its own; tests/command/test_repeat.py "
        "resumes a repetition and measures by source"
    ),
}
"""Examples that are only parsed here, by page, page and language, or line, with the reason."""
CHEAPER = {
    r"-n 30\b": "-n 3",
    r"^diagnose\b": f"diagnose --force {' '.join(QUICK)}",
    r"^repeat\b": "repeat --force",
}
"""What is run in place of a number that is not the point, or in a folder that is not fresh."""
PLUGIN = ROOT / "docs" / "plugins.md"
DICEY = """
import random as _random
_own = _random.Random()
sample = _own.random
set_seed = _own.seed
class Series(list):
    def shuffle(self):
        _own.shuffle(self)
"""


class Example(NamedTuple):
    """A line of a page that calls nondet."""

    page: str
    kind: str
    line: str
    number: int

    def __str__(self) -> str:
        return f"{self.page}-{self.number}: {self.line}"


def lines(block: str, kind: str) -> Iterator[str]:
    """The commands of a block, without prompts, comments and output."""
    for line in block.splitlines():
        if kind == "console":
            if line.startswith("$ "):
                yield line[2:]
        elif kind == "yaml":
            yield re.sub(r"^\s*(?:- )?(?:run: )?", "", line)
        elif kind == "sh" or line.startswith("nondet "):
            yield re.sub(r"\s+#.*", "", line).strip()


def in_blocks(path: Path) -> Iterator[Example]:
    text = HELP.sub(lambda match: "\n" * match[0].count("\n"), path.read_text(encoding="utf-8"))
    name = str(path.relative_to(ROOT))
    for block in BLOCK.finditer(text):
        for line in lines(block[3], block[2]):
            if CALL.search(line):
                yield Example(name, block[2], line, text.count("\n", 0, block.start()) + 1)


def in_prose(path: Path) -> Iterator[Example]:
    text = path.read_text(encoding="utf-8")
    prose = BLOCK.sub(lambda match: "\n" * match[0].count("\n"), text)
    for span in SPAN.finditer(prose):
        line = " ".join(span[1].split())
        if line.startswith("nondet "):
            number = prose.count("\n", 0, span.start()) + 1
            yield Example(str(path.relative_to(ROOT)), "prose", line, number)


BLOCKS = [example for page in PAGES for example in in_blocks(page)]
PROSE = [example for page in PAGES for example in in_prose(page)]


def names(example: Example) -> set[str]:
    """What `ELSEWHERE` may call it."""
    return {example.page, f"{example.page} {example.kind}", example.line}


RUN = [example for example in BLOCKS if not names(example) & set(ELSEWHERE)]


def calls(line: str) -> Iterator[list[str]]:
    """The words of each call of nondet in a line of a shell, without what is redirected."""
    for part in CALL.split(line)[1:]:
        words = shlex.split(re.split(r"\s*(?:[|;&]|[12]?>)", part)[0], comments=True)
        yield [word for word in words if word != "..."]


def parsed(words: list[str]) -> click.Context | None:
    """The context of the command, as the real parser makes it."""
    verb, *rest = words
    command = main.commands.get(verb)
    if verb.startswith("-"):
        return main.make_context("nondet", words)
    assert command is not None, f"no such command: {verb}"
    # Without its parent's settings a command would keep other help options from here on.
    parent = main.context_class(main, **main.context_settings)
    return command.make_context(verb, rest, parent=parent)


@pytest.mark.parametrize("example", BLOCKS, ids=str)
def test_an_example_is_understood(example: Example) -> None:
    for words in calls(example.line):
        parsed(words)


@pytest.mark.parametrize("example", PROSE, ids=str)
def test_what_is_named_in_the_prose_is_understood(example: Example) -> None:
    """It may leave out what it is not about: the script, or an option's value."""
    for words in calls(example.line):
        placeholders = [w for w in words if re.fullmatch(r"[A-Z]+", w)]
        try:
            if words[-1] != "--help":
                parsed(words)
            elif words[0] not in ("COMMAND", "--help"):
                assert words[0] in main.commands, example
        except click.MissingParameter:
            pass
        except click.BadParameter:
            assert placeholders, example
        except click.BadOptionUsage as error:
            assert "requires an argument" in error.format_message(), example


def test_a_wrong_example_is_not_understood() -> None:
    for line in ("nondet diagnos train.py", "nondet diagnose --no-such-option train.py"):
        with pytest.raises((AssertionError, click.UsageError)):
            test_an_example_is_understood(Example("page", "sh", line, 1))
    with pytest.raises(click.UsageError):
        test_what_is_named_in_the_prose_is_understood(
            Example("page", "prose", "nondet run --no-such-option", 1)
        )


def prepared(project: Project) -> None:
    """What the examples name: scripts, a notebook, a plugin with its library, an older report."""
    for script in ("train.py", "classic_unseeded.py"):
        project.write(UNSEEDED, script)
    notebooks.written(project.folder / "train.ipynb", UNSEEDED)
    (project.folder / "dicey").mkdir()
    project.write("", "dicey/__init__.py")
    project.write(DICEY, "dicey/random.py")
    plugin = re.search(r"```python\n(.*?)```", PLUGIN.read_text(), re.S)
    assert plugin is not None
    project.write(plugin[1], "dicey_plugin.py")


def shell(project: Project, line: str) -> subprocess.CompletedProcess[str]:
    path = f"{Path(NONDET).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        ["bash", "-eo", "pipefail", "-c", line],
        cwd=project.folder,
        env=project.environ | {"PATH": path},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def cheaper(line: str) -> str:
    start, call, rest = line.partition("nondet ")
    for pattern, instead in CHEAPER.items():
        rest = re.sub(pattern, instead, rest)
    return start + call + rest


def marked(page: str) -> Any:
    """What measures a machine takes longest, and the page with every command."""
    long = page in ("docs/machine.md", "docs/command.md")
    return pytest.param(page, marks=[pytest.mark.long] if long else [])


@pytest.mark.parametrize("page", [marked(p) for p in sorted({example.page for example in RUN})])
def test_the_examples_of_a_page_run(project: Project, page: str) -> None:
    """In their order, in one folder, since the later ones use what the earlier ones wrote."""
    prepared(project)
    for example in RUN:
        if example.page == page:
            verb = next(calls(example.line))[0]
            assert verb in CODES, f"tell in CODES what {verb} ends with, or in ELSEWHERE why not"
            done = shell(project, cheaper(example.line))
            assert done.returncode == CODES[verb], (example, done.stdout, done.stderr)


def test_what_is_only_parsed_is_there() -> None:
    assert set(ELSEWHERE) <= {name for example in BLOCKS for name in names(example)}
    assert {"README.md", "docs/command.md", "docs/repeat.md"} <= {e.page for e in RUN}
