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
    advice = "Give each of them a seed where it is made: `np.random.default_rng(42)`."
    fix = "rng = np.random.default_rng(42)"

    def install(self, session, arm):
        # All of them take their entropy through this one name, looked up at every call.
        session.on_import(
            "numpy.random.bit_generator", lambda module: self.imported(session, arm, module)
        )

    def imported(self, session, arm, module):
        original = module.randbits
        counts = {}

        def randbits(bits):
            value = original(bits)
            mtrand = sys.modules.get("numpy.random.mtrand")
            if getattr(mtrand, "_rand", None) is None:
                # NumPy makes its global generator while it is imported; that one is numpy-global.
                return session.number(self.name + "/import", bits) if arm == "pinned" else value
            session.saw(self.name, "a NumPy generator without a seed", True)
            if arm == "free":
                return value
            # A stream for each call site, so that sites don't shift one another.
            site = session.sightings.place(sys._getframe(1))[0]
            trial = "" if arm == "pinned" else session.plan["trial"]
            stream = "%s/%s/%s" % (self.name, site, trial)
            counts[stream] = counts.get(stream, 0) + 1
            return session.number(stream, bits)

        module.randbits = randbits
        if arm == "pinned":
            session.read_back(self.name, True, module.randbits is randbits)


FACTOR = NumpyGenerator()
