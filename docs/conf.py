"""The documentation as a site: `sh .ci/do docs` builds it into build/docs."""

from __future__ import annotations

import re
from pathlib import Path

from sphinx.application import Sphinx

from nondet import __version__

project = "nondet"
copyright = "the authors of nondet"
release = version = __version__

extensions = ["myst_parser", "sphinx_copybutton"]
root_doc = "index"
# The anchors of headings, as forges make them.
myst_heading_anchors = 4
nitpicky = True

html_theme = "furo"
pygments_style, pygments_dark_style = "a11y-light", "a11y-dark"
html_use_index = False
# Opened as files, pages may not fetch one another.
html_show_search_summary = False
html_title = "nondet"
html_static_path = ["site"]
html_css_files = ["site.css"]
# The pages lie in the repository as they are.
html_copy_source = False
html_show_sourcelink = False
html_show_sphinx = False

copybutton_prompt_text = "$ "
copybutton_only_copy_prompt_lines = True
copybutton_remove_prompts = True

HEADING = re.compile(r"^## (.+)$", re.M)
LINK = re.compile(r"^- \[[^]]+\]\((\w[\w-]*)\.md\)", re.M)


def navigation(index: str, pages: set[str]) -> str:
    """Hidden toctrees for the lists of index.md, so that it reads well on a forge.

    Pages that it does not list yet come last.
    """
    parts = HEADING.split(index)
    groups = {
        title: LINK.findall(text) for title, text in zip(parts[1::2], parts[2::2], strict=True)
    }
    listed = {page for group in groups.values() for page in group}
    groups["More"] = sorted(pages - listed - {root_doc})
    return "".join(
        f"\n```{{toctree}}\n:hidden:\n:caption: {title}\n\n" + "\n".join(group) + "\n```\n"
        for title, group in groups.items()
        if group
    )


def add_navigation(app: Sphinx, page: str, source: list[str]) -> None:
    if page == root_doc:
        pages = {path.stem for path in Path(app.srcdir).glob("*.md")}
        source[0] += navigation(source[0], pages)


def setup(app: Sphinx) -> None:
    app.connect("source-read", add_navigation)
