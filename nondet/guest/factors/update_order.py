"""Graphs of TensorFlow 1 in which a variable is updated while something else still reads it."""

import sys
import weakref

from .. import graph_order
from .base import Factor, replace

BACKENDS = (
    ("keras.backend.tensorflow_backend", "Function"),
    ("tensorflow.python.keras.backend", "GraphExecutionFunction"),
    ("keras.backend", "GraphExecutionFunction"),
    ("keras.src.backend", "GraphExecutionFunction"),
    ("tf_keras.src.backend", "GraphExecutionFunction"),
)
"""What puts the graph of a training step together in Keras 2."""
MODELS = (
    "keras.engine.training", "keras.engine.training_v1", "keras.src.engine.training_v1",
    "tensorflow.python.keras.engine.training", "tensorflow.python.keras.engine.training_v1",
    "tf_keras.src.engine.training_v1",
)  # fmt: skip
STARTS = "_make_train_function"
"""The method of a model that asks for its training function."""
UPDATES = " updates what may still be read: "
NAMED = 3
TOP = "import keras\nimport tensorflow as tf"
OWN = tuple(
    ("`%s`" % name, "keras.optimizers.TFOptimizer(tf.compat.v1.train.%s)" % made)
    for name, made in (
        ("adam", "AdamOptimizer(0.001)"),
        ("sgd", "GradientDescentOptimizer(0.01)"),
        ("rmsprop", "RMSPropOptimizer(0.001)"),
        ("adagrad", "AdagradOptimizer(0.01)"),
        ("adadelta", "AdadeltaOptimizer(1.0)"),
    )
)
"""Optimizers of TensorFlow's own with the same defaults as those that `compile` was given by name.
One that it was given as an object may have settings of its own."""


class UpdateOrder(Factor):
    name = "update-order"
    group = "parallelism"
    title = "Order of updates in a graph of TensorFlow 1"
    symptom = (
        "With NumPy and TensorFlow seeded, Keras 2 on TensorFlow 1 starts from the same weights "
        "and parts within the first steps, also on one thread and on one core."
    )
    explanation = (
        "A session runs an operation of a graph as soon as its inputs are there. Keras 2's own "
        "optimizers write a weight without waiting for the gradients that still read it, and count "
        "up `iterations` without waiting for Adam, which reads it. Which comes first depends on "
        "the threads, and on how long each operation took in the steps before."
    )
    because = "a variable is updated while an operation of the same step still reads it"
    pinned = (
        "In the graph of each training step, every write to a variable waits for all that reads "
        "it, unless that waits for the write. Nothing is computed otherwise than in one of the "
        "orders that were possible before."
    )
    noticed = (
        "By the training functions of Keras 2 in a graph. Suspected where one writes a variable "
        "and nothing orders that against a read, or another write, of the same variable."
    )
    framework = "tensorflow"
    advice = (
        "Let one of TensorFlow's own optimizers train: they compute every gradient before they "
        "write the first weight."
    )
    advices = (
        (
            "tensorflow-1",
            "Let one of TensorFlow's own optimizers train, such as "
            "`keras.optimizers.TFOptimizer(tf.train.AdamOptimizer(0.001))`: they compute every "
            "gradient before they write the first weight.",
        ),
    )
    references = (
        (
            "tf.compat.v1.train.Optimizer: gating gradients",
            "https://www.tensorflow.org/api_docs/python/tf/compat/v1/train/Optimizer",
        ),
    )
    edits = tuple((name + UPDATES, "optimizer=" + own) for name, own in OWN)
    rewrites = tuple((name + UPDATES, "compile", "+optimizer=" + own, TOP) for name, own in OWN)

    def unavailable(self, machine):
        return "" if machine.get("tensorflow") else "TensorFlow is not installed"

    def install(self, session, arm):
        self.compiled = weakref.WeakKeyDictionary()
        for name in MODELS:
            session.on_import(name, lambda module: self.compiling(session, module))
        for backend, name in BACKENDS:
            session.on_import(
                backend, lambda module, name=name: self.listen(session, arm, module, name)
            )

    def compiling(self, session, module):
        """Remember where each model was given its optimizer, and by which name."""
        owner = module.Model
        if owner.__module__ != module.__name__ or "compile" not in vars(owner):
            return

        def make(original):
            def wrapper(model, *args, **kwargs):
                try:
                    given = args[0] if args else kwargs.get("optimizer")
                    frame = sys._getframe(1)
                    self.compiled[model] = given, session.sightings.place(frame)[0]
                except Exception as error:
                    session.failed("noting an optimizer", error)
                return original(model, *args, **kwargs)

            return wrapper

        replace(owner, "compile", make)

    def listen(self, session, arm, module, name):
        owner = getattr(module, name, None)
        # Keras 3 has a `Function` of another kind.
        if owner is None or owner.__module__ != module.__name__:
            return

        def make(original):
            def wrapper(function, inputs, outputs, updates=None, *args, **kwargs):
                original(function, inputs, outputs, updates, *args, **kwargs)
                if updates:
                    try:
                        self.look(session, arm, function)
                    except Exception as error:
                        session.failed("looking at the order of updates", error)

            return wrapper

        replace(owner, "__init__", make)

    def look(self, session, arm, function):
        """Before any session runs what was put together."""
        fetches = [getattr(output, "op", output) for output in function.outputs]
        fetches.append(function.updates_op)
        order = graph_order.Order(fetches)
        found = order.open()
        self.tell(session, list(dict.fromkeys(variable.name for _, variable, _ in found)))
        if arm == "pinned":
            order.close()
            left = graph_order.Order(fetches).open()
            session.read_back(self.name, [], [variable.name for _, variable, _ in left])

    def tell(self, session, names):
        """Note the variables with these names, at the line that chose the optimizer."""
        frame = sys._getframe(2)
        model = training(frame)
        given, site = (None, None) if model is None else self.compiled.get(model, (None, None))
        optimizer = "`%s`" % given if isinstance(given, str) else type(given).__name__
        if given is None:
            optimizer = "a training step"
        detail = optimizer + UPDATES + listed(names) if names else "a training function"
        key, _ = session.sightings.key(self.name, detail, bool(names), frame)
        session.sightings.count(key[:4] + (site or key[4],) + key[5:])


def training(frame):
    """The model that asks for a training function here, or None."""
    while frame is not None:
        if frame.f_code.co_name == STARTS:
            return frame.f_locals.get("self")
        frame = frame.f_back
    return None


def listed(names):
    shown = names[:NAMED]
    more = len(names) - len(shown)
    return ", ".join("`%s`" % name for name in shown) + (" and %d more" % more if more else "")


FACTOR = UpdateOrder()
