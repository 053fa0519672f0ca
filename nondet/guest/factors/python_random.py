"""Python's own generator: the module-level functions of `random`."""

import sys

from .base import Factor, replace

DRAWS = (
    "random", "uniform", "triangular", "randint", "choice", "randrange", "sample", "shuffle",
    "choices", "normalvariate", "lognormvariate", "expovariate", "vonmisesvariate", "gammavariate",
    "gauss", "betavariate", "paretovariate", "weibullvariate", "getrandbits", "randbytes",
)  # fmt: skip


class PythonRandom(Factor):
    name = "python-random"
    group = "generators"
    title = "Python's random module"
    explanation = (
        "Python's `random` starts from the operating system's entropy in every process unless it "
        "is seeded. Keras 3 draws from it the default seed of every layer and initializer."
    )
    because = "Python's `random` is not seeded"
    pinned = (
        "`random` is seeded when it is imported, and so is `random.seed()` without a number. "
        "`random.Random()` without a seed gets one from a stream of its call site's own. What the "
        "script seeds itself stays as it is."
    )
    varied = "The same, with another seed in every trial."
    noticed = (
        "By every call of the module's functions, and by `random.Random()` without a seed. "
        "Suspected where nothing was seeded before. Draws while a library is imported are noted "
        "and not suspected; those of `tempfile` are left alone."
    )
    advice = "Seed it before the first model is built; `keras.utils.set_random_seed` does that."
    fix = "import random\nrandom.seed(42)"
    edits = (
        ("random.seed() without a seed", "random.seed(42)"),
        ("random.Random() without a seed", "random.Random(42)"),
    )
    reseeds = True

    def install(self, session, arm):
        session.on_import("random", lambda module: self.imported(session, arm, module))

    def imported(self, session, arm, module):
        state = {"seeded": False}
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
                state["seeded"] = a is not None
                if a is None:
                    session.saw(self.name, "random.seed() without a seed", True)
                if a is None and held:
                    a = session.seed(self.name, arm)
                return original(a, *args, **kwargs)

            return wrapper

        def setstate(original):
            def wrapper(value):
                state["seeded"] = True
                return original(value)

            return wrapper

        for name in DRAWS:
            replace(module, name, draw(name))
        replace(module, "seed", seed)
        replace(module, "setstate", setstate)
        replace(module.Random, "seed", self.instances(session, arm, module))

    def instances(self, session, arm, module):
        """`random.Random()` without a seed takes one from the operating system."""
        counts = {}
        seed = session.seed(self.name + "/instances", arm) if arm != "free" else 0

        def make(original):
            def wrapper(generator, a=None, *args, **kwargs):
                if a is None and type(generator) is module.Random:
                    frame = sys._getframe(1)
                    while frame is not None and frame.f_code.co_filename == module.__file__:
                        frame = frame.f_back
                    if frame is not None and mine(frame):
                        detail = "random.Random() without a seed"
                        key, _ = session.sightings.key(self.name, detail, True, frame)
                        session.sightings.count(key)
                        site, importing = session.sightings.place(frame)[::3]
                        if arm in ("pinned", "varied") and not importing:
                            # A stream for each call site, so that sites don't shift one another.
                            stream = "%s/%s/%s" % (self.name, site, seed)
                            counts[stream] = counts.get(stream, 0) + 1
                            a = session.number(stream, 64)
                return original(generator, a, *args, **kwargs)

            return wrapper

        return make

    def hold(self, session, arm, module):
        seed = session.seed(self.name, arm)
        module.seed(seed)
        expected = module.Random(seed).random()
        state = module.getstate()
        session.read_back(self.name, expected, module.random())
        module.setstate(state)


def mine(frame):
    """Temporary names are drawn from a generator of tempfile's own: no result depends on them."""
    return not frame.f_code.co_filename.endswith("tempfile.py")


FACTOR = PythonRandom()
