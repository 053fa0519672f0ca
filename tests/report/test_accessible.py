"""What axe-core finds on the report: nothing serious, in any sample, light and dark."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from nondet.record import Diagnosis
from nondet.report import html
from nondet.report.contrast import page as contrast
from nondet.report.machine import page
from tests.report import comparison_samples, probing_samples, samples
from tests.report.browser import load, resized, started

pytestmark = pytest.mark.browser

VENDOR = Path(__file__).with_name("vendor")
AXE = VENDOR / "axe.min.js"
RUN = """
const [rules, done] = arguments;
const told = (one) => [one.impact, one.id, one.nodes.length, one.nodes[0].html.slice(0, 200),
  one.nodes[0].failureSummary];
const how = { resultTypes: ["violations"], ...(rules && { runOnly: rules }) };
axe.run(document, how).then((all) => done(all.violations.map(told)));
"""
OPEN = "document.querySelectorAll('details').forEach((one) => { one.open = true; })"


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    yield from started(tmp_path_factory.mktemp("profile"))


@pytest.fixture
def violations(driver: Any, tmp_path: Path) -> Callable[..., list[list[Any]]]:
    """What axe-core finds on a page of ours: impact, rule, count, an example, and why."""

    def found(
        shown: Diagnosis | str, *, dark: bool = False, width: int = 1280, opened: bool = True
    ) -> list[list[Any]]:
        path = tmp_path / "report.html"
        text = shown if isinstance(shown, str) else html.render(shown)
        path.write_text(text, encoding="utf-8")
        resized(driver, width, dark=dark)
        page = load(driver, path)
        if opened:
            page.execute_script(OPEN)
        page.execute_script(AXE.read_text(encoding="utf-8"))
        # Dark or light, the page is the same but for its colours.
        rules = ["color-contrast"] if dark else None
        listed: list[list[Any]] = page.execute_async_script(RUN, rules)
        return listed

    return found


@pytest.mark.parametrize("dark", [False, True])
def test_the_page_of_probes(violations: Callable[..., list[list[Any]]], dark: bool) -> None:
    assert violations(page.render(probing_samples.MIXED), dark=dark) == []


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("name", comparison_samples.ALL)
def test_the_page_of_a_comparison(
    violations: Callable[..., list[list[Any]]], name: str, dark: bool
) -> None:
    assert violations(contrast.render(comparison_samples.ALL[name]), dark=dark) == []


@pytest.mark.parametrize("dark", [False, pytest.param(True, marks=pytest.mark.long)])
@pytest.mark.parametrize("name", samples.ALL)
def test_nothing_is_in_the_way(
    name: str, dark: bool, violations: Callable[..., list[list[Any]]]
) -> None:
    # Of the large sample, what is seen at first: its tables have ten thousands of cells.
    assert violations(samples.ALL[name](), dark=dark, opened=name != "large") == []


@pytest.mark.parametrize("name", ["one_cause", "looked_into", "broken"])
def test_nothing_is_in_the_way_on_a_narrow_screen(
    name: str, violations: Callable[..., list[list[Any]]]
) -> None:
    assert violations(samples.ALL[name](), width=320) == []


def test_the_checker_sees_what_is_wrong(
    driver: Any, tmp_path: Path, violations: Callable[..., list[list[Any]]]
) -> None:
    violations(samples.broken())
    driver.execute_script("document.querySelector('.brand img').removeAttribute('alt')")
    assert "image-alt" in [rule for _, rule, *_ in driver.execute_async_script(RUN, None)]


def test_the_checker_is_whole_and_has_its_licence() -> None:
    assert "Mozilla Public License" in (VENDOR / "axe.LICENSE").read_text(encoding="utf-8")
    digest = hashlib.sha256(AXE.read_bytes()).hexdigest()
    assert digest == "29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c"
