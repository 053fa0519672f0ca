"""The pytest plugin, by running pytest on small test files."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import textwrap
import time
import types
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from nondet import pytest_plugin
from nondet.host.executors.running import LocalRunning

pytest_plugins = ["pytester"]

TESTS = """
import random
import numpy as np
import pytest

@pytest.fixture
def scale():
    return 2.0

@pytest.mark.reproducible
def test_repeats(scale):
    return {"array": np.arange(3) * scale, "nested": [1, "text", (2.5, None)]}

@pytest.mark.reproducible(runs=2)
@pytest.mark.parametrize("much", [0, 1])
def test_draws(much):
    weights = np.arange(4.0)
    weights[2] += much * random.random()
    return {"same": 1, "weights": weights}

def test_not_marked():
    pass
"""


NAMED = ("-p", "nondet.pytest_plugin")


@pytest.fixture
def few_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the plugins that are installed here: Hypothesis' and Faker's take seconds to import,
    in each of many processes."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")


def run(pytester: pytest.Pytester, *options: str) -> pytest.RunResult:
    loaded = NAMED if "PYTEST_DISABLE_PLUGIN_AUTOLOAD" in os.environ else LOADED
    return pytester.runpytest_subprocess(*loaded, *options)


def loaded() -> tuple[str, ...]:
    """Options that load the plugin where it is not installed with its entry point."""
    from importlib.metadata import entry_points

    known = any(point.value == "nondet.pytest_plugin" for point in entry_points(group="pytest11"))
    return () if known else NAMED


LOADED = loaded()


def test_what_a_test_returns_is_compared_over_fresh_processes(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(TESTS)
    result = run(pytester)
    result.assert_outcomes(passed=3, failed=1)
    result.stdout.fnmatch_lines(
        [
            "run 1 and run 2 of test_draws[[]1[]] return other values",
            "  weights: 0.25 of its elements differ, by up to * relative, * absolute",
            "To find the cause, run this test with --nondet-diagnose.",
        ]
    )
    assert "same:" not in result.stdout.str()


@pytest.mark.usefixtures("few_plugins")
def test_the_number_of_runs_can_be_asked_for(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import os, pathlib, pytest
        @pytest.mark.reproducible
        def test_counts():
            with open("runs", "a") as file:
                file.write("x")
            return 1
        """
    )
    run(pytester, "--nondet-runs", "4").assert_outcomes(passed=1)
    assert (pytester.path / "runs").read_text() == "xxxx"


@pytest.mark.usefixtures("few_plugins")
def test_failures_and_skips_are_those_of_the_test(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest
        @pytest.mark.reproducible
        def test_fails():
            assert [1] == [2], "its own words"
        @pytest.mark.reproducible
        def test_skips():
            pytest.skip("its own reason")
        @pytest.mark.reproducible
        def test_returns_nothing():
            pass
        @pytest.mark.reproducible
        def test_returns_an_object():
            return {"deep": [object()]}
        @pytest.mark.reproducible(2, 2)
        def test_hangs():
            import time
            time.sleep(600)
        """
    )
    result = run(pytester, "-rs")
    result.assert_outcomes(failed=4, skipped=1)
    result.stdout.fnmatch_lines(
        [
            "*its own words*",
            "*a reproducible test must return what is to be compared*",
            "*returned, at deep/0, a object: return arrays*",
            "a run took longer than 2 s",
            "*its own reason*",
        ]
    )


@pytest.mark.usefixtures("few_plugins")
def test_what_would_be_run_past_the_mark_fails(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import random, unittest
        import pytest
        @pytest.mark.reproducible
        class TestOld(unittest.TestCase):
            def test_draws(self):
                self.weights = random.random()
        class TestOther(unittest.TestCase):
            def test_not_marked(self):
                pass
        @pytest.mark.reproducible(runs=2)
        def test_expected():
            pytest.xfail("known to differ")
        """
    )
    result = run(pytester, "-rx")
    result.assert_outcomes(failed=1, passed=1, xfailed=1)
    result.stdout.fnmatch_lines(["*a method of a unittest.TestCase returns nothing*"])
    result.stdout.fnmatch_lines(["XFAIL *known to differ"])


class Layered:
    """As a model of Keras with two layers of one name."""

    weights = tuple(
        types.SimpleNamespace(name=name, path=f"model/dense/{name}") for name in ("w", "b", "w")
    )

    def __init__(self, *values: float) -> None:
        self.values = values

    def get_weights(self) -> list[Any]:
        return [np.array(value) for value in self.values]


@pytest.mark.parametrize(
    ("one", "other", "told"),
    [
        (Layered(1, 2, 3), Layered(9, 2, 3), "model/dense/w: "),
        (Layered(1, 2, 3), Layered(1, 2, 9), "model/dense/w (2): "),
        ({1: 1.0, "1": 2.0}, {1: 9.0, "1": 2.0}, "1: "),
    ],
)
def test_two_of_one_name_are_both_compared(tmp_path: Path, one: Any, other: Any, told: str) -> None:
    for name, value in (("one", one), ("again", one), ("other", other)):
        (tmp_path / name).mkdir()
        pytest_plugin.written(value, tmp_path / name)
    assert pytest_plugin.differing(tmp_path / "one", tmp_path / "again") == []
    (line,) = pytest_plugin.differing(tmp_path / "one", tmp_path / "other")
    assert line.strip().startswith(told)


@pytest.mark.parametrize(
    ("mark", "runs", "asked"),
    [
        (pytest.mark.reproducible, None, (3, None)),
        (pytest.mark.reproducible(runs=5, timeout=60), None, (5, 60)),
        (pytest.mark.reproducible(5, 60), None, (5, 60)),
        (pytest.mark.reproducible(5, timeout=60), 7, (5, 60)),
        (pytest.mark.reproducible(runs=5, timeout=60), 7, (7, 60)),
        (pytest.mark.reproducible(1), None, (2, None)),
    ],
)
def test_what_the_mark_asks_for(
    mark: pytest.MarkDecorator, runs: int | None, asked: tuple[int, float | None]
) -> None:
    assert pytest_plugin.asked(mark.mark, runs) == asked


STARTS_ANOTHER = """
import os, subprocess, sys, time
command = [sys.executable, "-c", "import time; time.sleep(600)"]
another = subprocess.Popen(command, start_new_session=sys.platform == "linux")
with open("another.new", "w") as file:
    file.write(f"{os.getpid()} {another.pid}")
os.rename("another.new", "another")
time.sleep(600)
"""


def all_end(told: Path) -> None:
    """Wait for the end of the processes that a file names."""
    until = time.monotonic() + 60
    for pid in map(int, told.read_text().split()):
        # Whoever takes over orphans here need not ask how they ended.
        with contextlib.suppress(psutil.NoSuchProcess):
            process = psutil.Process(pid)
            while process.status() != psutil.STATUS_ZOMBIE:
                assert time.monotonic() < until, f"{process} goes on"
                time.sleep(0.01)


@pytest.mark.parametrize("how", [subprocess.TimeoutExpired("pytest", 2.0), KeyboardInterrupt()])
def test_what_a_run_has_started_ends_with_it(
    how: BaseException, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = tmp_path / "another"

    def over(*_: object) -> None:
        until = time.monotonic() + 300
        while not told.exists():
            assert time.monotonic() < until, "it never began"
            time.sleep(0.01)
        if isinstance(how, KeyboardInterrupt):
            raise how

    monkeypatch.setattr(LocalRunning, "poll", over)
    command = [sys.executable, "-c", STARTS_ANOTHER]
    with pytest.raises(type(how)):
        pytest_plugin.finished(command, tmp_path, os.environ, 0.0, tmp_path)
    all_end(told)


@pytest.mark.usefixtures("few_plugins")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_run_does_not_outlive_its_pytest(
    number: int, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What it leaves there, the next one would sweep.
    monkeypatch.setenv("TMPDIR", str(pytester.path))
    body = textwrap.indent(STARTS_ANOTHER, "    ")
    pytester.makepyfile(
        f"import pytest\n@pytest.mark.reproducible\ndef test_starts_another():\n{body}"
    )
    process = pytester.popen([sys.executable, "-m", "pytest", *NAMED], stdin=subprocess.DEVNULL)
    told = pytester.path / "another"
    while not told.exists():
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(number)
    process.communicate()
    all_end(told)


@pytest.mark.usefixtures("few_plugins")
def test_runs_have_temporary_folders_of_their_own(pytester: pytest.Pytester) -> None:
    """Each pytest that starts clears the one that the configuration names."""
    pytester.makeini("[pytest]\naddopts = --basetemp=temporary\n")
    pytester.makepyfile(
        """
        import pytest
        @pytest.fixture(scope="session")
        def data(tmp_path_factory):
            path = tmp_path_factory.mktemp("data") / "data"
            path.write_text("1")
            return path
        def test_before(data):
            assert data.exists()
        @pytest.mark.reproducible(runs=2)
        def test_repeats(tmp_path):
            (tmp_path / "own").write_text("1")
            return 1
        def test_after(data):
            assert data.exists()
        """
    )
    command = [sys.executable, "-m", "pytest", *NAMED]
    pytester.run(*command).assert_outcomes(passed=3)


def test_no_process_beside_has_the_same_temporary_folder(tmp_path: Path) -> None:
    """Trials of a diagnosis may share what lies above."""
    folders = {pytest_plugin.own_folder(tmp_path) for _ in range(3)}
    assert len(folders) == 3
    assert set(tmp_path.iterdir()) == folders


def test_no_two_tests_share_a_report() -> None:
    long = "parameter-" * 20
    ids = ["x[-1]", "x[1]", "x[0.5-1]", "x[0-5-1]", f"x[a{long}]", f"x[b{long}]", "x[\udce9]"]
    names = [pytest_plugin.report_name(f"tests/test_own.py::test_{each}") for each in ids]
    assert len(set(names)) == len(ids)
    assert names[0].startswith("tests-test_own-py-test_x-1-")
    assert all(re.fullmatch(r"\w[\w-]{1,90}", name, re.ASCII) for name in names)


@pytest.mark.usefixtures("few_plugins")
def test_a_parameter_that_looks_like_a_path(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest
        @pytest.mark.reproducible(runs=2)
        @pytest.mark.parametrize("where", ["http://x/./y"])
        def test_reads(where):
            return where
        """
    )
    run(pytester).assert_outcomes(passed=1)


class Half:
    """A tensor of PyTorch's of a dtype that NumPy has no name for."""

    dtype, shape = "torch.bfloat16", (2,)

    def __init__(self, *bits: int) -> None:
        self.bits = bits

    def detach(self) -> Half:
        return self

    cpu = detach

    def numpy(self) -> Any:
        raise TypeError("Got unsupported ScalarType BFloat16")

    def view(self, kind: str) -> Any:
        return np.array(self.bits, kind)


def test_tensors_without_a_dtype_of_numpy_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch", types.SimpleNamespace(int16="int16"))
    folders = []
    for number, bits in enumerate([(0x3F80, 0x4000), (0x3F80, 0x4040)]):
        folders.append(tmp_path / str(number))
        folders[-1].mkdir()
        pytest_plugin.written({"output": Half(*bits)}, folders[-1])
    ((path, dtype, shape, _),) = json.loads((folders[0] / "index.json").read_text())
    assert (path, dtype, shape) == ("output", "bfloat16", [2])
    # 1 and 2, 1 and 3: the numbers, not their bits.
    (said,) = pytest_plugin.differing(*folders)
    assert "0.5 of its elements differ" in said
    assert "1 absolute" in said


@pytest.mark.long
@pytest.mark.usefixtures("few_plugins")
def test_models_are_compared_by_their_weights(pytester: pytest.Pytester) -> None:
    pytest.importorskip("torch")
    pytester.makepyfile(
        """
        import pytest, torch
        @pytest.mark.reproducible(runs=2)
        @pytest.mark.parametrize("seeded", [True, False])
        def test_model(seeded):
            if seeded:
                torch.manual_seed(1)
            return torch.nn.Linear(3, 2, dtype=torch.bfloat16), torch.zeros(2)
        """
    )
    result = run(pytester)
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["  0/bias: differs, *", "  0/weight: differs, *"])


@pytest.mark.usefixtures("few_plugins")
def test_it_works_side_by_side(pytester: pytest.Pytester) -> None:
    grouped = '@pytest.mark.xdist_group("some")\n@pytest.mark.reproducible\n'
    pytester.makepyfile(TESTS.replace("@pytest.mark.reproducible\n", grouped))
    result = run(pytester, "-v", "-p", "xdist", "-n", "2", "--dist", "loadgroup")
    result.assert_outcomes(passed=3, failed=1)
    assert "test_repeats@some" in result.stdout.str()


@pytest.mark.usefixtures("few_plugins")
def test_options_of_the_project_reach_the_fresh_processes(pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\nnondet_args = --mode=slow --basetemp=own\naddopts = --mode=fast\n")
    pytester.makeconftest("def pytest_addoption(parser):\n    parser.addoption('--mode')\n")
    pytester.makepyfile(
        """
        import pytest
        @pytest.mark.reproducible
        def test_mode(request, tmp_path):
            with open("mode", "w") as file:
                file.write(request.config.getoption("--mode"))
            return 1
        """
    )
    run(pytester).assert_outcomes(passed=1)
    assert (pytester.path / "mode").read_text() == "slow"
    assert (pytester.path / "own").is_dir()


@pytest.mark.usefixtures("few_plugins")
@pytest.mark.parametrize(
    "options",
    ["--ff --sw", "--strict-config\ncache_dir = own", "-p no:cacheprovider --strict-config"],
)
def test_options_of_the_cache_are_known_there(pytester: pytest.Pytester, options: str) -> None:
    pytester.makeini(f"[pytest]\naddopts = {options}\n")
    pytester.makepyfile(
        """
        import pytest
        @pytest.mark.reproducible(runs=2)
        def test_repeats():
            return 1
        """
    )
    run(pytester).assert_outcomes(passed=1)


@pytest.mark.usefixtures("few_plugins")
def test_the_cause_is_found_when_asked_for(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_own=TESTS)
    result = run(pytester, "--nondet-diagnose", "-k", "test_draws and 1")
    result.assert_outcomes(failed=1, deselected=3)
    result.stdout.fnmatch_lines(
        ["*return other values", "Causes found.*", "python-random *", "*test_own.py:17*"]
    )
    assert list((pytester.path / "nondet-report").glob("*/report.html"))
