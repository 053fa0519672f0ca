"""TensorFlow's global seed, and its generators made from nondeterministic state."""

import sys

from .base import Factor, replace


class TfSeed(Factor):
    name = "tf-seed"
    group = "generators"
    title = "TensorFlow's global seed"
    explanation = (
        "Random operations of TensorFlow without a seed (`tf.random.*`, `Dataset.shuffle`, and the "
        "shuffle of `fit` on arrays) start from the operating system's entropy unless the global "
        "seed is set."
    )
    because = "TensorFlow's global seed is not set"
    pinned = (
        "`tf.random.set_seed` is called when TensorFlow has been imported, and "
        "`tf.random.Generator.from_non_deterministic_state` starts from fixed numbers."
    )
    varied = "The same, with another seed in every trial."
    noticed = (
        "By every random operation that is made without a seed of its own. Suspected where no "
        "global seed is set at that moment."
    )
    advice = "Set it at the top: `keras.utils.set_random_seed` does, or `tf.random.set_seed`."
    fix = "import tensorflow as tf\ntf.random.set_seed(42)"
    edits = (("tf.random.Generator without a seed", "tf.random.Generator.from_seed(42)"),)
    reseeds = True

    def unavailable(self, machine):
        return "" if machine.get("tensorflow") else "TensorFlow is not installed"

    def install(self, session, arm):
        session.on_import(
            "tensorflow.python.framework.random_seed", lambda module: self.listen(session, module)
        )
        session.on_import(
            "tensorflow.python.ops.stateful_random_ops",
            lambda module: self.generators(session, arm, module),
        )
        if arm in ("pinned", "varied"):
            session.on_import("tensorflow", lambda module: self.hold(session, arm, module))

    def listen(self, session, module):
        def make(original):
            def wrapper(op_seed):
                if op_seed is None:
                    session.saw(self.name, operation(), global_seed(module) is None)
                return original(op_seed)

            return wrapper

        replace(module, "get_seed", make)

    def generators(self, session, arm, module):
        """`tf.random.Generator.from_non_deterministic_state` and its like draw here."""

        def make(original):
            def wrapper(shape, dtype=module.dtypes.int64):
                session.saw(self.name, "tf.random.Generator without a seed", True)
                if arm == "free":
                    return original(shape, dtype=dtype)
                size = 1
                for side in module.ops.convert_to_tensor(shape).numpy().reshape(-1):
                    size *= int(side)
                numbers = [session.seed(self.name, arm) for _ in range(size)]
                return module.array_ops.reshape(
                    module.ops.convert_to_tensor(numbers, dtype=dtype), shape
                )

            return wrapper

        replace(module, "non_deterministic_ints", make)

    def hold(self, session, arm, module):
        seed = session.seed(self.name, arm)
        module.random.set_seed(seed)
        seen = sys.modules["tensorflow.python.eager.context"].global_seed()
        session.read_back(self.name, seed, seen)


def global_seed(module):
    """The seed in force where an operation is made now: eagerly, or in the graph around."""
    context = sys.modules["tensorflow.python.eager.context"]
    if context.executing_eagerly():
        return context.global_seed()
    return sys.modules["tensorflow.python.framework.ops"].get_default_graph().seed


def operation():
    """The name of the random operation, from the frames between it and its seed."""
    frame = sys._getframe(2)
    name = frame.f_code.co_name
    while frame is not None and frame.f_code.co_filename.endswith("random_seed.py"):
        frame = frame.f_back
        name = frame.f_code.co_name if frame is not None else name
    if name in ("random_shuffle", "random_shuffle_v2"):
        name = "shuffle"
    if frame is not None and "data" in frame.f_code.co_filename and name.startswith("_"):
        name = name.strip("_")
    return "tf.random (%s)" % name


FACTOR = TfSeed()
