"""Where Keras is tapped: the training step, its layers, loss, gradients and optimizer."""

import functools
import sys

from .jax_taps import differentiated
from .scene import Moment

PARTS = ("x", "y", "sample weight")


def install(session, scene, guarded):
    """Patch classes, each right after its module was imported."""
    taps = Tapping(scene, guarded)

    def backend(module):
        scene.taps = backend_taps(module.__name__.rsplit(".", 2)[1], scene)

    for name in ("tensorflow", "jax", "torch"):
        session.on_import("keras.src.backend.%s.trainer" % name, backend)
    session.on_import("keras.src.layers.layer", lambda m: taps.wrap_layers(m.Layer))
    session.on_import("keras.src.optimizers.base_optimizer", taps.wrap_optimizers)
    session.on_import(
        "keras.src.optimizers.loss_scale_optimizer",
        lambda m: taps.wrap_apply(m.LossScaleOptimizer),
    )
    session.on_import("keras.src.models.model", taps.wrap_models)


def backend_taps(name, scene):
    """The way to record tensors of a backend: ``tensorflow``, ``jax`` or ``torch``."""
    if name == "tensorflow":
        from .tensorflow_taps import TensorFlowTaps as Taps
    elif name == "jax":
        from .jax_taps import JaxTaps as Taps
    else:
        from .torch_taps import TorchTaps as Taps
    return Taps(scene)


class Tapping(object):
    """The patches. What fails in them is reported, and the subject goes on."""

    def __init__(self, scene, guarded):
        self.scene = scene
        self.guarded = guarded
        self.wrapped = set()
        self.owners = {}

    # -- layers

    def wrap_layers(self, owner):
        scene, original = self.scene, owner.__call__

        @functools.wraps(original)
        def __call__(layer, *args, **kwargs):
            if not scene.watching():
                return original(layer, *args, **kwargs)
            given = self.guarded("a layer's input", self.inputs, layer, args, kwargs)
            args, kwargs = given or (args, kwargs)
            scene.depth += 1
            try:
                result = original(layer, *args, **kwargs)
            finally:
                scene.depth -= 1
            tapped = self.guarded("a layer's output", self.output, layer, result)
            return tapped[0] if tapped else result

        owner.__call__ = __call__
        self.wrap_stateless(owner)

    def wrap_stateless(self, owner):
        """In a loop of the script's own on JAX a model is not called, but this."""
        original = getattr(owner, "stateless_call", None)
        if original is None:
            return

        @functools.wraps(original)
        def stateless_call(layer, *args, **kwargs):
            self.guarded("a batch", self.given, layer, args, kwargs)
            return original(layer, *args, **kwargs)

        owner.stateless_call = stateless_call

    def given(self, layer, args, kwargs):
        """Record what a model is given beside its weights, where gradients are made by these."""
        weights = args[0] if args else kwargs.get("trainable_variables", ())
        scene = self.scene
        if scene.taps is not None and not scene.stepping and differentiated(weights):
            whole = Moment("batch", "input of %s" % layer.name)
            self.each(args[2:], lambda value: self.recorded(value, whole))

    def inputs(self, layer, args, kwargs):
        """The arguments, through taps; those of a layer that holds others are left to these."""
        if holds_layers(layer):
            if not self.scene.depth and not self.scene.stepping:
                whole = Moment("batch", "input of %s" % layer.name)
                self.each((args, kwargs), lambda value: self.recorded(value, whole))
            return None
        moment, gradient = moments(layer, "forward", "input"), moments(layer, "gradient", "input")
        return self.each((args, kwargs), lambda value: self.through(value, moment, gradient))

    def output(self, layer, result):
        moment = moments(layer, "forward", "output")
        gradient = moments(layer, "gradient", "output")

        def tap(value):
            if self.scene.knows(value):
                return value
            value = self.through(value, moment, gradient)
            self.scene.know(value)
            return value

        return (self.each(result, tap),)

    def through(self, value, moment, gradient):
        """The tensor, with its bits recorded unless they are known, and those of its gradient."""
        scene = self.scene
        if not scene.taps.usable(value):
            return value
        if not scene.knows(value):
            scene.taps.record(value, moment)
        if not scene.taps.differentiable(value):
            return value
        tapped = scene.taps.with_gradient(value, gradient)
        if tapped is not value:
            carry_over(value, tapped)
        return tapped

    def recorded(self, value, moment):
        if self.scene.taps.usable(value) and not self.scene.knows(value):
            self.scene.record(value, moment)
            self.scene.know(value)
        return value

    def each(self, structure, call):
        """The structure with `call` applied to its tensors, whatever it holds beside them."""
        return sys.modules["keras"].tree.map_structure(call, structure)

    # -- steps and losses

    def wrap_models(self, module):
        original = module.Model.__new__

        @functools.wraps(original)
        def __new__(cls, *args, **kwargs):
            self.guarded("a model's class", self.wrap_class, cls)
            # The variables of models that are gone are not held.
            self.owners.clear()
            return original(cls, *args, **kwargs)

        module.Model.__new__ = staticmethod(__new__)

    def wrap_class(self, kind):
        """Tap what this class of models, and those it is made from, do of their own in a step."""
        for owner in kind.__mro__:
            if owner not in self.wrapped:
                self.wrapped.add(owner)
                if "train_step" in vars(owner):
                    self.wrap_step(owner)
                if "compute_loss" in vars(owner):
                    self.wrap_loss(owner)

    def wrap_step(self, owner):
        scene, original = self.scene, owner.train_step

        @functools.wraps(original)
        def train_step(model, *args, **kwargs):
            if scene.taps is None or not scene.taps.able(scene.open):
                return original(model, *args, **kwargs)
            scene.step_begins()
            try:
                # Keras itself hands over no argument by name.
                outermost = scene.stepping == 1 and not kwargs
                if outermost:
                    self.guarded("a step's batch", self.batch, model, args)
                result = original(model, *args, **kwargs)
                if outermost:
                    self.guarded("a step's end", self.step_ends, model, result)
            finally:
                scene.step_over()
            return result

        owner.train_step = train_step

    def batch(self, model, args):
        """Record what a step is given: ``(data,)``, or on JAX ``(state, data)``."""
        values = None if len(args) == 1 else args[0][1]
        for variable, value in zip(model.non_trainable_variables, values or ()):
            self.seed_state(model, variable, value)
        if values is None:
            for variable in model.non_trainable_variables:
                self.seed_state(model, variable, variable)
        data = args[-1]
        several = isinstance(data, (list, tuple)) and len(data) <= len(PARTS)
        parts = data if several else (data,)
        for name, part in zip(PARTS, parts):
            part = part[0] if isinstance(part, (list, tuple)) and len(part) == 1 else part
            for path, value in leaves(part):
                self.recorded(value, Moment("batch", name + path))

    def seed_state(self, model, variable, value):
        if is_weight(model, variable):
            return
        tensor = self.scene.taps.value(value)
        self.scene.record(tensor, Moment("state", path_of(variable)))

    def step_ends(self, model, result):
        """Record the weights that no optimizer changes, as the step leaves them."""
        values = model.non_trainable_variables
        if isinstance(result, tuple) and len(result) == 2 and len(result[1]) == 4:
            values = result[1][1]
        for variable, value in zip(model.non_trainable_variables, values):
            if is_weight(model, variable):
                layer, name = self.place(variable)
                moment = Moment("update", name, layer, self.kind(variable))
                self.scene.record(self.scene.taps.value(value), moment)

    def wrap_loss(self, owner):
        scene, original = self.scene, owner.compute_loss
        here = scene.here

        @functools.wraps(original)
        def compute_loss(model, *args, **kwargs):
            inner = getattr(here, "losing", False)
            here.losing = True
            try:
                loss = original(model, *args, **kwargs)
            finally:
                here.losing = inner
            if not inner and scene.stepping and scene.watching():
                kind = name_of(getattr(model, "loss", None))
                self.guarded("a loss", scene.record, loss, Moment("loss", "loss", kind=kind))
            return loss

        owner.compute_loss = compute_loss

    # -- optimizers

    def wrap_optimizers(self, module):
        self.wrap_apply(module.BaseOptimizer)

    def wrap_apply(self, owner):
        if "apply" not in vars(owner):
            return
        scene, original, here = self.scene, owner.apply, self.scene.here

        @functools.wraps(original)
        def apply(optimizer, grads, trainable_variables=None):
            inner = getattr(here, "applying", False)
            if inner or scene.taps is None or not scene.taps.able(scene.open):
                return original(optimizer, grads, trainable_variables)
            grads = list(grads)
            if trainable_variables is not None:
                trainable_variables = list(trainable_variables)
            variables = trainable_variables or getattr(optimizer, "_trainable_variables", ())
            self.guarded("gradients", self.gradients, grads, variables)
            here.applying = True
            try:
                result = original(optimizer, grads, trainable_variables)
            finally:
                here.applying = False
            self.guarded("an update", self.update, optimizer, variables)
            return result

        owner.apply = apply

    def gradients(self, grads, variables):
        """Those of the weights: the last layer's come first, since they are computed first."""
        pairs = list(zip(grads, variables))
        for gradient, variable in reversed(pairs):
            layer, name = self.place(variable)
            kind = self.kind(variable)
            for suffix, value in self.scene.taps.parts(gradient):
                self.scene.record(value, Moment("gradient", name + suffix, layer, kind))

    def update(self, optimizer, variables):
        """What the optimizer makes of the gradients: its own state, then the weights."""
        kind = type(optimizer).__name__
        taps = self.scene.taps
        for state in getattr(optimizer, "variables", ()):
            if state is not getattr(optimizer, "iterations", None):
                moment = Moment("update", path_of(state), "", kind)
                self.scene.record(taps.value(state), moment)
        for variable in variables:
            layer, name = self.place(variable)
            moment = Moment("update", name, layer, kind)
            self.scene.record(taps.value(variable), moment)

    # -- names

    def place(self, variable):
        """The path of a variable's layer, and its own name."""
        layer, _, name = path_of(variable).rpartition("/")
        return layer, name

    def kind(self, variable):
        """The class of the layer that holds a variable; empty when no model's layer does."""
        key = id(variable)
        if key not in self.owners:
            self.owners[key] = variable, self.owner(variable)
        return self.owners[key][1]

    def owner(self, variable):
        from_models = self.scene.models()
        for model in from_models:
            for layer in model._flatten_layers():
                own = list(getattr(layer, "_trainable_variables", ()))
                own += list(getattr(layer, "_non_trainable_variables", ()))
                if any(v is variable for v in own):
                    return type(layer).__name__
        return ""


def moments(layer, phase, end):
    """The moment of a layer's input or output, or of the gradient that reaches it."""
    name = end if phase == "forward" else "gradient of its " + end
    return Moment(phase, name, getattr(layer, "path", None) or layer.name, type(layer).__name__)


def name_of(loss):
    """What a model's loss is called; empty when there are several, or none."""
    if loss is None or isinstance(loss, (str, dict, list, tuple)):
        return loss if isinstance(loss, str) else ""
    return getattr(loss, "__name__", "") or type(loss).__name__


def carry_over(value, tapped):
    """Hang at a copy what hangs at a tensor: its mask, the logits that a probability is made of, on
    which the formula of a loss depends, and what the user's code put there."""
    for name, mark in getattr(value, "__dict__", {}).items():
        if name not in tapped.__dict__:
            setattr(tapped, name, mark)
    # Where tensors take no attributes, as on JAX, Keras keeps masks in a table.
    masking = sys.modules["keras.src.backend.common.masking"]
    mask = masking.get_keras_mask(value)
    if mask is not None:
        masking.set_keras_mask(tapped, mask)


def holds_layers(layer):
    return bool(getattr(layer, "_layers", None))


def path_of(variable):
    return str(getattr(variable, "path", None) or getattr(variable, "name", "variable"))


def is_weight(model, variable):
    return any(variable is weight for weight in model.weights)


def leaves(structure, path=""):
    """Each leaf of nested dicts, lists and tuples, with its path: ``[0]``, ``[image]``."""
    if isinstance(structure, dict):
        for key in structure:
            for found in leaves(structure[key], "%s[%s]" % (path, key)):
                yield found
    elif isinstance(structure, (list, tuple)):
        for index, part in enumerate(structure):
            for found in leaves(part, "%s[%d]" % (path, index)):
                yield found
    elif structure is not None:
        yield path, structure
