"""Python's own generator: the module-level functions of `random`, and objects like it."""

import os
import sys

from ..kept import threading
from ..made import THIRD, Made, package, plain
from .base import Factor, replace

DRAWS = (
    "random", "uniform", "triangular", "randint", "choice", "randrange", "sample", "shuffle",
    "choices", "normalvariate", "lognormvariate", "expovariate", "vonmisesvariate", "gammavariate",
    "gauss", "betavariate", "paretovariate", "weibullvariate", "binomialvariate", "getrandbits",
    "randbytes",
)  # fmt: skip
PROBE = 7
"""The seed that a generator gets while the pin is looked at."""
KEPT = 1000
"""How many generators are watched at a time for a seed that follows their making, and states
for whether they come from a seed."""

FORKING = (
    "os", "multiprocessing.context", "multiprocessing.pool", "multiprocessing.process",
    "multiprocessing.popen_fork", "concurrent.futures.process",
)  # fmt: skip
"""Modules of the standard library through which a script forks."""
MIMESIS = "mimesis"
"""A library whose generators are nothing but `random.Random` objects of its own."""


class PythonRandom(Factor):
    name = "python-random"
    group = "generators"
    title = "Python's random module"
    symptom = (
        "What is shuffled or drawn by `random` is another in every run, and with Keras 3 so are "
        "initial weights, dropout masks and noise, although NumPy and TensorFlow are seeded: the "
        "recipe for Keras 2."
    )
    explanation = (
        "Python's `random` starts from the operating system's entropy in every process unless it "
        "is seeded. Keras 3 draws from it the default seed of every layer and initializer."
    )
    because = "Python's `random` is not seeded"
    # However `random` itself is seeded.
    reasons = (
        ("random.Random() without a seed", "a `random.Random` is made without a seed"),
        (
            "random.Random() without a seed, inside a library",
            "a library makes a `random.Random` without a seed",
        ),
        (
            "random.Random.seed() without a number",
            "a `random.Random` is seeded from the operating system",
        ),
        (
            "a forked process, where `random` is seeded anew",
            "Python's `random` is seeded anew in a forked process",
        ),
    )
    pinned = (
        "`random` is seeded when it is imported, and so is `random.seed()` without a number. "
        "`random.Random()` without a seed gets one from a stream of its call site's own, also "
        "inside libraries and while they are imported, and so does `random` in a forked process. "
        "What the script seeds itself stays as it is."
    )
    varied = "The same, with another seed in every trial."
    noticed = (
        "By every call of the module's functions, and by every `random.Random()` that is made "
        "without a seed and gets none later. Suspected where nothing was seeded before. Draws "
        "while a library is imported are noted and not suspected; those of `tempfile` are left "
        "alone. Seeds that the script gives are noted with what had been drawn before them."
    )
    due = ("random",)
    advice = "Seed it before its first use: `random.seed(42)`."
    advices = (
        (
            "keras",
            "Seed it before its first use, which in Keras 3 is the first model: "
            "`keras.utils.set_random_seed` does that.",
        ),
    )
    references = (
        ("keras.random.SeedGenerator", "https://keras.io/api/random/seed_generator/"),
        ("Python: random", "https://docs.python.org/3/library/random.html"),
    )
    fix = "import random\nrandom.seed(42)"
    edits = (
        ("random.seed() without a number", "random.seed(42)"),
        ("random.Random() without a seed", "random.Random(42)"),
        ("a forked process", "Pool(initializer=random.seed, initargs=(42,))"),
    )
    rewrites = (
        ("random.seed() without a number", "seed", "{function}(42)", ""),
        ("random.Random() without a seed", "Random", "{function}(42)", ""),
    )
    reseeds = True
    probing = None
    """The thread that looks at the pin now: objects that it makes get `PROBE` for a seed."""

    def install(self, session, arm):
        session.on_import("random", lambda module: self.imported(session, arm, module))

    def imported(self, session, arm, module):
        state = {"seeded": False, "states": {}}
        held = arm in ("pinned", "varied")
        if held:
            self.hold(session, arm, module)

        def draw(name):
            def make(original):
                def wrapper(*args, **kwargs):
                    session.saw(self.name, "random." + name, not state["seeded"])
                    return original(*args, **kwargs)

                return wrapper

            return make

        def seed(original):
            def wrapper(a=None, *args, **kwargs):
                if a is None:
                    session.saw(self.name, "random.seed() without a number", True)
                    if held:
                        a = session.seed(self.name, arm)
                    state["seeded"] = False
                    return original(a, *args, **kwargs)
                made = original(a, *args, **kwargs)
                session.seeded(self.name, "random.seed", plain(a))
                state["seeded"] = True
                return made

            return wrapper

        def getstate(original):
            def wrapper():
                value = original()
                self.remember(state, value)
                return value

            return wrapper

        def setstate(original):
            def wrapper(value):
                made = original(value)
                # A state that was taken before any seed brings the unseeded stream back.
                state["seeded"] = state["states"].get(mark(value), True)
                return made

            return wrapper

        for name in DRAWS:
            replace(module, name, draw(name))
        replace(module, "seed", seed)
        replace(module, "getstate", getstate)
        replace(module, "setstate", setstate)
        Instances(self, session, module).listen()
        self.children(session, arm, module)
        if held:
            self.check(session, module)
            session.look(lambda: self.check(session, sys.modules["random"]), told=True)

    @staticmethod
    def remember(state, value):
        if len(state["states"]) >= KEPT:
            state["states"].clear()
        state["states"][mark(value)] = state["seeded"]

    def children(self, session, arm, module):
        """A forked child seeds `random` anew from the operating system, whatever its parent did."""
        if not hasattr(os, "register_at_fork"):
            return
        forks = [0]

        def before():
            forks[-1] += 1
            try:
                frame, kind = session.asker(sys._getframe(1), FORKING)
                if kind == "user":
                    detail = "a forked process, where `random` is seeded anew"
                    key, _ = session.sightings.key(self.name, detail, None, frame)
                    session.sightings.count((key[0], detail, None) + key[3:])
            except Exception as error:
                session.failed("forking", error)

        def child():
            # Numbered by its place in the tree of forks, which is the same in every trial.
            number = session.number("%s/fork/%s" % (session.seed(self.name, arm), forks))
            forks.append(0)
            module._inst.seed(number)
            return number

        if arm not in ("pinned", "varied"):
            os.register_at_fork(before=before)
            return
        state = module.getstate()
        expected = module.Random(child()).random()
        session.read_back(self.name, expected, module.random())
        module.setstate(state)
        del forks[1:]
        os.register_at_fork(before=before, after_in_child=child)

    def check(self, session, module):
        """See that objects made without a seed get theirs from our function."""
        expected = module.Random(PROBE).random()
        self.probing = threading.get_ident()
        try:
            seen = module.Random().random()
        finally:
            self.probing = None
        session.read_back(self.name, expected, seen)

    def hold(self, session, arm, module):
        seed = session.seed(self.name, arm)
        module.seed(seed)
        expected = module.Random(seed).random()
        state = module.getstate()
        session.read_back(self.name, expected, module.random())
        module.setstate(state)


def maker(module):
    """The frame that makes or seeds a generator, and whether it makes it."""
    frame, making = sys._getframe(2), False
    while frame is not None and frame.f_code.co_filename == module.__file__:
        making = making or frame.f_code.co_name == "__init__"
        frame = frame.f_back
    return frame, making


def call(module, generator):
    """The call that makes it, as it stands in the code."""
    kind = type(generator)
    return "random.Random()" if kind is module.Random else "%s()" % kind.__name__


def mark(state):
    """A fingerprint of a state, or None for what is no state."""
    try:
        return hash(state)
    except TypeError:
        return None


class Instances(object):
    """`random.Random()` without a seed takes one from the operating system.

    Whether it keeps it shows later: pickles and copies, and objects that are seeded in a line of
    their own, are made without one.
    """

    def __init__(self, factor, session, module):
        self.factor, self.session, self.module = factor, session, module
        self.waiting = {}

    def listen(self):
        replace(self.module.Random, "seed", self.seed)
        replace(self.module.Random, "setstate", self.setstate)
        self.session.each_checkpoint.append(lambda: self.decide(threading.get_ident()))
        self.session.at_end.append(self.decide)

    def seed(self, original):
        def wrapper(generator, a=None, *args, **kwargs):
            try:
                frame, making = maker(self.module)
                if self.factor.probing == threading.get_ident():
                    a = PROBE
                elif generator is self.module._inst or frame is None:
                    pass
                elif a is None:
                    a = self.without(generator, frame, making)
                else:
                    self.given(generator, a, frame, making)
            except Exception as error:
                self.session.failed("seeding a random.Random", error, unheld=self.factor.name)
            return original(generator, a, *args, **kwargs)

        return wrapper

    def setstate(self, original):
        def wrapper(generator, state):
            self.waiting.pop(id(generator), None)
            return original(generator, state)

        return wrapper

    def given(self, generator, value, frame, making):
        """A generator gets a seed: in the call that makes it, or after that."""
        key, _ = self.waiting.pop(id(generator), (None, None))
        if making and key is not None:
            # Of another object, which lay at the same address and is gone.
            self.session.sightings.count(key)
        if package(frame) == MIMESIS:
            self.session.seeded(THIRD, MIMESIS, plain(value), holds="")
        elif self.session.sightings.is_user(frame.f_code.co_filename):
            name = "random.Random" if making else "random.Random.seed"
            self.session.seedings.seeded(self.factor.name, name, plain(value), frame, holds="")

    def without(self, generator, frame, making):
        """The seed for a generator that gets none; None where it is free."""
        mimesis = package(frame) == MIMESIS
        if mimesis:
            detail = "an unseeded mimesis generator"
        elif making:
            detail = "%s without a seed" % call(self.module, generator)
        else:
            detail = "random.Random.seed() without a number"
        made = Made(self.session, self.factor.name, detail, frame)
        # The other libraries of the table are watched by third-party-rng itself.
        key = made.key() if mimesis or not made.claimed else None
        former, _ = self.waiting.pop(id(generator), (None, None))
        if former is not None and making:
            self.session.sightings.count(former)
        if key is not None:
            self.waiting[id(generator)] = (key, threading.get_ident())
            if len(self.waiting) > KEPT:
                self.decide()
        return made.number(64)

    def decide(self, thread=None):
        """Tell of the generators that are still without a seed.

        `thread`: of those made in it alone. In another one, the seed may be about to come.
        """
        for place, (key, maker) in list(self.waiting.items()):
            if thread in (None, maker):
                self.waiting.pop(place, None)
                self.session.sightings.count(key)


FACTOR = PythonRandom()
