"""Trials on the workers of a cluster: the same diagnosis as here, whatever becomes of a worker."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import platform
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from nondet import record
from tests.command.clustering import alive, below, cluster, held_up, nursed
from tests.command.running import PATIENCE, QUICK, Project, Ran, marked, until

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("distributed") is None, reason="needs the extra `cluster`"
)
SCRIPT = """
import os, random, time
import nondet


def draw():
    return random.random()


print(os.environ.get("PYTHONHASHSEED"), os.environ.get("OMP_NUM_THREADS"))
nondet.checkpoint("drawn", draw())
for step in range(5):
    time.sleep(0.2)
    nondet.checkpoint("step", step)
"""


def test_a_worker_killed_in_mid_trial_changes_nothing(tmp_path: Path, project: Project) -> None:
    project.write(SCRIPT)
    with cluster(tmp_path / "dask", workers=3) as dask:
        command = (*QUICK, "--executor", dask.address, "train.py")
        with project.started(*command) as process:
            pinned = (dask.processes, project.output, "python-random")
            victim, trial = until(lambda: held_up(*pinned), "a trial that goes on to its end")
            family = below(victim)
            victim.kill()
            until(lambda: not alive(family), "the end of all that ran there")
            out, err = process.communicate(timeout=2 * PATIENCE)
            assert process.returncode == 1, err
            assert not marked(project.mark)
        diagnosis = record.decode((project.output / "diagnosis.json").read_bytes())
        # Whatever was started on the workers has ended, and their attendants with it.
        assert not [p for worker in dask.processes for p in alive(below(worker))]
    lost = next(t for t in diagnosis.trials if t.id == trial)
    assert lost.outcome == "killed" and "its worker was lost" in lost.note
    assert not any(trial in question.trials for question in diagnosis.questions)
    others = [t for t in diagnosis.trials if t is not lost]
    assert {t.outcome for t in others} <= {"completed", "stopped-early"}
    (machine,) = diagnosis.machines
    assert machine.host == platform.node() and {t.machine for t in diagnosis.trials} == {0}
    # dask sets both in its workers: a trial has the environment that its plan says.
    whole = next(t for t in others if t.outcome == "completed")
    assert whole.stdout_tail == "None None\n"
    assert not (project.output / "cluster").exists()
    # Nor is anything else said than of trials that run here.
    (cause,) = diagnosis.causes
    assert cause.factor == "python-random" and [site.line for site in cause.sites] == [7]
    assert diagnosis.prescription is not None and diagnosis.prescription.verified
    assert {"leftovers", "machine"} <= {one.factor for one in diagnosis.not_tested}


def test_no_such_place_is_said(project: Project) -> None:
    project.write(SCRIPT)
    done = project.diagnose("--quiet", "--executor", "dask://nowhere", "train.py")
    done.refused("usage", "dask://HOST:PORT", "slurm")
    assert not project.output.exists()


@pytest.mark.long
def test_what_a_worker_does_not_see_is_said(tmp_path: Path, project: Project) -> None:
    """A worker in a mount namespace of its own, where the project's folder is empty."""
    hide = f'mount -t tmpfs none "{project.folder}"'
    alone = ("unshare", "--mount", "sh", "-c")
    if subprocess.run([*alone, hide], capture_output=True, check=False).returncode:
        pytest.skip("no mount namespace can be had here")
    project.write(SCRIPT)
    with cluster(tmp_path / "dask", workers=0) as dask:
        dask.worker(prefix=(*alone, f'{hide} && exec "$0" "$@"'))
        done = project.diagnose("--quiet", "--executor", dask.address, "train.py")
    done.refused("executor-folder", "cluster/token", "share")


@pytest.mark.long
def test_a_worker_that_its_nanny_starts_anew_runs_trials_again(
    tmp_path: Path, project: Project
) -> None:
    """On the port that it had, so that it has the same name for the scheduler."""
    project.write(SCRIPT)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    with cluster(tmp_path / "dask", workers=0) as dask:
        nanny = dask.worker("--worker-port", port, nanny=True)
        command = (*QUICK, "--executor", dask.address, "train.py")
        with project.started(*command) as process:
            pinned = ([nanny], project.output, "python-random")
            _, trial = until(lambda: held_up(*pinned), "a trial that goes on to its end")
            nursed(nanny).kill()
            out, err = process.communicate(timeout=2 * PATIENCE)
            assert process.returncode == 1, err
            assert not marked(project.mark)
    diagnosis = record.decode((project.output / "diagnosis.json").read_bytes())
    assert [cause.factor for cause in diagnosis.causes] == ["python-random"]
    lost = {t.id for t in diagnosis.trials if t.outcome == "killed"}
    assert trial in lost and len(lost) <= 2


@pytest.mark.long
def test_what_was_known_when_the_scheduler_was_lost_is_written(
    tmp_path: Path, project: Project
) -> None:
    project.write(SCRIPT)
    with cluster(tmp_path / "dask", workers=2) as dask:
        command = ("--quiet", "--no-verify", "--executor", dask.address, "train.py")
        with project.started(*command) as process:
            until(lambda: len(project.trial_files()) > 2, "trials that have ended")
            dask.scheduler.kill()
            out, err = process.communicate(timeout=2 * PATIENCE)
            until(lambda: not marked(project.mark), "the end of all that ran")
    Ran(process.returncode, out, err, project.output).complained("executor-scheduler", "--resume")
    diagnosis = record.decode((project.output / "diagnosis.json").read_bytes())
    assert diagnosis.interrupted and diagnosis.verdict == "unsure"
    assert any("does not answer any more" in warning for warning in diagnosis.warnings)
    assert {t.outcome for t in diagnosis.trials} <= {"completed", "stopped-early", "killed"}
    assert (project.output / "report.html").exists()


@pytest.mark.long
def test_what_ran_before_the_host_was_killed_is_used_again(
    tmp_path: Path, project: Project
) -> None:
    project.write(SCRIPT)
    with cluster(tmp_path / "dask", workers=2) as dask:
        command = (*QUICK, "--executor", dask.address)
        project.interrupted(lambda: whole_ones(project), signal.SIGKILL, *command)
        before = whole_ones(project)
        done = project.diagnose(*command, "--resume", "train.py")
        # Workers end what nobody waits for any more.
        until(lambda: not any(alive(below(worker)) for worker in dask.processes), "their end")
    assert done.code == 1, done.err
    assert [cause.factor for cause in done.diagnosis.causes] == ["python-random"]
    assert before
    assert before.keys() <= {trial.id for trial in done.diagnosis.trials}
    assert project.trial_files().items() >= before.items()


def whole_ones(project: Project) -> dict[str, bytes]:
    """The files of trials that ran to their end."""
    found = project.trial_files().items()
    return {name: data for name, data in found if b'"completed"' in data}


@pytest.mark.long
def test_no_scheduler_is_said(project: Project) -> None:
    project.write(SCRIPT)
    done = project.diagnose("--quiet", "--executor", "dask://127.0.0.1:9", "train.py")
    done.refused("executor-scheduler", "dask scheduler")


@pytest.mark.long
def test_no_worker_within_the_budget_is_said(tmp_path: Path, project: Project) -> None:
    project.write(SCRIPT)
    with cluster(tmp_path / "dask", workers=0) as dask:
        command = ("--quiet", "--budget", "5s", "--executor", dask.address, "train.py")
        done = project.diagnose(*command)
    done.refused("executor-no-worker", "budget")
    # Another try finds no diagnosis there.
    assert not list(project.output.iterdir())


@pytest.mark.long
def test_machines_of_two_kinds(tmp_path: Path, project: Project) -> None:
    """Two workers have all cores, and one has a single one: the script's result is their number."""
    if len(os.sched_getaffinity(0)) < 2 or shutil.which("taskset") is None:
        pytest.skip("needs two cores and taskset")
    project.write("import os, nondet\nnondet.checkpoint('n', len(os.sched_getaffinity(0)))\n")
    first = min(os.sched_getaffinity(0))
    with cluster(tmp_path / "dask", workers=2) as dask:
        dask.worker(prefix=("taskset", "--cpu-list", str(first)))
        there = (*QUICK, "--force", "--executor", dask.address)
        until(lambda: dask.joined == 3, "the workers")
        kept = project.diagnose(*there, "train.py").diagnosis
        stressed = project.diagnose(*there, "--stress", "train.py").diagnosis
        asked = project.diagnose(*there, "--factors", "machine", "train.py").diagnosis
    assert kept.verdict == stressed.verdict == "reproducible"
    assert {kind_of(kept, trial) for trial in kept.trials} == {0}
    assert any("2 kinds" in warning for warning in kept.warnings)
    assert "machine" in {one.factor for one in kept.not_tested}
    assert [one.factor for one in stressed.sensitivities] == ["machine"]
    assert "machine" not in {one.factor for one in stressed.not_tested}
    assert [cause.factor for cause in asked.causes] == ["machine"]
    pinned = [trial for trial in asked.trials if trial.plan["machine"] == "pinned"]
    assert pinned and {kind_of(asked, trial) for trial in pinned} == {0}


def kind_of(diagnosis: record.Diagnosis, trial: record.Trial) -> int:
    """0 for the kind that most workers had."""
    assert trial.machine is not None
    kinds = [machine.kind for machine in diagnosis.machines]
    cores = {machine.kind: machine.cores for machine in diagnosis.machines}
    assert len(cores) == 2
    return int(cores[kinds[trial.machine]] < max(cores.values()))


SBATCH = """#!/bin/sh
# In place of Slurm's: it runs the job here, at once.
[ "$1" = --test-only ] && exit 0
for script; do :; done
job=$(mktemp "$JOBS/job-XXXXXX")
cp "$script" "$job"
setsid sh "$job" >"$job.log" 2>&1 </dev/null &
echo $! >>"$JOBS/started"
echo "Submitted batch job $!"
"""
SCANCEL = """#!/bin/sh
echo "$@" >>"$JOBS/cancelled"
for job; do kill -- -"$job"; done
"""
REFUSED = """#!/bin/sh
echo "sbatch: error: invalid partition specified: $2" >&2
exit 1
"""


@pytest.fixture
def slurm(tmp_path: Path) -> Iterator[dict[str, str]]:
    """The environment of a machine from which jobs are submitted; whatever they left is killed."""
    if importlib.util.find_spec("dask_jobqueue") is None:
        pytest.skip("needs the extra `cluster`")
    jobs = tmp_path / "jobs"
    jobs.mkdir()
    for name, text in (("sbatch", SBATCH), ("scancel", SCANCEL)):
        (jobs / name).write_text(text)
        (jobs / name).chmod(0o755)
    yield {
        "PATH": f"{jobs}:{os.environ['PATH']}",
        "JOBS": str(jobs),
        "DASK_JOBQUEUE__SLURM__CORES": "1",
        "DASK_JOBQUEUE__SLURM__MEMORY": "1GB",
        "DASK_JOBQUEUE__SLURM__INTERFACE": "lo",
    }
    for job in numbers(jobs / "started"):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(job, signal.SIGKILL)


def numbers(path: Path) -> list[int]:
    return list(map(int, path.read_text().split())) if path.exists() else []


@pytest.mark.long
def test_jobs_of_slurm_are_submitted_and_cancelled(project: Project, slurm: dict[str, str]) -> None:
    project.write(SCRIPT)
    there = (*QUICK, "--jobs", "2", "--executor", "slurm:short")
    done = project.diagnose(*there, "train.py", environ=slurm)
    assert done.code == 1, done.err
    assert [cause.factor for cause in done.diagnosis.causes] == ["python-random"]
    jobs = Path(slurm["JOBS"])
    assert len(numbers(jobs / "started")) == 2
    assert set(numbers(jobs / "started")) <= set(numbers(jobs / "cancelled"))
    until(lambda: not marked(project.mark), "the end of all jobs")
    script = next(jobs.glob("job-??????")).read_text()
    assert "#SBATCH -p short" in script
    # Whoever else reaches the scheduler is turned away.
    assert "tls://" in script and "--tls-key" in script and "tcp://" not in script
    assert not list(project.output.glob(".*"))


@pytest.mark.long
def test_a_job_that_is_lost_is_followed_by_another(project: Project, slurm: dict[str, str]) -> None:
    """Its time is up, or its node is gone: there is no other job."""
    project.write(SCRIPT)
    jobs = Path(slurm["JOBS"])
    command = (*QUICK, "--jobs", "1", "--executor", "slurm", "train.py")
    with project.started(*command, environ=slurm) as process:

        def held() -> tuple[psutil.Process, str] | None:
            assert process.poll() is None, process.communicate()
            roots = [psutil.Process(job) for job in numbers(jobs / "started")]
            return held_up(roots, project.output, "python-random")

        job, trial = until(held, "a trial that goes on to its end")
        family = below(job)
        os.killpg(job.pid, signal.SIGKILL)
        until(lambda: not alive(family), "the end of all that ran there")
        out, err = process.communicate(timeout=2 * PATIENCE)
        assert process.returncode == 1, err
        assert not marked(project.mark)
    assert len(numbers(jobs / "started")) == 2
    diagnosis = record.decode((project.output / "diagnosis.json").read_bytes())
    assert [cause.factor for cause in diagnosis.causes] == ["python-random"]
    lost = {t.id: t.note for t in diagnosis.trials if t.outcome == "killed"}
    assert "its worker was lost" in lost.pop(trial) and not lost


@pytest.mark.long
def test_what_slurm_says_of_a_job_is_handed_on(project: Project, slurm: dict[str, str]) -> None:
    project.write(SCRIPT)
    (Path(slurm["JOBS"]) / "sbatch").write_text(REFUSED)
    done = project.diagnose("--quiet", "--executor", "slurm:none", "train.py", environ=slurm)
    done.refused("executor-slurm", "invalid partition specified", "jobqueue.yaml")
    without = {k: v for k, v in slurm.items() if k != "DASK_JOBQUEUE__SLURM__MEMORY"}
    done = project.diagnose("--quiet", "--executor", "slurm", "train.py", environ=without)
    done.refused("executor-slurm", "memory")
