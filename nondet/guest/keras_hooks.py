"""Where the recorder hangs in Keras 3 and TensorFlow. (Keras 2: keras2_hooks.py.)"""

import functools
import os
import re
import sys
import threading

from .keras_recorder import within_fit

SETTINGS = (
    "TF_", "TF2_", "KERAS_", "THEANO_", "XLA_", "JAX_", "TORCH_", "PYTORCH_", "CUDA_", "CUBLAS_",
    "CUDNN_", "NVIDIA_", "NCCL_", "OMP_", "MKL_", "KMP_", "OPENBLAS_", "NUMEXPR_", "DNNL_",
    "ONEDNN_",
)  # fmt: skip
"""How the names of variables begin that frameworks read while they are imported."""
FRAMEWORKS = (
    "tensorflow", "keras", "tf_keras", "theano", "torch", "jax", "sklearn", "xgboost", "lightgbm",
)  # fmt: skip
"""Modules whose import is told, and that a process may import before trials are forked off it."""
SECRET = re.compile(
    "AUTH|COOKIE|CREDENTIAL|KEY|LICENSE|PASS|PRIVATE|PWD|SECRET|SIGNATURE|TOKEN", re.I
)
"""What the name of a variable tells of that holds a secret. (The host's: host/surroundings.py.)"""


def install(session, recorder, guarded):
    """Patch classes, each right after its module was imported."""
    fit_code = set()

    def models(module):
        original = module.Model.__new__

        @functools.wraps(original)
        def __new__(cls, *args, **kwargs):
            made = original(cls, *args, **kwargs)
            guarded("a new model", recorder.model_made, made)
            return made

        module.Model.__new__ = staticmethod(__new__)

    def trainers(module):
        for owner in vars(module).values():
            fit = vars(owner).get("fit") if isinstance(owner, type) else None
            # Only the innermost: the decorators around it share their code with all of Keras.
            while hasattr(fit, "__wrapped__"):
                fit = fit.__wrapped__
            if hasattr(fit, "__code__"):
                fit_code.add(fit.__code__)
        if module.__name__.endswith("jax.trainer"):
            wrap_train_on_batch(module.JAXTrainer, recorder, guarded)

    def callbacks(module):
        wrap_callbacks(module.CallbackList, recorder, guarded)

    def optimizers(module):
        wrap_optimizer(module.BaseOptimizer, recorder, guarded, fit_code)

    def functions(module):
        # Since TensorFlow 2.12 the older module only passes it on.
        if module.Function.__module__ == module.__name__:
            wrap_function(module.Function, recorder, guarded, fit_code)

    given, changes = dict(os.environ), {}
    for name in FRAMEWORKS:
        session.hooks.before_import(
            name, lambda name=name: changes.update({name: changed_settings(given)})
        )
        session.on_import(name, lambda module: framework(session, module, changes))
    session.on_import(
        "keras.src.layers.layer", lambda m: session.sightings.layers.listen(m, session.failed)
    )
    session.on_import("keras.src.models.model", models)
    if recorder.scene is not None:
        from .inside import keras_taps

        recorder.scene.models = lambda: list(recorder.models)
        keras_taps.install(session, recorder.scene, guarded)
    for backend in ("tensorflow", "jax", "torch"):
        session.on_import("keras.src.backend.%s.trainer" % backend, trainers)
    session.on_import("keras.src.callbacks.callback_list", callbacks)
    session.on_import("keras.src.optimizers.base_optimizer", optimizers)
    for name in ("polymorphic_function.polymorphic_function", "def_function"):
        session.on_import("tensorflow.python.eager." + name, functions)
    from . import keras2_hooks

    keras2_hooks.install(session, recorder, guarded, fit_code)


def changed_settings(given):
    """Variables for frameworks that the script has changed: name to value, or None if it is gone.

    No other variable leaves the process: it may hold a password.
    """
    changed = {name: value for name, value in os.environ.items() if given.get(name) != value}
    changed.update(dict.fromkeys(set(given) - set(os.environ)))
    told = (name for name in changed if name.startswith(SETTINGS) and not SECRET.search(name))
    return {name: changed[name] for name in told}


def framework(session, module, changes):
    """Tell of a framework, and of settings that the script had changed before it was imported."""
    name, version = module.__name__, str(getattr(module, "__version__", ""))
    session.events.emit(
        "framework",
        name=name,
        version=version,
        environ=changes.get(name, {}),
        backend=backend_of(module) if name == "keras" else "",
    )


def backend_of(keras):
    """What Keras computes with, as it calls it; empty where it does not tell."""
    ask = getattr(getattr(keras, "config", None), "backend", None)
    return str(ask()) if ask is not None else ""


def wrap_callbacks(owner, recorder, guarded):
    """The user's callbacks come first: one that restores weights is part of its epoch."""
    begin, end, batch = owner.on_train_begin, owner.on_epoch_end, owner.on_train_batch_end
    last = owner.on_train_end

    @functools.wraps(begin)
    def on_train_begin(self, logs=None):
        begin(self, logs)
        if getattr(self, "model", None) is not None:
            guarded("fit begins", recorder.fit_begins, self.model)

    @functools.wraps(end)
    def on_epoch_end(self, epoch, logs=None):
        end(self, epoch, logs)
        if getattr(self, "model", None) is not None:
            guarded("an epoch ends", recorder.epoch_ends, self.model, epoch, logs)

    @functools.wraps(batch)
    def on_train_batch_end(self, batch_index, logs=None):
        batch(self, batch_index, logs)
        model = trained_by(self)
        if model is not None:
            guarded("a step ends", recorder.fit_step_ends, model)

    @functools.wraps(last)
    def on_train_end(self, logs=None):
        last(self, logs)
        if getattr(self, "model", None) is not None:
            guarded("fit ends", recorder.fit_ends, self.model)

    owner.on_train_begin = on_train_begin
    owner.on_train_end = on_train_end
    owner.on_epoch_end = on_epoch_end
    # Left alone when no steps are to be recorded: it is called for every batch.
    if recorder.logs_steps:
        owner.on_train_batch_end = on_train_batch_end


def trained_by(callbacks):
    """Their model. On JAX its property `model` brings all of the trainer's state into the model,
    which takes as long as a small step."""
    model = getattr(callbacks, "_model", None)
    if model is None or not hasattr(model, "optimizer"):
        # Of another version of Keras, or wrapped for several devices.
        return getattr(callbacks, "model", None)
    return model


def wrap_optimizer(owner, recorder, guarded, fit_code):
    original = owner.apply

    @functools.wraps(original)
    def apply(self, grads, trainable_variables=None):
        if within_fit(fit_code) or stateless():
            return original(self, grads, trainable_variables)
        variables = trainable_variables
        if variables is None:
            variables = getattr(self, "_trainable_variables", ())
        else:
            variables = trainable_variables = list(variables)
        with outside_graphs():
            guarded("an update begins", recorder.update_begins, self, variables)
        result = original(self, grads, trainable_variables)
        if eager():
            guarded("an update ends", recorder.updates_ended)
        return result

    owner.apply = apply


def wrap_train_on_batch(owner, recorder, guarded):
    """On JAX the optimizer is applied where Python can't see it, and no function of TensorFlow's
    ends afterwards."""
    original = owner.train_on_batch

    @functools.wraps(original)
    def train_on_batch(self, *args, **kwargs):
        if self.built:
            guarded("a batch begins", recorder.batch_begins, self)
        result = original(self, *args, **kwargs)
        guarded("a batch ends", recorder.batch_ends, self)
        return result

    owner.train_on_batch = train_on_batch


def wrap_function(owner, recorder, guarded, fit_code):
    """After the outermost call of a compiled function, updates inside it are done."""
    original = owner.__call__
    depth = threading.local()

    @functools.wraps(original)
    def __call__(self, *args, **kwargs):
        level = getattr(depth, "level", 0)
        depth.level = level + 1
        try:
            result = original(self, *args, **kwargs)
        finally:
            depth.level = level
        if level == 0 and len(recorder.optimizers) and eager() and not within_fit(fit_code):
            guarded("a compiled call ends", recorder.updates_ended)
        return result

    owner.__call__ = __call__


def stateless():
    """Whether a function of JAX is being traced here: no variable has a value to be read."""
    scope = sys.modules.get("keras.src.backend.common.stateless_scope")
    return scope is not None and scope.in_stateless_scope()


def eager():
    """Whether operations run at once here, so that a variable can be read."""
    context = sys.modules.get("tensorflow.python.eager.context")
    return context is None or context.executing_eagerly()


class Nothing(object):
    def __enter__(self):
        return self

    def __exit__(self, *exception):
        return False


def outside_graphs():
    """Where initial values are read although a function is being traced around us."""
    ops = sys.modules.get("tensorflow.python.framework.ops")
    return Nothing() if ops is None else ops.init_scope()
