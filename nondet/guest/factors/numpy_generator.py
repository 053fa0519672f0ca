"""NumPy generators made without a seed: `default_rng()`, `RandomState()`, `SeedSequence()`."""

import linecache
import sys
import types

from ..kept import threading
from ..made import Made, plain
from .base import Factor

CALLS = (
    "default_rng", "RandomState", "SeedSequence", "PCG64DXSM", "PCG64", "MT19937", "Philox",
    "SFC64",
)  # fmt: skip
PROBE = 7
"""The entropy that a generator gets while the pin is looked at."""
KEPT = 1000


class NumpyGenerator(Factor):
    name = "numpy-generator"
    group = "generators"
    title = "NumPy generators made without a seed"
    symptom = (
        "`np.random.seed` and `keras.utils.set_random_seed` are called, and the data still are "
        "others in every run."
    )
    explanation = (
        "`np.random.default_rng()`, `RandomState()` and `SeedSequence()` without a seed take one "
        "from the operating system. `np.random.seed` and `keras.utils.set_random_seed` do not "
        "reach them."
    )
    because = "a NumPy generator is made without a seed"
    pinned = (
        "The entropy that NumPy asks the operating system for comes from a fixed stream, one for "
        "each call site, also inside libraries and while they are imported."
    )
    varied = "From another stream in every trial."
    noticed = (
        "By every generator that is made without a seed, which is then suspected. Copies, "
        "unpickled generators and `jumped` ones are none. Seeds that the script gives to "
        "generators it makes are noted."
    )
    due = ("numpy.random.bit_generator", "numpy.random._bit_generator")
    advice = "Give each of them a seed where it is made: `np.random.default_rng(42)`."
    references = (
        ("NumPy: random Generator", "https://numpy.org/doc/stable/reference/random/generator.html"),
        ("keras-team/keras#19322", "https://github.com/keras-team/keras/issues/19322"),
    )
    edits = (
        ("a NumPy RandomState without a seed", "np.random.RandomState(42)"),
        ("a NumPy generator without a seed", "np.random.default_rng(42)"),
    )
    rewrites = (("a NumPy ", "{made}", "{function}(42)", ""),)

    def install(self, session, arm):
        self.making, self.probing = None, None
        self.undecided = []
        self.drawn, self.calls = {}, {}
        # All of them take their entropy through one name in this module, looked up at every call;
        # NumPy 1.18 calls it otherwise. Older ones than 1.17 ask the system below Python.
        for name in ("bit_generator", "_bit_generator"):
            session.on_import(
                "numpy.random." + name, lambda module: self.imported(session, arm, module)
            )
        session.on_import("numpy.random._mt19937", lambda module: self.indices(session, module))
        session.on_import("numpy.random.mtrand", lambda module: self.legacy(session, module))

    def imported(self, session, arm, module):
        original = module.randbits

        def randbits(bits):
            if self.probing == threading.get_ident():
                return PROBE
            value = original(bits)
            mtrand = sys.modules.get("numpy.random.mtrand")
            if getattr(mtrand, "_rand", None) is None:
                # NumPy makes its global generator while it is imported; that one is numpy-global.
                return value
            if getattr(session, "reseeding", False):
                # `np.random.seed(None)`: numpy-global's as well.
                return value
            try:
                kind = "generator" if self.making is None else "RandomState"
                detail = "a NumPy %s without a seed" % kind
                made = Made(session, self.name, detail, sys._getframe(1))
                self.note(session, made)
                number = made.number(bits)
                value = value if number is None else number
                if len(self.drawn) >= KEPT:
                    self.drawn.clear()
                self.drawn[value] = None
            except Exception as error:
                session.failed("making a NumPy generator", error, unheld=self.name)
            return value

        module.randbits = randbits
        session.at_end.append(lambda: self.decide(session))
        self.seed_sequences(session, module)
        if arm in ("pinned", "varied"):
            self.check(session, module)
            session.look(lambda: self.check(session, sys.modules[module.__name__]), told=True)

    def check(self, session, module):
        """See that NumPy's entropy really comes through our function."""
        self.probing = threading.get_ident()
        try:
            seen = module.SeedSequence().entropy
        finally:
            self.probing = None
        session.read_back(self.name, PROBE, int(seen))

    def note(self, session, made):
        if made.claimed or made.module == "numpy.random._pickle":
            # A library's of the table; or unpickled or copied: its state is set right after.
            return
        if "jumped" in source(made.frame):
            return
        if self.making is not None:
            self.making.append(made)
            return
        key = made.key()
        if key is not None:
            session.sightings.count(key)

    def legacy(self, session, module):
        """`RandomState(seed)` takes entropy first and is seeded afterwards: judged later."""
        original = module._MT19937
        factor = self

        class Meta(type):
            def __instancecheck__(cls, thing):
                return isinstance(thing, original)

            def __call__(cls, *args, **kwargs):
                factor.decide(session)
                factor.making = makings = []
                try:
                    made = original(*args, **kwargs)
                finally:
                    factor.making = None
                for making in makings:
                    key = making.key()
                    if key is not None:
                        factor.undecided.append((made, key, threading.get_ident()))
                return made

        module._MT19937 = Meta("MT19937", (), {"stands_apart": True})
        session.each_checkpoint.append(lambda: self.decide(session, threading.get_ident()))

    def decide(self, session, thread=None):
        """Tell of the generators made since: one that was seeded has no seed sequence any more.

        `thread`: of those made in it alone. In another one, the seed may be about to come.
        """
        if not self.undecided:
            return
        undecided, self.undecided = self.undecided, []
        decided = [row for row in undecided if thread in (None, row[2])]
        self.undecided += [row for row in undecided if thread not in (None, row[2])]
        for made, key, _ in decided:
            if getattr(made, "_seed_seq", None) is None:
                key = (key[0], "a NumPy RandomState with a seed", False) + key[3:]
            session.sightings.count(key)

    # -- seeds that the script gives

    def seed_sequences(self, session, module):
        """Every seed of the newer generators becomes words through this name; a spawn key after."""
        given = []

        def make(original):
            def coerce(value):
                frame = sys._getframe(1)
                if frame.f_code.co_filename == __file__:
                    # A part of a sequence of seeds.
                    return original(value)
                if not given:
                    given.append(value)
                else:
                    seed = given.pop()
                    spawned = isinstance(value, tuple) and value
                    # What the operating system or a pin gave, nobody has given.
                    if not spawned and not (isinstance(seed, int) and seed in self.drawn):
                        self.seeded(session, seed, frame)
                try:
                    return original(value)
                except Exception:
                    # No seed after all, and no spawn key will follow.
                    del given[:]
                    raise

            return coerce

        coerce = getattr(module, "_coerce_to_uint32_array", None)
        if coerce is not None:
            module._coerce_to_uint32_array = make(coerce)

    def indices(self, session, module):
        """`RandomState(seed)` reads its seed by `operator.index`, looked up in this module."""
        operator = getattr(module, "operator", None)
        if operator is None:
            return
        stand_in = types.ModuleType(operator.__name__, operator.__doc__)
        stand_in.__dict__.update(vars(operator))

        def index(value):
            if not getattr(session, "reseeding", False):
                self.seeded(session, value, sys._getframe(1))
            return operator.index(value)

        stand_in.index = index
        module.operator = stand_in

    def seeded(self, session, seed, frame):
        """Note a seed given in a line of the user's own; libraries seed what they make as well."""
        try:
            if session.sightings.is_user(frame.f_code.co_filename):
                place = (frame.f_code, frame.f_code.co_filename, frame.f_lineno)
                if place not in self.calls:
                    self.calls[place] = "np.random." + called(source(frame))
                session.seeded(self.name, self.calls[place], plain(seed), holds="")
        except Exception as error:
            session.failed("noting a seed of " + self.name, error)


def source(frame):
    """The line of code that runs in a frame; empty when it can't be read."""
    return linecache.getline(frame.f_code.co_filename, frame.f_lineno, frame.f_globals)


def called(line):
    """The call in that line that is given the seed: the last one, since it is the innermost."""
    places = [(line.rfind(name), name) for name in CALLS if name in line]
    return max(places)[1] if places else "default_rng"


FACTOR = NumpyGenerator()
