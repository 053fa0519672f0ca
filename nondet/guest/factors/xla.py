"""Compilation by XLA."""

import os
import sys

from .base import Factor, replace
from .onednn import BEFORE_TENSORFLOW

VARIABLE = "TF_XLA_FLAGS"
AUTO = "--tf_xla_auto_jit="
OFF = AUTO + "-1"
FUNCTIONS = (
    "tensorflow.python.eager.polymorphic_function.polymorphic_function",
    "tensorflow.python.eager.def_function",
)
"""Where `tf.function` has its class. Since TensorFlow 2.11 the second only passes it on."""
ASKED = ("_jit_compile", "_experimental_compile")
"""What such a function calls its choice; the second up to TensorFlow 2.4."""
KERAS_2 = (
    "keras.engine.training",
    "keras.src.engine.training",
    "tensorflow.python.keras.engine.training",
    "tf_keras.src.engine.training",
)


class Xla(Factor):
    name = "xla"
    group = "kernels"
    late = False
    title = "Compilation by XLA"
    symptom = (
        "Each way to run repeats itself, and a compiled model and the same one not compiled "
        "agree to some digits only."
    )
    explanation = (
        "XLA fuses operations and orders sums in its own way: a model compiled by it rounds "
        "differently. Keras compiles by it where there is a GPU, unless told otherwise. On a CPU "
        "both ways give the same bits in every run."
    )
    because = "XLA compiles part of the computation"
    pinned = (
        "No XLA: Keras models and `tf.function` run without `jit_compile`, and TensorFlow "
        "compiles nothing by itself. JAX, which has no other way, stays as it is."
    )
    varied = (
        "The other choice than the script's: models and functions compiled by XLA run without it, "
        "and models of Keras 3 that run without are compiled, where their layers allow it."
    )
    noticed = (
        "By every Keras model that XLA compiles or could compile, by every `tf.function` that it "
        "compiles, and by `TF_XLA_FLAGS` that ask for it. No suspect on a CPU."
    )
    stress = "sensitivity"
    framework = "tensorflow"
    due = ("tensorflow.python.framework.config",)
    advice = "Say which way to go, so that machines with and without a GPU agree."
    advices = (
        (
            "keras",
            "Say which way to go, so that machines with and without a GPU agree: "
            "`model.compile(..., jit_compile=False)`.",
        ),
        (
            "tensorflow",
            "Say which way to go, so that machines with and without a GPU agree: "
            "`tf.function(..., jit_compile=False)`.",
        ),
    )
    references = (
        ("OpenXLA", "https://openxla.org/xla"),
        ("keras: Model.compile, jit_compile", "https://keras.io/api/models/model_training_apis/"),
        (
            "openxla/xla#12520: flags of determinism on a GPU",
            "https://github.com/openxla/xla/pull/12520",
        ),
    )
    edits = (
        ("a model compiled by XLA", "jit_compile=False"),
        ("an optimizer compiled by XLA", "jit_compile=False"),
        ("tf.function compiled by XLA", "@tf.function"),
    )
    rewrites = (
        ("a model compiled by XLA", "compile", "+jit_compile=False", ""),
        ("tf.function compiled by XLA", "function", "+jit_compile=False", ""),
    )
    left = 0
    """Functions of libraries that run by XLA alone."""
    switched_on = False
    """Whether a model is compiled that the script runs without."""

    def unavailable(self, machine):
        return "" if machine.get("tensorflow") else "TensorFlow is not installed"

    def install(self, session, arm):
        session.on_import(BEFORE_TENSORFLOW, lambda module: self.flags(session, arm))
        for name in FUNCTIONS:
            session.on_import(name, lambda module: self.functions(session, arm, module))
        session.on_import(
            "tensorflow.python.framework.config",
            lambda module: self.automatic(session, arm, module),
        )
        session.on_import(
            "keras.src.trainers.trainer", lambda module: self.models(session, arm, module)
        )
        for name in KERAS_2:
            session.on_import(name, lambda module: self.models_of_keras_2(session, arm, module))

    def flags(self, session, arm):
        """TensorFlow's own choice, from the environment. The last of two flags wins."""
        given = os.environ.get(VARIABLE, "").split()
        asking = [f for f in given if f.startswith(AUTO) and f[len(AUTO) :] not in ("0", "-1")]
        if asking:
            session.saw(self.name, "%s=%s" % (VARIABLE, asking[-1]), varies())
        if arm == "pinned" or (arm == "varied" and asking):
            os.environ[VARIABLE] = " ".join(given + [OFF])

    def functions(self, session, arm, module):
        if module.Function.__module__ != module.__name__:
            return

        def make(original):
            def wrapper(function, *args, **kwargs):
                original(function, *args, **kwargs)
                # Keras has functions that run by XLA alone; its models are told below.
                asked = [name for name in ASKED if getattr(function, name, None)]
                if not asked:
                    return
                if not asked_by_the_user(session):
                    self.left += 1
                    return
                session.saw(self.name, "tf.function compiled by XLA", varies())
                if arm != "free":
                    setattr(function, asked[0], None)

            return wrapper

        replace(module.Function, "__init__", make)
        if arm != "free" and hasattr(module, "_tf_function_counter"):
            session.at_end.append(lambda: self.check(session, arm, module))

    def check(self, session, arm, module):
        """TensorFlow counts the functions that it has compiled by XLA."""
        count = int(module._tf_function_counter.get_cell("1").value())
        if self.switched_on:
            session.read_back(self.name, True, count > 0)
        else:
            session.read_back(self.name, True, count <= self.left)

    def automatic(self, session, arm, module):
        """`tf.config.optimizer.set_jit`."""

        def make(original):
            def wrapper(enabled):
                if enabled in (True, "autoclustering"):
                    session.saw(self.name, "tf.config.optimizer.set_jit", varies())
                    enabled = enabled if arm == "free" else False
                return original(enabled)

            return wrapper

        replace(module, "set_optimizer_jit", make)
        if arm == "pinned":
            session.look(
                # False in older versions.
                lambda: session.read_back(self.name, "", module.get_optimizer_jit() or ""),
                late=False,
            )

    def models(self, session, arm, module):
        def make(original):
            def wrapper(model, *args, **kwargs):
                made = original(model, *args, **kwargs)
                if module.backend.backend() == "tensorflow":
                    self.compiled(session, arm, model)
                return made

            return wrapper

        replace(module.Trainer, "compile", make)

    def compiled(self, session, arm, model):
        if model.jit_compile:
            session.saw(self.name, "a model compiled by XLA", varies())
            if arm != "free":
                model.jit_compile = False
        elif can_compile(model):
            session.saw(self.name, "a model that runs without XLA", False)
            if arm == "varied":
                model.jit_compile = self.switched_on = True

    def models_of_keras_2(self, session, arm, module):
        def make(original):
            def wrapper(model, *args, **kwargs):
                made = original(model, *args, **kwargs)
                # Older versions have no such choice. Optimizers of later ones make it on a GPU.
                optimizer = getattr(model, "optimizer", None)
                if getattr(model, "_jit_compile", None):
                    session.saw(self.name, "a model compiled by XLA", varies())
                    if arm != "free":
                        model._jit_compile = False
                if getattr(optimizer, "jit_compile", None):
                    session.saw(self.name, "an optimizer compiled by XLA", varies())
                    if arm != "free":
                        optimizer.jit_compile = False
                return made

            return wrapper

        if module.Model.__module__ == module.__name__:
            replace(module.Model, "compile", make)


def can_compile(model):
    """Whether Keras would compile this model on request: not one that runs eagerly, that trains
    on several replicas, or that has layers which XLA can't compile."""
    trainer = sys.modules["keras.src.trainers.trainer"]
    several = getattr(model, "_distribute_strategy", None) is not None
    return not model.run_eagerly and not several and bool(trainer.model_supports_jit(model))


def varies():
    """Whether what XLA compiles may vary from run to run: not on a CPU, not known on a GPU."""
    context = sys.modules.get("tensorflow.python.eager.context")
    made = context.context_safe() if context is not None else None
    return None if made is not None and made._initialized and made.num_gpus() else False


def asked_by_the_user(session):
    """Whether `tf.function` was called by the user's own code, and not by a library's."""
    frame = sys._getframe(2)
    # The second is that of TensorFlow 2.0 and 2.1.
    packages = ("tensorflow", "tensorflow_core")
    folders = [os.sep + os.path.join(name, "python") + os.sep for name in packages]
    while frame is not None and any(f in frame.f_code.co_filename for f in folders):
        frame = frame.f_back
    return frame is not None and session.asker(frame)[1] == "user"


FACTOR = Xla()
