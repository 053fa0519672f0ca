"""dask.distributed as the engine: workers that somebody has started, or jobs of Slurm."""

from __future__ import annotations

import concurrent.futures
import contextlib
import logging
import platform
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nondet.host.executors.cluster import errand
from nondet.host.executors.cluster.engine import Engine
from nondet.host.executors.cluster.running import QUEUE_SECONDS
from nondet.host.executors.interface import ExecutorError

ADDRESS = re.compile(r"dask(\+tls)?://([^\s/]+:\d+)/?")
SLURM = re.compile(r"slurm(?::([^\s:]+))?")
FORMS = "local, dask://HOST:PORT, dask+tls://HOST:PORT, slurm or slurm:PARTITION"
ANSWER_SECONDS = 20
SUBMIT_SECONDS = 120
WORKER_SECONDS = 120.0
"""Within which a scheduler must have a worker; jobs may have to wait for their turn."""
DEFAULT_JOBS = 4
MISSING = (
    "trials on a cluster need dask: install nondet with its extra `cluster` "
    "(pip install 'nondet-diagnose[cluster]')"
)


class DaskEngine:
    """A scheduler of dask. It gets functions as they are, once each: a trial that fails is a
    result, and one that is lost is started again by us, under another name."""

    def __init__(
        self, client: Any, name: str, waits: float, cluster: Any = None, coming: int = 0
    ) -> None:
        """`cluster`: what was started for this engine alone, and ends with it; `coming`: its
        workers."""
        import cloudpickle

        cloudpickle.register_pickle_by_value(errand)
        # What becomes of the connection is told by us, in one line.
        logging.getLogger("distributed.client").setLevel(logging.CRITICAL)
        self._client, self._cluster = client, cluster
        self.name, self.waits, self.coming = name, waits, coming
        self._pythons: dict[str, str] = {}

    def workers(self) -> set[str]:
        if self._client.status != "running":
            raise OSError("the connection was lost")
        try:
            there = set(self._client.nthreads())
            if there - self._pythons.keys():
                versions = self._client.get_versions()["workers"]
                self._pythons |= {w: str(told["host"]["python"]) for w, told in versions.items()}
        except Exception as error:  # of the network, of tornado, of dask
            raise OSError(f"{type(error).__name__}: {error}") from error
        return there & self._pythons.keys()

    def unfit(self, worker: str) -> str:
        ours, theirs = platform.python_version(), self._pythons[worker]
        if ours.split(".")[:2] == theirs.split(".")[:2]:
            return ""
        return f"it runs Python {theirs}, and nondet runs {ours}: both must be of one version"

    def submit(
        self, worker: str, function: Callable[..., Any], *args: Any
    ) -> concurrent.futures.Future[Any]:
        executor = self._client.get_executor(
            workers=[worker], allow_other_workers=False, pure=False, retries=0
        )
        try:
            future: concurrent.futures.Future[Any] = executor.submit(function, *args)
        except Exception as error:
            raise OSError(f"{type(error).__name__}: {error}") from error
        return future

    def close(self) -> None:
        with contextlib.suppress(Exception):  # of a scheduler that is gone
            self._client.close(timeout=ANSWER_SECONDS)
        if self._cluster is not None:
            _closed(self._cluster)


def parse(spec: str) -> bool:
    """Whether a text names an executor: see `FORMS`."""
    return spec == "local" or bool(ADDRESS.fullmatch(spec) or SLURM.fullmatch(spec))


def engine(spec: str, jobs: int | None, shared: Path) -> Engine:
    """The engine that a text names. `jobs`: workers to start, where that is ours to do; `shared`: a
    private folder that they see. Raises ExecutorError."""
    if match := ADDRESS.fullmatch(spec):
        return _dask(spec, f"{'tls' if match[1] else 'tcp'}://{match[2]}")
    if match := SLURM.fullmatch(spec):
        return _slurm(spec, match[1], jobs or DEFAULT_JOBS, shared)
    raise ExecutorError("executor-unknown", f"--executor {spec}: expected {FORMS}")


def _dask(spec: str, address: str) -> DaskEngine:
    try:
        from distributed import Client
    except ImportError as error:
        raise ExecutorError("executor-missing", f"--executor {spec}: {MISSING}") from error
    try:
        client = Client(address, timeout=ANSWER_SECONDS, set_as_default=False)
    except (OSError, ValueError) as error:
        raise ExecutorError(
            "executor-scheduler",
            f"--executor {spec}: no scheduler of dask answers there ({error}): start one with "
            "`dask scheduler`, and workers with `dask worker HOST:PORT`",
        ) from error
    return DaskEngine(client, spec, WORKER_SECONDS)


def _slurm(spec: str, partition: str | None, jobs: int, shared: Path) -> DaskEngine:
    """Jobs with one worker each, as the user's configuration of dask-jobqueue has them. Others can
    reach the scheduler's port, so it takes nobody without the certificate, which lies in `shared`.
    """
    try:
        from dask_jobqueue import SLURMCluster
        from distributed import Client
    except ImportError as error:
        raise ExecutorError("executor-missing", f"--executor {spec}: {MISSING}") from error
    if shutil.which("sbatch") is None:
        raise ExecutorError(
            "executor-slurm",
            f"--executor {spec}: there is no sbatch here: start nondet where jobs are submitted",
        )
    named = {"queue": partition} if partition else {}
    try:
        cluster = SLURMCluster(
            processes=1,
            security=True,
            shared_temp_directory=str(shared),
            scheduler_options={"dashboard": False, "dashboard_address": None},
            **named,
        )
    except ImportError as error:  # of what makes certificates
        raise ExecutorError("executor-missing", f"--executor {spec}: {MISSING}") from error
    except (OSError, RuntimeError, ValueError) as error:
        raise _no_jobs(spec, str(error)) from error
    try:
        _try_job(spec, cluster.job_script())
        # Not only once: a job whose time is up, or whose node is lost, is followed by another.
        cluster.adapt(minimum_jobs=jobs, maximum_jobs=jobs)
        client = Client(cluster, timeout=ANSWER_SECONDS, set_as_default=False)
    except BaseException:
        _closed(cluster)
        raise
    return DaskEngine(client, spec, QUEUE_SECONDS, cluster, jobs)


def _try_job(spec: str, script: str) -> None:
    """Have Slurm look at the job without taking it: later, its words are hard to come by. Raises
    ExecutorError."""
    with tempfile.NamedTemporaryFile("w", suffix=".sh") as file:
        file.write(script)
        file.flush()
        try:
            done = subprocess.run(
                ["sbatch", "--test-only", file.name],
                capture_output=True,
                text=True,
                errors="replace",
                timeout=SUBMIT_SECONDS,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise _no_jobs(spec, str(error)) from error
    if done.returncode:
        raise _no_jobs(spec, done.stderr.strip().rpartition("\n")[2] or "sbatch said nothing")


def _no_jobs(spec: str, why: str) -> ExecutorError:
    why = " ".join(why.split())
    return ExecutorError(
        "executor-slurm",
        f"--executor {spec}: no job can be started ({why}): what a job gets is said in "
        "~/.config/dask/jobqueue.yaml, cores and memory at least",
    )


def _closed(cluster: Any) -> None:
    # A job that was never submitted makes it complain.
    with contextlib.suppress(Exception):
        cluster.close(timeout=ANSWER_SECONDS)
