"""The HTML report as text: what it says, what it escapes, and that it loads nothing."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from importlib import resources
from typing import Any

import pytest
from msgspec import structs

from nondet.record import Diagnosis
from nondet.report import html
from tests.report import samples

LOADING = {"src", "href", "srcset", "action", "formaction", "data", "poster", "background", "cite"}


class Page(HTMLParser):
    """A page's elements, its text, and its text by data-testid, as a browser would read them."""

    void = frozenset(("meta", "link", "img", "input", "br"))

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.scripts: list[str] = []
        self.texts: dict[str, str] = {}
        self.open: list[tuple[str, str]] = []
        self.feed(text)
        assert not self.open, f"left open: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = {name: value or "" for name, value in attrs}
        self.elements.append((tag, known))
        if tag == "script":
            self.scripts.append("")
        if tag not in self.void:
            self.open.append((tag, known.get("data-testid", "")))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop()[0] == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1][0] == "script":
            self.scripts[-1] += data
        for _, name in self.open:
            if name:
                self.texts[name] = self.texts.get(name, "") + data

    def said(self, name: str) -> str:
        return " ".join(self.texts[name].split())


def page(diagnosis: Diagnosis) -> Page:
    return Page(html.render(diagnosis))


def policy(read: Page) -> dict[str, list[str]]:
    content = next(
        known["content"]
        for tag, known in read.elements
        if tag == "meta" and known.get("http-equiv") == "Content-Security-Policy"
    )
    return {words[0]: words[1:] for words in (part.split() for part in content.split(";"))}


@pytest.mark.parametrize("name", samples.ALL)
def test_every_sample_is_a_whole_page(name: str) -> None:
    read = page(samples.ALL[name]())
    assert read.said("verdict")
    ids = [known["id"] for _, known in read.elements if "id" in known]
    assert len(ids) == len(set(ids))
    links = {known["href"][1:] for tag, known in read.elements if tag == "a"}
    assert links <= set(ids)
    labelled = {k["aria-labelledby"] for _, k in read.elements if "aria-labelledby" in k}
    assert labelled <= set(ids)


@pytest.mark.parametrize("name", samples.ALL)
def test_nothing_is_loaded_and_only_our_script_acts(name: str) -> None:
    text = html.render(samples.ALL[name]())
    read = Page(text)
    for _, known in read.elements:
        for attribute in LOADING & known.keys():
            assert known[attribute].startswith(("#", "data:")), known
        assert "style" not in known
        assert not [attribute for attribute in known if attribute.startswith("on")]
    rules = policy(read)
    assert rules["default-src"] == ["'none'"]
    assert rules["img-src"] == ["data:"]
    assert len(read.scripts) == 2
    digest = base64.b64encode(hashlib.sha256(read.scripts[1].encode()).digest()).decode()
    assert rules["script-src"] == [f"'sha256-{digest}'"]
    styles = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)
    digests = [hashlib.sha256(style.encode()).digest() for style in styles]
    assert rules["style-src"] == [f"'sha256-{base64.b64encode(d).decode()}'" for d in digests]
    assert not re.search(r"url\(|@import", styles[0])


def test_hostile_text_stays_text() -> None:
    text = html.render(samples.hostile())
    read = Page(text)
    assert samples.EVIL not in text
    assert [tag for tag, _ in read.elements].count("script") == 2
    assert not [tag for tag, known in read.elements if tag == "img" and known["src"] == "x"]
    assert read.said("verdict").startswith(samples.EVIL)
    assert samples.EVIL in read.said("cause-python-random")
    assert samples.EVIL in read.said("trials")
    assert "{{ 7 * 7 }}" in text


def test_hostile_names_survive_in_the_embedded_json() -> None:
    read = page(samples.hostile())
    data = read.scripts[0]
    assert not set(data) & set("<>&\u2028\u2029")
    charts: list[dict[str, Any]] = json.loads(data)
    assert charts[0]["tensors"][0] == f"{samples.EVIL}/kernel"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x00b", "a\\x00b"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("a\u2028b", "a\\u2028b"),
        ("caf\udce9.py", "caf\\udce9.py"),
        ("tab\tand \u00fc", "tab\tand \u00fc"),
    ],
)
def test_characters_that_act_are_written_out(text: str, shown: str) -> None:
    diagnosis = samples.base(verdict="unsure", summary=f"it is {text}.", warnings=(text,))
    written = html.render(diagnosis)
    assert f"it is {shown}." in written
    written.encode("utf-8")


def test_logs_read_as_a_terminal_leaves_them() -> None:
    noisy = "\x1b[32m 1/10\x1b[0m\r 10/10 \x1b]0;title\x07done\r\nnext\n"
    broken = samples.broken()
    trial = structs.replace(broken.trials[0], stdout_tail=noisy)
    text = html.render(structs.replace(broken, trials=(trial,)))
    assert "> 10/10 done\nnext</pre>" in text
    assert "1/10\\x1b" not in text


def test_the_verdict_says_how_sure_and_what_to_do() -> None:
    read = page(samples.one_cause())
    assert "Python's random is not seeded" in read.said("verdict")
    assert read.said("confidence") == (
        "6 runs with the causes pinned agree bit for bit; 95 % sure that fewer than 46 % of runs "
        "would differ."
    )
    assert "Pins verified by 6 runs" in read.said("fix")
    assert "keras.utils.set_random_seed(20261)" in read.said("fix")
    assert "keras.layers.Dropout(0.2)," in read.said("cause-python-random")
    assert "no GPU" in read.said("not-tested")
    assert "cpu-threads" in read.said("cleared")
    assert "Intel Xeon Silver 4314, 16 cores" in read.said("environment")


def test_an_unverified_fix_says_so() -> None:
    diagnosis = samples.one_cause()
    assert diagnosis.prescription is not None
    unproven = structs.replace(diagnosis.prescription, verified=False, verified_trials=())
    said = page(structs.replace(diagnosis, prescription=unproven, confidence=None)).said("fix")
    assert "Not verified" in said
    assert "Verified by" not in said


def test_several_causes_stand_in_their_order_with_a_launch_line() -> None:
    read = page(samples.three_causes())
    names = [name for name in read.texts if name.startswith("cause-")]
    assert names == ["cause-python-random", "cause-hash-seed", "cause-cpu-threads"]
    assert "PYTHONHASHSEED=0 python train.py" in read.said("fix")
    assert "switched off rather than held" in read.said("cause-cpu-threads")


def test_other_verdicts_say_what_comes_next() -> None:
    unresolved = html.render(samples.unresolved())
    assert "--granularity step" in unresolved
    assert "nothing that nondet can pin" in unresolved
    assert "nondet diagnose --resume train.py --data iris.csv" in html.render(samples.unsure())
    reproducible = html.render(samples.reproducible())
    assert "That is what 6 runs saw, not a proof." in reproducible
    said = page(samples.broken()).said("error")
    assert "subject-crashed" in said
    assert "FileNotFoundError" in said


def test_what_is_empty_is_left_out() -> None:
    read = page(samples.base(verdict="unsure"))
    assert set(read.texts) == {"verdict", "environment"}
    assert read.said("verdict") == "Not sure yet"


def test_the_same_record_gives_the_same_page() -> None:
    assert html.render(samples.one_cause()) == html.render(samples.one_cause())


def test_size_is_bounded() -> None:
    frame = len(html.render(samples.base(verdict="unsure")))
    assert frame < 150_000
    assert len(html.render(samples.large())) < 1_000_000


def test_the_chart_library_ships_with_its_licence() -> None:
    licence = resources.files("nondet.report.page").joinpath("vendor/uPlot.LICENSE")
    assert "MIT License" in licence.read_text(encoding="utf-8")
