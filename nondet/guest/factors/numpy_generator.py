"""NumPy generators made without a seed: `default_rng()`, `RandomState()`, `SeedSequence()`."""

import sys

from .base import Factor


class NumpyGenerator(Factor):
    name = "numpy-generator"
    group = "generators"
    title = "NumPy generators made without a seed"
    explanation = (
        "`np.random.default_rng()`, `RandomState()` and `SeedSequence()` without a seed take one "
        "from the operating system. `np.random.seed` and `keras.utils.set_random_seed` do not "
        "reach them."
    )
    because = "a NumPy generator is made without a seed"
    pinned = (
        "The entropy that NumPy asks the operating system for comes from a fixed stream, one for "
        "each call site."
    )
    varied = "From another stream in every trial."
    noticed = "By every generator that is made without a seed, which is then suspected."
    advice = "Give each of them a seed where it is made: `np.random.default_rng(42)`."
    edits = (
        ("a NumPy RandomState without a seed", "np.random.RandomState(42)"),
        ("a NumPy generator without a seed", "np.random.default_rng(42)"),
    )

    def install(self, session, arm):
        # All of them take their entropy through this one name, looked up at every call.
        session.on_import(
            "numpy.random.bit_generator", lambda module: self.imported(session, arm, module)
        )
        session.on_import("numpy.random.mtrand", lambda module: self.legacy(session, module))

    def imported(self, session, arm, module):
        original = module.randbits
        self.making = None
        self.undecided = []
        counts = {}

        def randbits(bits):
            if self.probe is not None:
                return self.probe
            value = original(bits)
            mtrand = sys.modules.get("numpy.random.mtrand")
            if getattr(mtrand, "_rand", None) is None:
                # NumPy makes its global generator while it is imported; that one is numpy-global.
                return value
            if getattr(session, "reseeding", False):
                # `np.random.seed(None)`: numpy-global's as well.
                return value
            frame = sys._getframe(1)
            self.note(session, frame)
            if arm == "free":
                return value
            # A stream for each call site, so that sites don't shift one another.
            site = session.sightings.place(frame)[0]
            trial = "" if arm == "pinned" else session.plan["trial"]
            stream = "%s/%s/%s" % (self.name, site, trial)
            counts[stream] = counts.get(stream, 0) + 1
            return session.number(stream, bits)

        module.randbits = randbits
        session.at_end.append(lambda: self.decide(session))
        self.probe = None
        if arm == "pinned":
            self.check(session, module)

    def check(self, session, module):
        """See that NumPy's entropy really comes through our function."""
        self.probe = 7
        try:
            seen = module.SeedSequence().entropy
        finally:
            self.probe = None
        session.read_back(self.name, 7, int(seen))

    def note(self, session, frame):
        if frame.f_code.co_filename.replace("\\", "/").endswith("numpy/random/_pickle.py"):
            # Unpickled or copied: its state is set right after.
            return
        if self.making is None:
            session.saw(self.name, "a NumPy generator without a seed", True, depth=2)
            return
        while frame is not None and frame.f_code.co_filename == __file__:
            frame = frame.f_back
        self.making.append(frame)

    def legacy(self, session, module):
        """`RandomState(seed)` takes entropy first and is seeded afterwards: judged later."""
        original = module._MT19937
        factor = self

        class Meta(type):
            def __instancecheck__(cls, thing):
                return isinstance(thing, original)

            def __call__(cls, *args, **kwargs):
                factor.decide(session)
                factor.making = frames = []
                try:
                    made = original(*args, **kwargs)
                finally:
                    factor.making = None
                for frame in frames:
                    detail = "a NumPy RandomState without a seed"
                    key, _ = session.sightings.key(factor.name, detail, True, frame)
                    factor.undecided.append((made, key))
                return made

        module._MT19937 = Meta("MT19937", (), {})
        session.first_checkpoint.append(lambda: self.decide(session))

    def decide(self, session):
        """Tell of the generators made since: one that was seeded has no seed sequence any more."""
        decided, self.undecided = self.undecided, []
        for made, key in decided:
            if getattr(made, "_seed_seq", None) is None:
                key = (key[0], "a NumPy RandomState with a seed", False) + key[3:]
            session.sightings.count(key)


FACTOR = NumpyGenerator()
