"""Entropy, clock and process identity: seen at the user's line, and the same in pinned trials."""

from __future__ import annotations

import os
import re
import shutil
import socket
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import pytest

from tests.guest.running import Shown, guided, plain

KINDS = ("os-entropy", "clock", "process-identity")
ENTROPY = """
    import os, random, secrets, uuid
    print(os.urandom(8).hex(), os.getrandom(8).hex())
    print(uuid.uuid4())
    print(secrets.token_hex(8), secrets.choice(range(10**9)))
    print(random.SystemRandom().random())
    print(open("/dev/urandom", "rb").read(8).hex())
    from pathlib import Path
    print(Path("/dev/urandom").open("rb", buffering=0).read(8).hex())
    print(os.read(os.open("/dev/urandom", os.O_RDONLY), 8).hex())
"""
CLOCK = """
    import datetime, time, uuid
    from time import time as now
    print(time.time(), time.time_ns(), now())
    print(time.monotonic(), time.perf_counter_ns(), time.process_time(), time.thread_time_ns())
    print(time.clock_gettime(time.CLOCK_REALTIME))
    print(time.ctime(), time.asctime(), time.strftime("%c"), time.localtime(), time.gmtime())
    print(datetime.datetime.now().isoformat(), datetime.datetime.now(datetime.timezone.utc))
    print(datetime.datetime.today().isoformat(), datetime.date.today())
    print(uuid.uuid1())
"""
IDENTITY = """
    import os, platform, socket, tempfile
    print(os.getpid(), os.getppid())
    print(socket.gethostname(), platform.node(), platform.uname().node, os.uname()[1])
    print([os.path.basename(tempfile.mkdtemp(dir=".")) for _ in range(3)])
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "project"
    place.mkdir()
    return place


def trial(
    folder: Path, script: str, arm: str, names: tuple[str, ...] = KINDS, **more: Any
) -> Shown:
    """Run a script in an empty folder with these factors in that arm."""
    for path in folder.iterdir():
        path.unlink() if path.is_file() else path.rmdir()
    (folder / "script.py").write_text(textwrap.dedent(script))
    shown = guided(folder, "script.py", arms=dict.fromkeys(names, arm), **more)
    assert shown.code == 0, shown.err
    assert not shown.of("guest-error")
    return shown


def seen(shown: Shown, factor: str) -> dict[str, tuple[Any, int | None]]:
    """What the trial tells of a factor: detail to (unseeded, line)."""
    return {
        e["detail"]: (e["unseeded"], e["site"] and e["site"]["line"])
        for e in shown.of("exercised")
        if e["factor"] == factor
    }


def interpreter(version: str) -> str:
    """A Python of that version: pyenv's, or one on PATH."""
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    installed = sorted(root.glob(f"versions/{version}.*/bin/python"))
    found = str(installed[-1]) if installed else shutil.which(f"python{version}")
    if found is None:
        pytest.skip(f"no Python {version} here: neither of pyenv's nor on PATH")
    return found


def read_back(shown: Shown, factor: str) -> int:
    """How many pins of a factor were read back; all of them took."""
    pins = [e for e in shown.of("pin") if e["factor"] == factor]
    assert all(pin["ok"] for pin in pins), pins
    return len(pins)


@pytest.mark.parametrize(
    ("factor", "script", "pins"),
    [("os-entropy", ENTROPY, 4), ("clock", CLOCK, 2), ("process-identity", IDENTITY, 5)],
)
def test_every_line_is_another_when_free_and_the_same_when_pinned(
    folder: Path, factor: str, script: str, pins: int
) -> None:
    free, again = (trial(folder, script, "free", (factor,)).out.splitlines() for _ in range(2))
    pinned = [trial(folder, script, "pinned", (factor,)) for _ in range(2)]
    assert pinned[0].out == pinned[1].out
    # The host's name is the same on one machine, and calendar lines within a second or a day.
    same = {line for line in set(free) & set(again) if "20" not in line}
    assert all(socket.gethostname() in line for line in same)
    if socket.gethostname() == "localhost":  # as all are called in pinned trials
        free = [line for line in free if "localhost" not in line]
    assert not set(free) & set(pinned[0].out.splitlines())
    assert read_back(pinned[0], factor) == pins
    assert read_back(pinned[1], factor) == pins


@pytest.mark.parametrize("version", ["3.7", "3.8", "3.9", "3.10", "3.12", "3.13"])
def test_it_holds_on_other_pythons(folder: Path, version: str) -> None:
    script = ENTROPY + CLOCK + IDENTITY
    if version == "3.7":
        # It can't make a file in memory, so it does not hold the device.
        script = re.sub(r"print\((?=.*/dev/urandom)", "(", script)
    shown = [trial(folder, script, "pinned", python=interpreter(version)) for _ in range(2)]
    assert shown[0].out == shown[1].out
    entropy = 2 if version == "3.7" else 4
    assert [read_back(shown[0], name) for name in KINDS] == [entropy, 2, 5]


def test_uses_are_leads_at_the_users_line(folder: Path) -> None:
    script = ENTROPY + CLOCK + IDENTITY
    shown = trial(folder, script, "free")
    lines = textwrap.dedent(script).splitlines()
    for factor, details in {
        "os-entropy": ("os.urandom", "uuid.uuid4", "secrets.token_hex", "reading /dev/urandom"),
        "clock": ("time.time", "time.strftime", "datetime.now", "uuid.uuid1"),
        "process-identity": ("os.getpid", "os.getppid", "tempfile.mkdtemp"),
    }.items():
        found = seen(shown, factor)
        for detail in details:
            unseeded, line = found[detail]
            assert unseeded is None and line is not None
            if factor != "os-entropy" or "reading" not in detail:
                assert detail.split(".")[1] in lines[line - 1]
    assert seen(shown, "process-identity")["socket.gethostname"][0] is False


def test_a_device_that_is_opened_below_open_is_not_told_as_held(folder: Path) -> None:
    script = """
        import io, os
        print(io.FileIO("/dev/urandom").read(8).hex())
    """
    shown = [trial(folder, script, "pinned", ("os-entropy",)) for _ in range(2)]
    assert shown[0].out != shown[1].out
    assert seen(shown[0], "os-entropy") == {}
    assert seen(shown[0], "unknown") == {"reading /dev/urandom, which is not held": (None, 3)}
    free = trial(folder, script, "free", ("os-entropy",))
    assert seen(free, "os-entropy") == {"reading /dev/urandom": (None, 3)}


@pytest.mark.parametrize("arm", ["pinned", "varied"])
def test_threads_keep_the_ids_that_all_else_knows_them_by(folder: Path, arm: str) -> None:
    script = """
        import signal, sys, threading
        main, ident = threading.main_thread(), threading.get_ident()
        print(main.ident == ident, main.native_id == threading.get_native_id())
        print(sys._current_frames()[ident] is sys._getframe())
        signal.signal(signal.SIGUSR1, lambda *_: print("told"))
        signal.pthread_kill(ident, signal.SIGUSR1)
    """
    shown = trial(folder, script, arm)
    assert shown.out == "True True\nTrue\ntold\n"
    # Where a thread's memory lies is an address, and held as such; the other is not held.
    assert seen(shown, "addresses") == {"threading.get_ident": (None, 3)}
    assert seen(shown, "process-identity") == {}
    assert seen(shown, "unknown") == {"threading.get_native_id, which is not held": (None, 4)}
    free = trial(folder, script, "free")
    assert seen(free, "process-identity") == {"threading.get_native_id": (None, 4)}


def test_what_others_ask_for_themselves_is_real_and_not_noted(folder: Path) -> None:
    """The standard library's own needs, NumPy's generators, and libraries reading the clock."""
    script = """
        import concurrent.futures, logging, multiprocessing, queue, subprocess, sys, threading
        import tempfile, numpy as np
        import library
        np.random.default_rng()
        print(multiprocessing.current_process().authkey.hex())
        print(logging.LogRecord("a", 0, "b", 0, "c", (), None).process)
        logging.warning("timed %s", 1)
        with tempfile.TemporaryFile():
            pass
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            print(sorted(pool.map(abs, [-1, 2])))
        try:
            queue.Queue().get(timeout=0.05)
        except queue.Empty:
            print("empty")
        print(threading.Event().wait(0.05), flush=True)  # before the child says something
        print(subprocess.run([sys.executable, "-c", "print(1)"], timeout=30).returncode)
        print(library.TIME, library.clock())
    """
    (folder.parent / "site-packages").mkdir()
    (folder.parent / "site-packages" / "library.py").write_text(
        "import os, time\nTIME = os.urandom(4).hex()\ndef clock():\n    return time.time()\n"
    )
    environ = {"PYTHONPATH": str(folder.parent / "site-packages")}
    shown = [trial(folder, script, "pinned", environ=environ) for _ in range(2)]
    outs = [one.out.splitlines() for one in shown]
    for line in (0, 1, -1):
        assert outs[0][line] != outs[1][line]
    assert outs[0][2:-1] == outs[1][2:-1] == ["[1, 2]", "empty", "False", "1", "0"]
    assert not any(seen(shown[0], name) for name in KINDS)


def test_a_librarys_draw_for_the_user_is_pinned_at_the_users_line(folder: Path) -> None:
    library = folder.parent / "site-packages"
    library.mkdir()
    (library / "library.py").write_text("import os\ndef token():\n    return os.urandom(4).hex()\n")
    script = "import library\nprint(library.token())\n"
    environ = {"PYTHONPATH": str(library)}
    shown = [trial(folder, script, "pinned", environ=environ) for _ in range(2)]
    assert shown[0].out == shown[1].out
    assert seen(shown[0], "os-entropy") == {"os.urandom": (None, 2)}


def test_call_sites_have_streams_of_their_own(folder: Path) -> None:
    """Another draw at one line does not shift those at another; a fork shifts nothing."""
    script = """
        import os, sys
        first = [os.urandom(4).hex() for _ in range({})]
        print(os.urandom(4).hex())
        if os.fork() == 0:
            print("child", os.urandom(4).hex())
            sys.stdout.flush()
            os._exit(0)
        os.wait()
        print("parent", os.urandom(4).hex())
    """
    one, three = (trial(folder, script.format(n), "pinned").out for n in (1, 3))
    assert one == three
    assert len(set(re.findall(r"[0-9a-f]{8}", one))) == 3


def test_varied_trials_differ_from_pinned_ones(folder: Path) -> None:
    script = """
        import os, socket, time
        print(os.urandom(8).hex())
        print(os.getpid())
        print(socket.gethostname())
        print(time.time(), time.mktime(time.localtime()))
    """

    def varied() -> tuple[list[str], int]:
        """What it prints but for the times, and by how many hours these are shifted."""
        before = time.time()
        *lines, last = trial(folder, script, "varied").out.splitlines()
        after = time.time()
        clock, calendar = map(float, last.split())
        hours = round((clock - before) / 3600)
        # The calendar has whole seconds.
        assert before + 3600 * hours <= clock < calendar + 1 <= after + 3600 * hours + 1
        assert last not in pinned
        return lines, hours

    pinned = trial(folder, script, "pinned").out.splitlines()
    lines, shift = varied()
    assert not set(pinned) & set(lines)
    assert shift > 0
    # All that differs from run to run is the real time that is shifted.
    assert varied() == (lines, shift)


NO_RESOLVER = """
import socket
NAMES = ("gethostbyname", "gethostbyname_ex", "getaddrinfo")
def know(real):
    for name in NAMES:
        setattr(socket, name, lambda host, *_: host == real)
know(socket.gethostname())
"""


@pytest.mark.parametrize("arm", ["pinned", "varied"])
def test_the_system_is_asked_about_the_machine_by_its_own_name(folder: Path, arm: str) -> None:
    """Which is not always one that it can resolve."""
    script = """
        import sitecustomize, socket
        host = socket.gethostname()
        print([getattr(socket, name)(host, 80) for name in sitecustomize.NAMES])
        print([getattr(socket, name)("elsewhere", 80) for name in sitecustomize.NAMES])
    """
    library = folder.parent / "site-packages"
    library.mkdir()
    (library / "sitecustomize.py").write_text(NO_RESOLVER)
    shown = trial(folder, script, arm, environ={"PYTHONPATH": str(library)})
    assert shown.out == "[True, True, True]\n[False, False, False]\n"
    assert list(seen(shown, "process-identity")) == ["socket.gethostname"]


def test_loops_on_the_pinned_clock_end_after_as_many_readings(folder: Path) -> None:
    script = """
        import time
        def readings(seconds):
            start, count = time.monotonic(), 0
            while time.monotonic() - start < seconds:
                count += 1
            return count
        print(readings(0.1), readings(60), readings(3600), readings(36000))
        time.sleep(0.05)
        start = time.perf_counter_ns()
        time.sleep(0.05)
        print(time.perf_counter_ns() - start)
    """
    shown = [trial(folder, script, "pinned", ("clock",)).out for _ in range(2)]
    assert shown[0] == shown[1]
    counts, slept = shown[0].splitlines()
    assert all(count < 5000 for count in map(int, counts.split()))
    # A sleep counts for what it is, and steps are short again after it.
    assert 50_000_000 < int(slept) < 53_000_000


def test_sleeping_really_sleeps(folder: Path) -> None:
    script = """
        import os, time
        before = os.times().elapsed
        time.sleep(0.3)
        print(os.times().elapsed - before > 0.25)
    """
    assert trial(folder, script, "pinned", ("clock",)).out == "True\n"


def test_the_system_takes_a_stand_in_for_the_process(folder: Path) -> None:
    script = """
        import os, psutil, signal, sys
        signal.signal(signal.SIGUSR1, lambda *_: print("told"))
        os.kill(os.getpid(), signal.SIGUSR1)
        pid = os.getpid()
        print(os.getpgid(pid) == os.getpgid(0), os.sched_getaffinity(pid) != set())
        print(psutil.Process(pid).pid == psutil.Process().pid, psutil.pid_exists(pid))
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.write(writing, b"%d %d" % (os.getpid(), os.getppid()))
            signal.pause()
        number, parent = map(int, os.read(reading, 99).split())
        os.kill(number, signal.SIGKILL)
        print(os.waitpid(number, 0)[0] == child, parent == os.getpid(), number - parent)
    """
    assert trial(folder, script, "pinned").out == "told\nTrue True\nTrue True\nTrue True 1\n"


def test_temporary_names_are_in_order_beside_what_others_left(folder: Path) -> None:
    script = """
        import os, tempfile
        made = [tempfile.mkstemp(dir=".")[1] for _ in range(3)]
        again = [os.path.basename(path) for path in made]
        os.unlink(made[0])
        os.unlink(made[2])
        for _ in range(3):
            again.append(os.path.basename(tempfile.mkstemp(dir=".")[1]))
        tempfile._name_sequence = None
        print(again == sorted(again), len(set(again)), again[0])
    """
    first = trial(folder, script, "pinned").out
    assert first.startswith("True 6")
    left = first.split()[2]
    (folder / "script.py").write_text(f"open({left!r}, 'w')\n" + textwrap.dedent(script))
    shown = guided(folder, "script.py", arms={"process-identity": "pinned"})
    assert shown.out.startswith("True 6") and left not in shown.out


VISIBLE = """
    import datetime, functools, os, pickle, time, types, uuid, warnings
    warnings.simplefilter("always")
    class Uses:
        clock = time.time
        now = datetime.datetime.now
    print(Uses().clock() > 0, Uses().now().year > 2000)
    print(pickle.loads(pickle.dumps(time.time)) is time.time, functools.partial(os.getpid)() > 0)
    print(pickle.loads(pickle.dumps(datetime.datetime(2020, 1, 1))), datetime.datetime.now.__name__)
    class Mine(datetime.datetime):
        pass
    print(type(Mine.now()).__name__, isinstance(datetime.datetime.now(), datetime.datetime))
    print(type(datetime.datetime.now), datetime.datetime.now.__self__, Mine.utcnow.__self__)
    datetime.datetime.utcnow()
    print(time.localtime(0)[:3], time.strftime("%Y", (2001,) + (1,) * 8))
    print(time.gmtime(None)[0] > 2000)
    for wrong in (lambda: time.time(1), lambda: os.urandom(-1), lambda: os.urandom("a")):
        try:
            wrong()
        except Exception as error:
            print(type(error).__name__, error)
    print(uuid.uuid1().version, uuid.UUID(int=5))
    import sys
    print([n for n in ("ctypes", "gc", "random", "uuid", "socket", "platform") if n in sys.modules])
"""


def test_a_free_trial_shows_what_the_plain_script_shows(folder: Path) -> None:
    (folder / "script.py").write_text(textwrap.dedent(VISIBLE))
    ours, bare = guided(folder, "script.py"), plain(folder, "script.py")
    assert ours.visible == bare.visible


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="addresses are held on Linux only")
def test_addresses_that_are_not_fixed_are_found_out(folder: Path) -> None:
    """The supervisor asks for them; here nobody did."""
    shown = trial(folder, "print(id(0) > 0)\n", "pinned", ("addresses",))
    (pin,) = shown.of("pin")
    assert not pin["ok"] and pin["seen"] == [False, False, False]
    assert seen(shown, "addresses") == {"id()": (None, 1)}


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="addresses are held on Linux only")
def test_sets_of_objects_repeat_at_fixed_addresses(folder: Path) -> None:
    script = """
        import json, decimal, email, threading
        class Sample:
            pass
        samples = [Sample() for _ in range(200)]
        print([samples.index(one) for one in set(samples)], threading.get_ident())
    """
    (folder / "script.py").write_text(textwrap.dedent(script))
    import ctypes

    libc = ctypes.CDLL(None)
    # Whoever started this process may have done without it, and it is inherited.
    before = libc.personality(ctypes.c_ulong(0xFFFFFFFF)) & ~0x0040000
    if libc.personality(ctypes.c_ulong(before | 0x0040000)) == -1:
        pytest.skip("the system does not let a process do without address space randomisation")
    try:
        environ = {"PYTHONHASHSEED": "0"}
        arms = {"addresses": "pinned"}
        shown = [guided(folder, "script.py", arms=arms, environ=environ) for _ in range(4)]
    finally:
        libc.personality(ctypes.c_ulong(before))
    assert all(read_back(one, "addresses") == 1 for one in shown)
    assert len({one.out for one in shown}) == 1
    # Pages are what is moved, so that few bits of the order are by chance: four runs are equal in
    # one case of sixty.
    assert len({plain(folder, "script.py").out for _ in range(16)}) > 1


def test_a_forked_child_is_no_trial(folder: Path) -> None:
    """Events come from the trial's own process, whatever ids the script sees."""
    script = """
        import os
        if os.fork() == 0:
            os.urandom(1)
            os._exit(0)
        os.wait()
    """
    assert seen(trial(folder, script, "pinned"), "os-entropy") == {}


def test_what_scikit_learn_names_its_fits_by_is_no_lead(tmp_path: Path) -> None:
    folder = tmp_path / "subject"
    folder.mkdir()
    (folder / "train.py").write_text(
        "import uuid\n"
        "from sklearn.preprocessing import StandardScaler\n"
        "StandardScaler().fit([[0.0], [1.0]])\n"
        "print(uuid.uuid4().version)\n"
    )
    seen = guided(folder, "train.py")
    assert seen.code == 0, seen.err
    lines = {e["site"]["line"] for e in seen.of("exercised") if e["factor"] == "os-entropy"}
    assert lines == {4}
