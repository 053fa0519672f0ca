"""Scripts that behave badly, each with what a diagnosis of it must say."""

from __future__ import annotations

import dataclasses
import importlib.util
import shutil
import subprocess
import textwrap
from pathlib import Path

import pytest

SEEN = 2
"""Checkpoints of a whole trial: one before the script misbehaves, and one after."""


@dataclasses.dataclass(frozen=True)
class Case:
    """A script, and what becomes of its diagnosis."""

    code: int
    """The command's exit code."""
    words: tuple[str, ...] = ()
    """What the error says."""
    seen: int = SEEN
    """Checkpoints of each whole trial."""
    options: tuple[str, ...] = ()
    needs: str = ""
    """A package without which there is nothing to try."""
    locale: str = ""
    """A locale that it speaks, which is made where the system has it not."""
    warns: str = ""
    """What is told beside the verdict."""


def script(text: str) -> str:
    """With a checkpoint before and one after `text`, unless it has an import of nondet itself."""
    text = textwrap.dedent(text)
    if "import nondet" in text:
        return text
    first, last = (f'nondet.checkpoint("{name}", 1)\n' for name in ("before", "after"))
    return f"import nondet\n{first}{text}\n{last}"


def surroundings(case: Case, room: Path) -> dict[str, str]:
    """The environment that a case wants; skips, with the reason, what can't be tried here."""
    if case.needs and importlib.util.find_spec(case.needs) is None:
        pytest.skip(f"{case.needs} is not installed")
    if not case.locale:
        return {}
    if shutil.which("localedef") is None:
        pytest.skip("there is no localedef to make a locale with")
    language, _, characters = case.locale.partition(".")
    made = ["localedef", "-i", language, "-f", characters, str(room / case.locale)]
    done = subprocess.run(made, capture_output=True, text=True, check=False)
    if not (room / case.locale).is_dir():
        pytest.skip(f"localedef makes no {case.locale}: {done.stderr.strip()}")
    return {"LOCPATH": str(room)}


REPEATS = Case(0)
ENDED: dict[str, tuple[str, Case]] = {
    "reads all of stdin": (
        """
        import sys
        assert sys.stdin.read() == ""
        """,
        REPEATS,
    ),
    "asks a question": ("name = input('Go on? ')", Case(5, ("EOFError",))),
    "dies of a bad address": ("import ctypes\nctypes.string_at(0)", Case(5, ("signal 11",))),
    "runs out of stack": (
        """
        import sys
        sys.setrecursionlimit(10**9)
        def deeper(x):
            return max([x], key=deeper)
        deeper(0)
        """,
        Case(5, ("signal 11",)),
    ),
    "recurses without end": ("def f():\n    return f()\nf()", Case(5, ("RecursionError",))),
    "won't end": (
        """
        import signal
        for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
            signal.signal(number, signal.SIG_IGN)
        while True:
            pass
        """,
        Case(5, ("time limit of 2 s",), options=("--timeout", "2s")),
    ),
    "stops itself": (
        "import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)",
        Case(5, ("time limit of 2 s",), options=("--timeout", "2s")),
    ),
    "is killed": (
        "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)",
        Case(5, ("signal 9",)),
    ),
    "leaves by os._exit": ("import os\nnondet.checkpoint('after', 2)\nos._exit(0)", REPEATS),
    "leaves by os._exit with a code": ("import os\nos._exit(9)", Case(5, ("exit code 9",))),
}
CHILDREN: dict[str, tuple[str, Case]] = {
    "forks, and the child goes on as well": (
        """
        import os
        child = os.fork()
        if child:
            os.waitpid(child, 0)
        """,
        REPEATS,
    ),
    "leaves children, threads and a daemon": (
        """
        import os, subprocess, sys, threading, time
        subprocess.Popen(["sleep", "600"])
        subprocess.Popen(["sleep", "600"], start_new_session=True)
        threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                time.sleep(600)
            os._exit(0)
        """,
        REPEATS,
    ),
    "has a thread that never ends": (
        """
        import threading
        threading.Thread(target=threading.Event().wait).start()
        """,
        Case(5, ("time limit of 2 s",), options=("--timeout", "2s")),
    ),
    "records in a thread that outlives it": (
        """
        import threading
        def work():
            threading.main_thread().join()
            nondet.checkpoint("late", 3)
        threading.Thread(target=work).start()
        """,
        Case(0, seen=3),
    ),
    "goes on as a daemon": (
        """
        import os, time
        reading, writing = os.pipe()
        if os.fork():
            os.close(writing)
            os.read(reading, 1)  # the end of a trial is soon that of its daemons
            os._exit(0)
        os.setsid()
        if os.fork():
            os._exit(0)
        nondet.checkpoint("in a daemon", 2)
        os.write(writing, b".")
        time.sleep(600)
        """,
        Case(
            0,
            seen=1,
            warns="a child process of the script does it: nondet.checkpoint('in a daemon')",
        ),
    ),
    "is all in a daemon": (
        """
        import os, time
        import nondet
        reading, writing = os.pipe()
        if os.fork():
            os.close(writing)
            os.read(reading, 1)
            os._exit(0)
        nondet.checkpoint("value", 1)
        os.write(writing, b".")
        time.sleep(600)
        """,
        Case(
            5,
            ("train.py:5 starts a child process", "nothing to compare"),
            seen=0,
            warns="a child process of the script does it: nondet.checkpoint('value')",
        ),
    ),
    "only starts another script": (
        """
        # import nondet
        import pathlib, subprocess, sys
        pathlib.Path("real.py").write_text("import nondet\\nnondet.checkpoint('value', 1)\\n")
        subprocess.run([sys.executable, "real.py"], check=True)
        """,
        Case(0, seen=1),
    ),
    "runs another script in its own process": (
        """
        # import nondet
        import pathlib, runpy
        code = "import nondet, random\\nnondet.checkpoint('value', random.random())\\n"
        pathlib.Path("real.py").write_text(code)
        runpy.run_path("real.py", run_name="__main__")
        """,
        Case(1, seen=1),
    ),
    "has pools of every kind": (
        """
        import multiprocessing, concurrent.futures
        import nondet
        def main():
            for method in ("fork", "spawn", "forkserver"):
                context = multiprocessing.get_context(method)
                with context.Pool(1) as pool:
                    nondet.checkpoint(method, pool.map(abs, [-1, 2]))
                with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as executor:
                    nondet.checkpoint(method, list(executor.map(abs, [-1, 2])))
            with concurrent.futures.ThreadPoolExecutor(2) as executor:
                nondet.checkpoint("threads", list(executor.map(abs, [-1, 2])))
        if __name__ == "__main__":
            main()
        """,
        Case(0, seen=7),
    ),
    "loads data in other processes": (
        """
        import torch
        data = torch.utils.data.TensorDataset(torch.arange(8.0))
        batches = [b[0] for b in torch.utils.data.DataLoader(data, batch_size=2, num_workers=2)]
        nondet.checkpoint("batches", [batch.numpy() for batch in batches])
        """,
        Case(0, seen=3, needs="torch"),
    ),
}
SURROUNDINGS: dict[str, tuple[str, Case]] = {
    "deletes its working folder": (
        """
        import os, shutil
        shutil.rmtree(os.getcwd(), ignore_errors=True)
        assert os.listdir(".") == []
        """,
        Case(5, ("a former run left in its folder", "No such file", "train.py")),
    ),
    "deletes all but itself": (
        """
        import os
        for name in os.listdir("."):
            if name.endswith(".txt"):
                os.unlink(name)
        """,
        REPEATS,
    ),
    "goes elsewhere": (
        """
        import os, tempfile
        folder = tempfile.mkdtemp()
        os.chdir(folder)
        os.rmdir(folder)
        """,
        REPEATS,
    ),
    "closes its files to everybody": ("import os\nos.umask(0o777)", REPEATS),
    "takes all signals": (
        """
        import signal
        for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
            signal.signal(number, lambda *_: None)
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        """,
        REPEATS,
    ),
    "has no stdout": (
        """
        import os, sys
        sys.stdout = sys.stderr = sys.__stdout__ = None
        os.close(1), os.close(2), os.close(0)
        """,
        REPEATS,
    ),
    "speaks Turkish": (
        """
        import locale, os, time
        os.environ.update(LC_ALL="tr_TR.UTF-8", PYTHONIOENCODING="utf-16", TZ="Asia/Tokyo")
        time.tzset()
        locale.setlocale(locale.LC_ALL, "")
        assert locale.format_string("%.1f", 0.5) == "0,5"
        """,
        Case(0, locale="tr_TR.UTF-8"),
    ),
    "has no environment": ("import os\nos.environ.clear()", REPEATS),
    "closes every descriptor": ("import os\nos.closerange(0, 1024)", REPEATS),
    "has no room for more files": (
        """
        import os, resource
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))
        """,
        REPEATS,
    ),
    "writes to every descriptor": (
        """
        import os
        for number in range(256):
            try:
                os.write(number, b'{"event": "checkpoint", "kind": ')
            except OSError:
                pass
        """,
        Case(5, ("its event file was changed by something else",)),
    ),
}
TAMPERING: dict[str, tuple[str, Case]] = {
    "breaks the builtins": (
        """
        import builtins
        def broken(*args, **kwargs):
            raise RuntimeError("broken")
        for name in ("open", "print", "len", "isinstance", "sorted", "repr", "str", "list", "dict",
                     "getattr", "hasattr", "enumerate", "zip", "range", "max", "min", "any", "all",
                     "id", "map", "tuple", "set", "type", "bytes", "int", "float", "iter"):
            setattr(builtins, name, broken)
        """,
        # It can't even be told where: it fails at its next line, whoever runs it.
        Case(5, ("ended with exit code 1",)),
    ),
    "has builtins of its own": (
        """
        import builtins
        def broken(*args, **kwargs):
            raise RuntimeError("broken")
        for name in ("open", "print", "input", "sorted", "id", "vars", "format", "hash", "round"):
            setattr(builtins, name, broken)
        original = builtins.__import__
        builtins.__import__ = lambda *args, **kwargs: original(*args, **kwargs)
        """,
        REPEATS,
    ),
    "breaks what recording needs": (
        """
        import hashlib, json, os, threading, time
        import numpy
        def broken(*args, **kwargs):
            raise RuntimeError("broken")
        for owner, names in (
            (json, "dumps loads dump load JSONEncoder"),
            (os, "write open fstat replace getpid close fdopen fsencode urandom"),
            (os.path, "exists join abspath realpath"),
            (hashlib, "sha256 blake2b md5"),
            (threading, "Lock RLock current_thread get_ident"),
            (time, "time perf_counter monotonic time_ns perf_counter_ns monotonic_ns"),
        ):
            for name in names.split():
                setattr(owner, name, broken)
        """,
        REPEATS,
    ),
    "says that it is another process": ("import os\nos.getpid = lambda: 1", REPEATS),
    "breaks NumPy": (
        """
        import numpy
        def broken(*args, **kwargs):
            raise RuntimeError("broken")
        numpy.asarray = numpy.frombuffer = broken
        """,
        Case(5, ("nondet could not record it", "broken")),
    ),
    "forgets all modules": (
        """
        import sys
        sys.modules.clear()
        """,
        REPEATS,
    ),
    "imports in a way of its own": (
        """
        import sys
        class Finder:
            def find_spec(self, name, path=None, target=None):
                return None
        sys.meta_path[:] = [Finder(), *[f for f in sys.meta_path if "nondet" not in repr(f)]]
        def hook(path):
            raise ImportError
        sys.path_hooks.insert(0, hook)
        sys.path_importer_cache.clear()
        """,
        REPEATS,
    ),
    "traces and profiles itself": (
        """
        import sys, threading
        sys.settrace(lambda *args: None)
        sys.setprofile(lambda *args: None)
        threading.setprofile(lambda *args: None)
        sys.addaudithook(lambda *args: None)
        sys.setswitchinterval(1e-6)
        """,
        REPEATS,
    ),
    "names modules as ours": (
        """
        import events, nondet_guest, record, session
        nondet.checkpoint("who", [m.WHO for m in (events, nondet_guest, record, session)])
        """,
        Case(0, seen=3),
    ),
    "has a module of our name": (
        """
        import pathlib
        pathlib.Path("nondet.py").write_text("WHO = 'the user'\\n")
        import nondet
        assert nondet.WHO == "the user"
        """,
        Case(5, ("nothing to compare",), seen=0),
    ),
    "puts an object in the place of stdout": (
        """
        import sys
        class Out:
            def write(self, text):
                raise OSError("no output")
            def flush(self):
                pass
        sys.stdout = sys.stderr = Out()
        """,
        REPEATS,
    ),
}
CASES = ENDED | CHILDREN | SURROUNDINGS | TAMPERING
