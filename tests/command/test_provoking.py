"""``--stress`` and ``--plugin`` through the command."""

from __future__ import annotations

import pytest

from tests.command.running import SEEDED, UNSEEDED, Project

LISTING = """
import os
import pathlib
import nondet
folder = pathlib.Path("shards")
folder.mkdir(exist_ok=True)
for name in "abcdefgh":
    (folder / name).write_text(name)
order = os.listdir("shards")
nondet.checkpoint("order", " ".join(order))
"""
BOTH = (
    LISTING
    + """
import random
nondet.checkpoint("value", random.random())
"""
)
LATE = """
import random
import numpy as np
import nondet
first = np.random.rand(3)
np.random.seed(1)
random.seed(1)
nondet.checkpoint("value", first + np.random.rand(3) + random.random())
"""
FROM_TIME = """
import random
import time
import nondet
random.seed(time.time_ns())
nondet.checkpoint("value", random.random())
"""
DRAWN = """
import random
import sys
import nondet
def setup_seed(seed=None):
    if seed is None:
        seed = random.randint(1, 10000)
    random.seed(seed)
setup_seed(*map(int, sys.argv[1:]))
nondet.checkpoint("value", random.random())
"""
MANY = """
import random
import time
import nondet
seed = time.time_ns()
a = random.Random(seed)
b = random.Random(seed)
c = random.Random(seed)
d = random.Random(seed)
e = random.Random(seed)
f = random.Random(seed)
for one in (a, b, c, d, e, f):
    nondet.checkpoint("value", one.random())
print(time.time_ns())
"""
# Hands that are fast and slow by chance, which no pin of nondet's reaches.
HANDS = """
import threading
import time
import nondet
order = []
def work(name):
    time.sleep(int(open("/proc/sys/kernel/random/uuid").read()[:2], 16) / 10_000)
    order.append(name)
threads = [threading.Thread(target=work, args=(n,)) for n in "abcdefghijklmnopqrstuvwxyz"]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
nondet.checkpoint("order", " ".join(order))
"""
LIBRARY = """
import os
class _State:
    number = int.from_bytes(os.urandom(4), "big")
def set_seed(number):
    _State.number = number
def sample():
    _State.number = (_State.number * 1103515245 + 12345) % 2**31
    return _State.number
"""
PLUGIN = """
MODULE = "lottery"
DRAWS = ("sample",)
SEEDS = ("set_seed",)
ADVICE = "lottery.set_seed(42)"


def seed(module, number):
    module.set_seed(number)


def draw(module):
    return module.sample()
"""
DRAWING = """
import lottery
import nondet
nondet.checkpoint("value", lottery.sample())
"""


def test_a_dormant_order_is_told_apart_from_the_verdict(project: Project) -> None:
    project.write(LISTING)
    ran = project.diagnose("--stress", "train.py")
    assert ran.code == 0
    stress = ran.diagnosis.stress
    assert stress is not None
    (dormant,) = stress.dormant
    assert dormant.factor == "file-order"
    assert [site.line for site in dormant.sites] == [9]
    assert dormant.trials
    assert dormant.first_divergence is not None
    assert not set(dormant.trials) & set(stress.reference)
    assert ran.diagnosis.causes == ()
    assert "file-order (train.py:9)" in ran.out
    provoked = [t for t in ran.diagnosis.trials if "varied" in t.plan.values()]
    assert set(stress.trials) <= {t.id for t in provoked}


def test_without_stress_nothing_is_provoked(project: Project) -> None:
    project.write(LISTING)
    diagnosis = project.diagnose().diagnosis
    assert diagnosis.stress is None
    assert not any("varied" in trial.plan.values() for trial in diagnosis.trials)


def test_under_stress_the_causes_stay_pinned(project: Project) -> None:
    project.write(BOTH)
    ran = project.diagnose("--stress", "train.py")
    assert ran.code == 1
    assert [cause.factor for cause in ran.diagnosis.causes] == ["python-random"]
    stress = ran.diagnosis.stress
    assert stress is not None
    assert stress.pinned == ("python-random",)
    assert [dormant.factor for dormant in stress.dormant] == ["file-order"]


def test_what_does_not_repeat_is_not_provoked(project: Project) -> None:
    project.write(UNSEEDED)
    ran = project.diagnose("--stress", "--max-trials", "3", "train.py")
    assert ran.code == 4
    stress = ran.diagnosis.stress
    assert stress is not None
    assert stress.note
    assert stress.trials == ()


def test_a_late_seed_is_named_with_what_drew_before(project: Project) -> None:
    project.write(LATE)
    diagnosis = project.diagnose().diagnosis
    (cause,) = diagnosis.causes
    assert cause.factor == "numpy-global"
    late = [seeding for seeding in cause.seedings if seeding.fault == "late"]
    assert [(s.call, s.site.line) for s in late] == [("np.random.seed", 6)]
    assert [site.line for site in late[0].before] == [5]
    assert "too late" in diagnosis.summary
    assert diagnosis.prescription is not None
    assert any("train.py:6" in text for text in diagnosis.prescription.advice)


def test_a_seed_from_the_clock_is_named_at_both_ends(project: Project) -> None:
    project.write(FROM_TIME)
    diagnosis = project.diagnose().diagnosis
    (cause,) = diagnosis.causes
    assert cause.factor == "clock"
    assert [site.line for site in cause.sites] == [5]
    assert [(s.call, s.fault) for s in cause.seedings] == [("random.seed", "varies")]
    assert diagnosis.prescription is not None
    assert [edit.code for edit in diagnosis.prescription.edits] == ["random.seed(42)"]


def test_a_seed_that_is_drawn_can_still_be_chosen(project: Project) -> None:
    project.write(DRAWN)
    diagnosis = project.diagnose().diagnosis
    (cause,) = diagnosis.causes
    assert [(s.site.line, s.fault) for s in cause.seedings] == [(8, "varies")]
    found = diagnosis.prescription
    assert found is not None and found.patch is not None
    assert (found.edits, found.snippet) == ((), "import random\nrandom.seed(42)")
    changes = [line for line in found.patch.splitlines()[2:] if line[0] in "+-"]
    assert [line for line in changes if line[1:].strip()] == ["+random.seed(42)"]
    assert found.patch_verified


def test_a_seed_from_entropy_can_still_be_chosen(project: Project) -> None:
    drawn = DRAWN.replace("random.randint(1, 10000)", "secrets.randbelow(10000)")
    project.write(f"import secrets{drawn}")
    found = project.diagnose().diagnosis.prescription
    assert found is not None and found.patch is not None
    assert [(edit.line, edit.factor) for edit in found.edits] == [(7, "os-entropy")]
    assert "+        seed = FIXED.randrange(10000)" in found.patch
    assert found.patch_verified


def test_every_seed_that_varies_is_changed_however_many_are_shown(project: Project) -> None:
    project.write(MANY)
    diagnosis = project.diagnose().diagnosis
    (cause,) = diagnosis.causes
    assert len(cause.seedings) == 5
    found = diagnosis.prescription
    assert found is not None
    assert [edit.line for edit in found.edits] == [6, 7, 8, 9, 10, 11]
    assert found.patch_verified


def test_what_nothing_holds_names_its_suspects(project: Project) -> None:
    project.write(HANDS)
    ran = project.diagnose()
    assert ran.code == 3
    assert ran.diagnosis.verdict == "unresolved"
    threads = [s for s in ran.diagnosis.suspects if "thread" in s.what]
    assert [s.site.line for s in threads if s.site is not None] == [11]
    assert "train.py:11" in ran.out


def test_an_unlisted_library_is_a_suspect_and_a_plugin_makes_it_a_cause(project: Project) -> None:
    project.write(DRAWING)
    project.write(PLUGIN, "plugin.py")
    # Beside the script it would be the user's own code: as an installed package is.
    folder = project.folder.parent / "site-packages"
    folder.mkdir()
    (folder / "lottery.py").write_text(LIBRARY.replace("os.urandom(4)", ENTROPY))
    environ = {"PYTHONPATH": str(folder)}
    without = project.diagnose(environ=environ)
    assert without.code == 3
    assert any("lottery.set_seed" in suspect.what for suspect in without.diagnosis.suspects)
    ran = project.diagnose("--force", "--plugin", "plugin.py", "train.py", environ=environ)
    assert ran.code == 1
    (cause,) = ran.diagnosis.causes
    assert cause.factor == "third-party-rng"
    assert [(site.file, site.line) for site in cause.sites] == [("train.py", 4)]
    assert "lottery.set_seed(42)" in cause.fix


ENTROPY = 'open("/proc/sys/kernel/random/uuid", "rb").read()'
"""Random bytes that no pin of nondet's reaches."""


@pytest.mark.parametrize(
    ("text", "slug"), [(None, "plugin-unreadable"), ("MODULE = 3", "not-a-plugin")]
)
def test_a_bad_plugin_is_refused_before_any_trial(
    project: Project, text: str | None, slug: str
) -> None:
    project.write(SEEDED)
    if text is not None:
        project.write(text, "plugin.py")
    project.diagnose("--plugin", "plugin.py", "train.py").refused(slug, "plugin.py")
    assert not project.output.exists()


def test_what_cannot_be_followed_under_stress_leaves_the_verdict(project: Project) -> None:
    """By another clock, the script trains in a child before it trains itself."""
    project.write("import nondet\nnondet.checkpoint('child', 1)\n", "prepare.py")
    project.write(
        "import os, subprocess, sys, time\nimport nondet\n"
        "if time.time() - os.path.getmtime(__file__) > 1800:\n"
        "    subprocess.run([sys.executable, 'prepare.py'], check=True)\n"
        "nondet.checkpoint('own', 2)\n"
    )
    ran = project.diagnose("--stress", "--confidence", "0.75", "train.py")
    assert ran.code == 0, ran.out + ran.err
    assert ran.diagnosis.verdict == "reproducible"
    assert ran.diagnosis.stress is not None
    assert "can't be compared (it trains beside its child" in ran.diagnosis.stress.note


def test_one_late_seed_of_two_generators_is_one_move_and_stands_briefly(project: Project) -> None:
    project.write(
        "import random\nimport numpy as np\nimport nondet\n"
        "first, second = random.random(), np.random.rand()\n"
        "def seed():\n    random.seed(1)\n    np.random.seed(1)\n"
        "seed()\n"
        "nondet.checkpoint('first', first)\nnondet.checkpoint('second', second)\n"
    )
    diagnosis = project.diagnose().diagnosis
    assert [cause.factor for cause in diagnosis.causes] == ["python-random", "numpy-global"]
    # The other generator's seed is late as well: it is not told as given in time.
    for cause in diagnosis.causes:
        assert [seeding.fault for seeding in cause.seedings] == ["late"]
    assert diagnosis.summary.count("seeded too late (train.py:") == 2
    assert diagnosis.prescription is not None
    assert len([t for t in diagnosis.prescription.advice if t.startswith("Or move")]) == 2


def test_a_seed_that_another_cause_varies_is_not_laid_to_the_clock(project: Project) -> None:
    project.write(
        "import random\nimport time\nimport numpy as np\nimport nondet\n"
        "np.random.seed(random.randrange(2**31))\n"
        "nondet.checkpoint('value', [np.random.rand(), float(time.time_ns())])\n"
    )
    diagnosis = project.diagnose().diagnosis
    causes = {cause.factor: cause for cause in diagnosis.causes}
    assert set(causes) == {"python-random", "clock"}
    assert not any(seeding.fault == "varies" for seeding in causes["clock"].seedings)
