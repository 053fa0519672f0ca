"""A script that undoes what nondet does in its process: told, and none of it taken for held."""

from __future__ import annotations

from tests.command.misbehaving import CASES, script
from tests.command.running import QUICK, Project

RELOADING = """
import importlib
import random
import nondet
importlib.reload(random)
nondet.checkpoint("value", random.random())
"""


def test_a_pin_that_the_script_undoes_is_no_pin(project: Project) -> None:
    project.write(RELOADING)
    ran = project.diagnose(*QUICK, "train.py")
    assert ran.code == 3, ran.out + ran.err
    diagnosis = ran.diagnosis
    reasons = {one.factor: one.why for one in diagnosis.not_tested}
    assert "the pin of python-random did not take" in reasons["python-random"]
    assert "python-random" not in {one.factor for one in diagnosis.cleared}
    counting = [t for t in diagnosis.trials if t.outcome in ("completed", "stopped-early")]
    counting = [t for t in counting if not t.note.startswith("another trial")]
    assert {t.plan["python-random"] for t in counting} == {"free"}
    suspects = [(one.what, one.site and one.site.line) for one in diagnosis.suspects]
    assert suspects == [("`random` is executed anew, and not listened to", 5)]


def test_a_script_that_takes_our_finder_away_hides_nothing(project: Project) -> None:
    text, _ = CASES["imports in a way of its own"]
    lines = script(text).splitlines()
    lines += ["import random", "nondet.checkpoint('drawn', random.random())"]
    project.write("\n".join(lines) + "\n")
    ran = project.diagnose(*QUICK, "train.py")
    assert ran.code == 1, ran.out + ran.err
    (cause,) = ran.diagnosis.causes
    assert cause.factor == "python-random"
    assert [(site.file, site.line) for site in cause.sites] == [("train.py", len(lines))]
