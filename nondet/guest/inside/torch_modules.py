"""Inside a step of a plain loop on PyTorch: batch, modules, loss, gradients, update."""

import functools
import sys

from ..factors.base import replace
from .keras_taps import leaves
from .scene import Moment
from .torch_taps import TorchTaps


class Unplaced(object):
    """Stands for the path of a module until a step of its model ends: only then is that known."""

    def __init__(self, module):
        self.module = module

    def __repr__(self):
        return type(self.module).__name__


class TorchModules(object):
    """Looks on by hooks that PyTorch offers for all modules. `quietly()` makes a context in which
    what we read is seen by nobody."""

    def __init__(self, scene, quietly):
        self.scene = scene
        self.quietly = quietly
        self.hooks = ()

    def listen(self, torch, compiling, call):
        """`call(where, function, *args)` is how hooks call us; not where `compiling()` is true."""
        modules = sys.modules["torch.nn.modules.module"]

        def before(module, args):
            if not compiling():
                call("a module's input", self.enters, module, args)

        def after(module, args, output):
            if not compiling():
                call("a module's output", self.leaves, module, output)

        self.hooks = (
            modules.register_module_forward_pre_hook(before),
            modules.register_module_forward_hook(after, always_call=True),
        )

        def make(original):
            @functools.wraps(original)
            def backward(*args, **kwargs):
                call("a loss", self.loss, args[0] if args else kwargs.get("tensors"))
                return original(*args, **kwargs)

            backward._torchdynamo_disable = True
            return backward

        replace(torch.autograd, "backward", make)

    def leave_modules(self):
        """Look at no module any more: the compiler warns where there are hooks on all of them."""
        for hook in self.hooks:
            hook.remove()
        self.hooks = ()

    # -- on the way

    def watching(self):
        """Whether a step is looked into, and this is a part of it: evaluations are none."""
        scene = self.scene
        if scene.taps is None:
            scene.taps = TorchTaps(scene)
        taps = scene.taps
        return isinstance(taps, TorchTaps) and taps.able(scene.open) and taps.differentiating()

    def enters(self, module, args):
        self.scene.depth += 1
        if self.scene.depth == 1 and not of_keras(module) and self.watching():
            for path, value in leaves(args[0] if len(args) == 1 else args):
                self.record(value, Moment("batch", "input" + path))

    def leaves(self, module, output):
        self.scene.depth -= 1
        if of_keras(module) or not self.watching():
            return
        kind = type(module).__name__
        for path, value in leaves(output):
            # Of a module that hands on what one inside it gives, that one is told.
            if not self.usable(value) or self.scene.knows(value):
                continue
            self.record(value, Moment("forward", "output" + path, Unplaced(module), kind))
            if value.requires_grad:
                name = "gradient of its output" + path
                moment = Moment("gradient", name, Unplaced(module), kind)
                value.register_hook(functools.partial(self.came_back, moment))

    def came_back(self, moment, gradient):
        # Whatever fails here must not reach the backward pass.
        try:
            if self.scene.open:
                self.record(gradient, moment)
        except Exception as error:
            self.scene.session.failed("a gradient", error)

    def loss(self, tensors):
        if self.watching():
            for path, value in leaves(tensors):
                self.record(value, Moment("loss", "loss" + path))

    def usable(self, value):
        torch = sys.modules["torch"]
        wrapped = getattr(torch._C, "_functorch", None)
        return (
            isinstance(value, torch.Tensor)
            and type(value).__torch_dispatch__ is torch.Tensor.__torch_dispatch__
            and not (wrapped is not None and wrapped.is_functorch_wrapped_tensor(value))
            and self.scene.taps.usable(value)
        )

    def record(self, value, moment):
        if self.usable(value):
            with self.quietly():
                self.scene.record(value, moment)
            self.scene.know(value)

    # -- at the end of a step

    def stepped(self, weights, optimizer, models):
        """An optimizer has changed these weights. `models`: (name, module) of all that are known,
        by which modules are named."""
        if not self.watching():
            return
        places = {}
        for name, module in models:
            for path, part in sys.modules["torch"].nn.Module.named_modules(module):
                places.setdefault(id(part), path or name)
        for moment, _ in self.scene.taps.seen:
            if isinstance(moment.layer, Unplaced):
                moment.layer = places.get(id(moment.layer.module), moment.kind)
        rows = [(weight, weight.value) for weight in weights]
        for weight, value in reversed(rows):
            if value.grad is not None:
                layer, name = place(weight)
                self.record(value.grad, Moment("gradient", name, layer))
        kind = type(optimizer).__name__
        for weight, value in rows:
            for name, state in optimizer.state.get(value, {}).items():
                self.record(state, Moment("update", "%s/%s" % (weight.path, name), "", kind))
        for weight, value in rows:
            layer, name = place(weight)
            self.record(value, Moment("update", name, layer, kind))


def place(weight):
    """The path of the module that holds a weight, and its own name; of Keras, of the layer."""
    end = max(weight.path.rfind("."), weight.path.rfind("/"))
    return weight.path[: max(end, 0)], weight.path[end + 1 :]


def of_keras(module):
    """Whether it is a layer of Keras, which keras_taps looks at."""
    base = getattr(sys.modules.get("keras.src.layers.layer"), "Layer", None)
    return base is not None and isinstance(module, base)
