"""The HTML report in a real browser: what a person reads, hears, tabs through and prints."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from nondet.record import Diagnosis
from nondet.report import html
from tests.report import samples
from tests.report.browser import (
    INK,
    complaints,
    contrast,
    find,
    load,
    missing,
    resized,
    started,
)

pytestmark = pytest.mark.browser

GROUND = "return getComputedStyle(arguments[0]).backgroundColor"
ALARM = "return `rgb(${nondet.rgb(nondet.css('--mark')).join(', ')})`"


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


@pytest.mark.parametrize(
    ("ci", "outcome"), [("true", pytest.fail.Exception), ("", pytest.skip.Exception)]
)
def test_a_missing_browser_is_named_and_fails_only_on_ci(
    ci: str, outcome: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", ci)
    with pytest.raises(outcome, match="chromedriver is missing: install"):
        missing("chromedriver")


@pytest.mark.parametrize("name", samples.ALL)
def test_opens_without_complaint_or_request(name: str, show: Callable[..., Any]) -> None:
    page = show(samples.ALL[name]())
    assert find(page, "verdict").is_displayed()
    assert page.find_element("tag name", "h1").get_attribute("data-testid") == "verdict"
    assert complaints(page) == []


def test_a_person_reads_verdict_cause_and_fix(show: Callable[..., Any]) -> None:
    page = show(samples.one_cause())
    assert "Python's random is not seeded" in find(page, "verdict").text
    assert "6 runs with the causes pinned agree bit for bit" in find(page, "confidence").text
    assert "keras.utils.set_random_seed(20261)" in find(page, "fix").text
    cause = find(page, "cause-python-random").text
    assert "Runs part" in cause
    assert "Runs agree" in cause
    assert "keras.layers.Dropout(0.2)," in cause


def test_a_late_seed_and_the_draw_before_it_are_marked(show: Callable[..., Any]) -> None:
    page = show(samples.late_seed())
    marked = find(page, "cause-numpy-global").find_elements("css selector", ".source mark")
    assert [line.text for line in marked] == [
        "16train += np.random.normal(0.0, 0.01, train.shape)drew before it",
        "21np.random.seed(1)the seed",
    ]
    assert all(page.execute_script(GROUND, line) == page.execute_script(ALARM) for line in marked)


def test_what_lies_dormant_is_calm(show: Callable[..., Any]) -> None:
    page = show(samples.stressed())
    assert find(page, "dormant-file-order").is_displayed()
    mark = find(page, "dormant-file-order").find_element("css selector", "mark")
    assert page.execute_script(GROUND, mark) != page.execute_script(ALARM)
    assert not find(page, "stress").find_elements("css selector", ".bad, .warn")
    page.find_element("link text", "under stress").click()
    top = "return document.getElementById('stress').getBoundingClientRect().top"
    assert page.execute_script(top) < 100


def test_many_factors_stand_in_columns_and_on_a_narrow_screen_in_one(
    show: Callable[..., Any],
) -> None:
    left = (
        "return [...new Set([...document.querySelectorAll('#cleared .compact li')]"
        ".map((item) => Math.round(item.getBoundingClientRect().left)))].length"
    )
    assert show(samples.one_cause()).execute_script(left) == 2
    assert show(samples.one_cause(), width=320).execute_script(left) == 1


def test_heat_map_is_drawn_and_its_table_holds_the_numbers(show: Callable[..., Any]) -> None:
    page = show(samples.one_cause())
    assert page.execute_script(INK) > 10
    canvas = find(page, "growth").find_element("css selector", ".u-wrap canvas")
    assert canvas.size["width"] > 400
    table = page.find_element("css selector", "#parting table.matrix")
    script = "return [...arguments[0].querySelectorAll('th, td')].map((cell) => cell.textContent)"
    cells = page.execute_script(script, table)
    assert cells[:3] == ["Tensor", "init", "epoch 1"]
    assert cells[10:12] == ["dense/kernel", "0.651"]


def test_heat_map_answers_to_the_keyboard(show: Callable[..., Any]) -> None:
    from selenium.webdriver.common.keys import Keys

    page = show(samples.unresolved())
    figure = find(page, "heat-map")
    canvas = figure.find_element("css selector", ".canvas canvas")
    page.execute_script("arguments[0].focus()", canvas)
    readout = figure.find_element("css selector", ".readout")
    assert readout.text.startswith("dense/kernel at epoch 2: about 9.4e-9 relative")
    canvas.send_keys(Keys.ARROW_LEFT, Keys.ARROW_DOWN)
    assert readout.text == "dense/bias at epoch 1: all bits equal"
    page.find_element("css selector", '.units input[value="ulp"]').click()
    canvas.send_keys(Keys.END)
    assert readout.text.startswith("dense/bias at epoch 8: about ")
    assert readout.text.endswith(" ULP")


def test_a_curve_is_hidden_by_its_button(show: Callable[..., Any]) -> None:
    page = show(samples.one_cause())
    button = find(page, "growth").find_element("css selector", ".series button")
    assert button.get_attribute("aria-pressed") == "true"
    page.execute_script("arguments[0].click()", button)
    assert button.get_attribute("aria-pressed") == "false"


def test_the_fix_is_copied_whole(show: Callable[..., Any]) -> None:
    page = show(samples.one_cause())
    page.execute_script(
        "window.copied = [];"
        "Object.defineProperty(navigator, 'clipboard', {value: {writeText: async (text) => "
        "{ window.copied.push(text); }}});"
    )
    find(page, "fix").find_element("css selector", ".copy").click()
    copied = page.execute_script("return window.copied")
    assert copied == ["import keras\n\nkeras.utils.set_random_seed(20261)\n"]


@pytest.mark.parametrize("name", samples.ALL)
def test_a_narrow_screen_does_not_scroll_sideways(name: str, show: Callable[..., Any]) -> None:
    page = show(samples.ALL[name](), width=320)
    page.execute_script("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
    assert page.execute_script("return document.documentElement.scrollWidth") <= 320
    assert complaints(page) == []


def test_dark_and_light_follow_the_system_and_the_button(show: Callable[..., Any]) -> None:
    ground = "return getComputedStyle(document.documentElement).backgroundColor"
    page = show(samples.one_cause(), dark=True)
    assert page.execute_script(ground) == "rgb(21, 23, 27)"
    page.find_element("id", "theme").click()
    assert page.execute_script(ground) == "rgb(252, 252, 250)"
    assert page.execute_script(INK) > 10
    assert show(samples.one_cause()).execute_script(ground) == "rgb(252, 252, 250)"


@pytest.mark.parametrize("dark", [False, True])
def test_text_stands_out_from_its_ground(dark: bool, show: Callable[..., Any]) -> None:
    page = show(samples.three_causes(), dark=dark)
    pairs = [("text", "bg"), ("muted", "bg"), ("muted", "sunk"), ("link", "bg"), ("text", "mark")]
    pairs += [("muted", "mark"), ("text", "equal"), ("muted", "equal"), ("muted", "raised")]
    pairs += [(tone, ground) for tone in ("good", "bad", "warn") for ground in ("bg", f"{tone}-bg")]
    for ink, ground in pairs:
        colours = [
            page.execute_script("return nondet.rgb(nondet.css(arguments[0]))", f"--{name}")
            for name in (ink, ground)
        ]
        assert contrast(*colours) >= 4.5, (ink, ground)


def test_prints_in_light_and_comes_back(show: Callable[..., Any]) -> None:
    page = show(samples.one_cause(), dark=True)
    assert base64.b64decode(page.print_page()).startswith(b"%PDF")
    assert page.execute_script("return document.documentElement.dataset.theme || ''") == ""
    assert complaints(page) == []


def test_a_trial_links_to_its_row(show: Callable[..., Any]) -> None:
    page = show(samples.one_cause())
    link = find(page, "fix").find_element("link text", "t10")
    row = page.find_element("id", link.get_attribute("href").split("#")[1])
    assert row.text.startswith("t10")
