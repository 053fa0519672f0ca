"""A pytest plugin: tests whose body must give the same in every fresh process.

``@pytest.mark.reproducible(runs=3)`` runs the body of a test in processes of its own, and fails
where what it returns differs: arrays, models, numbers, strings, and containers of them.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
import math
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from os import getpid  # as it is: a fixture of the test may put another one there
from pathlib import Path
from typing import Any

import pytest

CHILD = "NONDET_PYTEST_RUN"
"""Variable that tells a fresh process where to write what the test returns."""
RUNS = 3
MOST = 256 * 2**20
"""Bytes of arrays that are kept of a run, to tell how far they are apart."""
SHOWN = 5
"""Arrays that differ, in a message."""
RUNNER = "import sys\n\nimport pytest\n\nsys.exit(pytest.main({arguments!r}))\n"


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("nondet", "reproducibility (nondet)")
    group.addoption(
        "--nondet-diagnose",
        action="store_true",
        help="find the cause where a reproducible test does not repeat",
    )
    group.addoption(
        "--nondet-runs", type=int, metavar="N", help="runs of each reproducible test, at least 2"
    )
    parser.addini(
        "nondet_args", "further arguments of the processes that run reproducible tests", "args"
    )


# First, as pytest's own takes the folder from there.
@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        f"reproducible(runs={RUNS}, timeout=None): run the test in so many fresh processes, and "
        "fail where what it returns differs",
    )
    named = any(str(arg).startswith("--basetemp") for arg in config.invocation_params.args)
    if (folder := os.environ.get(CHILD)) and not named:
        config.option.basetemp = str(own_folder(Path(folder)) / "pytest")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> None:
    """Fail what is marked and would be run past the plugin: to pass would say that it repeats."""
    if item.get_closest_marker("reproducible") is None:
        return
    owner = getattr(item, "cls", None)
    # There can be no such class where that is not imported, which most tests do without.
    known = getattr(sys.modules.get("unittest"), "TestCase", ())
    if isinstance(owner, type) and issubclass(owner, known):
        pytest.fail(
            "a reproducible test must return what is to be compared, and a method of a "
            "unittest.TestCase returns nothing: make it a function, or take the mark away",
            pytrace=False,
        )


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    mark = pyfuncitem.get_closest_marker("reproducible")
    if mark is None:
        return None
    if folder := os.environ.get(CHILD):
        called(pyfuncitem, Path(folder))
    else:
        repeated(pyfuncitem, mark)
    return True


# -- in a fresh process


def own_folder(folder: Path) -> Path:
    """A new folder below, of this process alone: the one that the configuration names is cleared by
    each pytest that starts, while others use it."""
    numbers = itertools.count(1)
    while True:
        made = folder / f"temporary-{next(numbers)}"
        with contextlib.suppress(FileExistsError):
            made.mkdir(mode=0o700)
            return made


def called(item: pytest.Function, folder: Path) -> None:
    """Call the test, and write down what it returns."""
    names = item._fixtureinfo.argnames
    arguments = {name: item.funcargs[name] for name in names}
    try:
        value = item.obj(**arguments)
    except pytest.skip.Exception as skipped:
        (folder / "skipped").write_text(str(skipped.msg), encoding="utf-8")
        raise
    except pytest.xfail.Exception as expected:
        (folder / "xfailed").write_text(str(expected.msg), encoding="utf-8")
        raise
    import nondet

    nondet.checkpoint("returned", plain(value))
    written(value, folder)


def written(value: Any, folder: Path) -> None:
    """The arrays of a value: their bytes in files named by digest, and an index of them. Fails the
    test for what has no bits to compare."""
    from nondet.guest import device_values, digests, user_values
    from nondet.naming import numbered

    store, digester = digests.Values(str(folder), MOST), digests.Digester("sha256")
    index = []
    for path, found in user_values.flatten("", plain(value)) if value is not None else ():
        (dtype, shape), array = device_values.kind_of(found), device_values.array_of(found)
        try:
            digest = digester.digest(array)
        except TypeError:
            pytest.fail(
                f"a reproducible test returned, at {path}, a {type_at(value, path)}: "
                "return arrays, models, numbers, strings, or lists and dicts of them",
                pytrace=False,
            )
        store.keep(digest, array)
        index.append([path, dtype, list(shape), digest])
    names = numbered(path for path, *_ in index)
    index = [[name, *rest] for name, (_, *rest) in zip(names, index, strict=True)]
    (folder / "index.json").write_text(json.dumps(index), encoding="utf-8")


def type_at(value: Any, path: str) -> str:
    """The type's name, as far as it can be told."""
    for step in path.split("/") if path != "value" else ():
        try:
            value = value[int(step)] if isinstance(value, list | tuple) else value[step]
        except (KeyError, IndexError, ValueError, TypeError):
            break
    return type(value).__name__


def plain(value: Any) -> Any:
    """The value with its models as their weights."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if callable(getattr(value, "state_dict", None)):  # of PyTorch
        return {name: plain(item) for name, item in value.state_dict().items()}
    if callable(getattr(value, "get_weights", None)) and hasattr(value, "weights"):  # of Keras
        from nondet.naming import numbered

        names = numbered(getattr(weight, "path", weight.name) for weight in value.weights)
        return dict(zip(names, value.get_weights(), strict=True))
    if hasattr(value, "history") and isinstance(value.history, dict):  # of `fit`
        return plain(value.history)
    return value


# -- in the process that pytest was started in


def asked(mark: pytest.Mark, runs: int | None) -> tuple[int, float | None]:
    """How many runs, and seconds for each; `runs` of the command line give way to the mark's first
    argument alone."""
    count = mark.args[0] if mark.args else runs or mark.kwargs.get("runs", RUNS)
    timeout = mark.args[1] if len(mark.args) > 1 else mark.kwargs.get("timeout")
    return max(2, count), timeout


def repeated(item: pytest.Function, mark: pytest.Mark) -> None:
    """Run the test in fresh processes until two of them differ, or all agree."""
    from nondet.host import scratch

    runs, timeout = asked(mark, item.config.getoption("--nondet-runs"))
    with scratch.Private(scratch.temporary()) as room:
        first: Path | None = None
        for number in range(1, runs + 1):
            folder = room / str(number)
            folder.mkdir()
            fresh(item, folder, timeout)
            if first is None:
                first = folder
                continue
            if told := differing(first, folder):
                told = [f"run 1 and run {number} of {item.name} return other values", *told]
                pytest.fail("\n".join([*told, "", *advice(item)]), pytrace=False)


def fresh(item: pytest.Function, folder: Path, timeout: float | None) -> None:
    """Run the test once in a process of its own. Fails or skips as that does."""
    from nondet.host.errors import UsageError

    try:
        done = finished(
            [sys.executable, "-m", "pytest", *arguments(item, folder)],
            item.config.invocation_params.dir,
            {**os.environ, CHILD: str(folder)},
            timeout,
            folder,
        )
    except UsageError as error:
        pytest.fail(error.message, pytrace=False)
    except subprocess.TimeoutExpired:
        pytest.fail(f"a run took longer than {timeout:g} s", pytrace=False)
    if (folder / "skipped").exists():
        pytest.skip((folder / "skipped").read_text(encoding="utf-8"))
    if (folder / "xfailed").exists():
        pytest.xfail((folder / "xfailed").read_text(encoding="utf-8"))
    if done.returncode:
        pytest.fail(f"in a fresh process:\n{done.stdout}{done.stderr}", pytrace=False)
    if not (folder / "index.json").exists():
        pytest.fail(f"it was not run in a fresh process:\n{done.stdout}", pytrace=False)
    if not json.loads((folder / "index.json").read_text(encoding="utf-8")):
        pytest.fail("a reproducible test must return what is to be compared", pytrace=False)


def finished(
    command: Sequence[str],
    cwd: Path,
    env: Mapping[str, str],
    timeout: float | None,
    folder: Path,
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end; its output is kept in a folder. Raises subprocess.TimeoutExpired,
    and UsageError where it can't be started. It and all that it has started end with this call,
    however that ends, and with this process, also where that is killed."""
    from nondet.host.executors.interface import Launch
    from nondet.host.executors.running import LocalRunning

    logs = {name: folder / f"{name}.log" for name in ("stdout", "stderr")}
    order = {
        "argv": list(command),
        "env": dict(env),
        "cwd": str(cwd),
        **{name: str(path) for name, path in logs.items()},
        "host": getpid(),
        "mounts": None,
        "fixed_addresses": False,
        "load": 0,
    }
    until = math.inf if timeout is None else time.monotonic() + timeout
    launch = Launch(folder.name, tuple(command), dict(env), cwd, (cwd,), folder)
    running = LocalRunning(launch, folder, lambda: (None, ()))
    try:
        running.give(order)
        while (ended := running.poll(max(0.0, min(1.0, until - time.monotonic())))) is None:
            if timeout is not None and time.monotonic() > until:
                raise subprocess.TimeoutExpired(command, timeout)
    finally:
        # Once nobody holds its input, the supervisor ends what is left.
        running.release()
    # Without a code, somebody has killed the supervisor.
    code = -signal.SIGKILL if ended.exit_code is None else ended.exit_code
    out, err = (path.read_text("utf-8", "replace") for path in logs.values())
    return subprocess.CompletedProcess(command, code, out, err)


def arguments(item: pytest.Function, folder: Path) -> list[str]:
    """Of the pytest that runs this test alone, without what would spread it over processes.
    `folder`: where it may write."""
    config = item.config
    # A cache of its own, and not none: the configuration may name options of it, as `--ff`.
    cached = config.pluginmanager.hasplugin("cacheprovider")
    cache = ["-o", f"cache_dir={folder / 'cache'}"] if cached else ["-p", "no:cacheprovider"]
    given = ["-q", *cache, "-p", "nondet.pytest_plugin"]
    if config.pluginmanager.hasplugin("nondet"):
        given = given[:-2]
    given += [f"--rootdir={config.rootpath}"]
    given += ["-c", str(config.inipath)] if config.inipath is not None else []
    if config.pluginmanager.hasplugin("xdist"):
        # Where plugins are loaded by name alone, its option is known only once it is.
        given += ["-p", "xdist"] if "PYTEST_DISABLE_PLUGIN_AUTOLOAD" in os.environ else []
        given += ["-n", "0"]
    # As text: a path would take `test[a//b]` for `test[a/b]`.
    test = os.path.join(config.rootpath, own_id(item))
    return [*given, *config.getini("nondet_args"), test]


def own_id(item: pytest.Function) -> str:
    """The test's id as any pytest has it; xdist adds a group's name to that of the item."""
    return f"{item.parent.nodeid}::{item.name}" if item.parent is not None else item.nodeid


def differing(one: Path, other: Path) -> list[str]:
    """What differs between two runs, in lines; empty when nothing does."""
    indexes = [
        {path: (dtype, shape, digest) for path, dtype, shape, digest in rows}
        for rows in (json.loads((run / "index.json").read_text("utf-8")) for run in (one, other))
    ]
    apart = [path for path in indexes[0] if indexes[1].get(path) != indexes[0][path]]
    apart += [path for path in indexes[1] if path not in indexes[0]]
    if not apart:
        return []
    lines = [f"  {path}: {how(path, indexes, (one, other))}" for path in apart[:SHOWN]]
    more = len(apart) - SHOWN
    return [*lines, *([f"  and {more} more"] if more > 0 else [])]


def how(path: str, indexes: Sequence[dict[str, Any]], runs: tuple[Path, Path]) -> str:
    """How far one array is apart in two runs."""
    from nondet.host import differences

    if any(path not in index for index in indexes):
        return "only one of them has it"
    (dtype, shape, here), (other_dtype, other_shape, there) = (index[path] for index in indexes)
    if (dtype, shape) != (other_dtype, other_shape):
        return f"{dtype} {shape} and {other_dtype} {other_shape}"
    try:
        far = differences.between(runs[0] / here, runs[1] / there, dtype)
    except (OSError, TypeError):
        return f"{dtype} {shape} differs"
    parts = [
        f"{far.share:.3g} of its elements differ" if far.share and far.share < 1 else "differs"
    ]
    parts += [f"by up to {far.max_rel:.3g} relative"] if far.max_rel is not None else []
    parts += [f"{far.max_abs:.3g} absolute"] if far.max_abs is not None else []
    return ", ".join(parts)


def advice(item: pytest.Function) -> Iterator[str]:
    """The cause, when it is to be found out; else how."""
    if not item.config.getoption("--nondet-diagnose"):
        yield "To find the cause, run this test with --nondet-diagnose."
        return
    from nondet.host import scratch
    from nondet.host.errors import UsageError

    output = item.config.rootpath / "nondet-report" / report_name(own_id(item))
    with scratch.Private(scratch.temporary()) as room:
        # Not beside the logs of the diagnosis: each trial has the script's folder as it was.
        runner = room / "script" / "run_one_test.py"
        values = room / "script" / "values"
        values.mkdir(parents=True)
        runner.write_text(RUNNER.format(arguments=arguments(item, values)), encoding="utf-8")
        try:
            done = finished(
                [sys.executable, "-m", "nondet", "diagnose", "--quiet", "--force", "--no-verify",
                 "--output", str(output), str(runner)],
                item.config.invocation_params.dir,
                {**os.environ, CHILD: str(values)},
                None,
                room,
            )  # fmt: skip
        except UsageError as error:
            yield error.message
            return
    yield from (done.stdout.strip() or done.stderr.strip()).splitlines()


def report_name(nodeid: str) -> str:
    """The name of the folder of a test's report, which no other test's has."""
    told = re.sub(r"\W+", "-", nodeid)[-80:].strip("-")
    digest = hashlib.sha256(nodeid.encode("utf-8", "backslashreplace")).hexdigest()
    return f"{told}-{digest[:8]}"
