"""What all pages have in common: one self-contained file each, that loads nothing."""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache
from importlib import resources

from jinja2 import (
    ChoiceLoader,
    Environment,
    PackageLoader,
    PrefixLoader,
    StrictUndefined,
    UndefinedError,
)
from jinja2.utils import missing
from markupsafe import Markup, escape

from nondet.report.page import words

PAGE = "nondet.report.page"
"""The package that has the templates and assets of the report, which other pages use as well."""

_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")
# C0 controls but tab and newline, C1 controls, Unicode's own line ends, and the marks that reorder
# text on the screen, with which a log line or a path could be made to read as what it is not.
_UNSEEN = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)


def filled(
    environment: Environment,
    template: str,
    tone: str,
    styles: tuple[str, ...],
    scripts: tuple[str, ...],
    **values: object,
) -> str:
    """The page of a template as one HTML document; all text from files and runs is escaped.

    `styles`, `scripts`: names of our own files in `PAGE`, or in another package as `PACKAGE:NAME`.
    """
    style, script = _assets(styles), _assets(scripts)
    return environment.get_template(template).render(
        tone=tone,
        policy=_policy(style, script),
        style=Markup(style),  # our own files, not the subject's text
        script=Markup(script),
        icon=_icon(tone),
        sections=[],  # filled by each section as it is written, read by the navigation
        **values,
    )


class NotThere(UndefinedError, LookupError):
    """A template asks for what the record has not, such as the machine of a number."""


class Missing(StrictUndefined):
    """What a template finds where there is nothing: it fails as any other look-up does."""

    def __init__(
        self, hint: str | None = None, obj: object = missing, name: str | None = None
    ) -> None:
        super().__init__(hint, obj, name, NotThere)


@cache
def report_environment() -> Environment:
    """Templates of the report, as they are."""
    environment = Environment(
        loader=PackageLoader(PAGE),
        autoescape=True,
        undefined=Missing,
        finalize=visible,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(log=_log, plural=_plural, prose=_prose)
    environment.globals.update(words=words)
    return environment


def environment(package: str, **names: object) -> Environment:
    """Templates of another page, with the report's beside them as `report/NAME`; and what they
    call."""
    base = report_environment()
    report = base.loader or PackageLoader(PAGE)
    both = ChoiceLoader([PackageLoader(package), PrefixLoader({"report": report})])
    own = base.overlay(loader=both)
    own.globals = {**base.globals, **names}
    return own


def visible(value: object) -> object:
    """Text with every control character made visible; other values and own markup as they are."""
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    return _UNSEEN.sub(_written_out, value.replace("\r\n", "\n"))


def _written_out(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape").decode("ascii")


def _prose(text: str) -> Markup:
    """A sentence whose words in backticks are code, as the record's own texts write them."""
    return Markup(re.sub(r"`([^`\n]+)`", r"<code>\1</code>", str(escape(visible(text)))))


def _log(text: str) -> str:
    """A log as a terminal leaves it: no colour codes, each line as last rewritten."""
    lines = _ANSI.sub("", text).replace("\r\n", "\n").split("\n")
    return "\n".join(re.split(r"[\r\b]+", line.rstrip("\r\b"))[-1] for line in lines)


def _plural(count: int, one: str, many: str = "") -> str:
    return words.plural(count, one, many)


def _policy(style: str, script: str) -> str:
    """Content-Security-Policy: nothing is loaded, and only our own style and script act."""
    return (
        f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def _icon(tone: str) -> Markup:
    colour = {"good": "#2d6a4f", "bad": "#b0472a", "warn": "#8a6914"}[tone]
    image = (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16">'
        f'<path d="M2 8h5l6-5M7 8l6 5" fill="none" stroke="{colour}" stroke-width="2"/></svg>'
    )
    return Markup(f"data:image/svg+xml;base64,{base64.b64encode(image.encode()).decode()}")


@cache
def _assets(names: tuple[str, ...]) -> str:
    return "\n".join(_asset(name) for name in names)


def _asset(name: str) -> str:
    package, _, path = name.rpartition(":")
    return resources.files(package or PAGE).joinpath(path).read_text(encoding="utf-8")
