"""Kill and resume: the same diagnosis, and no finished trial run again. With trials that are acts,
at many moments; with real processes, at a few; and the benchmark's own checks, which must bite."""

from __future__ import annotations

import collections
import dataclasses
import functools
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from msgspec import structs

from nondet import record
from nondet.guest.digests import Digester
from nondet.host import laboratory as module
from nondet.host.executors.interface import Launch
from nondet.host.laboratory import Laboratory
from nondet.host.trials import Trial
from nondet.report import html
from nondet.report.page.words import FOLDER
from nondet.search.diagnosing import Search
from nondet.search.questions import Candidate, Finding
from tests.benchmarks.killing import __main__ as soak
from tests.benchmarks.killing import holding, roles, rooms, whole
from tests.command.running import QUICK, Gate
from tests.host.acting import FACTORS, Act, ActingExecutor, ActingTrial, laboratory
from tests.report import samples

# -- trials that are acts


class Killed(BaseException):
    """The host is gone at once: nothing of it runs on."""


class TwoCauses(ActingExecutor):
    """Trials of a script that two sources break, each in a checkpoint of its own."""

    def start(self, launch: Launch) -> ActingTrial:
        arms = json.loads((launch.log_folder / "plan.json").read_bytes())["arms"]
        other = chr(ord("A") + int(launch.trial[1:]))
        drawn = "a" if arms.get("python-random") == "pinned" else other
        order = "b" if arms.get("hash-seed") == "pinned" else other
        self.acts = (Act(f"i{drawn}{order}e"),)
        return super().start(launch)


def session(folder: Path, jobs: int, check: Callable[[], None]) -> Laboratory:
    """A laboratory that goes on with what lies in the folder."""
    lab, executor = laboratory(folder, jobs=jobs, check=check)
    lab.executor = TwoCauses(executor.runtime, ())
    lab.restore(lab.settings.output / "trials")
    return lab


def diagnosed(lab: Laboratory) -> Finding:
    asking = Search([Candidate(name) for name in FACTORS]).run()
    try:
        question = next(asking)
        while True:
            question = asking.send(lab.ask(question))
    except StopIteration as stop:
        finding: Finding = stop.value
        return finding


def said(finding: Finding) -> tuple[object, ...]:
    guilty = [(guilt.factor, guilt.arm) for guilt in finding.guilty]
    return finding.verdict, guilty, finding.alternatives, finding.comparisons, set(finding.cleared)


def plans(lab: Laboratory) -> collections.Counter[frozenset[tuple[str, record.Arm]]]:
    return collections.Counter(frozenset(trial.held.items()) for trial in lab.trials)


@pytest.mark.parametrize("chain", [1, 4])
@pytest.mark.parametrize("jobs", [1, 3])
def test_a_killed_search_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jobs: int, chain: int
) -> None:
    monkeypatch.setattr(module, "POLL_SECONDS", 0.0)
    looks = 0

    def look() -> None:
        nonlocal looks
        looks += 1

    quiet = session(tmp_path / "quiet", jobs, look)
    undisturbed = diagnosed(quiet)
    assert undisturbed.verdict == "causes-found"
    assert {guilt.factor for guilt in undisturbed.guilty} == {"python-random", "hash-seed"}
    generator = random.Random(10 * jobs + chain)
    # With all parameters, a hundred kills.
    for number in range(10):
        folder, kept = tmp_path / str(number), dict[str, bytes]()
        for _ in range(chain):
            left = generator.randrange(1, looks // chain)

            def look_or_die() -> None:
                nonlocal left
                left -= 1
                if not left:
                    raise Killed

            lab = session(folder, jobs, look_or_die)
            with monkeypatch.context() as patched:
                patched.setattr(lab, "_stop_all", lambda reason: None)
                with pytest.raises(Killed):
                    diagnosed(lab)
            kept |= {t.id: (t.folder / "trial.json").read_bytes() for t in lab.trials if t.whole}
        lab = session(folder, jobs, lambda: None)
        assert said(diagnosed(lab)) == said(undisturbed)
        found = {trial.id: (trial.folder / "trial.json").read_bytes() for trial in lab.trials}
        assert {name: found.get(name) for name in kept} == kept
        needed = plans(quiet)
        again = {p: n for p, n in plans(lab).items() if p in needed and n > needed[p] + jobs - 1}
        assert not again


# -- real processes

WAITING = """
import random
import nondet
nondet.checkpoint("start", 1)
{waits}
nondet.checkpoint("value", random.random())
"""


def case(folder: Path, name: str, options: tuple[str, ...], text: str) -> soak.Case:
    script = folder / f"{name}.py"
    script.write_text(text)
    quiet, seconds = rooms.quietly(folder / f"quiet-{name}", script, 2, options)
    assert [cause.factor for cause in quiet.causes] == ["python-random"]
    return soak.Case(name, script, options, quiet, seconds)


def have_ended(room: rooms.Room, number: int) -> bool:
    return len(room.saved()) >= number


def test_kills_of_a_small_script_and_of_what_it_started(tmp_path: Path) -> None:
    gate, generator = Gate(tmp_path / "gate"), random.Random(5)
    draws = case(tmp_path, "draws", QUICK, WAITING.format(waits=gate.lines))
    room = rooms.Room(tmp_path / "killed", draws.script, 2, QUICK)
    kills = []
    # When three free trials, which part, have ended, and then two that are held: others wait.
    for options, passing, ended in (((), 3, 3), (("--resume",), 2, 5)):
        gate.shut(passing)
        when = functools.partial(have_ended, room, ended)
        kill = room.kill(when, generator, *options)
        assert kill is not None
        kills.append(kill)
    gate.open()
    assert [len(kill.saved) for kill in kills] == [3, 5]
    assert holding.faults(draws.quiet, room.end(kills, "--resume"), 2) == []
    made = soak.Soak(tmp_path, 2, generator)
    # As soon as there is such a process, however fast the machine may be by now.
    at_once = dataclasses.replace(draws, seconds=0.0)
    for role in draws.roles:
        made.kill_beneath(at_once, role, 1)
    assert (made.failed, made.counts) == (0, {roles.TRIAL: 1, roles.SUPERVISOR: 1})


@pytest.mark.long
def test_kills_where_trials_are_forked(tmp_path: Path) -> None:
    forks = case(tmp_path, "forks", QUICK, soak.FORKS)
    made = soak.Soak(tmp_path, 2, random.Random(5))
    made.kill_hosts(forks, 2, beside=roles.FORKED_TRIAL)
    assert made.counts[roles.FORKED_TRIAL] == made.counts[roles.PARENT] == 2
    for role in (roles.PARENT, roles.FORKED_TRIAL, roles.FORKED_SUPERVISOR):
        made.kill_beneath(forks, role, 1)
    assert made.failed == 0


# -- the benchmark's own checks

HOST = 10


def processes(*listed: tuple[int, int, str]) -> list[roles.Process]:
    return [roles.Process(pid, ppid, tuple(line.split()), float(pid)) for pid, ppid, line in listed]


def test_roles_are_told_by_who_started_whom() -> None:
    alone, warm = "python -I /x/executors/supervisor.py", "python /x/guest --parent s.json 5"
    listed = processes(
        *((11, HOST, alone), (12, 11, "python /x/guest plan.json"), (13, 12, "sleep 9")),
        (14, 11, "sleep 8"),
        *((21, HOST, warm), (22, 21, warm), (23, 22, warm), (24, 23, warm)),
        *((31, HOST, "python -c asks"), (32, 1, alone), (33, 99, warm)),
    )
    assert roles.roles(listed, HOST) == {
        11: roles.SUPERVISOR,
        12: roles.TRIAL,
        21: roles.PARENT,
        22: roles.FORKED_SUPERVISOR,
        23: roles.FORKED_TRIAL,
    }


def test_too_few_kills_are_no_soak(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rooms.Room, "hurt", lambda *args: None)
    made = soak.Soak(tmp_path, 2, random.Random(5))
    quiet = soak.Case("draws", Path(__file__), (), consistent(), 1.0)
    with pytest.raises(rooms.Failed, match="kills of a trial: only 0 of 2"):
        made.kill_beneath(quiet, roles.TRIAL, 2)


def written(trial: record.Trial, room: Path) -> None:
    """All files of a trial that has ended."""
    room.mkdir(parents=True)
    held: dict[str, record.Arm] = {name: arm for name, arm in trial.plan.items() if arm != "free"}
    plan = {"trial": trial.id, "hash": "h", "arms": held}
    (room / "plan.json").write_text(json.dumps(plan))
    for name in ("stdout.log", "stderr.log"):
        (room / name).write_text("")
    letters = "a" * trial.checkpoints
    events = [json.dumps(event) + "\n" for event in Act(letters).events("h")]
    (room / "events.jsonl").write_text("".join(events))
    made = Trial(trial.id, held, "h", "?", room, outcome=trial.outcome)
    made.save()


def ended(folder: Path, last: record.Diagnosis, **changes: object) -> rooms.Ended:
    """A diagnosis that was killed once, with all that it should leave."""
    for trial in last.trials:
        written(trial, folder / "trials" / trial.id)
    (folder / "diagnosis.json").write_bytes(record.encode(last))
    (folder / "report.html").write_text(html.render(last, FOLDER))
    saved = {t.id: (folder / "trials" / t.id / "trial.json").read_bytes() for t in last.trials[:2]}
    kill = rooms.Killed(1.0, saved, ())
    made = rooms.Ended((kill,), 1, folder, (), ())
    return dataclasses.replace(made, **changes)  # type: ignore[arg-type]


@pytest.fixture
def brief(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages of one line, which are made at once."""
    monkeypatch.setattr(html, "render", lambda diagnosis, folder: diagnosis.summary + folder)


def consistent() -> record.Diagnosis:
    """Whose cost counts the trials it lists."""
    one = samples.one_cause()
    return structs.replace(one, cost=structs.replace(one.cost, trials=len(one.trials)))


@pytest.mark.usefixtures("brief")
def test_what_is_right_has_no_fault(tmp_path: Path) -> None:
    assert holding.faults(consistent(), ended(tmp_path, consistent()), 2) == []


@pytest.mark.usefixtures("brief")
@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"alive": ("77 python",)}, "77 python alive at the end"),
        ({"scratch": ("nondet-x",)}, "temporary files left: nondet-x"),
        ({"code": 0}, "exit code 0 for the verdict causes-found"),
        ({"kills": (rooms.Killed(1.0, {}, ("78 python",)),)}, "a kill left 78 python alive"),
        (
            {"kills": (rooms.Killed(1.0, {}, (), (), ("t01: plan.json",)),)},
            "after a kill, t01: plan.json",
        ),
    ],
)
def test_what_stays_behind_is_a_fault(
    tmp_path: Path, changes: dict[str, object], fault: str
) -> None:
    assert holding.faults(consistent(), ended(tmp_path, consistent(), **changes), 2) == [fault]


def changed(**fields: object) -> tuple[record.Cause, ...]:
    first, *others = consistent().causes
    return (structs.replace(first, **fields), *others)


@pytest.mark.parametrize(
    ("other", "faults"),
    [
        ({"causes": ()}, ["causes: []", "lines: []", "first differences: []"]),
        ({"causes": changed(sites=())}, ["lines: "]),
        ({"causes": changed(first_divergence=None)}, ["first differences: "]),
        ({"first_divergence": None}, ["first difference: ()"]),
        ({"alternatives": (("clock",),)}, ["alternatives: [['clock']]"]),
        ({"prescription": None}, ["pins: None", "verified: None"]),
        ({"verdict": "unresolved"}, ["verdict: unresolved"]),
        ({"interrupted": True}, ["interrupted: True"]),
    ],
)
def test_another_diagnosis_is_a_fault(other: dict[str, object], faults: list[str]) -> None:
    found = holding.unlike(consistent(), structs.replace(consistent(), **other))
    for fault in faults:
        assert any(text.startswith(fault) for text in found), found


def append(path: Path, data: bytes) -> None:
    path.write_bytes(path.read_bytes() + data)


SPOILS: dict[str, tuple[Callable[[Path], object], str]] = {
    "no events": (lambda out: (out / "trials/t05/events.jsonl").unlink(), "its files can't be rea"),
    "no page": (lambda out: (out / "report.html").unlink(), "report.html is missing"),
    "another page": (
        lambda out: (out / "report.html").write_text("<html>"),
        "report.html is not what the record gives",
    ),
    "half an event": (
        lambda out: append(out / "trials/t03/events.jsonl", b'{"event": "pi'),
        "t03: the last line of events.jsonl has no end",
    ),
    "no event": (
        lambda out: append(out / "trials/t03/events.jsonl", b"\0\0\0\n"),
        "t03: 1 lines of events.jsonl can't be read",
    ),
    "half a plan": (
        lambda out: (out / "trials/t02/plan.json").write_text('{"trial": "t02", "ha'),
        "t02: plan.json: ",
    ),
    "another plan": (
        lambda out: (out / "trials/t02/plan.json").write_text('{"hash": "g", "arms": {}}'),
        "t02: plan.json and trial.json are of two plans",
    ),
    "half an end": (
        lambda out: (out / "trials/t02/trial.json").write_text('{"id": "t02"'),
        "t02: trial.json can't be read",
    ),
    "a file beside": (
        lambda out: (out / "trials/t02/trial.json.new").touch(),
        "t02: trial.json.new is left",
    ),
    "a record beside": (lambda out: (out / "diagnosis.json.new").touch(), "diagnosis.json.new is"),
    "values": (lambda out: (out / "values").mkdir(), "values is left"),
    "no log": (lambda out: (out / "trials/t04/stderr.log").unlink(), "t04: stderr.log is missing"),
}


@pytest.mark.usefixtures("brief")
@pytest.mark.parametrize("name", SPOILS)
def test_what_is_not_whole_is_a_fault(tmp_path: Path, name: str) -> None:
    spoil, fault = SPOILS[name]
    ended(tmp_path, consistent())
    assert whole.faults_in(tmp_path, consistent()) == []
    spoil(tmp_path)
    found = whole.faults_in(tmp_path, consistent())
    assert any(fault in text for text in found), found


def test_after_a_kill_values_are_what_their_names_say(tmp_path: Path) -> None:
    make: Any = Digester
    digest, other = (make("sha256").digest(np.array(value)) for value in (0.5, 0.25))
    room, values = tmp_path / "trials/t01", tmp_path / "values"
    written(consistent().trials[0], room)
    events = (room / "events.jsonl").read_text()
    events = events.replace('"uint8", [1]', '"float64", []').replace('["a"]', f'["{digest}"]')
    (room / "events.jsonl").write_text(events)
    values.mkdir()
    (values / digest).write_bytes(np.array(0.5).tobytes())
    (values / f"{other}.77.0123456789abcdef").write_bytes(b"half")
    assert whole.faults_in(tmp_path) == []
    (values / digest).write_bytes(np.array(0.25).tobytes())
    assert whole.faults_in(tmp_path) == [f"values/{digest} is not what its name says"]
    (values / digest).write_bytes(b"half")
    assert whole.faults_in(tmp_path) == [f"values/{digest} is not what its name says"]


@pytest.mark.usefixtures("brief")
def test_a_record_that_contradicts_itself_is_a_fault(tmp_path: Path) -> None:
    twice = structs.replace(consistent(), trials=(*consistent().trials, consistent().trials[0]))
    assert "trial t01 is listed twice" in whole.consistent(twice)
    fewer = structs.replace(consistent(), trials=consistent().trials[1:])
    assert "trial t01 is named and not listed" in whole.consistent(fewer)
    made = ended(tmp_path, consistent())
    (tmp_path / "diagnosis.json").unlink()
    assert "no record" in holding.faults(consistent(), made, 2)[0]


@pytest.mark.usefixtures("brief")
def test_a_finished_trial_that_is_lost_or_changed_is_a_fault(tmp_path: Path) -> None:
    made = ended(tmp_path, consistent())
    text = (tmp_path / "trials/t01/trial.json").read_text()
    (tmp_path / "trials/t01/trial.json").write_text(text.replace('"note":""', '"note":"x"'))
    assert holding.faults(consistent(), made, 2) == [
        "trial t01 had ended, and its file is another now"
    ]
    fewer = structs.replace(consistent(), trials=consistent().trials[1:])
    saved = {"t01": b'{"outcome": "completed", "wrote": []}'}
    assert "trial t01 had run to its end, and is not used" in holding.lost(saved, fewer, tmp_path)


@pytest.mark.usefixtures("brief")
@pytest.mark.parametrize(("jobs", "more"), [(1, 1), (2, 2)])
def test_a_plan_that_is_run_again_is_a_fault(tmp_path: Path, jobs: int, more: int) -> None:
    quiet = consistent()
    extra = [structs.replace(quiet.trials[0], id=f"t{90 + n}") for n in range(more)]
    enough = structs.replace(quiet, trials=(*quiet.trials, *extra[1:]))
    again = structs.replace(quiet, trials=(*quiet.trials, *extra))
    killed = ended(tmp_path, quiet)
    assert holding.repeated(quiet, enough, killed, jobs) == []
    assert holding.repeated(quiet, again, killed, jobs) == [
        f"{2 + more} trials with nothing pinned, of which 2 were finished before; undisturbed: 2"
    ]


def test_kills_alone_and_in_chains() -> None:
    assert soak.lengths(20) == [1] * 10 + [5, 5]
    assert soak.lengths(7) == [1] * 4 + [3]
    assert [sum(soak.lengths(n)) for n in range(25)] == list(range(25))
    assert soak.shares(100, 7) == [15, 15, 14, 14, 14, 14, 14]
