"""How large the report is, and how soon it is seen: ``python -m tests.benchmarks.page``.

Renders a record of 500 layers, 1,000 checkpoints and 40 trials, opens the page in headless Chromium
again and again, each time in a fresh tab, and prints the figures in Markdown.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from nondet.report import html
from tests.report import browser, samples

LAYERS, CHECKPOINTS, TRIALS = 500, 1000, 40
PAINTS = """
const at = (kind, name) => performance.getEntriesByName(name, kind)[0].startTime;
return [at("paint", "first-paint"), at("paint", "first-contentful-paint"), at("mark", "drawn")];
"""


def opened(driver: Any, page: Path) -> list[float]:
    """Milliseconds from the start of navigation to the first paint, to the first paint of content,
    and until every chart is drawn."""
    driver.switch_to.new_window("tab")
    browser.resized(driver, 1280, dark=False)
    browser.load(driver, page)
    times: list[float] = driver.execute_script(PAINTS)
    driver.close()
    driver.switch_to.window(driver.window_handles[0])
    return times


def main(arguments: Sequence[str] = sys.argv[1:]) -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.page")
    parser.add_argument("--times", type=int, default=7, help="how often the page is opened")
    times = parser.parse_args(arguments).times
    diagnosis = samples.large(LAYERS, CHECKPOINTS, TRIALS)
    began = time.perf_counter()
    text = html.render(diagnosis)
    rendering = time.perf_counter() - began
    frame = len(html.render(samples.base(verdict="unsure")).encode())
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "report.html"
        page.write_text(text, encoding="utf-8")
        with closing(browser.started(Path(folder) / "profile")) as started:
            driver = next(started)
            seen = [opened(driver, page) for _ in range(times)]
    print("| what | median | worst |\n| --- | --- | --- |")
    for name, found in zip(
        ("first paint", "first paint of content", "all charts drawn"),
        zip(*seen, strict=True),
        strict=True,
    ):
        print(f"| {name} | {statistics.median(found):.0f} ms | {max(found):.0f} ms |")
    print(f"\n{LAYERS} layers, {CHECKPOINTS} checkpoints, {TRIALS} trials, opened {times} times.")
    print(
        f"Page: {len(text.encode()) / 1000:.0f} kB, of which {frame / 1000:.0f} kB around the data;"
    )
    print(f"rendered in {rendering:.1f} s.")


if __name__ == "__main__":
    main()
