"""The machine's clock jumps by years whenever somebody looks at it, whatever asks: the host, the
trials, and all between them. Limits are by clocks that only go on."""

from __future__ import annotations

import datetime
import shutil
import subprocess
from collections.abc import Mapping

import pytest

from tests.command.running import QUICK, Project

JUMPING = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <sys/time.h>
#include <time.h>

static long jump(void) {
    static unsigned looks;
    return __sync_fetch_and_add(&looks, 1) % 2 ? 100000000L : -100000000L;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    int (*real)(clockid_t, struct timespec *) = dlsym(RTLD_NEXT, "clock_gettime");
    int failed = real(clock, now);
    if (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)
        now->tv_sec += jump();
    return failed;
}

int gettimeofday(struct timeval *now, void *zone) {
    struct timespec found;
    clock_gettime(CLOCK_REALTIME, &found);
    now->tv_sec = found.tv_sec;
    now->tv_usec = found.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *now) {
    struct timespec found;
    clock_gettime(CLOCK_REALTIME, &found);
    if (now)
        *now = found.tv_sec;
    return found.tv_sec;
}
"""
SCRIPT = """
import datetime
import os
import time
import nondet
assert abs(time.time() - time.time()) > 1e8
assert abs(datetime.datetime.now() - datetime.datetime.now()).days > 1000
nondet.checkpoint("value", 1)
if "ENDLESS" in os.environ:
    time.sleep(600)
"""
YEARS = datetime.timedelta(days=2 * 365)


@pytest.fixture(scope="module")
def jumping(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """The environment in which the clock jumps."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler here, so nothing that can stand before the C library")
    folder = tmp_path_factory.mktemp("jumping")
    (folder / "jumping.c").write_text(JUMPING)
    build = [compiler, "-shared", "-fPIC", "-o", "jumping.so", "jumping.c", "-ldl"]
    subprocess.run(build, cwd=folder, check=True)
    return {"LD_PRELOAD": str(folder / "jumping.so")}


def test_times_are_right_and_it_goes_on(project: Project, jumping: Mapping[str, str]) -> None:
    project.write(SCRIPT)
    first = project.diagnose("--max-trials", "2", "train.py", environ=jumping)
    assert first.code == 4, first.out + first.err
    before = project.trial_files()
    assert set(before) == {"t01", "t02"}
    ran = project.diagnose(
        "--resume", *QUICK, "--budget", "10m", "--timeout", "60s", "train.py", environ=jumping
    )
    assert ran.code == 0, ran.out + ran.err
    diagnosis = ran.diagnosis
    assert "resumed: 2 finished trials" in ran.err
    assert project.trial_files().items() >= before.items()
    assert {trial.outcome for trial in diagnosis.trials} == {"completed"}
    assert all(0 < trial.seconds < 60 for trial in diagnosis.trials)
    assert 0 < diagnosis.cost.wall_seconds < 600


def test_a_limit_ends_an_endless_trial(project: Project, jumping: Mapping[str, str]) -> None:
    project.write(SCRIPT)
    endless = {**jumping, "ENDLESS": "1"}
    ran = project.diagnose(*QUICK, "--timeout", "2s", "train.py", environ=endless)
    assert ran.code == 5, ran.out + ran.err
    ended = [trial for trial in ran.diagnosis.trials if trial.outcome == "timed-out"]
    assert ended
    assert all(trial.seconds < 60 for trial in ended)
    assert 2 <= ran.diagnosis.cost.wall_seconds < 60


def test_a_budget_ends_an_endless_diagnosis(project: Project, jumping: Mapping[str, str]) -> None:
    project.write(SCRIPT)
    endless = {**jumping, "ENDLESS": "1"}
    ran = project.diagnose(*QUICK, "--budget", "2s", "train.py", environ=endless)
    assert ran.code == 4, ran.out + ran.err
    # On a busy machine the time may be up before the first trial is due.
    assert {trial.outcome for trial in ran.diagnosis.trials} <= {"stopped-early"}
    assert 2 <= ran.diagnosis.cost.wall_seconds < 60
    # The clock of the host jumps as well.
    now = datetime.datetime.now(datetime.UTC)
    assert abs(now - datetime.datetime.fromisoformat(ran.diagnosis.started)) > YEARS
