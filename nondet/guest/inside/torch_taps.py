"""Records PyTorch's tensors as they come into being, and their gradients by hooks."""

import sys

from .. import device_digests


class TorchTaps(object):
    mode = "eager"

    def __init__(self, scene):
        self.scene = scene
        self.seen = []

    @property
    def torch(self):
        return sys.modules["torch"]

    def able(self, open_now):
        # What torch.compile traces can't be looked into from here.
        return open_now and not device_digests.torch_compiles(self.torch)

    def differentiating(self):
        return self.torch.is_grad_enabled()

    def usable(self, value):
        import numpy

        torch = self.torch
        if isinstance(value, numpy.ndarray):
            return value.dtype.name in device_digests.PIECES
        return (
            isinstance(value, torch.Tensor)
            and str(value.dtype).partition(".")[2] in device_digests.PIECES
            and value.layout == torch.strided
            and value.device.type != "meta"
        )

    def differentiable(self, value):
        return isinstance(value, self.torch.Tensor) and value.requires_grad

    def value(self, variable):
        return getattr(variable, "value", variable)

    def parts(self, gradient):
        return [("", gradient)]

    def record(self, value, moment):
        name = str(value.dtype).replace("torch.", "")
        function = getattr(value, "grad_fn", None)
        op = type(function).__name__ if function is not None else ""
        moment = moment.of(op, name, value.shape)
        if isinstance(value, self.torch.Tensor):
            lanes = device_digests.torch_lanes(value.detach()).tolist()
        else:
            lanes = device_digests.numpy_lanes(value)
        self.seen.append((moment, device_digests.finish(lanes, name, value.shape).hex()))

    def with_gradient(self, value, moment):
        """The same tensor; its gradient is recorded where that is computed."""
        # A view of its own: the hook then sees what comes back along this one use.
        tapped = value.view_as(value)
        tapped.register_hook(lambda gradient: self.scene.record(gradient, moment))
        return tapped

    def turn(self, inside, model):
        pass

    def gather(self):
        """The moments since the last call with their digests, in the order of execution."""
        found, self.seen = self.seen, []
        return found
