"""Starts one trial and sees to its end. A program of its own, standard library only.

Its order comes as one JSON line on stdin, which then stays open: a line `stop SECONDS` ends the
trial, end of file means that the host is gone. Its answers are JSON lines on stdout: `ready` when
the trial's program runs, `result` when nothing of the trial is alive, or `error`.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import signal
import sys
import time
import traceback

TYPE_CHECKING = False  # importing typing would make every trial start later
if TYPE_CHECKING:
    from typing import Any, NoReturn

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
ADDR_NO_RANDOMIZE, PERSONALITY_NOW = 0x0040000, 0xFFFFFFFF
CLONE_NEWNS, CLONE_NEWUSER = 0x00020000, 0x10000000
MS_BIND, MS_REC, MS_PRIVATE = 4096, 16384, 1 << 18
DAEMON_GRACE = 0.5
"""Seconds that processes outliving the trial's main one have to end by themselves."""
KILL_LIMIT = 10.0
"""Seconds after which a process that survives SIGKILL (stuck in a driver) is given up."""
ENDING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
LINUX = sys.platform == "linux"


def answer(**message: Any) -> None:
    """One line to the host. A host that is gone is noticed elsewhere."""
    with contextlib.suppress(OSError):
        os.write(1, json.dumps(message).encode() + b"\n")


def described(error: OSError) -> list[Any]:
    """Enough to make it again elsewhere; the last is the file or step that failed."""
    return [error.errno, error.strerror, str(error.filename or "set-up")]


def libc(function: str, *args: Any) -> None:
    """Call the C library, which sets errno."""
    library = ctypes.CDLL(None, use_errno=True)
    if getattr(library, function)(*args) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), function)


def mount(source: str, target: str, kind: str, flags: int, options: str = "") -> None:
    data = options.encode() if options else None
    paths = (os.fsencode(source), os.fsencode(target), kind.encode())
    try:
        libc("mount", *paths, ctypes.c_ulong(flags), data)
    except OSError as error:
        step = f"mount {kind or 'bind'} on {target}"
        raise OSError(error.errno, error.strerror, step) from None


def fix_addresses() -> None:
    """Do without address space randomisation. Where that is refused, the guest finds it out."""
    library = ctypes.CDLL(None)
    now = library.personality(ctypes.c_ulong(PERSONALITY_NOW))
    if now != -1:
        library.personality(ctypes.c_ulong(now | ADDR_NO_RANDOMIZE))


def own_mounts(user_namespace: bool) -> None:
    """Leave the host's mounts behind; none of ours shows there."""
    uid, gid = os.geteuid(), os.getegid()
    libc("unshare", CLONE_NEWNS | (CLONE_NEWUSER if user_namespace else 0))
    if user_namespace:
        # The kernel takes a group map from the unprivileged only once setgroups is denied.
        maps = {"setgroups": "deny", "uid_map": f"{uid} {uid} 1", "gid_map": f"{gid} {gid} 1"}
        for name, text in maps.items():
            with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
                file.write(text)
    mount("none", "/", "", MS_REC | MS_PRIVATE)


def submounts(folder: str) -> list[str]:
    """Mount points below a folder, outermost only: an overlay would show them empty."""
    found: list[str] = []
    with open("/proc/self/mountinfo", "rb") as file:
        for line in file:
            point = os.fsdecode(line.split()[4].decode("unicode_escape").encode("latin-1"))
            inside = point.startswith(folder.rstrip("/") + "/")
            if inside and not any(point.startswith(outer + "/") for outer in found):
                found.append(point)
    return found


def overlay(folder: str, layers: list[str], upper: str, work: str, options: str) -> None:
    """Lay a writable layer over a folder, at the folder's own path."""
    # By descriptor, so that no path needs escaping, and a pile of layers fits in one page.
    handles = [os.open(path, os.O_PATH) for path in (upper, work, *layers, folder)]
    below = submounts(folder)
    kept = [os.open(point, os.O_PATH) for point in below]
    top, scratch, *lower = (f"/proc/self/fd/{handle}" for handle in handles)
    pile = ":".join(lower)
    parts = [f"lowerdir={pile}", f"upperdir={top}", f"workdir={scratch}", options]
    mount("overlay", folder, "overlay", 0, ",".join(filter(None, parts)))
    for handle, point in zip(kept, below, strict=True):
        if os.path.exists(point):
            mount(f"/proc/self/fd/{handle}", point, "", MS_BIND | MS_REC)
    for handle in handles + kept:
        os.close(handle)


def set_up_mounts(mounts: dict[str, Any]) -> None:
    own_mounts(mounts["user_namespace"])
    # The output folder is reached by its other path before it is covered.
    for source, target in mounts["binds"]:
        mount(source, target, "", MS_BIND | MS_REC)
    for layer in mounts["overlays"]:
        overlay(layer["folder"], layer["layers"], layer["upper"], layer["work"], mounts["options"])
    for path in mounts["hidden"]:
        mount("tmpfs", path, "tmpfs", 0, "mode=0755,size=16m")


def rehearse(mounts: dict[str, Any]) -> None:
    """Do in each folder what subjects do in theirs."""
    set_up_mounts(mounts)
    for layer in mounts["overlays"]:
        place = os.path.join(layer["folder"], mounts["rehearsal"])
        os.rmdir(place + "/old")  # from a layer below: what takes its place must be marked
        os.rmdir(place)
        for _ in range(2):
            os.mkdir(place)
            with open(place + "/a", "w", encoding="ascii") as file:
                file.write("a")
            os.rename(place + "/a", place + "/b")
            os.unlink(place + "/b")
            os.rmdir(place)
        os.mkdir(place)


def become_trial(order: dict[str, Any], files: list[int], supervisor: int) -> None:
    """In the forked child: take on everything that the trial's program starts with."""
    if LINUX:
        libc("prctl", PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != supervisor:  # it died before the line above
        os._exit(127)
    os.setpgid(0, 0)
    signal.set_wakeup_fd(-1)
    for number in signal.valid_signals():
        # Handlers go with exec, but what is ignored stays ignored.
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    for handle, file in enumerate(files):
        os.dup2(file, handle)
    os.chdir(order["cwd"])


def run_program(order: dict[str, Any]) -> NoReturn:
    if order["fixed_addresses"] and LINUX:
        fix_addresses()
    os.execvpe(order["argv"][0], order["argv"], order["env"])


def start_trial(order: dict[str, Any], files: list[int], forking: bool) -> int:
    """The trial's process id, once its program runs; 0 in the trial itself, when that is forked."""
    supervisor = os.getpid()
    reading, writing = os.pipe()  # closed by exec: whatever is read from it is a failure
    child = os.fork()
    if child == 0:
        try:
            become_trial(order, files, supervisor)
            if forking:
                for handle in (*files, reading, writing):
                    os.close(handle)
                return 0
            run_program(order)
        except OSError as error:
            os.write(writing, json.dumps(described(error)).encode())
        except BaseException:  # whatever it is, this process is no second supervisor
            traceback.print_exc()
        os._exit(127)
    os.close(writing)
    with open(reading, "rb") as pipe:
        failure = pipe.read()
    if failure:
        raise OSError(*json.loads(failure))
    return child


def keep_busy(supervisor: int) -> NoReturn:
    """In a forked child: load a core until killed."""
    if LINUX:
        libc("prctl", PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    signal.set_wakeup_fd(-1)
    # The host must hear of the supervisor's end, so nobody else holds its pipes.
    nowhere = os.open(os.devnull, os.O_RDWR)
    for handle in (0, 1):
        os.dup2(nowhere, handle)
    while os.getppid() == supervisor:
        for _ in range(1_000_000):
            pass
    os._exit(0)


def start_load(count: int) -> set[int]:
    """Process ids of that many busy processes."""
    supervisor, found = os.getpid(), set()
    for _ in range(count):
        child = os.fork()
        if child == 0:
            try:
                keep_busy(supervisor)
            finally:
                os._exit(127)
        found.add(child)
    return found


def processes() -> dict[int, int]:
    """Parent by process id, of all that are alive on this machine."""
    if not LINUX:
        with os.popen("ps -A -o pid= -o ppid=") as pipe:
            return dict(tuple(map(int, line.split())) for line in pipe)  # type: ignore[misc]
    found = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError), open(f"/proc/{name}/stat", "rb") as file:
            # The command's name, in brackets, may hold anything, brackets too.
            state, parent = file.read().rpartition(b")")[2].split()[:2]
            if state != b"Z":
                found[int(name)] = int(parent)
    return found


def descendants() -> list[int]:
    parents, family = processes(), {os.getpid()}
    while more := {pid for pid, parent in parents.items() if parent in family} - family:
        family |= more
    return [pid for pid in family if pid != os.getpid()]


class Watch:
    """Waits for the trial's end or for the order to end it."""

    def __init__(self, host: int, rest: bytes) -> None:
        self.host, self.buffer = host, b""
        self.listening = [0]
        self.stop: float | None = None
        self.cut_off = False
        """Whether somebody else than the host has it end, or the host is gone."""
        self.peak, self.alone = 0, False
        self.main, self.ended = 0, 0.0
        self.load: set[int] = set()
        self.exit_code: int | None = None
        self.wake, writing = self.ends = os.pipe()
        for end in self.ends:
            os.set_blocking(end, False)
        signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
        for number in (*ENDING, signal.SIGCHLD):
            signal.signal(number, lambda *_: None)
        if rest:
            self.hear(rest)

    def close(self) -> None:
        """In a forked trial: let go of what the supervisor waits with."""
        signal.set_wakeup_fd(-1)
        for end in self.ends:
            os.close(end)

    def wait(self, seconds: float) -> None:
        """Until something happens, and no longer than that."""
        ready, _, _ = select.select([self.wake, *self.listening], [], [], max(0.0, seconds))
        if self.wake in ready and set(os.read(self.wake, 4096)) & set(ENDING):
            self.stop, self.cut_off = self.stop or 0.0, True
        if 0 in ready:
            self.hear(os.read(0, 4096))
        elif os.getppid() != self.host:  # another process may hold the other end of the pipe open
            self.hear(b"")
        self.reap()

    def hear(self, data: bytes) -> None:
        self.buffer += data
        if not data:
            self.listening, self.stop, self.cut_off = [], 0.0, True
        if b"\n" in self.buffer:
            line, _, self.buffer = self.buffer.partition(b"\n")
            self.stop = float(line.split()[1])

    def reap(self) -> None:
        with contextlib.suppress(ChildProcessError):
            self.alone = False
            while (got := os.wait4(-1, os.WNOHANG))[0]:
                if got[0] in self.load:
                    self.load.discard(got[0])
                    continue
                self.peak = max(self.peak, got[2].ru_maxrss * (1024 if LINUX else 1))
                if got[0] == self.main:
                    self.exit_code = os.waitstatus_to_exitcode(got[1])
                    self.ended = time.monotonic()
            return
        # As the reaper of all orphans below: no child left means no descendant left.
        self.alone = True

    def until_alone(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not self.alone and (left := deadline - time.monotonic()) > 0:
            self.wait(min(left, 1.0))

    def end_load(self) -> None:
        """End what only kept the cores busy: it is no part of the trial."""
        for pid in self.load:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        while self.load:
            self.wait(1.0)

    def kill_all(self) -> int:
        """How many could not be killed."""
        deadline = time.monotonic() + KILL_LIMIT
        while not self.alone and time.monotonic() < deadline:
            for pid in descendants():
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
            self.wait(0.02)
        return 0 if self.alone else len(descendants())

    def follow(self, main: int, started: float) -> dict[str, Any]:
        """To the end of the trial; the result for the host."""
        self.main = main
        self.wait(0.0)
        while self.exit_code is None and self.stop is None:
            self.wait(1.0)
        stopped, left = self.exit_code is None, 0
        self.end_load()
        if stopped:
            with contextlib.suppress(OSError):
                os.killpg(main, signal.SIGTERM)
            self.until_alone(self.stop or 0.0)
        else:
            self.until_alone(DAEMON_GRACE)
            left = 0 if self.alone else len(descendants())
        survivors = self.kill_all()
        seconds = (self.ended or time.monotonic()) - started
        return {
            "exit_code": self.exit_code,
            "seconds": seconds,
            "peak_memory": self.peak or None,
            "left_running": left,
            "survivors": survivors,
            # An order acts nowhere but above: an exit code that comes with it is the trial's own.
            # Whoever sends this process a signal may have sent it to the trial as well.
            "stopped": stopped or self.cut_off,
        }


def run(order: dict[str, Any], rest: bytes, forking: bool) -> bool:
    """See a trial to its end. True in the trial itself, when that is forked."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    files = [os.open(os.devnull, os.O_RDONLY)]
    files += [os.open(order[name], flags, 0o600) for name in ("stdout", "stderr")]
    if LINUX:
        libc("prctl", PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    if order["mounts"]:
        set_up_mounts(order["mounts"])
    watch = Watch(order["host"], rest)
    watch.load = start_load(order["load"])
    started = time.monotonic()
    try:
        main = start_trial(order, files, forking)
    except OSError:
        watch.end_load()
        raise
    if main == 0:
        watch.close()
        return True
    answer(ready=os.readlink("/proc/self/ns/mnt") if order["mounts"] else "")
    answer(result=watch.follow(main, started))
    return False


def main(forking: bool = False) -> dict[str, Any] | None:
    """Do what is ordered. With `forking`, this process has imported what the trial needs: the trial
    is a fork of it, in which this returns the order."""
    data = b""
    while b"\n" not in data:
        if not (more := os.read(0, 65536)):
            return None
        data += more
    line, _, rest = data.partition(b"\n")
    order: dict[str, Any] = json.loads(line)
    try:
        if order.get("rehearse"):
            rehearse(order["mounts"])
            answer(rehearsed=True)
        elif run(order, rest, forking):
            return order
    except OSError as error:
        answer(error=described(error))
    return None


if __name__ == "__main__":
    main()
