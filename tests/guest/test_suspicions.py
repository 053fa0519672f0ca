"""Activity that no factor explains is noted at the user's line, once, and changes nothing."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from tests.guest.generators import library, run, seen
from tests.guest.running import guided, plain
from tests.guest.test_entropy import interpreter

CHILD = "a child process, in which nothing is seen"

SCRIPT = """
    import ctypes, multiprocessing, os, socket, subprocess, tempfile, threading
    from concurrent.futures import ThreadPoolExecutor

    def work():
        pass

    if __name__ == "__main__":
        for _ in range(3):
            thread = threading.Thread(target=work); thread.start(); thread.join()
        with ThreadPoolExecutor(2) as threads:
            print(list(threads.map(abs, [-1, -2])))
        context = multiprocessing.get_context("fork")
        with context.Pool(1) as pool:
            print(pool.map(abs, [-3]))
        child = context.Process(target=work); child.start(); child.join()
        print(subprocess.run(["echo", "hello"], capture_output=True, text=True).stdout)
        os.system("true")
        if os.fork() == 0:
            os._exit(0)
        os.wait()
        server = socket.socket(); server.bind(("127.0.0.1", 0)); server.listen(1)
        client = socket.create_connection(("localhost", server.getsockname()[1]))
        print(client.getpeername() == server.getsockname())
        left, right = socket.socketpair()
        local = socket.socket(socket.AF_UNIX)
        print(local.connect_ex("/no/such/socket") != 0)
        print(ctypes.CDLL(None).abs(-5))
        tempfile.NamedTemporaryFile().close()
"""


def test_what_the_script_starts_itself_is_noted_once_at_its_line(tmp_path: Path) -> None:
    shown = run(tmp_path / "s", SCRIPT)
    assert seen(shown, "unknown") == {
        ("a thread of the script's own", None, 10),
        (CHILD, None, 16),
        (CHILD, None, 17),
        (CHILD, None, 18),
        (CHILD, None, 19),
        ("a connection to localhost", None, 23),
        ("a foreign library, in which nothing is seen", None, 28),
    }


def test_it_goes_on_as_without_us(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    folder.mkdir()
    (folder / "train.py").write_text(textwrap.dedent(SCRIPT))
    assert guided(folder, "train.py").visible == plain(folder, "train.py").visible


def test_what_libraries_start_is_theirs_and_their_connections_are_told(tmp_path: Path) -> None:
    environ = library(
        tmp_path,
        "busy",
        """
        import socket, subprocess, threading
        threading.Thread(target=int).start()

        def work():
            threading.Thread(target=int).start()
            subprocess.run(["true"])

        def fetch(address):
            return socket.create_connection(address).close()
        """,
    )
    script = """
        import socket
        import busy
        busy.work()
        server = socket.socket(); server.bind(("127.0.0.1", 0)); server.listen(1)
        busy.fetch(server.getsockname())
    """
    shown = run(tmp_path / "s", script, environ=environ)
    assert seen(shown, "unknown") == {("a connection to 127.0.0.1", None, 6)}


def test_a_library_with_a_generator_of_its_own_is_named(tmp_path: Path) -> None:
    environ = library(tmp_path, "dicey", "def set_seed(number):\n    pass\n")
    library(tmp_path, "plain", "from random import seed\nfrom numpy.random import default_rng\n")
    library(tmp_path, "deep", "from . import random\n")
    random = tmp_path / "site-packages" / "deep" / "random.py"
    random.write_text("def seed(number):\n    pass\n")
    library(tmp_path, "unused", "def set_seed(number):\n    pass\n")
    script = """
        import sys, plain
        import numpy as np
        def later():
            from dicey import set_seed as s
            import json, deep
        later()
        # import unused
    """
    shown = run(tmp_path / "s", script, environ=environ)
    told = "{} has a generator of its own ({}), which nondet does not know"
    assert seen(shown, "unknown") == {
        (told.format("dicey", "dicey.set_seed"), None, 5),
        (told.format("deep", "deep.random.seed"), None, 6),
    }


def test_a_warning_of_fork_is_shown_and_names_the_scripts_line(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    folder.mkdir()
    script = """
        import os, threading, warnings
        warnings.showwarning = lambda text, kind, file, line, *_: print(
            kind.__name__, os.path.basename(file), line, flush=True
        )
        done = threading.Event()
        threading.Thread(target=done.wait).start()
        if os.fork() == 0:
            os._exit(0)
        os.wait()
        done.set()
    """
    (folder / "train.py").write_text(textwrap.dedent(script))
    python = interpreter("3.12")
    shown = guided(folder, "train.py", python=python)
    assert shown.visible == plain(folder, "train.py", python=python).visible
    assert shown.out == "DeprecationWarning train.py 8\n"
    assert (CHILD, None, 8) in seen(shown, "unknown")


POOLS = """
    import asyncio, multiprocessing, sys
    from concurrent.futures import ProcessPoolExecutor, as_completed

    class Own(multiprocessing.get_context("spawn").Process):
        def run(self):
            pass

    if __name__ == "__main__":
        method = sys.argv[1]
        context = multiprocessing.get_context(method)
        with ProcessPoolExecutor(1, mp_context=context) as pool:
            print(list(pool.map(abs, [-1])))                       # told
        with ProcessPoolExecutor(1, mp_context=context) as pool:
            done = [pool.submit(abs, -2)]                          # told
            print([one.result() for one in as_completed(done)])
        with context.Pool(1) as pool:                              # told
            print(list(pool.imap(abs, [-3])), pool.starmap(pow, [(2, 2)]))
        pool = context.Pool(1)                                     # told
        print(pool.apply_async(abs, (-5,)).get())
        pool.terminate()
        child = context.Process(target=int); child.start(); child.join()  # told
        child = Own(); child.start(); child.join()                 # told
        async def main():
            with ProcessPoolExecutor(1, mp_context=context) as pool:
                loop = asyncio.get_running_loop()
                print(await loop.run_in_executor(pool, abs, -6))   # told
        asyncio.run(main())
        multiprocessing.set_start_method(method, force=True)
        with ProcessPoolExecutor(1) as pool:
            print(next(pool.map(abs, [-7])))                       # told
"""


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_every_pool_with_a_python_of_its_own_is_told(method: str, tmp_path: Path) -> None:
    shown = run(tmp_path / "s", POOLS, method)
    lines = textwrap.dedent(POOLS).splitlines()
    told = {number for number, line in enumerate(lines, 1) if line.endswith("# told")}
    assert shown.out.split() == ["[1]", "[2]", "[3]", "[4]", "5", "6", "7"]
    assert len(told) == 8
    assert {line for _, _, line in seen(shown, "unknown")} == told


TURNS = """
    import threading
    import numpy as np
    np.random.seed(0)

    def draw(gate=None, other=None):
        np.random.rand()                                           # draw
        if gate is not None:
            other.set()
            gate.wait(60)
            np.random.normal()

    def alone(work, *args):
        thread = threading.Thread(target=work, args=args)
        thread.start()
        return thread

    np.random.rand()
    for _ in range(3):
        alone(draw).join()
        np.random.rand()
    {}
"""
TOGETHER = """gates = [threading.Event() for _ in range(3)]
    first = alone(draw, gates[0], gates[1])
    gates[1].wait(60)
    second = alone(draw, gates[2], gates[0])
    first.join()
    gates[2].set()
    second.join()
"""


@pytest.mark.parametrize(
    ("more", "told"), [("", False), (TOGETHER, True)], ids=["one-after-another", "together"]
)
def test_threads_that_draw_by_turns_are_told(more: str, told: bool, tmp_path: Path) -> None:
    pytest.importorskip("numpy")
    shown = run(tmp_path / "s", TURNS.format(more))
    found = {row[::2] for row in seen(shown, "unknown") if "drawn from" in row[0]}
    text = (
        "NumPy's global generator is drawn from in several threads: which comes first may be "
        "another in every run"
    )
    assert found == ({(text, 7)} if told else set())
