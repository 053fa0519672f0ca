"""TensorFlow's deterministic kernels."""

import os
import sys

from .base import Factor, replace
from .tf_seed import global_seed


class OpDeterminism(Factor):
    name = "op-determinism"
    group = "kernels"
    title = "TensorFlow's choice of kernels"
    explanation = (
        "Some of TensorFlow's kernels give other bits from run to run for the same input, such as "
        "the sparse update of an embedding with repeated indices. TensorFlow has deterministic "
        "ones for most of them, which are used only on request."
    )
    because = "a TensorFlow kernel is not deterministic"
    pinned = (
        "`enable_op_determinism` is called when TensorFlow has been imported. Random operations "
        "without a seed, which this mode would refuse, stay as random as before."
    )
    noticed = "A trial can't see it, so it counts as in use once TensorFlow is imported."
    observable = False
    framework = "tensorflow"
    instead = ("cpu-threads",)
    advice = (
        "Ask for deterministic kernels, after seeding and before the first operation. It may slow "
        "training down."
    )
    fix = "import tensorflow as tf\ntf.config.experimental.enable_op_determinism()"

    def unavailable(self, machine):
        return "" if machine.get("tensorflow") else "TensorFlow is not installed"

    def install(self, session, arm):
        if arm == "pinned":
            session.on_import("tensorflow.python.framework.random_seed", self.allow_unseeded)
            session.on_import("tensorflow", lambda module: self.hold(session, module))

    def allow_unseeded(self, module):
        """Deterministic mode refuses random operations without a seed. They are another factor's
        (tf-seed): here they get a fresh seed each, which is what they do without this mode."""

        def make(original):
            def wrapper(op_seed):
                if op_seed is None and global_seed(module) is None:
                    return tuple(int.from_bytes(os.urandom(4), "big") >> 1 for _ in "ab")
                return original(op_seed)

            return wrapper

        replace(module, "get_seed", make)

    def hold(self, session, module):
        module.config.experimental.enable_op_determinism()
        seen = sys.modules["tensorflow.python.framework.config"].is_op_determinism_enabled()
        session.read_back(self.name, True, bool(seen))


FACTOR = OpDeterminism()
