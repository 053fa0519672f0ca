"""The values of variables where they lie: on a device they are digested there, not copied.

What crosses over to the host are 16 bytes a tensor.
"""

import sys

from . import device_digests, graph_values, plain_values

TORCH_BITS = {
    "torch.bfloat16": "int16",
    "torch.float8_e4m3fn": "uint8",
    "torch.float8_e5m2": "uint8",
}
"""What PyTorch's dtypes that NumPy has no name for are seen as."""


def value_of(variable):
    """The framework's own tensor of a variable; the variable itself where that is none."""
    value = getattr(variable, "value", variable)
    if type(value).__name__ == "ResourceVariable":
        # A third of the time that `read_value` takes.
        operation = sys.modules["tensorflow"].raw_ops.ReadVariableOp
        return operation(resource=value.handle, dtype=value.dtype)
    value = value() if callable(value) else value
    if hasattr(value, "read_value"):
        value = value.read_value()
    return value.detach() if hasattr(value, "detach") else value


def values_of(variables):
    """The framework's own tensors of these variables; arrays where they lie in a graph."""
    if variables and graph_values.is_symbolic(variables[0]):
        return graph_values.read(variables)
    return [value_of(variable) for variable in variables]


def array_of(value):
    """Its bits as an array, without a copy where the framework allows."""
    if isinstance(value, plain_values.Plain):
        return value
    plain = plain_values.without_numpy(value)
    if plain is not None:
        return plain
    numpy = plain_values.numpy()
    if numpy is None:
        return plain_values.made(value)
    if hasattr(value, "detach"):
        value = value.cpu()
        if str(value.dtype) in TORCH_BITS:
            torch = sys.modules["torch"]
            value = value.view(getattr(torch, TORCH_BITS[str(value.dtype)]))
        # A conjugate or a negative may be a mark on the values of another tensor.
        for resolve in ("resolve_conj", "resolve_neg"):
            value = getattr(value, resolve)() if hasattr(value, resolve) else value
    return numpy.asarray(value)


def kind_of(value):
    """The dtype's name in NumPy, and the shape."""
    name = getattr(value.dtype, "name", None) or str(value.dtype).rpartition(".")[2]
    return name, tuple(int(side) for side in value.shape)


class Tensorflow(object):
    @staticmethod
    def holds(value):
        return type(value).__name__ == "EagerTensor"

    @staticmethod
    def away(value):
        return "CPU" not in value.backing_device

    @staticmethod
    def wait(values):
        sys.modules["tensorflow"].test.experimental.sync_devices()

    @staticmethod
    def lanes(values):
        found = [device_digests.tensorflow_lanes(value) for value in values]
        return sys.modules["tensorflow"].stack(found).numpy()


class Jax(object):
    @staticmethod
    def holds(value):
        return isinstance(value, sys.modules["jax"].Array)

    @staticmethod
    def away(value):
        return any(device.platform != "cpu" for device in value.devices())

    @staticmethod
    def wait(values):
        sys.modules["jax"].block_until_ready(values)

    @staticmethod
    def lanes(values):
        # All are asked for before the first one is waited for.
        return sys.modules["jax"].device_get([device_digests.jax_lanes(value) for value in values])


class Torch(object):
    @staticmethod
    def holds(value):
        return isinstance(value, sys.modules["torch"].Tensor)

    @staticmethod
    def away(value):
        return value.device.type not in ("cpu", "meta")

    @staticmethod
    def wait(values):
        torch = sys.modules["torch"]
        for device in {value.device for value in values if value.is_cuda}:
            torch.cuda.synchronize(device)

    @staticmethod
    def lanes(values):
        found = [device_digests.torch_lanes(value) for value in values]
        return sys.modules["torch"].stack([lane.to(found[0].device) for lane in found]).tolist()


FRAMEWORKS = (("tensorflow", Tensorflow), ("jax", Jax), ("torch", Torch))


def framework_of(values):
    """What holds all of these values; None when none does, or several."""
    for name, framework in FRAMEWORKS:
        if name in sys.modules and values and all(framework.holds(value) for value in values):
            return framework
    return None


def away(values):
    """Whether some of these values lie on a device, and all can be digested where they lie."""
    framework = framework_of(values)
    return (
        framework is not None
        and any(framework.away(value) for value in values)
        and all(kind_of(value)[0] in device_digests.PIECES for value in values)
    )


def wait(values):
    """Return once the values on devices have been computed: frameworks may still be at it."""
    framework = framework_of(values)
    if framework is Jax or framework is not None and any(map(framework.away, values)):
        framework.wait(values)


def digests(values):
    """The digest of each value, 8 bytes (see device_digests), by one transfer."""
    kinds = [kind_of(value) for value in values]
    lanes = framework_of(values).lanes(values)
    return [device_digests.finish(pair, *kind) for pair, kind in zip(lanes, kinds)]
