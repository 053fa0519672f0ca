"""Small scripts under the guest, and what they showed of generators."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

from tests.guest.running import Shown, guided


def run(folder: Path, script: str, *args: str, **options: Any) -> Shown:
    """The script in a folder of its own; it must end well, and no pin or hook may fail."""
    folder.mkdir(exist_ok=True)
    (folder / "train.py").write_text(textwrap.dedent(script))
    shown = guided(folder, "train.py", *args, **options)
    assert shown.code == 0, shown.err
    assert shown.of("guest-error") == []
    assert all(pin["ok"] for pin in shown.of("pin"))
    return shown


def seen(shown: Shown, factor: str) -> set[tuple[str, bool | None, int | None]]:
    """(detail, unseeded, line) of the sightings of a factor."""
    [finished] = shown.of("finished")
    return {
        (row["detail"], row["unseeded"], row["site"] and row["site"]["line"])
        for row in finished["sightings"]
        if row["factor"] == factor
    }


def given(shown: Shown, factor: str) -> list[tuple[str, int, list[str]]]:
    """(call, line, details of what was drawn before) of the seeds given, in their order."""
    [finished] = shown.of("finished")
    return [
        (row["call"], row["site"]["line"], [before["detail"] for before in row["before"]])
        for row in finished["seedings"]
        if row["factor"] == factor
    ]


def digests(shown: Shown) -> list[str]:
    [finished] = shown.of("finished")
    return [row["digest"] for row in finished["seedings"]]


def library(folder: Path, name: str, source: str) -> dict[str, str]:
    """An installed package of one module; the environment that finds it."""
    packages = folder / "site-packages"
    (packages / name).mkdir(parents=True)
    (packages / name / "__init__.py").write_text(textwrap.dedent(source))
    return {"PYTHONPATH": str(packages)}
