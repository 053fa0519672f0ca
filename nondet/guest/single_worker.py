"""What a pool with a single worker needs, so that a script written for more keeps running: results
in the order of their tasks, and a way on for tasks that wait for one another."""

import sys
import weakref

TICK = 0.5
PATIENCE = 6
"""Looks at the same blocked task, after which its pool gets another worker."""


class InOrder(set):  # type: ignore[type-arg]
    """A set of futures that is walked in the order in which their tasks were submitted. The plain
    one has that of their addresses."""

    def __iter__(self):
        return iter(sorted(set.__iter__(self), key=number))

    def pop(self):
        for first in self:
            self.remove(first)
            return first
        return set().pop()


def number(future):
    return future._submitted


def in_order(futures):
    """The futures in the order of their tasks, each once; None when some come from elsewhere."""
    known = set(futures)
    return sorted(known, key=number) if all(hasattr(f, "_submitted") for f in known) else None


def as_completed(original, fs, timeout):
    """Hands on what `original` yields as soon as all that was submitted before it is through."""
    fs = list(fs)
    ordered = in_order(fs)
    done, place = set(), 0
    for future in fs:
        work_off(future)
    for future in original(fs, timeout):
        if ordered is None:
            yield future
            continue
        done.add(future)
        while place < len(ordered) and ordered[place] in done:
            yield ordered[place]
            place += 1


def wait(original, fs, timeout, return_when):
    """Of those that may end first, the one that was submitted first."""
    fs = list(fs)
    ordered = in_order(fs)
    if ordered is None:
        return original(fs, timeout, return_when)
    awaited = ordered[:1] if return_when == "FIRST_COMPLETED" else ordered
    for future in awaited:
        work_off(future)
    found = original(awaited, timeout, return_when)
    rest = InOrder(set(ordered).difference(found.done))
    return type(found)(InOrder(found.done), rest)


def belongs(future, pool):
    """Remember the pool of a future, and let the pool go when the script does."""
    future._pool = weakref.ref(pool)


def work_off(future):
    """A task that waits for one of its own pool does what is queued there, until that is done."""
    pool = getattr(future, "_pool", None)
    pool = pool() if pool is not None else None
    threads = getattr(pool, "_threads", ())
    # From Python 3.14 on only the pool's own loop can run a task: it gets a worker in time.
    if future.done() or not threads or sys.version_info >= (3, 14):
        return
    if sys.modules["threading"].current_thread() not in threads:
        return
    while not future.done():
        try:
            item = pool._work_queue.get_nowait()
        except sys.modules["queue"].Empty:
            return
        if item is None:
            # Not a task but the sign to end, meant for the pool's own loop.
            pool._work_queue.put(None)
            return
        item.run()


class Watch(object):
    """Gives another worker to a pool whose tasks are all blocked while others wait for a worker.

    Tasks may wait for one another through queues and events: with one worker they would for ever.
    """

    def __init__(self):
        self.pools = weakref.WeakSet()
        self.running = False
        self.seen = weakref.WeakKeyDictionary()

    def add(self, pool):
        self.pools.add(pool)
        if not self.running:
            import _thread

            self.running = True
            # Not one of `threading`'s: the script may list or join those.
            _thread.start_new_thread(self.look, (_thread.allocate_lock(),))

    def look(self, never):
        never.acquire()
        # Not `time.sleep`, which may be held as well.
        while not never.acquire(True, TICK):
            for pool in list(self.pools):
                try:
                    self.judge(pool)
                except Exception:
                    # A pool that is coming to its end.
                    self.pools.discard(pool)

    def judge(self, pool):
        place = blocked(pool) if pool._work_queue.qsize() else None
        before, count = self.seen.get(pool, (None, 0))
        count = count + 1 if place is not None and place == before else 0
        self.seen[pool] = place, count
        if count >= PATIENCE:
            self.seen[pool] = None, 0
            with pool._shutdown_lock:
                pool._max_workers += 1
                pool._adjust_thread_count()


def blocked(pool):
    """Where all tasks of a pool wait for something in Python's own queues and locks, or None."""
    frames = sys._current_frames()
    places = []
    for thread in list(pool._threads):
        frame = frames.get(thread.ident)
        if frame is None or frame.f_globals.get("__name__") not in ("threading", "queue"):
            return None
        places.append((id(frame), frame.f_lasti))
    return places or None
