"""NumPy's global generator: the functions of `np.random`."""

import sys

from ..made import plain
from ..turns import Turns
from .base import Factor, replace

NOT_DRAWS = ("seed", "get_state", "set_state", "default_rng", "test", "get_bit_generator",
             "set_bit_generator")  # fmt: skip
ALIASES = ("random", "ranf", "sample")
"""Other names of a draw, which its methods need not have: functions of the module, that call the
generator itself."""
KEPT = 1000
"""How many states are remembered for whether they come from a seed."""


class NumpyGlobal(Factor):
    name = "numpy-global"
    group = "generators"
    title = "NumPy's global generator (np.random.*)"
    symptom = (
        "Data made, split or shuffled with `np.random`, scikit-learn or SciPy are others in "
        "every run. Runs part at the first batch, or at the first weights that follow from it."
    )
    explanation = (
        "The functions of `np.random` share one generator, which starts from the operating "
        "system's entropy in every process unless it is seeded. scikit-learn and SciPy's "
        "distributions draw from it too."
    )
    because = "NumPy's global generator is not seeded"
    pinned = (
        "The generator is seeded when `numpy.random` is imported, and so is `np.random.seed()` "
        "without a number."
    )
    varied = "The same, with another seed in every trial."
    noticed = (
        "By every call of the functions of `np.random`, by scikit-learn and SciPy with "
        "`random_state=None`, and by `rvs` of SciPy's distributions. Suspected where nothing was "
        "seeded before. Seeds that the script gives are noted with what had been drawn before "
        "them."
    )
    due = ("numpy.random",)
    advice = (
        "Seed it before the first draw: `np.random.seed(42)`. Or pass a seeded "
        "`np.random.default_rng(42)` around, and a number to what takes a `random_state`."
    )
    advices = (
        (
            "keras",
            "Seed it before the first draw: `keras.utils.set_random_seed` does that. Or pass a "
            "seeded `np.random.default_rng(42)` around, and a number to what takes a "
            "`random_state`.",
        ),
    )
    references = (
        (
            "NumPy: legacy random generation",
            "https://numpy.org/doc/stable/reference/random/legacy.html",
        ),
        (
            "NEP 19: random number generator policy",
            "https://numpy.org/neps/nep-0019-rng-policy.html",
        ),
    )
    fix = "import numpy as np\nnp.random.seed(42)"
    edits = (("np.random.seed() without a number", "np.random.seed(42)"),)
    rewrites = (("np.random.seed() without a number", "seed", "{function}(42)", ""),)
    reseeds = True

    def install(self, session, arm):
        session.on_import("numpy.random", lambda module: self.imported(session, arm, module))
        for name in ("sklearn.utils.validation", "scipy._lib._util"):
            session.on_import(name, lambda module: self.check_random_state(session, module))
        session.on_import(
            "scipy.stats._distn_infrastructure",
            lambda module: self.distributions(session, module.rv_generic, "rvs"),
        )
        session.on_import(
            "scipy.stats._multivariate",
            lambda module: self.distributions(
                session, module.multi_rv_generic, "_get_random_state"
            ),
        )

    def imported(self, session, arm, module):
        self.seeded = False
        self.states = {}
        self.turns = Turns(session, "NumPy's global generator")
        held = arm in ("pinned", "varied")
        if held:
            self.hold(session, arm, module)
        for name in sorted(set(dir(module.mtrand._rand)).union(ALIASES)):
            function = getattr(module, name, None)
            if name.startswith("_") or name in NOT_DRAWS or not callable(function):
                continue
            own = getattr(function, "__self__", None) is module.mtrand._rand
            if own or name in ALIASES:
                replace(module, name, self.drawing(session, name))
        replace(module, "seed", self.seeding(session, arm, held))

        def get_state(original):
            def wrapper(*args, **kwargs):
                state = original(*args, **kwargs)
                if len(self.states) >= KEPT:
                    self.states.clear()
                self.states[mark(state)] = self.seeded
                return state

            return wrapper

        def set_state(original):
            def wrapper(*args, **kwargs):
                made = original(*args, **kwargs)
                # A state that was taken before any seed brings the unseeded stream back.
                state = args[0] if args else kwargs.get("state")
                self.seeded = self.states.get(mark(state), True)
                return made

            return wrapper

        replace(module, "get_state", get_state)
        replace(module, "set_state", set_state)

    def drawing(self, session, name):
        def make(original):
            def wrapper(*args, **kwargs):
                session.saw(self.name, "np.random." + name, not self.seeded)
                self.turns.drew()
                return original(*args, **kwargs)

            return wrapper

        return make

    def seeding(self, session, arm, held):
        def make(original):
            def wrapper(seed=None):
                given = seed
                if seed is None:
                    session.saw(self.name, "np.random.seed() without a number", True)
                    if held:
                        seed = session.seed(self.name, arm)
                session.reseeding = True
                try:
                    made = original(seed)
                finally:
                    session.reseeding = False
                if given is not None:
                    session.seeded(self.name, "np.random.seed", plain(given))
                self.seeded = given is not None
                return made

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

    def distributions(self, session, owner, name):
        """SciPy's distributions keep the global generator from the time they are imported."""

        def make(original):
            def wrapper(distribution, *args, **kwargs):
                mtrand = sys.modules.get("numpy.random.mtrand")
                kept = getattr(distribution, "_random_state", None)
                given = kwargs.get("random_state")
                if name != "rvs" and args:
                    given = args[0]
                if given is None and kept is not None and kept is getattr(mtrand, "_rand", None):
                    detail = "a SciPy distribution without random_state"
                    session.saw(self.name, detail, not self.seeded)
                return original(distribution, *args, **kwargs)

            return wrapper

        replace(owner, name, make)


def mark(state):
    """A fingerprint of a state, or None for what is no state."""
    try:
        key = state["state"]["key"] if isinstance(state, dict) else state[1]
        place = state["state"]["pos"] if isinstance(state, dict) else state[2]
        return hash((bytes(key), int(place)))
    except (TypeError, KeyError, IndexError, ValueError):
        return None


FACTOR = NumpyGlobal()
