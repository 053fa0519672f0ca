"""Records JAX's arrays, by calls back to the host: in eager code, under `jit`, in loops."""

import functools
import sys
import threading

from .. import device_digests

DIFFERENTIATED = ("JVPTracer", "LinearizeTracer")
"""What stands for arrays in a function of which JAX makes gradients."""


class JaxTaps(object):
    def __init__(self, scene):
        self.scene = scene
        self.moments = []
        self.seen = {}
        # A signal's handler or a `__del__` may compute something in the midst of it.
        self.lock = threading.RLock()
        self.mode = "eager"

    def able(self, open_now):
        """What is compiled before the window opens is compiled again when it does; what the script
        has compiled by itself is not, and is tapped from the first."""
        return open_now or self.scene.compiling()

    @property
    def jax(self):
        return sys.modules["jax"]

    def differentiating(self):
        """Whether a model is called here for the gradients of weights that are given it, as in a
        loop of the script's own. What is within `fit` does not ask."""
        states = sys.modules.get("keras.src.backend.common.stateless_scope")
        if states is None or not states.in_stateless_scope():
            return False
        return differentiated(states.get_stateless_scope().state_mapping.values())

    def usable(self, value):
        import numpy

        ours = isinstance(value, (self.jax.Array, numpy.ndarray))
        return ours and value.dtype.name in device_digests.PIECES

    def differentiable(self, value):
        jax = self.jax
        return isinstance(value, jax.Array) and jax.numpy.issubdtype(value.dtype, jax.numpy.inexact)

    def value(self, variable):
        return getattr(variable, "value", variable)

    def parts(self, gradient):
        return [("", gradient)]

    def record(self, value, moment):
        if moment.phase == "batch":
            # All that comes later may be traced for its gradient alone.
            self.mode = "jit" if isinstance(value, self.jax.core.Tracer) else "eager"
        number = len(self.moments)
        self.moments.append(moment.of("", value.dtype.name, value.shape))
        if not isinstance(value, self.jax.Array):
            self.take(number, device_digests.numpy_lanes(value))
            return
        lanes = device_digests.jax_lanes(value)
        self.jax.debug.callback(functools.partial(self.take, number), lanes)

    def take(self, number, lanes):
        """Calls come in no order, from threads of JAX's: what is in a loop is added up."""
        low, high = (int(lane) for lane in lanes)
        with self.lock:
            known = self.seen.get(number, (0, 0))
            self.seen[number] = (known[0] + low, known[1] + high)

    def with_gradient(self, value, moment):
        """The same array; its gradient is recorded where that is computed."""
        scene = self.scene

        @self.jax.custom_vjp
        def same(x):
            return x

        def backward(_, upstream):
            scene.record(upstream, moment)
            return (upstream,)

        same.defvjp(lambda x: (x, None), backward)
        return same(value)

    def turn(self, inside, model):
        if inside and hasattr(model, "make_train_function") and model.train_function is not None:
            model.make_train_function(force=True)

    def gather(self):
        """The moments since the last call with their digests, in the order of execution."""
        self.jax.effects_barrier()
        with self.lock:
            seen, self.seen = self.seen, {}
        found = []
        for number in sorted(seen):
            moment = self.moments[number]
            digest = device_digests.finish(seen[number], moment.dtype, moment.shape)
            found.append((moment, digest.hex()))
        return found


def differentiated(values):
    """Whether JAX makes gradients by some of these."""
    return any(type(value).__name__ in DIFFERENTIATED for value in values)
