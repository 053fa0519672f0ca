"""Kill and resume: the same diagnosis, and no finished trial run again. With trials that are acts,
at many moments; with real processes, at a few; and the benchmark's own checks, which must bite."""

from __future__ import annotations

import collections
import dataclasses
import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec import structs

from nondet import record
from nondet.host import laboratory as module
from nondet.host.executors.interface import Launch
from nondet.host.laboratory import Laboratory
from nondet.search.diagnosing import Search
from nondet.search.questions import Candidate, Finding
from tests.benchmarks import killing
from tests.command.running import QUICK
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


def test_kills_of_a_small_script(tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text(killing.DRAWS)
    quiet, seconds = killing.quietly(tmp_path / "quiet", script, 2, QUICK)
    assert [cause.factor for cause in quiet.causes] == ["python-random"]
    # Moments well before the end, however much faster the machine may be by now.
    moments = random.Random(5)
    ended = killing.disturbed(tmp_path / "killed", script, 2, 3, seconds / 3, moments, QUICK)
    assert ended.kills
    assert killing.faults(quiet, ended, 2) == []


# -- the checks


def ended(folder: Path, last: record.Diagnosis, **changes: object) -> killing.Ended:
    """A diagnosis that was killed once, with all that it should leave."""
    for trial in last.trials:
        room = folder / "trials" / trial.id
        room.mkdir(parents=True)
        for name in ("plan.json", "events.jsonl", "stdout.log", "stderr.log"):
            (room / name).write_text("")
        (room / "trial.json").write_text(json.dumps({"outcome": trial.outcome, "wrote": []}))
    (folder / "diagnosis.json").write_bytes(record.encode(last))
    (folder / "report.html").write_text("")
    saved = {t.id: (folder / "trials" / t.id / "trial.json").read_bytes() for t in last.trials[:2]}
    kill = killing.Killed(1.0, saved, ())
    whole = killing.Ended((kill,), 1, folder, (), ())
    return dataclasses.replace(whole, **changes)  # type: ignore[arg-type]


def consistent() -> record.Diagnosis:
    """Whose cost counts the trials it lists."""
    one = samples.one_cause()
    return structs.replace(one, cost=structs.replace(one.cost, trials=len(one.trials)))


def test_what_is_right_has_no_fault(tmp_path: Path) -> None:
    assert killing.faults(consistent(), ended(tmp_path, consistent()), 2) == []


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"alive": ("77 python",)}, "77 python alive at the end"),
        ({"scratch": ("nondet-x",)}, "temporary files left: nondet-x"),
        ({"code": 0}, "exit code 0 for the verdict causes-found"),
        ({"kills": (killing.Killed(1.0, {}, ("78 python",)),)}, "a kill left 78 python alive"),
    ],
)
def test_what_stays_behind_is_a_fault(
    tmp_path: Path, changes: dict[str, object], fault: str
) -> None:
    assert killing.faults(consistent(), ended(tmp_path, consistent(), **changes), 2) == [fault]


@pytest.mark.parametrize(
    ("other", "fault"),
    [
        ({"causes": ()}, "causes: []"),
        ({"alternatives": (("clock",),)}, "alternatives: [['clock']]"),
        ({"prescription": None}, "pins: None"),
        ({"verdict": "unresolved"}, "verdict: unresolved"),
        ({"interrupted": True}, "interrupted: True"),
    ],
)
def test_another_diagnosis_is_a_fault(tmp_path: Path, other: dict[str, object], fault: str) -> None:
    last = structs.replace(consistent(), **other)
    found = killing.faults(consistent(), ended(tmp_path, last), 2)
    assert any(text.startswith(fault) for text in found), found


def test_a_torn_record_is_a_fault(tmp_path: Path) -> None:
    whole = ended(tmp_path, consistent())
    (tmp_path / "trials/t05/events.jsonl").unlink()
    (tmp_path / "report.html").unlink()
    assert killing.faults(consistent(), whole, 2) == [
        "t05/events.jsonl is missing",
        "report.html is missing",
    ]
    twice = structs.replace(consistent(), trials=(*consistent().trials, consistent().trials[0]))
    assert "trial t01 is listed twice" in killing.torn(twice, tmp_path)
    fewer = structs.replace(consistent(), trials=consistent().trials[1:])
    assert "trial t01 is named and not listed" in killing.torn(fewer, tmp_path)
    (tmp_path / "diagnosis.json").unlink()
    assert "no record" in killing.faults(consistent(), whole, 2)[0]


def test_a_finished_trial_that_is_lost_or_changed_is_a_fault(tmp_path: Path) -> None:
    whole = ended(tmp_path, consistent())
    (tmp_path / "trials/t01/trial.json").write_text('{"outcome": "completed", "wrote": [1]}')
    assert killing.faults(consistent(), whole, 2) == [
        "trial t01 had ended, and its file is another now"
    ]
    fewer = structs.replace(consistent(), trials=consistent().trials[1:])
    saved = {"t01": b'{"outcome": "completed", "wrote": []}'}
    assert "trial t01 had run to its end, and is not used" in killing.lost(saved, fewer, tmp_path)


@pytest.mark.parametrize(("jobs", "more"), [(1, 1), (2, 2)])
def test_a_plan_that_is_run_again_is_a_fault(tmp_path: Path, jobs: int, more: int) -> None:
    quiet = consistent()
    extra = [structs.replace(quiet.trials[0], id=f"t{90 + n}") for n in range(more)]
    enough = structs.replace(quiet, trials=(*quiet.trials, *extra[1:]))
    again = structs.replace(quiet, trials=(*quiet.trials, *extra))
    killed = ended(tmp_path, quiet)
    assert killing.repeated(quiet, enough, killed, jobs) == []
    assert killing.repeated(quiet, again, killed, jobs) == [
        f"{2 + more} trials with nothing pinned, of which 2 were finished before; undisturbed: 2"
    ]


def test_kills_alone_and_in_chains() -> None:
    assert killing.lengths(20) == [1] * 10 + [5, 5]
    assert killing.lengths(7) == [1] * 4 + [3]
    assert [sum(killing.lengths(n)) for n in range(25)] == list(range(25))
