"""The documentation as a site: it builds without a warning, holds every page, and works offline."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.report.browser import PATIENCE, resized, started

pytest.importorskip("furo", reason="the `docs` extra is missing: sh .ci/do docs installs it")

DOCS = Path(__file__).parents[1] / "docs"
PAGES = sorted(path.stem for path in DOCS.glob("*.md"))
LOADED = re.compile(r"""<(?:script|img|link|iframe)\b[^>]*?\b(?:src|href)=["']([^"']+)""")
STYLED = re.compile(r"""(?:url\(|@import)\s*["']?([^"')\s]+)""")


def build(source: Path, site: Path) -> subprocess.CompletedProcess[str]:
    options = ["--quiet", "--fail-on-warning", "--keep-going", "-d", str(site / "doctrees")]
    return subprocess.run(
        [sys.executable, "-m", "sphinx", *options, str(source), str(site)],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    done = build(DOCS, folder)
    assert done.returncode == 0, done.stderr
    return folder


def test_every_page_is_in_the_navigation(site: Path) -> None:
    sidebar = (site / "index.html").read_text().partition('<div class="sidebar-tree">')[2]
    listed = re.findall(r'href="([\w-]+)\.html"', sidebar.partition("</aside>")[0])
    assert sorted({*listed, "index"}) == PAGES


def test_every_page_is_itself(site: Path) -> None:
    """A page named as one that the generator makes by itself, such as its search, would be lost."""
    for page in PAGES:
        title = re.search(r"^# (.+)$", (DOCS / f"{page}.md").read_text(), re.M)
        assert title is not None
        assert f"<h1>{title[1]}<" in (site / f"{page}.html").read_text(), page


def test_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    pages = list(site.glob("*.html"))
    assert len(pages) >= len(PAGES)
    for page in pages:
        found = LOADED.findall(page.read_text())
        assert found
        assert [url for url in found if re.match(r"(?:\w+:)?//", url)] == [], page
    for sheet in site.rglob("*.css"):
        for url in STYLED.findall(sheet.read_text()):
            assert not re.match(r"(?:https?:)?//", url), (sheet, url)


def test_a_page_that_nobody_lists_yet_is_in_the_navigation_and_a_wrong_link_fails(
    tmp_path: Path,
) -> None:
    source = tmp_path / "docs"
    source.mkdir()
    (source / "site").mkdir()
    for name in ("conf.py", "site/site.css"):
        (source / name).write_bytes((DOCS / name).read_bytes())
    (source / "index.md").write_text("# Index\n\n## First\n\n- [One](one.md): the first\n")
    (source / "one.md").write_text("# One\n\n## A part\n")
    (source / "new.md").write_text("# New\n\n[good](one.md#a-part)\n")
    done = build(source, tmp_path / "site")
    assert done.returncode == 0, done.stderr
    sidebar = (tmp_path / "site/index.html").read_text().partition('<div class="sidebar-tree">')[2]
    assert [word for word in ("First", "one.html", "More", "new.html") if word in sidebar] == [
        "First", "one.html", "More", "new.html"
    ]  # fmt: skip
    (source / "new.md").write_text("# New\n\n[wrong](one.md#no-such-part)\n")
    done = build(source, tmp_path / "again")
    assert done.returncode != 0
    assert "no-such-part" in done.stderr


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    yield from started(tmp_path_factory.mktemp("profile"))


@pytest.mark.browser
def test_no_page_is_wider_than_a_small_screen(driver: Any, site: Path) -> None:
    resized(driver, 360, dark=False)
    for page in PAGES:
        driver.get((site / f"{page}.html").as_uri())
        wide = driver.execute_script("return document.scrollingElement.scrollWidth")
        assert wide <= 360, page


@pytest.mark.browser
def test_the_search_works_from_files(driver: Any, site: Path) -> None:
    from selenium.webdriver.support.ui import WebDriverWait

    driver.get("about:blank")
    driver.get_log("browser")
    driver.get((site / "search.html").as_uri() + "?q=dropout")
    results = "return document.querySelectorAll('#search-results li').length"
    WebDriverWait(driver, PATIENCE).until(lambda page: page.execute_script(results))
    titles = driver.find_element("css selector", "#search-results").text
    assert "Factors > dropout" in titles
    assert driver.get_log("browser") == []
