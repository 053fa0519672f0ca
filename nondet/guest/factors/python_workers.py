"""Pools of threads and processes: `concurrent.futures`, `multiprocessing` and joblib."""

import itertools
import sys

from .. import single_worker
from .base import Factor, replace

PASSING = (
    "concurrent.futures.thread",
    "concurrent.futures.process",
    "concurrent.futures._base",
    "multiprocessing.pool",
    "multiprocessing.context",
    "multiprocessing.dummy",
    "asyncio.base_events",
    "asyncio.events",
    "asyncio.runners",
    "asyncio.tasks",
    "asyncio.threads",
)
"""Modules of the standard library that make a pool on behalf of their caller."""

THREADS, WORKERS = "joblib.Parallel with several threads", "joblib.Parallel with several workers"
"""As what joblib's are seen, which scikit-learn's `n_jobs` are."""
UNORDERED = 'joblib.Parallel with return_as="generator_unordered"'

BACKENDS = ("SequentialBackend", "ThreadingBackend", "LokyBackend", "MultiprocessingBackend")
"""Those that joblib comes with: where they have one worker, it is the caller."""

IN_ORDER = (
    "Where results are taken as they come, take them in the order of the tasks: `executor.map` in "
    "place of `as_completed`, `pool.imap` in place of `imap_unordered`."
)


class PythonWorkers(Factor):
    name = "python-workers"
    group = "parallelism"
    title = "Pools of threads and processes"
    symptom = (
        "Rows, files or features come in another order in every run, and in the same order with"
        " one worker."
    )
    explanation = (
        "Tasks that several workers do at once end in another order, and draw from a shared "
        "generator in another order, in every run. In the processes of joblib, they draw from "
        "generators that nobody has seeded."
    )
    because = "tasks are done by several workers that race one another"
    reasons = (
        (WORKERS, "tasks are done by joblib's workers, which no seed of the script reaches"),
    )
    pinned = (
        "Pools that the script makes have one worker. `as_completed`, `wait` and `imap_unordered` "
        "give the results in the order in which the tasks were submitted. A task that waits for "
        "another one of its own pool does that one meanwhile; where tasks wait for one another in "
        "other ways, the pool gets another worker. `joblib.Parallel`, which the `n_jobs` of "
        "scikit-learn is, does its tasks in the process that calls it, one after another."
    )
    varied = "As the script has it, on a machine whose cores are kept busy."
    loads = True
    stress = "dormant"
    noticed = (
        "By every pool of more than one worker that the script makes. Suspected where results are "
        "taken as they come: `as_completed`, `wait` for the first one, `imap_unordered`, the "
        "callback of `apply_async`, and joblib's `generator_unordered`. By `joblib.Parallel` with "
        "several workers, whoever calls it. Other pools that libraries make for themselves are "
        "left alone."
    )
    advice = (
        "Give every task a generator of its own, seeded with the task's number: threads that draw "
        "from a shared one race for its numbers, and no seed of the script reaches the processes "
        "of joblib. " + IN_ORDER
    )
    advices = (
        (
            "torch",
            "Give every task a generator of its own, seeded with the task's number. Layers of "
            "PyTorch draw their weights, and dropout its masks, from its shared generator, for "
            "which threads race: make the models one after another before the tasks start. Where "
            "training draws as well, run each task in a process that calls `torch.manual_seed` "
            "with the task's number. " + IN_ORDER,
        ),
    )
    references = (
        (
            "Python: as_completed",
            "https://docs.python.org/3/library/concurrent.futures.html#concurrent.futures.as_completed",
        ),
        (
            "Python: imap_unordered",
            "https://docs.python.org/3/library/multiprocessing.html#multiprocessing.pool.Pool.imap_unordered",
        ),
    )
    edits = (
        ("as_completed", "for future in futures:  # in the order in which they were submitted"),
        ("wait(FIRST_COMPLETED)", "for future in futures:  # in the order they were submitted"),
        ("Pool.imap_unordered", "pool.imap(work, tasks)"),
        ("Pool.apply_async with a callback", "pool.map(work, tasks)"),
        (UNORDERED, 'Parallel(n_jobs=..., return_as="generator")'),
        (WORKERS, "random_state=42  # of the estimator itself; or n_jobs=1"),
    )
    rewrites = (
        ("as_completed", "as_completed", "{first}", ""),
        ("Pool.imap_unordered", "imap_unordered", "{owner}.imap({args})", ""),
    )

    def install(self, session, arm):
        self.several = False
        self.watch = single_worker.Watch()
        session.on_import("concurrent.futures._base", lambda m: self.futures(session, arm, m))
        for kind in ("Thread", "Process"):
            session.on_import(
                "concurrent.futures." + kind.lower(),
                lambda m, kind=kind: self.executors(session, arm, m, kind),
            )
        session.on_import("multiprocessing.pool", lambda m: self.pools(session, arm, m))
        session.on_import("joblib.parallel", lambda m: self.joblib(session, arm, m))

    @staticmethod
    def of_user(session):
        """Whether the script itself, and no library for ends of its own, makes this call."""
        return session.asker(sys._getframe(1), PASSING)[1] == "user"

    def making(self, session, arm, parameter, kind, workers):
        """Wraps what makes a pool. `kind(pool)` names it, `workers(pool)` counts its workers."""

        def make(original):
            def wrapper(pool, *args, **kwargs):
                if not self.of_user(session):
                    return original(pool, *args, **kwargs)
                asked = args[0] if args else kwargs.get(parameter)
                held = arm == "pinned" and (asked is None or (isinstance(asked, int) and asked > 1))
                if held and args:
                    args = (1,) + args[1:]
                elif held:
                    kwargs[parameter] = 1
                original(pool, *args, **kwargs)
                count = workers(pool)
                if held:
                    session.read_back(self.name, [kind(pool), 1], [kind(pool), count])
                    if hasattr(pool, "_work_queue") and hasattr(pool, "_adjust_thread_count"):
                        self.watch.add(pool)
                elif count > 1:
                    self.several = True
                    session.saw(self.name, "%s with %d workers" % (kind(pool), count), None)
                return None

            return wrapper

        return make

    def executors(self, session, arm, module, kind):
        name = kind + "PoolExecutor"
        owner = getattr(module, name)
        making = self.making(
            session, arm, "max_workers", lambda pool: name, lambda pool: pool._max_workers
        )
        replace(owner, "__init__", making)
        if arm == "pinned":
            replace(owner, "submit", self.numbered(itertools.count()))

    @staticmethod
    def numbered(counter):
        """Every task knows when it was submitted, and to which pool."""

        def make(original):
            def wrapper(*args, **kwargs):
                number = next(counter)
                future = original(*args, **kwargs)
                future._submitted = number
                single_worker.belongs(future, args[0])
                return future

            return wrapper

        return make

    def futures(self, session, arm, module):
        first = module.FIRST_COMPLETED

        def as_completed(original):
            def wrapper(fs, timeout=None):
                if not self.of_user(session):
                    return original(fs, timeout)
                if arm == "pinned":
                    return single_worker.as_completed(original, fs, timeout)
                if self.several:
                    session.saw(self.name, "as_completed", True)
                return original(fs, timeout)

            return wrapper

        def wait(original):
            def wrapper(fs, timeout=None, return_when=module.ALL_COMPLETED):
                if not self.of_user(session):
                    return original(fs, timeout, return_when)
                if arm == "pinned":
                    return single_worker.wait(original, fs, timeout, return_when)
                if self.several:
                    racing = True if return_when == first else None
                    session.saw(self.name, "wait(%s)" % return_when, racing)
                return original(fs, timeout, return_when)

            return wrapper

        def waiting(original):
            def wrapper(future, *args, **kwargs):
                single_worker.work_off(future)
                return original(future, *args, **kwargs)

            return wrapper

        replaced = {}
        for name, make in (("as_completed", as_completed), ("wait", wait)):
            replaced[name] = replace(module, name, make), getattr(module, name)
        if arm == "pinned":
            for name in ("result", "exception"):
                replace(module.Future, name, waiting)
        session.on_import("concurrent.futures", lambda package: rebind(package, replaced))

    def pools(self, session, arm, module):
        def kind(pool):
            return "ThreadPool" if isinstance(pool, module.ThreadPool) else "Pool"

        def racing(pool):
            return pool._processes > 1 and self.of_user(session)

        def imap_unordered(original):
            def wrapper(pool, func, iterable, chunksize=1):
                if arm == "pinned" and self.of_user(session):
                    return pool.imap(func, iterable, chunksize)
                if racing(pool):
                    session.saw(self.name, "Pool.imap_unordered", True)
                return original(pool, func, iterable, chunksize)

            return wrapper

        def apply_async(original):
            def wrapper(pool, func, args=(), kwds={}, callback=None, *rest, **others):  # noqa: B006
                if callback is not None and racing(pool):
                    session.saw(self.name, "Pool.apply_async with a callback", True)
                return original(pool, func, args, kwds, callback, *rest, **others)

            return wrapper

        making = self.making(session, arm, "processes", kind, lambda pool: len(pool._pool))
        replace(module.Pool, "__init__", making)
        replace(module.Pool, "imap_unordered", imap_unordered)
        replace(module.Pool, "apply_async", apply_async)

    def joblib(self, session, arm, module):
        """For whoever calls: the `n_jobs` that the script gives to a library are these.

        What there will be is known only where workers are set up.
        """

        def make(original):
            def wrapper(parallel, *args, **kwargs):
                backend = parallel._backend
                if type(backend).__name__ not in BACKENDS:
                    return original(parallel, *args, **kwargs)
                if arm == "pinned" and backend.effective_n_jobs(parallel.n_jobs) > 1:
                    # A single worker, which is the caller, would warn that it heeds no time limit.
                    asked = parallel.n_jobs, parallel.timeout
                    parallel.n_jobs, parallel.timeout = 1, None
                    try:
                        count = original(parallel, *args, **kwargs)
                    finally:
                        parallel.n_jobs, parallel.timeout = asked
                    session.read_back(self.name, ["joblib.Parallel", 1], ["joblib.Parallel", count])
                    return count
                count = original(parallel, *args, **kwargs)
                if count > 1:
                    ordered = getattr(parallel, "return_ordered", True)
                    workers = THREADS if getattr(backend, "uses_threads", False) else WORKERS
                    session.saw(self.name, workers if ordered else UNORDERED, not ordered or None)
                return count

            return wrapper

        replace(module.Parallel, "_initialize_backend", make)


def rebind(package, replaced):
    """The package may have taken the functions before they were replaced."""
    for name, (original, stand_in) in replaced.items():
        if getattr(package, name, None) is original:
            setattr(package, name, stand_in)


FACTOR = PythonWorkers()
