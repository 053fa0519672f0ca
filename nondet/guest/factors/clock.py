"""The clock: `time`, `datetime` and what is made from them."""

import functools
import sys

from .. import asking, clocks
from .base import ALWAYS, Factor, replace
from .os_entropy import MADE_ONCE, STREAM, UUID

KINDS = {
    "time": "wall",
    "monotonic": "monotonic",
    "perf_counter": "monotonic",
    "process_time": "cpu",
    "thread_time": "cpu",
    "clock": "cpu",
}
CLOCK_IDS = {
    "CLOCK_REALTIME": "wall",
    "CLOCK_PROCESS_CPUTIME_ID": "cpu",
    "CLOCK_THREAD_CPUTIME_ID": "cpu",
}
CALENDAR = ("localtime", "gmtime", "ctime")
THROUGH = ("uuid", "datetime", "_pydatetime")
SEED = "42  # where a seed is taken from it; where it measures, count steps instead"
"""A loop that waits for its time to pass would never end with a fixed one."""


class Clock(Factor):
    name = "clock"
    group = "entropy"
    title = "The clock"
    symptom = (
        "Runs that start within the same second or minute agree, and later ones don't. Or the "
        "number of epochs, steps or draws is another one on a busy machine."
    )
    explanation = (
        "Times are others in every run: a seed made from the time, a loop that ends when its time "
        "is spent, a number of draws that depends on how long something took."
    )
    because = "the time of the run, or how long something took, changes the results"
    pinned = (
        "The script's own readings of the clock come from a stand-in that moves a little at every "
        "reading, from the same moment on, whatever the real time is. `time.sleep` sleeps, and "
        "moves it by just that. Libraries read the real clock."
    )
    varied = "The script's own readings are shifted by hours, by others in every trial."
    noticed = (
        "By every reading in the script's own code. Whether a result depends on it can't be seen."
    )
    stress = "dormant"
    due = (ALWAYS,)
    advice = (
        "Give seeds as numbers instead of taking them from the time. Count epochs, steps or draws "
        "instead of seconds."
    )
    references = (
        ("Python: time", "https://docs.python.org/3/library/time.html"),
        ("Reproducible Builds: timestamps", "https://reproducible-builds.org/docs/timestamps/"),
    )
    edits = (
        ("uuid.uuid1", UUID + MADE_ONCE),
        ("datetime.", SEED),
        ("date.", SEED),
        ("time.", SEED),
    )
    rewrites = (("uuid.uuid1", "uuid1", UUID, STREAM + "\nimport uuid"),)
    acts = "before-import"

    def install(self, session, arm):
        import time

        self.session, self.time, self.noting, self.clock = session, time, True, None
        if arm == "pinned":
            self.clock = clocks.Ticking()
        elif arm == "varied":
            hours = session.number("%s/%s" % (self.name, session.plan["trial"]), 13) + 1
            self.clock = clocks.Shifted(hours)
        self.localtime, ctime = time.localtime, time.ctime
        for name, kind in KINDS.items():
            replace(time, name, self.reading("time." + name, kind, 10**9))
            replace(time, name + "_ns", self.reading("time.%s_ns" % name, kind, 1))
        for name, unit in (("clock_gettime", 10**9), ("clock_gettime_ns", 1)):
            replace(time, name, self.by_id("time." + name, unit))
        for name in CALENDAR:
            replace(time, name, self.calendar("time." + name, 0, lambda seconds: seconds))
        replace(time, "asctime", self.calendar("time.asctime", 0, self.localtime))
        replace(time, "strftime", self.calendar("time.strftime", 1, self.localtime))
        session.on_import("datetime", self.datetime)
        session.on_import("uuid", lambda module: replace(module, "uuid1", self.uuid1))
        if self.clock is not None:
            replace(time, "sleep", self.sleep)
        if arm == "pinned":
            look = functools.partial(
                self.check,
                "time",
                "(time.time(), time.perf_counter_ns(), time.ctime())",
                lambda: (self.now(), self.clock.read("monotonic"), ctime(self.now())),
                time=time,
            )
            look()
            # Meanwhile it turns the clock back, which no thread of the script's may see.
            session.look(look, told=True, early=False)

    def asks(self, frame, name):
        """Whether the user's own code reads this clock, which is then noted."""
        try:
            asking_frame, kind, call = asking.asker(self.session, frame, THROUGH)
            if kind != "user":
                return False
            if self.noting:
                names = asking_frame.f_code.co_names
                if name == "time.time" and "today" in names and "time" not in names:
                    # `date.today` reads it in C.
                    name = "date.today"
                self.session.saw(self.name, call or name, None)
            return self.clock is not None
        except Exception as error:
            self.session.failed("reading the clock", error, unheld=self.name)
            return False

    def reading(self, name, kind, unit):
        def make(original):
            def wrapper(*args, **kwargs):
                if not self.asks(sys._getframe(1), name) or args or kwargs:
                    return original(*args, **kwargs)
                return in_units(self.clock.read(kind), unit)

            return wrapper

        return make

    def now(self):
        """Seconds since 1970, by the stand-in."""
        return self.clock.read("wall") / 10**9

    def by_id(self, name, unit):
        kinds = {getattr(self.time, n, None): kind for n, kind in CLOCK_IDS.items()}

        def make(original):
            def wrapper(*args, **kwargs):
                real = original(*args, **kwargs)
                if not self.asks(sys._getframe(1), name):
                    return real
                return in_units(self.clock.read(kinds.get(args[0], "monotonic")), unit)

            return wrapper

        return make

    def calendar(self, name, place, convert):
        """Functions that take the present where argument number `place` gives no time."""

        def make(original):
            def wrapper(*args, **kwargs):
                present = len(args) == place or (len(args) == place + 1 and args[place] is None)
                if kwargs or not present or not self.asks(sys._getframe(1), name):
                    return original(*args, **kwargs)
                return original(*(args[:place] + (convert(self.now()),)))

            return wrapper

        return make

    def sleep(self, original):
        def wrapper(*args, **kwargs):
            original(*args, **kwargs)
            if args and asking.asker(self.session, sys._getframe(1))[1] == "user":
                self.clock.slept(args[0])

        return wrapper

    def datetime(self, module):
        """`now` and `utcnow` of `datetime.datetime` read the clock in C; `today` does by `time`."""
        kind = module.datetime
        methods = dict_of(kind)
        for name in ("now", "utcnow"):
            if type(methods[name]).__name__ == "classmethod_descriptor":
                methods[name] = Present(self, name, methods[name])
        forget_lookups(kind)
        if isinstance(self.clock, clocks.Ticking):
            self.check(
                "datetime",
                "(datetime.datetime.now(), datetime.date.today())",
                lambda: (kind.fromtimestamp(self.now()), module.date.fromtimestamp(self.now())),
                datetime=module,
            )

    def present(self, name, owner):
        """What stands in for `datetime.now` or `utcnow` of that class."""

        def now(tz=None):
            return owner.fromtimestamp(self.now(), tz)

        def utcnow():
            import datetime

            seconds = self.now()
            return owner.fromtimestamp(seconds, datetime.timezone.utc).replace(tzinfo=None)

        return now if name == "now" else utcnow

    def uuid1(self, original):
        """It reads the clock in C where it can, and in Python when it is given all the rest."""

        def wrapper(node=None, clock_seq=None):
            plain = node is None and clock_seq is None
            held = plain and self.asks(sys._getframe(1), "uuid.uuid1")
            if held and isinstance(self.clock, clocks.Ticking):
                node = self.session.number(self.name + "/node", 40)
                clock_seq = self.session.number(self.name + "/sequence", 14)
            return original(node, clock_seq)

        return wrapper

    def check(self, what, source, expected, **names):
        """See that the user's own code gets what `expected` reads straight from the stand-in."""
        clock = self.clock
        state = clock.elapsed, clock.step
        found = []
        self.noting = False
        try:
            for read in (expected, lambda: asking.as_user(source, **names)):
                clock.elapsed, clock.step = 0, clocks.FIRST_STEP
                found.append([what] + [str(value) for value in read()])
        finally:
            clock.elapsed, clock.step = state
            self.noting = True
        self.session.read_back(self.name, *found)


class Present(object):
    """Stands for a class method that reads the clock: looking it up in the user's code is noted.

    Where the clock is not held, what is looked up is the original itself.
    """

    def __init__(self, factor, name, original):
        self.factor, self.name, self.original = factor, name, original

    def __get__(self, instance, owner=None):
        owner = owner or type(instance)
        if self.factor.asks(sys._getframe(1), "datetime." + self.name):
            return self.factor.present(self.name, owner)
        return self.original.__get__(None, owner)


def in_units(nanoseconds, unit):
    return nanoseconds if unit == 1 else nanoseconds / unit


def dict_of(kind):
    """The dictionary of a class that is written in C, which shows only a view of it."""
    known = "gc" in sys.modules
    import gc

    if not known:
        del sys.modules["gc"]
    return gc.get_referents(kind.__dict__)[0]


def forget_lookups(kind):
    """Let the interpreter look the attributes of a class up anew (PyType_Modified)."""
    mark = type.__dict__["__abstractmethods__"]
    mark.__set__(kind, frozenset())
    mark.__delete__(kind)


FACTOR = Clock()
