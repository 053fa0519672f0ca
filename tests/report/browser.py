"""A headless Chromium for tests, and what a person finds on a page of ours."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Generator
from pathlib import Path
from typing import Any, NoReturn

import pytest

FLAGS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PATIENCE = 100
"""Seconds after which a page will not get ready, on however busy a machine."""
INK = """
const c = document.querySelector(`[data-testid="${arguments[0] || 'heat-map'}"] canvas`);
const d = c.getContext('2d', {willReadFrequently: true}).getImageData(0, 0, c.width, c.height).data;
const seen = new Set();
for (let i = 0; i < d.length; i += 4) if (d[i + 3]) seen.add(`${d[i]},${d[i + 1]},${d[i + 2]}`);
return seen.size;
"""


def missing(what: str) -> NoReturn:
    """Skip, saying what to install; on CI, where everything is installed, fail."""
    reason = f"{what} is missing: install Debian's chromium and chromium-driver, and pip's selenium"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def started(profile: Path) -> Generator[Any, None, None]:
    """A browser, closed in the end; skips the test where there is none."""
    try:
        from selenium import webdriver
    except ImportError:
        missing("selenium")
    chromium = shutil.which("chromium") or missing("chromium")
    chromedriver = shutil.which("chromedriver") or missing("chromedriver")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    service = webdriver.ChromeService(executable_path=chromedriver)
    opened = webdriver.Chrome(options=options, service=service)
    try:
        opened.set_page_load_timeout(PATIENCE)
        opened.set_script_timeout(PATIENCE)
        opened.get("about:blank")
        yield opened
    finally:
        opened.quit()


def load(driver: Any, path: Path) -> Any:
    """Open a page, forget what was logged before, and wait until its charts are drawn."""
    from selenium.webdriver.support.ui import WebDriverWait

    for log in ("browser", "performance"):
        driver.get_log(log)
    driver.get(path.as_uri())
    ready = "return document.documentElement.dataset.charts === 'drawn'"
    WebDriverWait(driver, PATIENCE).until(lambda page: page.execute_script(ready))
    return driver


def resized(driver: Any, width: int, *, dark: bool) -> None:
    """Give the page a width in CSS pixels and a theme."""
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    theme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [theme]})


def contrast(one: list[int], other: list[int]) -> float:
    """Contrast ratio of WCAG 2.2, from 1 to 21."""

    def luminance(colour: list[int]) -> float:
        linear = [
            part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4
            for part in (channel / 255 for channel in colour)
        ]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def find(page: Any, name: str) -> Any:
    return page.find_element("css selector", f'[data-testid="{name}"]')


def text(page: Any, name: str) -> str:
    """All text of an element, also of what is folded away."""
    return " ".join(find(page, name).get_attribute("textContent").split())


def complaints(page: Any) -> list[str]:
    """Errors and warnings of the console, and requests for anything but the page itself."""
    said = [entry["message"] for entry in page.get_log("browser")]
    for entry in page.get_log("performance"):
        message = json.loads(entry["message"])["message"]
        if message["method"] != "Network.requestWillBeSent":
            continue
        url = message["params"]["request"]["url"]
        # The browser's own first page may still be loading its parts.
        own = url.startswith(("data:", "chrome://", "about:"))
        if not own and not url.endswith("/report.html"):
            said.append(url)
    return said
