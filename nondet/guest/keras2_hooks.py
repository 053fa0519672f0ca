"""Where the recorder hangs in Keras 2: by itself, in TensorFlow, and as tf_keras.

Eagerly (TensorFlow 2) it is as in Keras 3. In a graph of TensorFlow 1 and in Theano a step is one
call of the model's training function: the initial weights are read as it is called for the first
time, when Keras is about to start the session itself, and steps are counted as they are asked for.
"""

import functools
import sys
import weakref

from . import graph_values
from .keras_hooks import eager, outside_graphs, wrap_callbacks
from .keras_recorder import within_fit

TRAINING = (
    "keras.engine.training",
    "keras.engine.training_v1",
    "keras.src.engine.training",
    "keras.src.engine.training_v1",
    "tensorflow.python.keras.engine.training",
    "tensorflow.python.keras.engine.training_v1",
    "tf_keras.src.engine.training",
    "tf_keras.src.engine.training_v1",
)
CALLBACKS = (
    "keras.callbacks",
    "keras.callbacks.callbacks",
    "keras.src.callbacks",
    "tensorflow.python.keras.callbacks",
    "tf_keras.src.callbacks",
)
OPTIMIZERS = (
    "keras.optimizer_v2.optimizer_v2",
    "keras.optimizers.optimizer_v2.optimizer_v2",
    "keras.optimizers.optimizer_experimental.optimizer",
    "keras.optimizers.optimizer",
    "keras.src.optimizers.legacy.optimizer_v2",
    "keras.src.optimizers.optimizer",
    "tensorflow.python.keras.optimizer_v2.optimizer_v2",
    "tf_keras.src.optimizers.legacy.optimizer_v2",
    "tf_keras.src.optimizers.optimizer",
)
BACKENDS = (
    "keras.backend.tensorflow_backend",
    "keras.backend.theano_backend",
    "keras.backend",
    "keras.src.backend",
    "tensorflow.python.keras.backend",
    "tf_keras.src.backend",
)
FUNCTIONS = ("Function", "GraphExecutionFunction")
"""What a backend calls the class of the functions that run a graph."""
FITS = ("fit", "fit_generator")
IN_GRAPH = weakref.WeakKeyDictionary()  # type: weakref.WeakKeyDictionary[object, bool]
"""What is known of models that have their weights."""


def install(session, recorder, guarded, fit_code):
    """`fit_code`: the code of every `fit`, to which those of Keras 2 are added."""
    waiting = weakref.WeakSet()

    def training(module):
        owner = module.Model
        if not hasattr(owner, "train_on_batch") or owner.__module__ != module.__name__:
            return
        for name in FITS:
            fit = innermost(vars(owner).get(name))
            if hasattr(fit, "__code__"):
                fit_code.add(fit.__code__)
        # Where Keras has none of its own, models train in graphs. That of a subclass is its base's.
        if owner.__new__ is not object.__new__ and not hasattr(owner.__new__, "__wrapped__"):
            wrap_new(owner, recorder, guarded)
        wrap_train_on_batch(owner, recorder, guarded, fit_code, waiting)

    def callbacks(module):
        owner = getattr(module, "CallbackList", None)
        # Of Keras 3, and where a module only passes it on.
        if owner is None or owner.__module__ != module.__name__:
            return
        ready = Ready(recorder, waiting)
        # Since TensorFlow 2.2 an eager `fit` calls these themselves, and no others of a batch.
        if "_should_call_train_batch_hooks" in innermost(owner.__init__).__code__.co_names:
            wrap_callbacks(owner, Eagerly(recorder, waiting), guarded)
            wrap_batch_hook(owner, ready, guarded, lambda callbacks: callbacks.model)
        else:
            wrap_old_callbacks(owner, ready, guarded)

    def optimizers(module):
        for name in ("OptimizerV2", "_BaseOptimizer"):
            owner = getattr(module, name, None)
            if owner is not None and owner.__module__ == module.__name__:
                wrap_apply_gradients(owner, recorder, guarded, fit_code)

    def backends(module):
        for name in FUNCTIONS:
            owner = getattr(module, name, None)
            if owner is not None and owner.__module__ == module.__name__:
                wrap_call(owner, module, recorder, guarded, waiting)
                wrap_clear_session(module, recorder, guarded)

    for names, listen in (
        (TRAINING, training), (CALLBACKS, callbacks), (OPTIMIZERS, optimizers), (BACKENDS, backends)
    ):  # fmt: skip
        for name in names:
            session.on_import(name, listen)


class Ready(object):
    """The recorder for what `fit` tells: a model in a graph waits for its training function."""

    def __init__(self, recorder, waiting):
        self.recorder, self.waiting = recorder, waiting
        self.logs_steps = recorder.logs_steps

    def fit_begins(self, model):
        ready = created(model)
        if not ready or in_graph(model):
            self.waiting.add(model)
            ready = False
        self.recorder.fit_begins(model, ready=ready)

    def fit_step_ends(self, model):
        if in_graph(model):
            graph_values.updated(model.optimizer)
        self.waiting.discard(model)
        if self.logs_steps:
            self.recorder.fit_step_ends(model)

    def epoch_ends(self, model, epoch, logs):
        self.waiting.discard(model)
        self.recorder.epoch_ends(model, epoch, logs)

    def fit_ends(self, model):
        self.recorder.fit_ends(model)


class Eagerly(Ready):
    """For what tells of a batch in an eager `fit` only."""

    def fit_step_ends(self, model):
        if not in_graph(model):
            Ready.fit_step_ends(self, model)


def innermost(function):
    """Below the decorators, which share their code with all of Keras."""
    while hasattr(function, "__wrapped__"):
        function = function.__wrapped__
    return function


def created(model):
    """Whether a model has its weights: one without a given shape of its input gets them in its
    first step."""
    try:
        return bool(model.weights)
    except ValueError:
        return False


def in_graph(model):
    """Whether a model's weights lie in a graph of TensorFlow 1, or in Theano."""
    if not graph():
        return False
    known = IN_GRAPH.get(model)
    # Its weights are listed once: that takes as long as a small step.
    if known is None and created(model):
        known = IN_GRAPH[model] = graph_values.is_symbolic(model.weights[0])
    return bool(known)


def wrap_new(owner, recorder, guarded):
    """Models are numbered as they are made, for what trains without `fit`."""
    original = owner.__new__

    @functools.wraps(original)
    def __new__(cls, *args, **kwargs):
        made = original(cls, *args, **kwargs)
        # With arrays of inputs and outputs it makes a model of another class, which comes by again.
        if isinstance(made, owner):
            guarded("a new model", recorder.model_made, made)
        return made

    owner.__new__ = staticmethod(__new__)


def nobody():
    """Stands for a reference to a model."""


def wrap_old_callbacks(owner, recorder, guarded):
    """`fit` before TensorFlow 2.2 calls one function for all that happens to a batch; before
    Keras 2.2.5, one each for its beginning and its end."""
    begin, end, last = owner.on_train_begin, owner.on_epoch_end, owner.on_train_end
    models = weakref.WeakKeyDictionary()
    set_model = owner.set_model

    @functools.wraps(set_model)
    def wrapped_set_model(self, model):
        models[self] = weakref.ref(model)
        set_model(self, model)

    def told(self, where, call, *args):
        model = models.get(self, nobody)()
        if model is not None:
            guarded(where, call, model, *args)

    @functools.wraps(begin)
    def on_train_begin(self, *args, **kwargs):
        begin(self, *args, **kwargs)
        told(self, "fit begins", recorder.fit_begins)

    @functools.wraps(end)
    def on_epoch_end(self, epoch, logs=None, *args, **kwargs):
        end(self, epoch, logs, *args, **kwargs)
        told(self, "an epoch ends", recorder.epoch_ends, epoch, logs)

    @functools.wraps(last)
    def on_train_end(self, *args, **kwargs):
        last(self, *args, **kwargs)
        told(self, "fit ends", recorder.fit_ends)

    owner.set_model = wrapped_set_model
    owner.on_train_begin, owner.on_epoch_end = on_train_begin, on_epoch_end
    owner.on_train_end = on_train_end
    if hasattr(owner, "_call_batch_hook"):
        known = lambda callbacks: models.get(callbacks, nobody)()  # noqa: E731
        wrap_batch_hook(owner, recorder, guarded, known, always=True)
        return
    batch = owner.on_batch_end

    @functools.wraps(batch)
    def on_batch_end(self, *args, **kwargs):
        batch(self, *args, **kwargs)
        told(self, "a step ends", recorder.fit_step_ends)

    owner.on_batch_end = on_batch_end


def wrap_batch_hook(owner, recorder, guarded, model_of, always=False):
    """What `fit` calls for each batch, in a graph; `always`: eagerly too."""
    hook = owner._call_batch_hook

    @functools.wraps(hook)
    def _call_batch_hook(self, mode, when, *args, **kwargs):
        hook(self, mode, when, *args, **kwargs)
        if mode == "train" and when == "end":
            model = model_of(self)
            if model is not None and (always or in_graph(model)):
                guarded("a step ends", recorder.fit_step_ends, model)

    owner._call_batch_hook = _call_batch_hook


def wrap_train_on_batch(owner, recorder, guarded, fit_code, waiting):
    """In a graph; a compiled function's end is seen where that is called (keras_hooks.py)."""
    original = owner.train_on_batch

    def begins(model):
        waiting.add(model)
        recorder.batch_begins(model, ready=False)

    def ends(model):
        waiting.discard(model)
        graph_values.updated(model.optimizer)
        recorder.batch_ends(model)

    @functools.wraps(original)
    def train_on_batch(self, *args, **kwargs):
        # `fit_generator` calls it for each of its batches.
        if not in_graph(self) or within_fit(fit_code):
            return original(self, *args, **kwargs)
        guarded("a batch begins", begins, self)
        result = original(self, *args, **kwargs)
        guarded("a batch ends", ends, self)
        return result

    owner.train_on_batch = train_on_batch


def wrap_call(owner, backend, recorder, guarded, waiting):
    """The training function of a model whose initial weights are still to be read."""
    original = owner.__call__

    def begins(function):
        for model in list(waiting):
            if getattr(model, "train_function", None) is function:
                waiting.discard(model)
                recorder.begin(recorder.track(model))

    @functools.wraps(original)
    def __call__(self, *args, **kwargs):
        graph_values.SESSIONS.backend = backend
        if len(waiting):
            guarded("a training function is called", begins, self)
        return original(self, *args, **kwargs)

    owner.__call__ = __call__


def wrap_clear_session(module, recorder, guarded):
    """Afterwards the variables of what has trained so far have no value any more."""
    original = getattr(module, "clear_session", None)
    if original is None:
        return

    @functools.wraps(original)
    def clear_session(*args, **kwargs):
        guarded("a session is cleared", recorder.record_pending)
        return original(*args, **kwargs)

    module.clear_session = clear_session


def wrap_apply_gradients(owner, recorder, guarded, fit_code):
    """A loop over a GradientTape, compiled or not."""
    original = owner.apply_gradients

    def begins(optimizer, variables):
        # Those that are made while the step is traced have no value yet.
        ready = all(bool(variable.is_initialized()) for variable in variables)
        recorder.update_begins(optimizer, variables, ready=ready)

    @functools.wraps(original)
    def apply_gradients(self, grads_and_vars, *args, **kwargs):
        if within_fit(fit_code) or not eager_outside():
            return original(self, grads_and_vars, *args, **kwargs)
        pairs = list(grads_and_vars)
        variables = [variable for gradient, variable in pairs if gradient is not None]
        with outside_graphs():
            guarded("an update begins", begins, self, variables)
        result = original(self, pairs, *args, **kwargs)
        if eager():
            guarded("an update ends", recorder.updates_ended)
        return result

    owner.apply_gradients = apply_gradients


def graph():
    """Whether operations are put together here, and run later."""
    context = sys.modules.get("tensorflow.python.eager.context")
    return context is None or not context.executing_eagerly()


def eager_outside():
    """Whether the outermost code runs eagerly, whatever is being traced inside it."""
    ops = sys.modules["tensorflow.python.framework.ops"]
    return ops.executing_eagerly_outside_functions()
