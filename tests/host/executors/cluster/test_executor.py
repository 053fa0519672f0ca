"""The executor with workers that are threads here, and attendants that are real."""

from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from nondet.host.executors.cluster import crew, errand, lease, shipping
from nondet.host.executors.cluster.executor import ClusterExecutor, Placed, Sharing
from nondet.host.executors.cluster.placement import Seat
from nondet.host.executors.interface import Ended, ExecutorError, Launch
from nondet.host.subject import GUEST
from tests.host.executors.cluster.told import A100, Saying, told
from tests.host.executors.trying import PATIENCE, gone, until

HANGS = "import os, time\nprint(os.getpid(), flush=True)\ntime.sleep(600)\n"


class Threads:
    """An engine whose workers are threads: they share what errand.py keeps, so there is one."""

    name = "threads"
    waits = 20.0
    coming = 0

    def __init__(self, *workers: str, unfit: str = "") -> None:
        self.there = set(workers)
        self.why = unfit
        self.pool = concurrent.futures.ThreadPoolExecutor(4)
        self.closed = self.gone = False
        self.answers = threading.Event()
        """Whether a worker that is asked what it is says so."""
        self.answers.set()

    def workers(self) -> set[str]:
        if self.gone:
            raise OSError("no route")
        return set(self.there)

    def unfit(self, worker: str) -> str:
        return self.why

    def submit(
        self, worker: str, function: Callable[..., Any], *args: Any
    ) -> concurrent.futures.Future[Any]:
        if self.gone:
            raise OSError("no route")
        return self.pool.submit(self.carry_out, function, *args)

    def carry_out(self, function: Callable[..., Any], *args: Any) -> Any:
        if function is errand.survey:
            assert self.answers.wait(PATIENCE)
        return function(*args)

    def close(self) -> None:
        self.closed = True
        self.answers.set()
        self.pool.shutdown(wait=True)


def sharing(folder: Path, **changes: Any) -> Sharing:
    project = folder / "project"
    project.mkdir()
    script = project / "train.py"
    script.write_text("print(1)\n")
    made = Sharing(
        output=project / "out",
        folders=(project,),
        cwd=project,
        python=sys.executable,
        guest=str(GUEST),
        script=("train.py",),
        same=(script,),
        environ=dict(os.environ),
    )
    return dataclasses.replace(made, **changes)


@pytest.fixture
def engine() -> Iterator[Threads]:
    yield Threads("w0")
    for token in list(errand.attendants()):  # of workers that were cut off, which are none here
        errand.dismiss(token)


@pytest.fixture
def executor(tmp_path: Path, engine: Threads) -> Iterator[ClusterExecutor]:
    with ClusterExecutor(engine, sharing(tmp_path)) as made:
        yield made


class Started:
    """A trial of a small script."""

    def __init__(self, executor: ClusterExecutor, text: str, trial: str = "t01") -> None:
        place = executor.place(trial)
        project = executor._folders[0]
        self.logs = project / "out" / "trials" / trial
        self.logs.mkdir(parents=True)
        (self.logs / "script.py").write_text(text)
        program = place.runtime / "trials" / trial / "script.py"
        launch = Launch(
            trial=trial,
            argv=(sys.executable, "-E", "-S", str(program)),
            env={"PATH": os.defpath, "ASKED": "for"},
            cwd=project,
            folders=(project,),
            log_folder=self.logs,
        )
        self.running = executor.start(launch)

    @property
    def said(self) -> str:
        with contextlib.suppress(FileNotFoundError):
            return (self.logs / "stdout.log").read_text()
        return ""

    def end(self) -> Ended:
        end = until(self.running.poll, "the trial's end")
        assert isinstance(end, Ended)
        return end


def test_a_trial_has_the_environment_that_was_asked_for_and_no_other(
    executor: ClusterExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What the engine has set in its workers.
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    text = "import json, os\nopen('left.txt', 'w').close()\nprint(json.dumps(dict(os.environ)))\n"
    started = Started(executor, text)
    assert executor.room() is False
    end = started.end()
    assert end.exit_code == 0, (started.logs / "stderr.log").read_text()
    environ = json.loads(started.said)
    assert environ.pop("LC_CTYPE", "C.UTF-8") == "C.UTF-8"  # Python's own, in the C locale
    if executor.isolation == "copy":
        environ.pop("PWD", None)
    assert environ == {"PATH": os.defpath, "ASKED": "for"}
    if executor.isolation != "in-place":
        assert end.wrote == ("left.txt",)
        assert not (executor._folders[0] / "left.txt").exists()
    assert executor.room() is True


def test_an_order_to_end_reaches_it(executor: ClusterExecutor) -> None:
    started = Started(executor, HANGS)
    until(lambda: started.said.endswith("\n"), "its first word")
    started.running.stop("enough")
    assert started.end().stopped == "enough"
    assert gone(int(started.said))


def test_an_end_that_somebody_else_ordered_is_not_the_trial_s_own(
    executor: ClusterExecutor,
) -> None:
    started = Started(executor, HANGS)
    until(lambda: started.said.endswith("\n"), "its first word")
    os.kill(psutil.Process(int(started.said)).ppid(), signal.SIGTERM)  # its supervisor
    end = started.end()
    assert (end.exit_code, end.stopped, end.lost) == (None, "", "")


def test_a_worker_that_leaves_takes_no_result_with_it(
    executor: ClusterExecutor, engine: Threads
) -> None:
    started = Started(executor, HANGS)
    until(lambda: started.said.endswith("\n"), "its first word")
    engine.there.clear()
    assert started.end().lost == "its worker was lost"
    # The worker itself lives on here, cut off from the scheduler: its trial is a ghost, and ends.
    until(lambda: gone(int(started.said)), "the ghost's end")
    assert executor.room() is False


@pytest.fixture
def watchful(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crew, "WATCH_SECONDS", 0.05)


def kill_attendant() -> None:
    (attending,) = errand.attendants().values()
    attending.process.kill()
    attending.process.wait()


@pytest.mark.usefixtures("watchful")
def test_a_worker_whose_attendant_has_died_gets_another(
    executor: ClusterExecutor, engine: Threads
) -> None:
    engine.waits = 0.1
    for number in range(2 * crew.MOST_SILENT):
        kill_attendant()
        engine.answers.clear()
        assert "its attendant ended" in Started(executor, "", f"t{number}").end().lost
        assert not executor._crew.fitting()  # or trial after trial would be lost there
        engine.answers.set()
        until(executor._crew.fitting, "another attendant")
        if number == crew.MOST_SILENT - 1:  # a trial that ends shows that the worker can
            assert Started(executor, "", "ended").end().exit_code == 0
    # That can't go on for ever.
    kill_attendant()
    assert Started(executor, "", "last").end().lost
    with pytest.raises(ExecutorError, match="3 trials one after another were lost there"):
        until(executor.room, "a worker")


@pytest.mark.usefixtures("watchful")
def test_what_an_attendant_can_not_read_ends_it_for_no_other_trial(
    executor: ClusterExecutor,
) -> None:
    (before,) = errand.attendants().values()
    text = "import os, shutil\nshutil.rmtree(os.path.dirname(__file__))\n"
    assert "No such file" in Started(executor, text).end().lost
    until(executor._crew.fitting, "its word that it sees the folders")
    assert before.process.returncode == 0  # dismissed
    assert Started(executor, "", "t02").end().exit_code == 0


def test_a_scheduler_out_of_reach_gets_no_trial_until_it_answers(
    executor: ClusterExecutor, engine: Threads, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.gone = True
    assert "its worker was lost" in Started(executor, "print(1)").end().lost
    assert executor.room() is False  # or trial after trial would be lost
    engine.gone = False
    until(executor.room, "an answer")
    assert Started(executor, "print(1)", "t02").end().exit_code == 0
    engine.gone = True
    until(lambda: not executor.room(), "no answer")
    monkeypatch.setattr(crew, "SCHEDULER_SECONDS", 0.0)
    with pytest.raises(ExecutorError, match="no route") as error:
        executor.room()
    assert error.value.slug == "executor-scheduler"
    engine.gone = False


def test_leaving_ends_what_runs(tmp_path: Path, engine: Threads) -> None:
    with ClusterExecutor(engine, sharing(tmp_path)) as executor:
        started = Started(executor, HANGS)
        until(lambda: started.said.endswith("\n"), "its first word")
        home = Path(next(iter(errand.attendants().values())).home)
        assert home.exists()
    assert gone(int(started.said)) and engine.closed
    assert not errand.attendants() and not home.exists()
    assert not (tmp_path / "project" / "out" / "cluster").exists()


@pytest.mark.parametrize(
    ("changes", "slug", "words"),
    [
        ({"python": "/no/python"}, "executor-python", "/no/python"),
        ({"folders": (Path("/nowhere"),), "cwd": Path("/nowhere")}, "executor-python", "nowhere"),
    ],
)
def test_what_a_worker_lacks_is_said(
    tmp_path: Path, engine: Threads, changes: dict[str, Any], slug: str, words: str
) -> None:
    with pytest.raises(ExecutorError, match=words) as error:
        ClusterExecutor(engine, sharing(tmp_path, **changes))
    assert error.value.slug == slug and engine.closed


def test_a_worker_that_can_not_take_functions_is_said(tmp_path: Path) -> None:
    engine = Threads("w0", unfit="it runs Python 3.9")
    with pytest.raises(ExecutorError, match=r"worker w0: it runs Python 3\.9") as error:
        ClusterExecutor(engine, sharing(tmp_path))
    assert error.value.slug == "executor-worker"


def test_no_worker_at_all_is_said(tmp_path: Path) -> None:
    engine = Threads()
    engine.waits = 0.2
    with pytest.raises(ExecutorError) as error:
        ClusterExecutor(engine, sharing(tmp_path))
    assert error.value.slug == "executor-no-worker"


def test_an_attendant_ends_by_itself_when_the_host_is_silent(tmp_path: Path) -> None:
    """As when the host is killed, or cut off from the shared folder: nobody tells it."""
    shared = sharing(tmp_path)
    files = shared.output / "cluster"
    files.mkdir(parents=True)
    beat = lease.Beat(files / "lease")
    for kind in ("order", "alive"):
        (files / f"t01.{kind}").touch()
    settings = {
        "output": str(shared.output),
        "folders": [str(folder) for folder in shared.folders],
        "isolation": "in-place",
        "python": shared.python,
        "script": list(shared.script),
        "cwd": str(shared.cwd),
        "environ": dict(shared.environ),
        "same": [],
        "alive": "attendant.alive",
        "lease": 6.0,
    }

    def heard(condition: Callable[[], Any], what: str) -> None:
        """Wait for it, and be no silent host."""

        def look() -> Any:
            beat.beat()
            return condition()

        until(look, what)

    with concurrent.futures.ThreadPoolExecutor() as pool:
        try:
            survey = pool.submit(errand.survey, "silent", *shipping.archive(), settings)
            heard(survey.done, "what it says of the machine")
            assert survey.result()["isolation"] == "in-place"
            home = errand.attendants()["silent"].home
            order = {
                "trial": "t01",
                "argv": [sys.executable, "-c", HANGS],
                "guest": "",
                "env": {},
                "cwd": str(shared.cwd),
                "folders": settings["folders"],
                "log_folder": str(shared.output),
                "fixed_addresses": False,
                "load": False,
                "files": [],
            }
            answer = pool.submit(errand.carry_out, "silent", order)
            log = shared.output / "stdout.log"
            heard(lambda: log.exists() and log.read_text().endswith("\n"), "its first word")
            # From here on nobody beats.
            assert "lost" in answer.result(PATIENCE) and not os.path.exists(home)
            pid = int(log.read_text())
            assert not psutil.pid_exists(pid) or gone(pid)
            assert errand.carry_out("silent", order)["lost"]
        finally:
            errand.dismiss("silent")
    assert "started anew" in errand.carry_out("silent", {})["lost"]


def test_what_came_damaged_is_not_started(tmp_path: Path) -> None:
    archive, sha256 = shipping.archive()
    answer = errand.survey("damaged", archive[:-1] + b"x", sha256, {})
    assert answer["error"][0] == "executor-worker" and not errand.attendants()


def test_the_archive_is_the_same_each_time_and_holds_what_it_needs() -> None:
    assert shipping.archive() == shipping.archive()
    names = {path.relative_to(shipping.PACKAGE).as_posix() for path in shipping.files()}
    assert {"guest/__main__.py", "host/executors/supervisor.py", "host/processor.py"} <= names
    assert not any("cli" in name or "report" in name for name in names)


def test_paths_are_mapped_as_the_worker_has_them(tmp_path: Path) -> None:
    project = tmp_path / "project"
    for isolation, seen in (
        ("copy", Path("/rooms/t01/0/project/train.py")),
        ("overlay", project / "train.py"),
    ):
        seat = Seat("w0", told(isolation=isolation, rooms="/rooms"))
        place = Placed(seat, 0, (project,), project / "out")
        assert place.map_path("t01", project / "train.py") == seen
        assert place.map_path("t01", project / "out" / "x") == project / "out" / "x"


def test_where_gpus_are_named_here_trials_that_must_wait_are_said(tmp_path: Path) -> None:
    worker = told("a", gpus=A100, driver="550")
    shared = sharing(tmp_path, environ={"CUDA_VISIBLE_DEVICES": "0"})
    with ClusterExecutor(Saying(w0=worker, w1=worker), shared) as executor:
        assert "one at a time" in executor.warning
        assert executor.room() and executor.place("t01").gpus(shared.environ)
        assert not executor.room()


@pytest.mark.parametrize(
    ("given", "environ", "seen"),
    [
        ({"gpu": "GPU-ab"}, {}, ("GPU-ab",)),
        ({"allotted": "1"}, {}, ("GPU-ab",)),
        ({"gpu": "GPU-ab"}, {"CUDA_VISIBLE_DEVICES": "-1"}, ()),
        ({"allotted": "1"}, {"CUDA_VISIBLE_DEVICES": "1,0"}, ("GPU-ab", "GPU-aa")),
        ({"allotted": "MIG-9"}, {}, ()),
    ],
)
def test_which_gpus_a_trial_sees(
    given: dict[str, str], environ: dict[str, str], seen: tuple[str, ...]
) -> None:
    allotted = {"CUDA_VISIBLE_DEVICES": given["allotted"]} if "allotted" in given else {}
    seat = Seat("w0", told(gpus=A100, driver="550", allotted=allotted), gpu=given.get("gpu", ""))
    place = Placed(seat, 0, (), Path("/out"))
    assert place.gpus(environ) == tuple((uuid, "A100") for uuid in seen)
