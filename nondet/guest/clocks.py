"""Stand-ins for the clock."""

import os
import threading
import time

WALL_START = 1767268800 * 10**9
"""Noon of 2026-01-01, in nanoseconds since 1970."""
MONOTONIC_START = 1000 * 10**9
FIRST_STEP = 10**6
LONGEST_STEP = 10 * 10**9
GROWTH = 20
"""Each step is longer than the last by one part in so many."""


class Ticking(object):
    """A clock that moves when it is read, and by what its reader slept: never with real time.

    So it shows the same times in every trial. Steps grow from a millisecond, and a loop that waits
    for a time ends after about 40 readings for 0.1 seconds, 160 for a minute, 530 for an hour. A
    sleep makes steps short again, since a loop that sleeps ends by that.

    All kinds of time, and all threads, share it: readings of one thread are never before those of
    another that it waited for.
    """

    def __init__(self):
        self.elapsed = 0
        self.step = FIRST_STEP
        self.renew()
        if hasattr(os, "register_at_fork"):
            # Another thread may hold the lock at that moment.
            os.register_at_fork(after_in_child=self.renew)

    def renew(self):
        # Not a plain lock: a signal's handler may read the clock in the middle of a reading.
        self.lock = threading.RLock()

    def read(self, kind):
        """Nanoseconds of a ``wall``, ``monotonic`` or ``cpu`` clock."""
        with self.lock:
            self.elapsed += self.step
            self.step = min(self.step + self.step // GROWTH, LONGEST_STEP)
            elapsed = self.elapsed
        return elapsed + {"wall": WALL_START, "monotonic": MONOTONIC_START, "cpu": 0}[kind]

    def slept(self, seconds):
        with self.lock:
            self.elapsed += int(seconds * 10**9)
            self.step = FIRST_STEP


class Shifted(object):
    """The real clock, and hours on top."""

    def __init__(self, hours):
        self.shift = hours * 3600 * 10**9
        # The originals, taken before anything stands in for them.
        self.real = {
            "wall": time.time_ns,
            "monotonic": time.monotonic_ns,
            "cpu": time.process_time_ns,
        }

    def read(self, kind):
        return self.real[kind]() + (0 if kind == "cpu" else self.shift)

    def slept(self, seconds):
        """It moves by itself."""
