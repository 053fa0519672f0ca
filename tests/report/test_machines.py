"""The machines of a cluster in every report."""

from __future__ import annotations

import io
import re

from msgspec import structs
from rich.console import Console

from nondet.record import Diagnosis, Machine
from nondet.report import console, html, markdown
from nondet.report.page import machines, words
from tests.report import samples


def node(host: str, **changes: object) -> Machine:
    plain = Machine(
        host=host,
        kind="k1",
        platform="Linux",
        libc="glibc 2.36 x86_64",
        cpu="EPYC",
        cores=8,
        gpus=("A100",),
        driver="550",
        python="3.11.7",
        packages={"numpy": "2.0"},
        isolation="overlay",
    )
    return structs.replace(plain, **changes)


def spread(*nodes: Machine) -> Diagnosis:
    """A diagnosis whose trials ran on each of these in turn, but for the last."""
    plain = samples.one_cause()
    count = max(1, len(nodes) - 1)
    trials = [structs.replace(t, machine=n % count) for n, t in enumerate(plain.trials)]
    return structs.replace(plain, machines=nodes, trials=tuple(trials), executor="dask://node:8786")


TWO_KINDS = spread(node("one"), node("two"), node("three", kind="k2", cores=4, gpus=()))


def test_those_that_ran_trials_are_counted() -> None:
    assert machines.summary(TWO_KINDS) == "2 machines of 1 kind: one and two."
    assert machines.summary(spread(node("one"), node("two"))) == "1 machine: one."
    kinds = spread(node("one"), node("two", kind="k2"), node("three"))
    assert machines.summary(kinds) == "2 machines of 2 kinds: one and two."
    assert machines.summary(structs.replace(kinds, trials=())).startswith("No trial")


def test_all_that_there_were_are_listed() -> None:
    rows = machines.rows(TWO_KINDS)
    assert [(row.host, row.kind) for row in rows] == [("one", "A"), ("two", "A"), ("three", "B")]
    assert rows[2].trials == 0 and sum(row.trials for row in rows) == len(TWO_KINDS.trials)
    assert rows[0].described == (
        "EPYC, 8 cores; A100 (driver 550); glibc 2.36 x86_64; Python 3.11.7, 1 package"
    )
    assert "no GPU" in rows[2].described
    assert [machines.letter(number) for number in (0, 25, 26, 27)] == ["A", "Z", "AA", "AB"]


def test_every_report_names_them() -> None:
    page = html.render(TWO_KINDS)
    assert 'data-testid="machines"' in page and "2 machines of 1 kind: one and two." in page
    assert len(re.findall(r"<dt>Machine</dt><dd>(?:one|two)</dd>", page)) == len(TWO_KINDS.trials)
    assert "one and two" in markdown.render(TWO_KINDS)
    out = io.StringIO()
    console.print_summary(Console(file=out, width=100), TWO_KINDS, "report.html")
    assert "Ran on" in out.getvalue() and "one and two" in out.getvalue()


def test_a_report_of_one_machine_says_nothing_of_it() -> None:
    plain = samples.one_cause()
    assert 'data-testid="machines"' not in html.render(plain)
    assert "machine" not in markdown.render(plain)


def test_commands_go_to_the_same_place_and_pin_no_machine() -> None:
    assert "--executor dask://node:8786" in words.again(TWO_KINDS, "", "--resume")
    assert "--executor" not in words.again(samples.one_cause(), "", "--resume")
    trial = structs.replace(TWO_KINDS.trials[0], plan={"machine": "pinned", "hash-seed": "pinned"})
    assert "--pin hash-seed" in words.repeated(TWO_KINDS, trial)
