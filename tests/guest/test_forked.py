"""A trial forked from a process that has imported everything is like one that starts by itself."""

from __future__ import annotations

import os
import signal
import textwrap
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from nondet.guest.factors import REGISTRY
from nondet.host.executors.interface import ExecutorError
from tests.guest.forking import Forking, forking
from tests.guest.running import Shown, plain
from tests.guest.test_invisible import SCRIPTS
from tests.host.executors.trying import gone, until

UNLIKE = {
    # It tells which modules are imported already.
    "what it can see",
}


@pytest.fixture(scope="module")
def numpy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forking]:
    folder = tmp_path_factory.mktemp("forked") / "subject"
    folder.mkdir()
    for module in ("events", "hooks", "session"):
        (folder / f"{module}.py").write_text(f"WHO = 'the user {module}'\n")
    with forking(folder, "numpy") as made:
        yield made


def script(one: Forking, text: str) -> str:
    (one.folder / "train.py").write_text(textwrap.dedent(text), encoding="utf-8")
    return "train.py"


@pytest.mark.parametrize("name", sorted(SCRIPTS.keys() - UNLIKE))
def test_a_script_shows_the_same(name: str, numpy: Forking) -> None:
    path = script(numpy, SCRIPTS[name])
    args = ("--epochs", "3", "--", "-x")
    expected = plain(numpy.folder, path, *args)
    (numpy.folder / "mine.txt").unlink(missing_ok=True)
    seen = numpy.run(path, *args)
    assert seen.visible == expected.visible
    assert seen.of("guest-error") == []
    assert seen.of("started")


def test_what_a_process_draws_when_it_starts_is_drawn_anew(numpy: Forking) -> None:
    path = script(
        numpy,
        """
        import os, random, uuid
        import numpy as np
        print(random.random(), np.random.rand(), np.random.default_rng().random(), uuid.uuid4(),
              random.Random().random(), os.urandom(4).hex(), os.getpid())
        """,
    )
    rows = [numpy.run(path).out.split() for _ in range(3)]
    for column in zip(*rows, strict=True):
        assert len(set(column)) == 3, column


@pytest.mark.parametrize("pinned", [(), ("numpy-generator",)])
def test_numpy_s_generators_can_be_pickled(pinned: tuple[str, ...], numpy: Forking) -> None:
    """As joblib does for its workers; SciPy's distributions hold the global one."""
    path = script(
        numpy,
        """
        import pickle
        import numpy as np
        made = np.random.RandomState(3)
        print(pickle.loads(pickle.dumps(made)).rand())
        print(type(made._bit_generator) is np.random.MT19937)
        pickle.dumps(np.random.mtrand._rand)
        """,
    )
    seen = numpy.run(path, pinned=pinned)
    assert (seen.out, seen.code) == (plain(numpy.folder, path).out, 0), seen.err


HELD = {
    "python-random": "import random\nprint(random.random(), random.Random().random())",
    "numpy-global": "import numpy as np\nprint(np.random.rand(3))",
    "numpy-generator": "import numpy as np\nprint(np.random.default_rng().random())",
    "os-entropy": "import os, uuid\nprint(os.urandom(4), uuid.uuid4())",
    "clock": "import time, datetime\nprint(time.time(), datetime.datetime.now())",
    "process-identity": "import os, tempfile\nprint(os.getpid(), tempfile.mktemp())",
    "file-order": "import os\nprint(os.listdir('.'))",
}


@pytest.mark.parametrize("name", HELD)
def test_a_pin_holds_and_holds_the_same(name: str, numpy: Forking) -> None:
    path = script(numpy, HELD[name])
    forked, alone = numpy.run(path, pinned=[name]), numpy.alone(path, pinned=[name])
    assert [pin for pin in forked.of("pin") if not pin["ok"]] == []
    assert forked.out == numpy.run(path, pinned=[name]).out == alone.out
    assert forked.code == 0


def test_a_function_that_a_library_took_over_is_replaced_there_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, installed = tmp_path / "subject", tmp_path / "site-packages"
    folder.mkdir()
    installed.mkdir()
    (installed / "taker.py").write_text("from numpy.random import rand\nfrom time import time\n")
    monkeypatch.setenv("PYTHONPATH", str(installed))
    with forking(folder, "numpy", "taker") as one:
        path = script(one, "import taker\nprint(taker.rand(1), taker.time())\n")
        seen = one.run(path, pinned=["clock"])
        assert seen.out.split()[-1] == one.alone(path, pinned=["clock"]).out.split()[-1]
        lines = [e["site"]["line"] for e in seen.of("exercised") if e["factor"] == "numpy-global"]
        assert lines == [2]


def test_every_pin_that_must_come_early_says_so() -> None:
    early = {factor.name for factor in REGISTRY if not factor.late}
    on_gpus = {"cudnn", "tf32", "precision", "nccl", "cuda-streams", "gpu-count"}
    assert early == {"onednn", "xla", "cpu-isa", "shuffle", "keras-seed"} | on_gpus


def test_the_parent_is_no_place_for_a_module_of_the_scripts_own(tmp_path: Path) -> None:
    folder = tmp_path / "subject"
    folder.mkdir()
    (folder / "keras.py").write_text("")
    with forking(folder, "keras", ready=False) as one:
        assert not one.parent.ready
        assert "keras is a file of the script's own" in one.parent.unfit


def test_a_module_that_is_missing_makes_it_unfit(tmp_path: Path) -> None:
    folder = tmp_path / "subject"
    folder.mkdir()
    with forking(folder, "no_such_module", ready=False) as one:
        assert "no_such_module" in one.parent.unfit


def test_a_parent_that_starts_threads_is_unfit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, installed = tmp_path / "subject", tmp_path / "site-packages"
    folder.mkdir()
    installed.mkdir()
    (installed / "busy.py").write_text(
        "import threading, time\n"
        "threading.Thread(target=time.sleep, args=(99,), daemon=True).start()\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(installed))
    with forking(folder, "busy", ready=False) as one:
        assert one.parent.unfit == "importing starts threads"


def test_a_parent_that_is_gone_forks_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "subject"
    folder.mkdir()
    with forking(folder, "json") as one:
        path = script(one, "print(1)")
        assert one.run(path).out == "1\n"
        os.kill(one.parent.pid, signal.SIGKILL)
        with pytest.raises(ExecutorError) as caught:
            one.run(path)
        assert caught.value.slug == "trial-not-started"
        assert one.alone(path).out == "1\n"


def test_nothing_stays_alive(tmp_path: Path) -> None:
    folder = tmp_path / "subject"
    folder.mkdir()
    with forking(folder, "json") as one:
        path = script(
            one,
            """
            import os, sys, time
            if os.fork() == 0:
                os.setsid()
                if os.fork() == 0:
                    time.sleep(600)
                os._exit(0)
            print(os.getpid())
            """,
        )
        family = psutil.Process(one.parent.pid)
        pid = int(one.run(path).out)
        assert gone(pid)
        until(lambda: not family.children(recursive=True), "the end of what it left behind")
        parent = one.parent.pid
    assert gone(parent)


@pytest.mark.subject
def test_the_weights_are_those_of_a_plain_run(tmp_path: Path) -> None:
    """Frameworks draw from Python's and NumPy's generators while they are imported."""
    folder = tmp_path / "subject"
    folder.mkdir()
    with forking(folder, "tensorflow", "keras") as one:
        path = script(
            one,
            """
            import random, sys
            import keras
            import numpy as np
            import tensorflow as tf
            if "seed" in sys.argv:
                random.seed(1), np.random.seed(1), tf.random.set_seed(1)
            x = np.random.rand(64, 4).astype("float32")
            model = keras.Sequential([keras.layers.Dense(8), keras.layers.Dropout(0.5),
                                      keras.layers.Dense(1)])
            model.compile("adam", "mse")
            model.fit(x, x.sum(1), epochs=2, verbose=0)
            print([w.tobytes().hex() for w in model.get_weights()])
            print(np.random.rand(), random.random())
            """,
        )
        assert one.run(path, "seed").out == plain(folder, path, "seed").out
        assert digests(one.run(path)) != digests(one.run(path))
        pins = (
            *("python-random", "numpy-global", "numpy-generator", "tf-seed", "op-determinism"),
            *("data-threads", "python-workers", "initial-weights", "dropout"),
        )
        forked, alone = one.run(path, pinned=pins), one.alone(path, pinned=pins)
        assert forked.out == alone.out
        assert digests(forked) == digests(alone) != []
        assert forked.of("pin") and all(pin["ok"] for pin in forked.of("pin"))


@pytest.mark.subject
def test_pytorch_draws_anew_and_is_held(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    folder = tmp_path / "subject"
    folder.mkdir()
    with forking(folder, "torch") as one:
        path = script(one, "import torch\nprint(torch.rand(2), torch.initial_seed())\n")
        assert len({one.run(path).out for _ in range(3)}) == 3
        forked = one.run(path, pinned=["torch-seed"])
        assert forked.out == one.run(path, pinned=["torch-seed"]).out
        assert forked.out == one.alone(path, pinned=["torch-seed"]).out
        assert all(pin["ok"] for pin in forked.of("pin"))


@pytest.mark.subject
def test_jax_computes_in_a_forked_trial(tmp_path: Path) -> None:
    pytest.importorskip("jax")
    folder = tmp_path / "subject"
    folder.mkdir()
    with forking(folder, "jax") as one:
        path = script(
            one,
            "import jax\nprint(jax.random.normal(jax.random.key(1), (2,)) @ jax.numpy.ones(2))\n",
        )
        forked = one.run(path)
        assert forked.code == 0, forked.err
        assert forked.out == one.alone(path).out


def digests(shown: Shown) -> list[object]:
    return [event["digests"] for event in shown.of("checkpoint")]
