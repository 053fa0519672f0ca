"""Timeline and map of steps in a real browser: pointed at, tapped, moved in with keys, zoomed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from nondet.record import Diagnosis
from nondet.report import html
from tests.report import inside, samples
from tests.report.browser import INK, complaints, contrast, find, load, resized, started

pytestmark = pytest.mark.browser

FIRST = "Gradient of conv2d_3/kernel (Conv2D, float32, 3×3×32×32): the first to differ"
POINT = """
const [name, kind, x, y, pointerType] = arguments;
const canvas = document.querySelector(`[data-testid="${name}"] canvas`);
const box = canvas.getBoundingClientRect();
const at = { clientX: box.left + x, clientY: box.top + y, pointerType, pointerId: 1, button: 0 };
canvas.dispatchEvent(new PointerEvent(kind, { ...at, bubbles: true }));
"""
SHOWN = """
const labels = [...document.querySelectorAll('[data-testid="step-map"] .ends output')];
return labels.map((label) => label.textContent);
"""
FRAME = "return new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
CELLS = """
const [name, inks] = arguments;
const canvas = document.querySelector(`[data-testid="${name}"] canvas`);
const { width, height } = canvas;
const context = canvas.getContext('2d', { willReadFrequently: true });
const pixels = context.getImageData(0, 0, width, height).data;
return inks.map((ink) => {
  const [red, green, blue] = nondet.rgb(nondet.css(ink));
  let count = 0;
  for (let i = 0; i < pixels.length; i += 4) {
    count += pixels[i] === red && pixels[i + 1] === green && pixels[i + 2] === blue;
  }
  return count;
});
"""
LEFT = """
const canvas = document.querySelector('[data-testid="timeline"] canvas');
const context = canvas.getContext('2d', { willReadFrequently: true });
const row = new Uint32Array(context.getImageData(0, 10, canvas.width, 1).data.buffer);
const [red, green, blue] = nondet.rgb(nondet.css('--line'));
return row.indexOf(((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0);
"""


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


def readout(page: Any, name: str) -> str:
    return str(find(page, name).find_element("css selector", ".readout").text)


def focused(page: Any, name: str) -> Any:
    canvas = find(page, name).find_element("css selector", ".canvas canvas")
    page.execute_script("arguments[0].focus()", canvas)
    return canvas


@pytest.mark.parametrize("dark", [False, True])
def test_what_agrees_is_calm_and_the_first_to_differ_stands_out(
    dark: bool, show: Callable[..., Any]
) -> None:
    page = show(inside.looked_into(), dark=dark)
    equal, differing, first = page.execute_script(
        CELLS, "timeline", ["--line", "--differs", "--bad"]
    )
    # Cells of 20 pixels each: 68 agree, one differs first, one more differs.
    assert (equal, differing) == (68 * 400, 400)
    assert first >= 400
    legend = find(page, "timeline").find_element("css selector", ".legend").text
    assert legend.split("\n") == ["bits equal", "first to differ", "differs"]


def test_the_timeline_answers_to_the_keyboard(show: Callable[..., Any]) -> None:
    from selenium.webdriver.common.keys import Keys

    page = show(inside.looked_into())
    canvas = focused(page, "timeline")
    assert readout(page, "timeline") == FIRST
    for keys, said in (
        (Keys.ARROW_LEFT, "Gradient of conv2d_3/bias (Conv2D, float32, 32): all bits equal"),
        (Keys.HOME, "State of the seed generator dropout/seed_generator_state"),
        (Keys.PAGE_DOWN, "Batch x (float32, 64×32×32×3): all bits equal"),
        (Keys.ARROW_DOWN, "Output of conv2d_0 (Conv2D, float32, ?×32×32×16): all bits equal"),
        (Keys.ARROW_UP, "Batch x"),
        (Keys.END, "Update of dense/bias (Adam, float32, 10): all bits equal"),
        (Keys.PAGE_UP, "Gradient of the output of dense (Dense, float32, ?×10): all bits equal"),
    ):
        canvas.send_keys(keys)
        assert readout(page, "timeline").startswith(said)


def test_what_a_finger_taps_stays_and_a_mouse_takes_its_mark_along(
    show: Callable[..., Any],
) -> None:
    page = show(inside.looked_into())
    hint = readout(page, "timeline")
    assert hint.startswith("Point at a cell")
    x = page.execute_script(LEFT)
    for kind in ("pointerdown", "pointerup", "pointerleave"):
        page.execute_script(POINT, "timeline", kind, x + 10, 10, "touch")
    assert readout(page, "timeline").startswith("State of the seed generator")
    page.execute_script(POINT, "timeline", "pointerleave", -5, -5, "mouse")
    assert readout(page, "timeline") == hint


def test_a_deep_network_fits(show: Callable[..., Any]) -> None:
    many = inside.step("gradient/block_30/layer_300/kernel", inside.deep())
    deep = structs.replace(inside.looked_into(), zooms=(inside.zoom(moments=many),))
    page = show(deep)
    canvas = find(page, "timeline").find_element("css selector", ".canvas canvas")
    assert len(many) > 3000
    assert canvas.size["height"] < 500
    assert page.execute_script(INK, "timeline") >= 3
    focused(page, "timeline")
    assert readout(page, "timeline").startswith("Gradient of block_30/layer_300/kernel (Conv2D")
    narrow = show(deep, width=400)
    assert narrow.execute_script("return document.documentElement.scrollWidth") <= 400
    assert complaints(narrow) == []


def test_later_looks_are_folded_and_drawn_when_opened(show: Callable[..., Any]) -> None:
    page = show(inside.looked_into())
    first, second = page.find_elements("css selector", '[data-testid="timeline"]')
    assert first.is_displayed()
    assert not second.is_displayed()
    page.find_element("css selector", ".zoom .another > summary").click()
    assert second.is_displayed()
    page.execute_script(FRAME)
    assert second.find_element("css selector", ".legend").text.startswith("bits equal")


def test_the_map_of_steps_shows_the_part_asked_for(show: Callable[..., Any]) -> None:
    page = show(samples.large())
    assert page.execute_script(SHOWN) == ["step 1", "step 500"]
    for value, shown in (
        ("first", ["step 1", "step 50"]),
        ("parting", ["step 155", "step 204"]),
        ("all", ["step 1", "step 500"]),
    ):
        choice = f'[data-testid="step-map"] .span input[value="{value}"]'
        page.find_element("css selector", choice).click()
        page.execute_script(FRAME)
        assert page.execute_script(SHOWN) == shown
    assert complaints(page) == []


def test_the_map_of_steps_is_cut_by_the_keys_of_its_sliders(show: Callable[..., Any]) -> None:
    from selenium.webdriver.common.keys import Keys

    page = show(samples.large())
    start, end = find(page, "step-map").find_elements("css selector", ".ends input")
    start.send_keys(Keys.END)
    page.execute_script(FRAME)
    assert page.execute_script(SHOWN) == ["step 500", "step 500"]
    end.send_keys(Keys.HOME)
    page.execute_script(FRAME)
    assert page.execute_script(SHOWN) == ["step 1", "step 1"]
    assert end.get_attribute("aria-valuetext") == "step 1"
    assert not find(page, "step-map").find_elements("css selector", ".span input:checked")


def test_the_map_of_steps_is_cut_by_dragging_across_it(show: Callable[..., Any]) -> None:
    from selenium.webdriver import ActionChains

    page = show(samples.large())
    canvas = find(page, "step-map").find_element("css selector", ".canvas canvas")
    width = int(canvas.size["width"])
    equal, _ = page.execute_script(CELLS, "step-map", ["--equal", "--differs"])
    hand = ActionChains(page).move_to_element_with_offset(canvas, width // 10, 0).click_and_hold()
    hand.move_by_offset(width // 5, 0).perform()
    assert readout(page, "step-map").startswith("step ")
    ActionChains(page).release().perform()
    page.execute_script(FRAME)
    start, end = (int(label.split()[1]) for label in page.execute_script(SHOWN))
    assert 170 < start < end < 500
    fewer, differing = page.execute_script(CELLS, "step-map", ["--equal", "--differs"])
    assert fewer < equal
    assert differing > 0
    ActionChains(page).double_click(canvas).perform()
    page.execute_script(FRAME)
    assert page.execute_script(SHOWN) == ["step 1", "step 500"]
    assert not [said for said in complaints(page) if "Uncaught" in said]


def test_tensors_are_found_by_a_part_of_their_name(show: Callable[..., Any]) -> None:
    from selenium.webdriver.common.keys import Keys

    page = show(samples.large())
    box = find(page, "step-map").find_element("css selector", ".filter input")
    box.send_keys("Block_3/")
    page.execute_script(FRAME)
    assert find(page, "step-map").find_element("css selector", ".found").text == "10 of 500"
    canvas = focused(page, "step-map")
    canvas.send_keys(Keys.END)
    assert readout(page, "step-map") == "block_3/conv_0/kernel at step 500: bits differ"
    canvas.send_keys(Keys.HOME)
    assert readout(page, "step-map") == "block_3/conv_0/kernel at step 1: all bits equal"
    box.send_keys("nowhere")
    page.execute_script(FRAME)
    assert box.get_attribute("aria-invalid") == "true"
    assert find(page, "step-map").find_element("css selector", ".found").text == "0 of 500"


def test_the_map_of_differences_can_be_cut_as_well(show: Callable[..., Any]) -> None:
    page = show(samples.large())
    choice = '[data-testid="heat-map"] .span input[value="parting"]'
    page.find_element("css selector", choice).click()
    page.execute_script(FRAME)
    focused(page, "heat-map")
    assert readout(page, "heat-map").startswith("block_0/conv_0/kernel at epoch 125: about ")


@pytest.mark.parametrize("dark", [False, True])
def test_what_differs_is_told_from_what_agrees_by_its_lightness(
    dark: bool, show: Callable[..., Any]
) -> None:
    page = show(inside.looked_into(), dark=dark)
    for ink, ground in (("differs", "equal"), ("bad", "line"), ("differs", "line")):
        colours = [
            page.execute_script("return nondet.rgb(nondet.css(arguments[0]))", f"--{name}")
            for name in (ink, ground)
        ]
        assert contrast(*colours) >= 3, (ink, ground)
