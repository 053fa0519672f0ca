"""Updates by Keras' optimizers on JAX in a loop of the script's own: `stateless_apply`.

What Keras does so itself, in `fit` and in `train_on_batch`, is recorded as that.
"""

import sys

from ..factors.base import replace
from ..kept import threading
from . import pytrees

OPTIMIZERS = (
    ("keras.src.optimizers.base_optimizer", "BaseOptimizer"),
    ("keras.src.optimizers.loss_scale_optimizer", "LossScaleOptimizer"),
)
"""Those with an update of their own; the second holds another one."""
TRAINER = "/keras/src/backend/jax/trainer.py"


class Names(object):
    """What a model is called, and its parameters in their order. Empty where nobody has named
    them."""

    def __init__(self, model="", paths=()):
        self.model = model
        self.paths = paths


NAMELESS = Names()


def install(session, recorder, updated, guarded):
    """`updated(params, new, names, alike)` is told of each update, compiled or not."""
    here = threading.local()

    def applied(optimizer, params, new):
        variables = optimizer._trainable_variables
        model = name_of_holder(recorder.models, variables)
        names = Names(model, [variable.path for variable in variables])
        # Lists are taken and given; the script may have made tuples of them.
        updated(pytrees.arrays(params), new, names, (tuple(new),))

    def make(original):
        def stateless_apply(optimizer, optimizer_variables, grads, trainable_variables):
            inside, here.inside = getattr(here, "inside", False), True
            try:
                result = original(optimizer, optimizer_variables, grads, trainable_variables)
            finally:
                here.inside = inside
            if not inside and not within_trainer():
                params, new = list(trainable_variables), list(result[0])
                guarded("an update", applied, optimizer, params, new)
            return result

        return stateless_apply

    def listen(module, name):
        if module.backend.backend() == "jax":
            replace(getattr(module, name), "stateless_apply", make)

    for module, name in OPTIMIZERS:
        session.on_import(module, lambda found, name=name: listen(found, name))


def within_trainer():
    """Whether Keras itself trains here."""
    frame = sys._getframe(2)
    while frame is not None:
        if frame.f_code.co_filename.replace("\\", "/").endswith(TRAINER):
            return True
        frame = frame.f_back
    return False


def name_of_holder(models, variables):
    """The name of the outermost model of Keras' that holds some of these variables; empty where
    none does. `models`: those made so far, with their number."""
    held = {id(variable) for variable in variables}
    found = [
        (-len(model.trainable_variables), number, model.name)
        for model, number in list(models.items())
        if model.built and any(id(v) in held for v in model.trainable_variables)
    ]
    return min(found)[2] if found else ""
