"""TensorFlow's global seed, and its generators made from nondeterministic state."""

import functools
import os
import sys

from ..made import plain
from .base import Factor, replace


class TfSeed(Factor):
    name = "tf-seed"
    group = "generators"
    title = "TensorFlow's global seed"
    symptom = (
        "Initial weights agree, and runs part at the first batch: `fit` or `Dataset.shuffle` "
        "hands over rows in another order, or an operation of `tf.random` draws something else."
    )
    explanation = (
        "Random operations of TensorFlow without a seed (`tf.random.*`, `Dataset.shuffle`, and the "
        "shuffle of `fit` on arrays) start from the operating system's entropy unless the global "
        "seed is set."
    )
    because = "TensorFlow's global seed is not set"
    # No global seed reaches it.
    reasons = (
        ("an unseeded tf.random.Generator", "a `tf.random.Generator` is made without a seed"),
    )
    pinned = (
        "`tf.random.set_seed` is called when TensorFlow has been imported, and "
        "`tf.random.Generator.from_non_deterministic_state` starts from fixed numbers."
    )
    varied = "The same, with another seed in every trial."
    noticed = (
        "By every random operation that is made without a seed of its own, and every "
        "`tf.random.Generator` from nondeterministic state. Suspected where no global seed is set "
        "at that moment. Seeds that the script gives are noted with what had been drawn before."
    )
    framework = "tensorflow"
    due = ("tensorflow",)
    advice = "Set it at the top: `tf.random.set_seed(42)`."
    advices = (
        (
            "keras",
            "Set it at the top: `keras.utils.set_random_seed` does, or `tf.random.set_seed`.",
        ),
        (
            "tensorflow-1",
            "Set it at the top, and in each graph of the script's own before its first operation: "
            "`tf.compat.v1.set_random_seed(42)`.",
        ),
    )
    references = (
        ("tf.random.set_seed", "https://www.tensorflow.org/api_docs/python/tf/random/set_seed"),
        ("TensorFlow: random number generation", "https://www.tensorflow.org/guide/random_numbers"),
    )
    fix = "import tensorflow as tf\ntf.random.set_seed(42)"
    fixes = (("tensorflow-1", "import tensorflow as tf\ntf.compat.v1.set_random_seed(42)"),)
    edits = (("an unseeded tf.random.Generator", "tf.random.Generator.from_seed(42)"),)
    rewrites = (
        (
            "an unseeded tf.random.Generator",
            "from_non_deterministic_state",
            "{owner}.from_seed(42)",
            "",
        ),
    )
    reseeds = True

    def unavailable(self, machine):
        return "" if machine.get("tensorflow") else "TensorFlow is not installed"

    def install(self, session, arm):
        session.on_import(
            "tensorflow.python.framework.random_seed",
            lambda module: self.listen(session, arm, module),
        )
        session.on_import(
            "tensorflow.python.ops.stateful_random_ops",
            lambda module: self.generators(session, arm, module),
        )
        if arm in ("pinned", "varied"):
            session.on_import("tensorflow", lambda module: self.hold(session, arm, module))

    def listen(self, session, arm, module):
        def make(original):
            def wrapper(op_seed):
                if op_seed is None:
                    unseeded = global_seed() is None
                    session.saw(self.name, operation(), unseeded)
                    if unseeded and arm in ("pinned", "varied"):
                        # In a graph of its own, or after `tf.random.set_seed(None)`.
                        set_global_seed(session.seed(self.name, arm))
                return original(op_seed)

            return wrapper

        def seeding(original):
            def wrapper(seed):
                made = original(seed)
                if seed is not None:
                    call = "tf.compat.v1.set_random_seed"
                    session.seeded(self.name, call, plain(seed), holds="tf.random (")
                return made

            return wrapper

        replace(module, "get_seed", make)
        # `tf.random.set_seed` calls it.
        replace(module, "set_random_seed", seeding)

    def generators(self, session, arm, module):
        """`tf.random.Generator.from_non_deterministic_state` and its like draw here."""

        def make(original):
            def wrapper(shape, dtype=module.dtypes.int64):
                session.saw(self.name, "an unseeded tf.random.Generator", True)
                sides = None if arm == "free" else sizes(shape)
                if sides is None:
                    return original(shape, dtype=dtype)
                size = 1
                for side in sides:
                    size *= side
                numbers = [session.seed(self.name, arm) for _ in range(size)]
                return module.array_ops.reshape(
                    module.ops.convert_to_tensor(numbers, dtype=dtype), sides
                )

            return wrapper

        replace(module, "non_deterministic_ints", make)
        for name in ("from_seed", "from_key_counter"):
            self.given(session, module.Generator, name)

    def given(self, session, owner, name):
        """Note the seeds of generators made by a class method."""
        original = vars(owner).get(name)
        if not isinstance(original, classmethod):
            return

        def wrapper(cls, *args, **kwargs):
            values = list(args) + list(kwargs.values())
            session.seeded(self.name, "tf.random.Generator." + name, plain(values), holds="")
            return original.__func__(cls, *args, **kwargs)

        wrapper = functools.update_wrapper(wrapper, original.__func__)
        wrapper.autograph_info__ = {}
        setattr(owner, name, classmethod(wrapper))

    def hold(self, session, arm, module):
        """Nothing of TensorFlow is computed here: that would start it up before the script does."""
        seed = session.seed(self.name, arm)
        context = sys.modules["tensorflow.python.eager.context"]
        context.set_global_seed(seed)
        expected = sys.modules["random"].Random(seed).randint(0, 2**31 - 1)
        session.read_back(self.name, expected, context.internal_operation_seed())
        context.set_global_seed(seed)


def sizes(shape):
    """The sides of a shape, or None where they are not known yet (in a graph)."""
    try:
        return [int(side) for side in shape]
    except (TypeError, ValueError, AttributeError, NotImplementedError):
        return None


def set_global_seed(seed):
    context = sys.modules["tensorflow.python.eager.context"]
    if context.executing_eagerly():
        context.set_global_seed(seed)
    else:
        sys.modules["tensorflow.python.framework.ops"].get_default_graph().seed = seed


def global_seed():
    """The seed in force where an operation is made now: eagerly, or in the graph around."""
    context = sys.modules["tensorflow.python.eager.context"]
    if context.executing_eagerly():
        return context.global_seed()
    return sys.modules["tensorflow.python.framework.ops"].get_default_graph().seed


BETWEEN = "random_seed.py", os.path.join("guest", "factors", "initial_weights.py")
"""Files whose frames may stand between a random operation and its seed."""


def operation():
    """The name of the random operation, from the frames between it and its seed."""
    frame = sys._getframe(2)
    name = frame.f_code.co_name
    while frame is not None and frame.f_code.co_filename.endswith(BETWEEN):
        frame = frame.f_back
        name = frame.f_code.co_name if frame is not None else name
    if name in ("random_shuffle", "random_shuffle_v2"):
        name = "shuffle"
    if frame is not None and "data" in frame.f_code.co_filename and name.startswith("_"):
        name = name.strip("_")
    return "tf.random (%s)" % name


FACTOR = TfSeed()
