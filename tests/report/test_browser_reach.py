"""The report by keyboard, without seeing it, and on paper."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from nondet.record import Diagnosis
from nondet.report import html
from tests.report import samples
from tests.report.browser import complaints, find, load, resized, started

pytestmark = pytest.mark.browser

# Of the buttons of one choice, the tabulator reaches the one chosen.
CONTROLS = """
const all = document.querySelectorAll(
  "a[href], button, input:not([type=radio]), input[type=radio]:checked, summary, [tabindex='0']");
window.controls = [...all].filter((one) => one.checkVisibility({ visibilityProperty: true }));
return window.controls.length;
"""
FOCUS = """
const style = getComputedStyle(document.activeElement);
const marked = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
return [window.controls.indexOf(document.activeElement), marked];
"""
NAMED = """
const charts = document.querySelectorAll("[data-chart] canvas[role], [data-chart] [role=img]");
return [...charts].map((one) => {
  const by = document.getElementById(one.getAttribute("aria-labelledby"));
  const table = one.closest("[data-chart]").querySelector("details.table table tbody td");
  return [(by ? by.textContent : one.getAttribute("aria-label")).trim(), Boolean(table)];
});
"""
PAPER = """
const folded = [...document.querySelectorAll("details:not([open])")];
const stuck = [...document.querySelectorAll("*")].filter(
  (one) => ["sticky", "fixed"].includes(getComputedStyle(one).position) && one.checkVisibility());
const controls = [...document.querySelectorAll("button.copy, #theme, .units, .window, .skip, nav")];
return {
  folded: folded.filter((one) => !one.classList.contains("wide")).length,
  stuck: stuck.length,
  controls: controls.filter((one) => one.checkVisibility()).length,
  over: document.documentElement.scrollWidth > innerWidth,
  ground: getComputedStyle(document.documentElement).backgroundColor,
};
"""
ORDER = """
window.order = [];
const mark = performance.mark.bind(performance);
performance.mark = (name) => { order.push(name); return mark(name); };
const frame = () => {
  // Of the whole page, whose script stands at its end.
  if (typeof nondet === "object") order.push("frame");
  else requestAnimationFrame(frame);
};
requestAnimationFrame(frame);
"""
A4 = 718
"""Width of such a sheet between its margins, in CSS pixels."""
PRINT = "dispatchEvent(new Event(arguments[0]))"


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    yield from started(tmp_path_factory.mktemp("profile"))


@pytest.fixture
def show(driver: Any, tmp_path: Path) -> Callable[..., Any]:
    """Opens a diagnosis at a width and theme, and waits until its charts are drawn."""

    def opened(diagnosis: Diagnosis, *, width: int = 1280, dark: bool = False) -> Any:
        path = tmp_path / "report.html"
        path.write_text(html.render(diagnosis), encoding="utf-8")
        resized(driver, width, dark=dark)
        return load(driver, path)

    return opened


def on_paper(page: Any) -> dict[str, Any]:
    """What a printer is given, as far as it can be asked."""
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    page.execute_script(PRINT, "beforeprint")
    found: dict[str, Any] = page.execute_script(PAPER)
    return found


@pytest.mark.parametrize("width", [1280, 320])
def test_the_tabulator_reaches_everything_in_order_and_shows_where_it_is(
    width: int, show: Callable[..., Any]
) -> None:
    from selenium.webdriver import ActionChains
    from selenium.webdriver.common.keys import Keys

    page = show(samples.looked_into(), width=width)
    count = page.execute_script(CONTROLS)
    assert count > 40
    reached = []
    for _ in range(count):
        ActionChains(page).send_keys(Keys.TAB).perform()
        reached.append(page.execute_script(FOCUS))
    assert reached == [[place, True] for place in range(count)]


def test_the_first_stop_leads_past_the_navigation(show: Callable[..., Any]) -> None:
    from selenium.webdriver import ActionChains
    from selenium.webdriver.common.keys import Keys

    page = show(samples.one_cause())
    ActionChains(page).send_keys(Keys.TAB).perform()
    skip = page.switch_to.active_element
    assert skip.text == "Skip to the report"
    assert skip.rect["x"] >= 0
    ActionChains(page).send_keys(Keys.ENTER, Keys.TAB).perform()
    inside = "return document.querySelector('main').contains(document.activeElement)"
    assert page.execute_script(inside)


@pytest.mark.parametrize("name", ["one_cause", "three_causes", "looked_into", "large"])
def test_every_chart_has_a_name_and_a_table(name: str, show: Callable[..., Any]) -> None:
    charts = show(samples.ALL[name]()).execute_script(NAMED)
    assert len(charts) >= 2
    assert all(said and table for said, table in charts)


def test_a_link_to_a_trial_opens_what_is_folded_around_it(show: Callable[..., Any]) -> None:
    page = show(samples.one_cause())
    page.find_element("css selector", "#trial-5 .more a").click()
    command = page.find_element("css selector", "#trial-5-more .code")
    assert command.is_displayed()
    assert command.text.startswith("nondet run --pin python-random,numpy-global,")


def test_the_search_scrolls_inside_itself_and_the_page_does_not(show: Callable[..., Any]) -> None:
    page = show(samples.three_causes(), width=320)
    frame = find(page, "bisection").find_element("css selector", ".scroll")
    inner, outer = page.execute_script("return [arguments[0].scrollWidth, innerWidth]", frame)
    assert inner > outer
    assert page.execute_script("return document.documentElement.scrollWidth") <= 320


@pytest.mark.parametrize("name", samples.ALL)
def test_paper_is_light_and_whole(name: str, show: Callable[..., Any]) -> None:
    page = show(samples.ALL[name](), width=A4, dark=True)
    folded = "return document.querySelectorAll('details:not([open])').length"
    before = page.execute_script(folded)
    assert on_paper(page) == {
        "folded": 0,
        "stuck": 0,
        "controls": 0,
        "over": False,
        "ground": "rgb(255, 255, 255)",
    }
    page.execute_script(PRINT, "afterprint")
    assert page.execute_script(folded) == before
    assert page.execute_script("return document.documentElement.dataset.theme || ''") == ""


@pytest.mark.parametrize(
    ("paths", "shared"),
    [
        (["net/dense/kernel", "net/dense/bias"], "net/dense/"),
        (["net/dense/kernel", "net/dense_1/kernel"], "net/"),
        (["dense/kernel", "bias"], ""),
        (["net/a", "net/a"], "net/"),
        (["net/", "net/b"], "net/"),
        (["net/dense/kernel"], ""),
        (["/a", "/b"], "/"),
        (["/a", "b"], ""),
        (["", ""], ""),
    ],
)
def test_labels_leave_out_the_folders_that_all_share(
    paths: list[str], shared: str, show: Callable[..., Any]
) -> None:
    page = show(samples.broken())
    assert page.execute_script("return nondet.shared(arguments[0])", paths) == len(shared)


def test_charts_are_drawn_once_the_page_is_seen(show: Callable[..., Any], driver: Any) -> None:
    # Told by what comes after what: the browser's own times are of when a screen showed a frame.
    watch = driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": ORDER})
    page = show(samples.large())
    driver.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", watch)
    assert page.execute_script("return window.order") == ["frame", "charts", "drawn"]
    assert complaints(page) == []
