"""The pictures of reports in the docs: ``python -m tests.benchmarks.screenshots``.

Renders the records that are kept beside the tests, opens them in headless Chromium, and writes
``docs/images``. With ``--diagnose`` the records are made anew first, by diagnoses of probes: that
takes minutes.
"""

from __future__ import annotations

import argparse
import base64
import dataclasses
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec

from nondet import record
from nondet.report import html
from tests.report import browser, records

ROOT = Path(__file__).resolve().parent.parent.parent
IMAGES = ROOT / "docs" / "images"
WIDTH = 1200
FOLD = 1000
"""Height of the pictures of a whole page's top."""

MISSING = """\
import csv

import keras
import numpy as np

with open("iris.csv", newline="") as file:
    rows = list(csv.reader(file))

x = np.array([row[:4] for row in rows], "float32")
"""
PACKAGES = ("keras", "numpy", "tensorflow", "tensorflow-cpu", "tensorflow_cpu", "xxhash")
"""Of the packages installed, those that the kept records name."""


@dataclasses.dataclass(frozen=True)
class Subject:
    """A script to diagnose for a kept record."""

    probe: str
    """Its name among the probes; empty for a script that lacks its data."""
    options: tuple[str, ...] = ()


SUBJECTS = {
    "one-cause": Subject("classic_numpy_tf_seeded", ("--verify",)),
    "three-causes": Subject("three_causes"),
    "unresolved": Subject("unresolved"),
    "reproducible": Subject("classic_set_random_seed"),
    "broken": Subject(""),
    "race": Subject("op_determinism"),
}
PARTS = (
    ("one-cause", "#causes", "cause"),
    ("one-cause", "#search", "search"),
    ("race", "#parting", "parting"),
)
"""Parts of a page that have a picture of their own: record, place, and the picture's name."""


def diagnose(name: str) -> record.Diagnosis:
    """Diagnose this subject in a folder of its own, as `train.py`."""
    subject = SUBJECTS[name]
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "train.py"
        if subject.probe:
            shutil.copy(ROOT / "probes" / f"{subject.probe}.py", script)
        else:
            script.write_text(MISSING, encoding="utf-8")
        nondet = str(Path(sys.executable).with_name("nondet"))
        subprocess.run([nondet, "diagnose", *subject.options, "train.py"], cwd=folder, check=False)
        text = (Path(folder) / "nondet-report" / "diagnosis.json").read_text(encoding="utf-8")
        return anybody(text, folder)


def anybody(text: str, folder: str) -> record.Diagnosis:
    """A record without the paths and the kernel of this machine, and with the telling packages."""
    for path, name in (
        (folder, "/home/ada/project"),
        (str(Path(sys.prefix)), "/home/ada/venv"),
        (str(ROOT), "/home/ada/nondet"),
    ):
        text = text.replace(path, name)
    found = record.decode(text.encode())
    packages = {n: v for n, v in found.environment.packages.items() if n in PACKAGES}
    platform = re.sub(r"^Linux-.*-(?=x86_64|aarch64)", "Linux-", found.environment.platform)
    environment = msgspec.structs.replace(found.environment, packages=packages, platform=platform)
    return msgspec.structs.replace(found, environment=environment)


def picture(driver: Any, place: str) -> bytes:
    """A PNG of the page's top, or of the part at `place`."""
    width, height = WIDTH, FOLD
    left, top = 0.0, 0.0
    if place:
        box = (
            "const box = document.querySelector(arguments[0]).getBoundingClientRect();"
            "return [box.left, box.top + scrollY, box.width, box.height];"
        )
        left, top, width, height = driver.execute_script(box, place)
        # Without the rule above the section, and with some air around it.
        left, top, width, height = left - 24, top + 16, width + 48, height
    clip = {"x": left, "y": top, "width": width, "height": height, "scale": 1}
    options = {"format": "png", "clip": clip, "captureBeyondViewport": True}
    taken = driver.execute_cdp_cmd("Page.captureScreenshot", options)
    return base64.b64decode(taken["data"])


def take(driver: Any, folder: Path, name: str, place: str) -> bytes:
    page = folder / "report.html"
    page.write_text(html.render(records.read(name)), encoding="utf-8")
    browser.resized(driver, WIDTH, dark=False)
    browser.load(driver, page)
    return picture(driver, place)


def main(arguments: Sequence[str] = sys.argv[1:]) -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.screenshots")
    parser.add_argument(
        "--diagnose", nargs="*", choices=SUBJECTS, metavar="NAME", help="make records anew"
    )
    again = parser.parse_args(arguments).diagnose
    for name in SUBJECTS if again == [] else again or ():
        records.path(name).write_bytes(record.encode(diagnose(name)))
    IMAGES.mkdir(exist_ok=True)
    wanted = [(name, "", name) for name in SUBJECTS if name != "race"] + list(PARTS)
    with (
        tempfile.TemporaryDirectory() as folder,
        closing(browser.started(Path(folder) / "profile")) as started,
    ):
        driver = next(started)
        for name, place, called in wanted:
            file = IMAGES / f"{called}.png"
            file.write_bytes(take(driver, Path(folder), name, place))
            print(f"{file.relative_to(ROOT)}  {file.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
