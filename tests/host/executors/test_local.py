"""How trials start and end, and that nothing of them outlives the executor."""

from __future__ import annotations

import ast
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import psutil
import pytest

from nondet.host import machine, scratch
from nondet.host.executors.choice import SUPERVISOR
from nondet.host.executors.interface import ExecutorError
from nondet.host.executors.mountpoint import MountPoint
from nondet.host.executors.running import LocalRunning, kill_related
from tests.command.running import MARK, marked
from tests.host.executors.trying import Trying, ended, gone, trying, until

FAMILY = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
def note(name):
    path = os.environ["RUNTIME"] + "/" + name
    with open(path + ".new", "w") as file: file.write(str(os.getpid()))
    os.rename(path + ".new", path)
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        note("daemon")
        time.sleep(600)
    os._exit(0)
if os.fork() == 0:
    note("child")
    time.sleep(600)
# Where the trial ends here, they are ended soon: on a busy machine, before they had noted anything.
while not all(os.path.exists(os.environ["RUNTIME"] + name) for name in ("/daemon", "/child")):
    time.sleep(0.01)
note("main")
"""


@pytest.fixture(params=["overlay", "copy", "in-place"])
def one(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Trying]:
    with trying(tmp_path, request.param) as one:
        yield one


@pytest.fixture
def plain(tmp_path: Path) -> Iterator[Trying]:
    """Where isolation does not matter."""
    with trying(tmp_path, "in-place") as one:
        yield one


def family(output: Path) -> list[int]:
    """Process ids that FAMILY noted, once all are there."""
    names = [output / name for name in ("main", "child", "daemon")]
    until(lambda: all(name.exists() for name in names), "the family")
    return [int(name.read_text()) for name in names]


def all_gone(pids: list[int]) -> None:
    until(lambda: all(gone(pid) for pid in pids), f"the end of {pids}")


def mounts(folder: Path) -> list[str]:
    """Mount points below a folder."""
    path = Path("/proc/self/mountinfo")
    points = [line.split()[4] for line in path.read_text().splitlines()] if path.exists() else []
    return [point for point in points if point.startswith(str(folder))]


def children(before: Iterable[psutil.Process] = ()) -> list[psutil.Process]:
    """Of this process, without those there were before."""
    return [p for p in psutil.Process().children() if p not in set(before)]


@pytest.mark.parametrize(
    ("script", "code"),
    [
        ("", 0),
        ("raise SystemExit(3)", 3),
        ("import os; os.kill(os.getpid(), 9)", -9),
        ("import os; os.abort()", -6),
    ],
)
def test_exit_codes(plain: Trying, script: str, code: int) -> None:
    end = plain.run(script)
    assert (end.exit_code, end.stopped, end.left_running) == (code, "", 0)


@pytest.mark.parametrize("order", [(1, 2), (2, 1)])
def test_much_output(plain: Trying, order: tuple[int, int]) -> None:
    end = plain.run(
        f"import os\nfor n in {order}:\n for _ in range(2048): os.write(n, b'x' * 1024)"
    )
    assert end.exit_code == 0
    assert [len(plain.said(name)) for name in ("stdout.log", "stderr.log")] == [2**21, 2**21]


def test_what_a_process_starts_with(one: Trying) -> None:
    script = (
        "import os, signal, sys\n"
        "print(dict(os.environb))\n"
        "print(sorted(n for n in range(256) if os.path.exists(f'/dev/fd/{n}'))[:4])\n"
        "print(repr(sys.stdin.read()), os.getpid() == os.getpgid(0), os.umask(0))\n"
        "print([s for s in (1, 2, 10, 15, 17) if signal.getsignal(s) not in\n"
        "      (signal.SIG_DFL, signal.default_int_handler)], signal.pthread_sigmask(0, ()))\n"
    )
    env = {"A": "ü \n=", "LC_ALL": "C.UTF-8", "RUNTIME": str(one.executor.runtime)}
    mask = os.umask(0o27)
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        end = one.run(script, env=env)
    finally:
        os.umask(mask)
        signal.signal(signal.SIGHUP, before)
    said = one.said().splitlines()
    assert end.exit_code == 0
    assert ast.literal_eval(said[0]) == {
        os.fsencode(name): os.fsencode(text) for name, text in env.items()
    }
    assert said[1:] == ["[0, 1, 2]", f"'' True {0o27}", "[] set()"]


def test_peak_memory(plain: Trying) -> None:
    small = plain.run("").peak_memory
    large = plain.run("x = bytearray(b'1') * 100_000_000").peak_memory
    assert small is not None and large is not None
    assert 90e6 < large - small < 130e6


def test_an_interpreter_that_is_none(one: Trying) -> None:
    for program in ("/nowhere/python", str(one.project)):
        with pytest.raises(ExecutorError) as caught:
            one.start("", argv=(program, "x"))
        assert caught.value.slug == "not-executable"
        assert program in caught.value.message
    assert one.run("").exit_code == 0


def test_other_folders_are_refused(plain: Trying, tmp_path: Path) -> None:
    with pytest.raises(ExecutorError) as caught:
        plain.start("", folders=(tmp_path,))
    assert caught.value.slug == "folder-not-protected"
    with pytest.raises(ExecutorError) as caught:
        plain.start("", leftovers=tmp_path)
    assert caught.value.slug == "leftovers-gone"


def test_daemons_end_with_the_trial(one: Trying) -> None:
    running = one.start(FAMILY)
    pids = family(one.output)
    end = ended(running)
    assert (end.exit_code, end.left_running) == (0, 2)
    all_gone(pids)


def test_stop_ends_everything(one: Trying) -> None:
    running = one.start(FAMILY + "time.sleep(600)")
    pids = family(one.output)
    assert running.poll() is None
    running.stop("first difference", grace=0.05)
    running.stop("again")
    end = ended(running)
    assert (end.exit_code, end.stopped) == (-9, "first difference")
    all_gone(pids)


def test_stop_asks_first(plain: Trying) -> None:
    running = plain.start(
        "import signal, sys, time\n"
        "signal.signal(15, lambda *_: sys.exit(7))\nprint('set', flush=True)\ntime.sleep(600)"
    )
    until(lambda: "set" in plain.said(), "the handler")
    running.stop("enough", grace=30.0)
    assert ended(running).exit_code == 7


def test_stop_after_the_end_changes_nothing(plain: Trying) -> None:
    running = plain.start("")
    until(lambda: gone(running.supervisor), "the supervisor's end")
    running.stop("late")
    end = ended(running)
    assert (end.exit_code, end.stopped) == (0, "")


QUIET_END = """
import os, signal, sys, time
def end(*_):
    print("ended", flush=True)
    os._exit(0)
signal.signal(signal.SIGTERM, end)
print("set", flush=True)
time.sleep(600)
"""
"""Of a script that takes SIGTERM for a reason to end in order."""


def hung(running: LocalRunning) -> int:
    """The process id of its supervisor, which takes in nothing from now on."""
    pid = running.supervisor
    os.kill(pid, signal.SIGSTOP)
    until(lambda: psutil.Process(pid).status() == psutil.STATUS_STOPPED, "its supervisor's halt")
    return pid


def test_an_order_that_comes_with_the_end_changes_nothing(plain: Trying) -> None:
    running = plain.start(QUIET_END)
    until(lambda: "set" in plain.said(), "the handler")
    supervisor = hung(running)
    (trial,) = psutil.Process(supervisor).children()
    trial.terminate()
    until(lambda: gone(trial.pid), "the trial's end")
    running.stop("late")
    os.kill(supervisor, signal.SIGCONT)
    end = ended(running)
    assert (end.exit_code, end.stopped) == (0, "")


@pytest.mark.parametrize("together", [False, True])
def test_an_end_that_somebody_else_ordered_is_not_the_trial_s_own(
    plain: Trying, together: bool
) -> None:
    """`together`: the trial got that signal as well, and the supervisor hears of both at once."""
    running = plain.start(QUIET_END)
    until(lambda: "set" in plain.said(), "the handler")
    if together:
        supervisor = hung(running)
        (trial,) = psutil.Process(supervisor).children()
        trial.terminate()
        until(lambda: gone(trial.pid), "the trial's end")
        os.kill(supervisor, signal.SIGTERM)
        os.kill(supervisor, signal.SIGCONT)
    else:
        os.kill(running.supervisor, signal.SIGTERM)
    end = ended(running)
    assert (end.exit_code, end.stopped) == (None, "")


@pytest.mark.parametrize("isolation", ["overlay", "in-place"])
def test_a_lost_supervisor(tmp_path: Path, isolation: str) -> None:
    with trying(tmp_path, isolation) as one:  # type: ignore[arg-type]
        running = one.start(FAMILY + "time.sleep(600)")
        main, child, daemon = family(one.output)
        os.kill(running.supervisor, signal.SIGKILL)
        assert ended(running).exit_code is None
        # Without mounts of their own, nothing tells whose daemons in other sessions were.
        all_gone([main, child] + [daemon] * (isolation == "overlay"))
        if not gone(daemon):
            os.kill(daemon, signal.SIGKILL)


def test_only_its_own_are_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel names the mounts of new trials as those were named that nobody has any more."""
    with trying(tmp_path, "overlay") as one:
        lost = one.start("import time; time.sleep(600)")
        its = [child.pid for child in psutil.Process(lost.supervisor).children(recursive=True)]
        assert its
        others: list[LocalRunning] = []

        def once_nobody_is_left(session: int | None, namespace: str) -> None:
            all_gone(its)
            if not others:
                others.extend(one.start("import time; time.sleep(1)") for _ in range(3))
            kill_related(session, namespace)

        monkeypatch.setattr("nondet.host.executors.running.kill_related", once_nobody_is_left)
        os.kill(lost.supervisor, signal.SIGKILL)
        assert ended(lost).exit_code is None
        assert [ended(other).exit_code for other in others] == [0, 0, 0]


def test_a_supervisor_that_hangs(plain: Trying, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nondet.host.executors.running.STOP_LIMIT", 0.1)
    running = plain.start(FAMILY + "time.sleep(600)")
    pids = family(plain.output)
    os.kill(running.supervisor, signal.SIGSTOP)
    running.stop("enough", grace=0.0)
    end = ended(running)
    assert (end.exit_code, end.stopped) == (None, "enough")
    all_gone(pids)


def test_close_ends_what_runs(one: Trying) -> None:
    one.start(FAMILY + "time.sleep(600)")
    pids = family(one.output)
    one.executor.close()
    all_gone(pids)


HOST = """
import sys, time
from pathlib import Path
sys.path.insert(0, {root!r})
from tests.command.running import MARK, marked
from tests.host.executors.trying import Trying
from tests.host.executors.test_local import FAMILY
one = Trying(Path({base!r}), {isolation!r})
one.start(FAMILY + "time.sleep(600)")
time.sleep(600)
"""


@pytest.mark.parametrize("isolation", ["auto", "in-place"])
def test_the_host_is_killed(
    tmp_path: Path, isolation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    root = str(Path(__file__).parents[3])
    base = tmp_path / "base"
    base.mkdir()
    text = HOST.format(root=root, base=str(base), isolation=isolation)
    with subprocess.Popen([sys.executable, "-c", text]) as host:
        pids = family(base / "project" / "nondet-report")
        supervisors = [process.pid for process in psutil.Process(host.pid).children()]
        host.kill()
    all_gone(pids + supervisors)
    assert list(tmp_path.glob("nondet-*"))
    # As the next host does.
    scratch.sweep(tmp_path)
    MountPoint(tmp_path).close()
    assert not list(tmp_path.glob("nondet-*"))


def test_nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    before = children()
    with trying(tmp_path, "auto") as one:
        for number in range(10):
            one.run("open('file', 'w').close()", keep_leftovers=number % 2 == 0)
        for _ in range(10):
            one.start("import time; time.sleep(600)")
    assert not list(tmp_path.glob("nondet-*"))
    assert mounts(tmp_path) == []
    assert sorted(os.listdir(one.project)) in (["nondet-report"], ["file", "nondet-report"])
    assert children(before) == []


@pytest.mark.skipif(sys.platform != "linux", reason="addresses are fixed on Linux only")
@pytest.mark.parametrize("fixed", [True, False])
def test_addresses_are_fixed_where_that_is_asked_for(plain: Trying, fixed: bool) -> None:
    if fixed and not machine.can_fix_addresses():
        pytest.skip("the system does not let a process do without address space randomisation")
    seen = set()
    for _ in range(4):
        plain.run("import ctypes\nprint(id(ctypes), id(type))", fixed_addresses=fixed)
        seen.add(plain.said())
    assert (len(seen) == 1) == fixed


LOADED = """
import os, sys, time
def others():
    with open("/proc/self/stat") as file:
        supervisor = file.read().rpartition(")")[2].split()[1]
    with open(f"/proc/{supervisor}/task/{supervisor}/children") as file:
        return [int(pid) for pid in file.read().split() if int(pid) != os.getpid()]
def worked(pid):
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return int(fields[11]), fields[16]
busy = others()
while not all(worked(pid)[0] > 5 for pid in busy):
    time.sleep(0.01)
print(len(busy), *[worked(pid)[1] for pid in busy], *busy, flush=True)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads processes from /proc")
@pytest.mark.parametrize(
    "end", ["", "time.sleep(600)", "os.kill(os.getppid(), 9); time.sleep(600)"]
)
def test_load_ends_with_the_trial_and_is_no_part_of_it(plain: Trying, end: str) -> None:
    running = plain.start(LOADED + end, load=2)
    until(lambda: plain.said().endswith("\n"), "the load")
    if end == "time.sleep(600)":
        running.stop("enough")
    result = ended(running)
    count, nice, other, *busy = map(int, plain.said().split())
    assert count == 2 and nice == other == os.nice(0)
    all_gone(busy)
    assert result.left_running == 0
    assert (result.exit_code == 0) == (end == "")


def test_load_ends_when_the_trial_cannot_start(
    plain: Trying, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(MARK, str(tmp_path))
    with pytest.raises(ExecutorError):
        plain.start("", argv=("/no/such/program",), load=1)
    until(lambda: not marked(str(tmp_path)), "the end of the load")


def test_a_supervisor_that_is_killed_before_the_trial_begins_is_started_again(
    plain: Trying, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    once = tmp_path / "once"
    killed = f'[ -e "{once}" ] && exec "$@"; touch "{once}"; kill -9 $$'
    monkeypatch.setattr(
        "nondet.host.executors.running.SUPERVISOR", ["sh", "-c", killed, "sh", *SUPERVISOR]
    )
    assert plain.run("print(1)").exit_code == 0
    assert once.exists()


def test_a_supervisor_that_is_always_killed_is_told(
    plain: Trying, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nondet.host.executors.running.SUPERVISOR", ["sh", "-c", "kill -9 $$"])
    with pytest.raises(ExecutorError, match="its supervisor was killed"):
        plain.start("print(1)")
