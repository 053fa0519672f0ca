"""Workers that race one another: pools of Python, and what prepares data."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import pytest

from nondet.guest.factors.python_workers import UNORDERED
from tests.guest.generators import library
from tests.guest.running import Shown, guided, plain


def started(folder: Path, script: str, **options: Any) -> Shown:
    folder.mkdir(exist_ok=True)
    (folder / "train.py").write_text(textwrap.dedent(script))
    shown = guided(folder, "train.py", **options)
    assert shown.code == 0, shown.err
    assert shown.of("guest-error") == []
    assert all(pin["ok"] for pin in shown.of("pin"))
    return shown


def marked(script: str) -> list[tuple[int, str]]:
    lines = textwrap.dedent(script).splitlines()
    return [(n, line.split("# ")[1]) for n, line in enumerate(lines, 1) if "# " in line]


def sightings(shown: Shown, factor: str) -> list[tuple[int, str, bool | None]]:
    found = [e for e in shown.of("finished")[0]["sightings"] if e["factor"] == factor]
    return sorted((e["site"]["line"], e["detail"], e["unseeded"]) for e in found)


# -- python-workers


POOLS = """
    import asyncio, multiprocessing, time
    from concurrent import futures
    from multiprocessing.pool import ThreadPool
    def work(n):
        time.sleep(0.05 * (3 - n % 4))
        return n
    if __name__ == "__main__":
        with futures.ThreadPoolExecutor(4) as pool:                            # 4 None
            tasks = {pool.submit(work, n): n for n in range(4)}
            print([f.result() for f in futures.as_completed(tasks)])           # comes True
        with futures.ThreadPoolExecutor(max_workers=4) as pool:                # 4 None
            waiting, order = {pool.submit(work, n) for n in range(4)}, []
            while waiting:
                done, waiting = futures.wait(waiting, None, "FIRST_COMPLETED")  # comes True
                order += [f.result() for f in done]
            print(order, list(pool.map(work, range(4))))
            done = futures.wait([pool.submit(work, n) for n in range(4)]).done  # all None
            print([f.result() for f in done])
        fork = multiprocessing.get_context("fork")
        with futures.ProcessPoolExecutor(2, fork) as pool:                     # 2 None
            tasks = [pool.submit(work, n) for n in (0, 3)]
            print([f.result() for f in futures.as_completed(tasks)])           # comes True
        with fork.Pool(4) as pool:                                             # 4 None
            print(list(pool.imap_unordered(work, range(4))))                   # comes True
        with ThreadPool(4) as pool:                                            # 4 None
            print(list(pool.imap_unordered(work, range(4))), pool.map(work, range(3)))  # comes True
            order = []
            for n in range(4):
                pool.apply_async(work, (n,), callback=order.append)            # comes True
            pool.close()
            pool.join()
            print(order)
        async def several():
            return await asyncio.gather(*(asyncio.to_thread(work, n) for n in range(3)))
        print(asyncio.run(several()))                                          # asyncio None
        with futures.ThreadPoolExecutor(1) as pool:
            pool.submit(work, 3).result()
        with ThreadPool(1) as pool:
            print(list(pool.imap_unordered(work, range(2))))
"""


def test_pools_are_noted_where_the_script_makes_them(tmp_path: Path) -> None:
    seen = started(tmp_path / "subject", POOLS)
    expected = [
        (line, None if mark.endswith("None") else True, mark.split()[0])
        for line, mark in marked(POOLS)
    ]
    found = sightings(seen, "python-workers")
    assert [(line, unseeded) for line, _, unseeded in found] == [row[:2] for row in expected]
    for (_, detail, _), (_, _, count) in zip(found, expected, strict=True):
        assert count.isalpha() or f"with {count} workers" in detail


def test_a_single_worker_gives_results_in_the_order_of_the_tasks(tmp_path: Path) -> None:
    seen = started(tmp_path / "subject", POOLS, pinned=("python-workers",))
    assert seen.out.splitlines() == [
        "[0, 1, 2, 3]",
        "[0, 1, 2, 3] [0, 1, 2, 3]",
        "[0, 1, 2, 3]",
        "[0, 3]",
        "[0, 1, 2, 3]",
        "[0, 1, 2, 3] [0, 1, 2]",
        "[0, 1, 2, 3]",
        "[0, 1, 2]",
        "[0, 1]",
    ]
    assert len(seen.of("pin")) == 6


WAITING = """
    import queue, threading
    from concurrent.futures import ThreadPoolExecutor, as_completed, wait
    pool = ThreadPoolExecutor(8)
    def leaf(n):
        return n, threading.get_ident()
    def tree(n):
        left, right = pool.submit(leaf, n), pool.submit(leaf, n + 1)
        done = [f.result()[0] for f in as_completed([left, right])]
        more = wait([pool.submit(leaf, 7), pool.submit(leaf, 8)]).done
        return done + sorted(f.result()[0] for f in more) + [pool.submit(leaf, 9).result()[0]]
    print([f.result() for f in [pool.submit(tree, 1), pool.submit(tree, 5)]])
    channel = queue.Queue(maxsize=1)
    def produce():
        for n in range(5):
            channel.put(n)
    def consume():
        return [channel.get() for _ in range(5)]
    made, used = pool.submit(produce), pool.submit(consume)
    print(used.result(), made.result())
"""


def test_tasks_that_wait_for_one_another_come_to_an_end(tmp_path: Path) -> None:
    seen = started(tmp_path / "subject", WAITING, pinned=("python-workers",))
    assert seen.out == "[[1, 2, 7, 8, 9], [5, 6, 7, 8, 9]]\n[0, 1, 2, 3, 4] None\n"


ERRORS = """
    import threading
    from concurrent import futures
    from multiprocessing.pool import ThreadPool
    for make in (lambda: futures.ThreadPoolExecutor(0), lambda: ThreadPool(-1)):
        try:
            make()
        except ValueError as error:
            print(error)
    with futures.ThreadPoolExecutor(2) as pool:
        gate = threading.Event()
        slow = [pool.submit(gate.wait, 60), pool.submit(abs, 0)]
        try:
            list(futures.as_completed(slow, timeout=0.1))
        except futures.TimeoutError as error:
            print("too late")
        print(len(futures.wait(slow, timeout=0.01).done) < 2, len(futures.wait([]).done))
        gate.set()
        failed = pool.submit(int, "x")
        print(type(failed.exception()).__name__, [f is failed for f in futures.wait([failed])[0]])
"""


@pytest.mark.parametrize("arm", ["free", "pinned"])
def test_errors_and_timeouts_of_pools_stay(arm: str, tmp_path: Path) -> None:
    seen = started(tmp_path / "subject", ERRORS, arms={"python-workers": arm})
    assert seen.out.splitlines() == [
        "max_workers must be greater than 0",
        "Number of processes must be at least 1",
        "too late",
        "True 0",
        "ValueError [True]",
    ]


JOBLIB = """
    import pickle, warnings
    import os
    from joblib import Parallel, delayed
    import learner

    class Mine(Parallel):
        def __call__(self, tasks):
            return super().__call__(tasks)                         # threads

    def where(n):
        return os.getpid()

    if __name__ == "__main__":
        warnings.simplefilter("error")
        tasks = [delayed(abs)(-n) for n in range(3)]
        print(Parallel(n_jobs=2, timeout=60)(tasks))               # workers
        print(Mine(n_jobs=2, prefer="threads")(tasks))
        with Parallel(n_jobs=3, backend="threading") as parallel:  # threads
            print(parallel(tasks), parallel(tasks), parallel.n_jobs)
        made = Parallel(n_jobs=2, prefer="threads", return_as="generator")(tasks)  # threads
        print(list(made))
        print(Parallel(n_jobs=1)(tasks), Parallel(n_jobs=2, backend="sequential")(tasks))
        print(pickle.loads(pickle.dumps(Mine)) is Mine, Parallel._initialize_backend.__doc__)
        made = Parallel(2, "threading", return_as="generator_unordered")(tasks)  # comes
        print(sorted(made))
        try:
            Parallel(n_jobs=0)(tasks)
        except ValueError as error:
            print(error)
        print(learner.fit(tasks, n_jobs=2))                        # workers
        there = Parallel(n_jobs=2)(delayed(where)(n) for n in range(4))  # workers
        print("here", set(there) == {os.getpid()})
"""
LEARNER = """
    from joblib import Parallel

    def fit(tasks, n_jobs):
        return Parallel(n_jobs)(tasks)
"""


@pytest.mark.parametrize("arm", ["free", "pinned"])
def test_workers_of_joblib_whoever_calls_for_them(tmp_path: Path, arm: str) -> None:
    pytest.importorskip("joblib")
    environ = library(tmp_path, "learner", LEARNER)
    folder = tmp_path / "subject"
    seen = started(folder, JOBLIB, environ=environ, arms={"python-workers": arm})
    visible = plain(folder, "train.py", environ=environ).out
    assert seen.out == visible.replace("here False", f"here {arm == 'pinned'}")
    assert "here False" in visible
    expected = [
        (line, f"joblib.Parallel with several {word}" if word != "comes" else UNORDERED)
        for line, word in marked(JOBLIB)
    ]
    found = [(line, detail) for line, detail, _ in sightings(seen, "python-workers")]
    if arm == "free":
        assert found == sorted(expected)
    else:
        assert found == []
        assert len(seen.of("pin")) == len(expected)


# -- data-threads


DATASETS = """
    import numpy as np
    import tensorflow as tf
    AUTO = tf.data.AUTOTUNE
    def noisy(x):
        return tf.cast(x, tf.float32) + tf.random.normal((), seed=1)
    def python(x):
        return tf.numpy_function(lambda v: v, [x], tf.int64)
    def options(deterministic):
        made = tf.data.Options()
        made.deterministic = deterministic
        return made
    rows = tf.data.Dataset.range(8)
    quiet = rows.map(lambda x: x + 1, num_parallel_calls=2).prefetch(2)     # in parallel False
    loud = rows.map(noisy, num_parallel_calls=2)                            # drawing True
    rows.map(python, num_parallel_calls=2, deterministic=False)             # =False, drawing True
    rows.map(noisy).batch(2).prefetch(AUTO)                                 # prefetch None
    tf.data.Dataset.from_generator(lambda: iter([1]), tf.int64).prefetch(1)  # prefetch None
    ordered = rows.with_options(options(True))
    free = rows.with_options(options(False))                                # Options None
    free.map(lambda x: x * 2, num_parallel_calls=2)                         # =False True
    late = quiet.with_options(options(False))                               # Options True
    each = lambda x: tf.data.Dataset.range(x)
    rows.interleave(each, num_parallel_calls=2)                             # in parallel False
    rows.batch(2, num_parallel_calls=2)                                     # in parallel False
    old = tf.data.experimental.parallel_interleave(each, 2, sloppy=True)
    mixed = rows.apply(old)                                                 # sloppy True
    print([type(d).__name__ for d in (quiet, loud, mixed)])
    print([int(x) for x in quiet], len(list(loud)), len(list(mixed)))
    print([type(d).__name__ for d in (rows.map(noisy).prefetch(1), rows.prefetch(1))])
"""


@pytest.mark.subject
@pytest.mark.long
def test_parallel_stages_of_datasets_are_seen_and_held(tmp_path: Path) -> None:
    seen = started(tmp_path / "subject", DATASETS)
    script = marked(DATASETS)
    found = sightings(seen, "data-threads")[: len(script)]
    for (line, detail, unseeded), (place, mark) in zip(found, script, strict=True):
        word, _, value = mark.rpartition(" ")
        assert (line, str(unseeded)) == (place, value)
        assert word in detail
    assert "['_PrefetchDataset', '_ParallelMapDataset', 'ParallelInterleaveDataset']" in seen.out
    held = started(tmp_path / "held", DATASETS, pinned=("data-threads",))
    assert held.out.splitlines() == [
        "['_PrefetchDataset', '_MapDataset', '_InterleaveDataset']",
        "[1, 2, 3, 4, 5, 6, 7, 8] 8 28",
        "['_MapDataset', '_PrefetchDataset']",
    ]
    kinds = {pin["expected"][0] for pin in held.of("pin")}
    assert {"Dataset.map runs", "Dataset.interleave runs", "order"} <= kinds


LOADERS = """
    import torch
    from torch.utils.data import DataLoader
    data = torch.arange(8.0)
    for given in ({}, {"num_workers": 2}, {"num_workers": 1, "in_order": False}):
        loader = DataLoader(data, batch_size=2, **given)                    # worker None
        print(loader.num_workers, loader.in_order)
    loader = DataLoader(data, 2, num_workers=3, in_order=False)             # in_order=False True
    print(loader.num_workers, loader.in_order, sorted(b.sum().item() for b in loader))
    try:
        DataLoader(data, no_such=1)
    except TypeError as error:
        print("no_such" in str(error))
"""


@pytest.mark.subject
def test_workers_of_pytorch_are_seen_and_held(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    seen = started(tmp_path / "subject", LOADERS)
    (line, _), (other, _) = marked(LOADERS)
    assert sightings(seen, "data-threads") == [
        (line, "DataLoader with 1 worker processes, in_order=False", None),
        (line, "DataLoader with 2 worker processes", None),
        (other, "DataLoader with 3 worker processes, in_order=False", True),
    ]
    assert seen.out.splitlines()[:3] == ["0 True", "2 True", "1 False"]
    held = started(tmp_path / "held", LOADERS, pinned=("data-threads",))
    assert held.out.splitlines() == [
        "0 True", "1 True", "1 True", "1 True [1.0, 5.0, 9.0, 13.0]", "True",
    ]  # fmt: skip
    assert len(held.of("pin")) == 3
