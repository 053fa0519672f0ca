"""A size of nothing is one that isn't known."""

from __future__ import annotations

import pytest
from rich_click import rich_click as click

from nondet.cli import main
from nondet.report.sized import Sized


@pytest.mark.parametrize("name", ["COLUMNS", "LINES"])
def test_a_size_that_is_not_known(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(name, "0")
    Sized().print("told")
    assert capsys.readouterr().out == "told\n"


def test_a_size_that_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    assert Sized().width == 20


@pytest.mark.parametrize(
    ("command", "told"), [("factors", "python-random"), ("--help", "Why won't this training run")]
)
def test_commands_tell_all_the_same(
    command: str,
    told: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("COLUMNS", "0")
    monkeypatch.setattr(click, "WIDTH", None)
    with pytest.raises(SystemExit):
        main([command])
    assert told in capsys.readouterr().out
