"""NumPy's global generator: the functions of `np.random`."""

import sys

from .base import Factor, replace

NOT_DRAWS = ("seed", "get_state", "set_state", "default_rng", "test", "get_bit_generator",
             "set_bit_generator")  # fmt: skip


class NumpyGlobal(Factor):
    name = "numpy-global"
    group = "generators"
    title = "NumPy's global generator (np.random.*)"
    explanation = (
        "The functions of `np.random` share one generator, which starts from the operating "
        "system's entropy in every process unless it is seeded. scikit-learn draws from it too."
    )
    because = "NumPy's global generator is not seeded"
    pinned = (
        "The generator is seeded when `numpy.random` is imported, and so is `np.random.seed()` "
        "without a number."
    )
    varied = "The same, with another seed in every trial."
    noticed = (
        "By every call of the functions of `np.random`, and by scikit-learn with "
        "`random_state=None`. Suspected where nothing was seeded before."
    )
    advice = (
        "Seed it before the first draw with `keras.utils.set_random_seed` or `np.random.seed`, "
        "or pass a seeded `np.random.default_rng(42)` around."
    )
    fix = "import numpy as np\nnp.random.seed(42)"
    edits = (("np.random.seed() without a seed", "np.random.seed(42)"),)
    reseeds = True

    def install(self, session, arm):
        session.on_import("numpy.random", lambda module: self.imported(session, arm, module))
        for name in ("sklearn.utils.validation", "scipy._lib._util"):
            session.on_import(name, lambda module: self.check_random_state(session, module))

    def imported(self, session, arm, module):
        self.seeded = False
        held = arm in ("pinned", "varied")
        if held:
            self.hold(session, arm, module)
        for name in dir(module.mtrand._rand):
            function = getattr(module, name, None)
            if name.startswith("_") or name in NOT_DRAWS or not callable(function):
                continue
            if getattr(function, "__self__", None) is module.mtrand._rand:
                replace(module, name, self.drawing(session, name))
        replace(module, "seed", self.seeding(session, arm, held))

        def set_state(original):
            def wrapper(*args, **kwargs):
                self.seeded = True
                return original(*args, **kwargs)

            return wrapper

        replace(module, "set_state", set_state)

    def drawing(self, session, name):
        def make(original):
            def wrapper(*args, **kwargs):
                session.saw(self.name, "np.random." + name, not self.seeded)
                return original(*args, **kwargs)

            return wrapper

        return make

    def seeding(self, session, arm, held):
        def make(original):
            def wrapper(seed=None):
                self.seeded = seed is not None
                if seed is None:
                    session.saw(self.name, "np.random.seed() without a seed", True)
                if seed is None and held:
                    seed = session.seed(self.name, arm)
                session.reseeding = True
                try:
                    return original(seed)
                finally:
                    session.reseeding = False

            return wrapper

        return make

    def hold(self, session, arm, module):
        seed = session.seed(self.name, arm) & 0xFFFFFFFF
        module.seed(seed)
        expected = module.RandomState(seed).random_sample()
        state = module.get_state()
        session.read_back(self.name, float(expected), float(module.random_sample()))
        module.set_state(state)

    def check_random_state(self, session, module):
        """In scikit-learn and SciPy, ``None`` hands out the global generator as an object."""
        library = "scikit-learn" if module.__name__.startswith("sklearn") else "SciPy"

        def make(original):
            def wrapper(seed, *args, **kwargs):
                if seed is None or seed is sys.modules.get("numpy.random"):
                    detail = "%s with random_state=None" % library
                    session.saw(self.name, detail, not self.seeded)
                return original(seed, *args, **kwargs)

            return wrapper

        replace(module, "check_random_state", make)


FACTOR = NumpyGlobal()
