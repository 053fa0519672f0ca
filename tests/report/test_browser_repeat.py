"""The page of a repetition in a real browser: plots, themes, narrow screens, hostile text."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from nondet.repetition import Repetition
from nondet.report.repeat import page
from tests.report import repeat_samples
from tests.report.browser import complaints, contrast, find, load, resized, started

pytestmark = pytest.mark.browser

COLOURS = """
const style = getComputedStyle(document.querySelector(arguments[0]));
const probe = document.createElement('canvas').getContext('2d');
return [style.fill, style.stroke, getComputedStyle(document.documentElement).backgroundColor].map(
  (colour) => { probe.fillStyle = colour; probe.fillRect(0, 0, 1, 1);
    return [...probe.getImageData(0, 0, 1, 1).data].slice(0, 3); });
"""
INSIDE = """
return [...document.querySelectorAll('svg.plot')].every((svg) => {
  const own = svg.getBoundingClientRect();
  return [...svg.children].every((mark) => {
    const box = mark.getBoundingClientRect();
    const hidden = !box.width && !box.height;
    return hidden || (box.left >= own.left - 4 && box.right <= own.right + 4);
  });
});
"""
APART = """
return [...document.querySelectorAll('svg.plot')].every((svg) => {
  const boxes = [...svg.querySelectorAll('text')].map((t) => t.getBoundingClientRect())
    .filter((box) => box.width);
  return boxes.every((box, i) => i === 0 || box.left >= boxes[i - 1].right);
});
"""


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    yield from started(tmp_path_factory.mktemp("profile"))


@pytest.fixture
def show(driver: Any, tmp_path: Path) -> Callable[..., Any]:
    """Opens a repetition at a width and theme."""

    def opened(found: Repetition, *, width: int = 1280, dark: bool = False) -> Any:
        path = tmp_path / "report.html"
        path.write_text(page.render(found), encoding="utf-8")
        resized(driver, width, dark=dark)
        return load(driver, path)

    return opened


@pytest.mark.parametrize("name", repeat_samples.ALL)
def test_opens_without_complaint_or_request(name: str, show: Callable[..., Any]) -> None:
    opened = show(repeat_samples.ALL[name]())
    assert find(opened, "verdict").is_displayed()
    assert complaints(opened) == []


@pytest.mark.parametrize("width", [320, 1280])
@pytest.mark.parametrize("name", repeat_samples.ALL)
def test_nothing_sticks_out(name: str, width: int, show: Callable[..., Any]) -> None:
    opened = show(repeat_samples.ALL[name](), width=width)
    over = opened.execute_script("return document.documentElement.scrollWidth - innerWidth")
    assert over <= 0
    assert opened.execute_script(INSIDE)
    assert opened.execute_script(APART), "labels of an axis run into one another"


def test_a_dot_is_seen_for_every_run(show: Callable[..., Any]) -> None:
    opened = show(repeat_samples.all_different())
    figure = find(opened, "distribution")
    dots = figure.find_elements("css selector", "circle.dot")
    assert len(dots) == 30
    assert all(dot.size["width"] > 5 for dot in dots)


@pytest.mark.parametrize("dark", [False, True])
def test_plots_stand_out_from_the_page(dark: bool, show: Callable[..., Any]) -> None:
    opened = show(repeat_samples.by_source(), dark=dark)
    for mark, part in ((".median", 1), (".mean", 1), (".tick", 0), (".spread", 1)):
        found = opened.execute_script(COLOURS, f".plot {mark}")
        assert contrast(found[part], found[2]) >= 3, mark


def test_the_theme_can_be_changed(show: Callable[..., Any]) -> None:
    opened = show(repeat_samples.few())
    before = opened.execute_script(COLOURS, ".plot .median")
    opened.find_element("id", "theme").click()
    assert opened.execute_script(COLOURS, ".plot .median") != before


def test_every_table_is_reached_by_key(show: Callable[..., Any]) -> None:
    opened = show(repeat_samples.by_source(), width=320)
    for table in opened.find_elements("css selector", "table"):
        region = table.find_element("xpath", "..")
        assert region.get_attribute("tabindex") == "0"
        assert region.get_attribute("aria-label")
