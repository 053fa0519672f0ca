"""The frameworks' deterministic kernels."""

import os
import sys

from .. import torch_races, torch_releasing, torch_switches, xla_flags
from .base import Factor, older, replace
from .tf_seed import global_seed

GENERATED = "tensorflow.python.ops.gen_"
"""TensorFlow's generated functions, which eager code, graphs and gradients all call."""
XLA = "--xla_gpu_deterministic_ops=true"
UNSUPPORTED = " without a deterministic kernel"
"""How the details of sightings end that tell of what PyTorch warned of."""
RELEASED = " with its usual kernel"
"""The same of what was released while all else was held."""
CUBLAS = ("CUBLAS_WORKSPACE_CONFIG", ":4096:8")


class Operation(object):
    """An operation whose CPU kernel was measured to give other bits from run to run.

    `racing` is the argument over which its threads race, with its place; below `enough` elements
    the kernel was never seen to share its work out.
    """

    def __init__(self, module, name, what, racing, enough):
        self.module = GENERATED + module
        self.name = name
        self.what = what
        self.racing = racing
        self.enough = enough

    @property
    def function(self):
        """``ResourceScatterAdd`` is made by ``resource_scatter_add``."""
        return "".join("_" + c.lower() if c.isupper() else c for c in self.name).lstrip("_")

    def may_race(self, args, kwargs):
        """Whether a call is large enough, as far as its shape is known here."""
        name, place = self.racing
        value = kwargs[name] if name in kwargs else args[place] if place < len(args) else None
        size = elements(value)
        return size is None or size >= self.enough


SCATTERS = tuple(
    Operation(
        "resource_variable_ops", "ResourceScatter" + how, "at indices that repeat",
        ("updates", 2), 20000,
    )
    for how in ("Add", "Sub", "Mul", "Div")
)  # fmt: skip
OPERATIONS = SCATTERS + (
    Operation(
        "image_ops", "CropAndResizeGradImage", "of boxes that overlap", ("grads", 0), 20000
    ),
)  # fmt: skip
"""Those with a deterministic kernel as well."""


class OpDeterminism(Factor):
    name = "op-determinism"
    group = "kernels"
    title = "The framework's choice of kernels"
    symptom = (
        "With all seeds set, runs agree up to some step and part in an embedding, a sparse "
        "update, an image gradient or, in PyTorch, the gradient of `x[index]`; with larger batches "
        "more often."
    )
    explanation = (
        "Some kernels give other bits from run to run for the same input, such as the sparse "
        "update of an embedding with repeated indices in TensorFlow, and what adds at an index in "
        "PyTorch. TensorFlow, PyTorch and XLA have deterministic ones for most of them, used only "
        "on request. JAX's on a CPU were not seen to."
    )
    because = "a kernel is not deterministic"
    pinned = (
        "TensorFlow: `enable_op_determinism` is called when it has been imported. Random "
        "operations without a seed, which this mode would refuse, stay as random as before. "
        "PyTorch: `use_deterministic_algorithms` with `warn_only`, and "
        "`CUBLAS_WORKSPACE_CONFIG=:4096:8`; what it warns of is noted. XLA, by JAX or by "
        "TensorFlow: `--xla_gpu_deterministic_ops=true`, which does nothing on a CPU."
    )
    noticed = (
        "By the operations known to race on the CPU. In TensorFlow: scatter-adds into a variable, "
        "and the image gradient of `crop_and_resize`. In PyTorch: the gradients of `x[index]` and "
        "`torch.take`, and `index_put_` and `put_` that accumulate. A trial can't see others, so "
        "it counts as in use once TensorFlow, PyTorch or JAX is imported."
    )
    observable = False
    framework = ("tensorflow", "torch", "jax")
    instead = ("cpu-threads",)
    due = ("tensorflow", "torch")
    advice = (
        "Ask for deterministic kernels, after seeding and before the first operation. It may slow "
        "training down."
    )
    references = (
        (
            "tf.config.experimental.enable_op_determinism",
            "https://www.tensorflow.org/api_docs/python/tf/config/experimental/enable_op_determinism",
        ),
        (
            "TensorFlow's RFC on determinism",
            "https://github.com/tensorflow/community/blob/master/rfcs/20210119-determinism.md",
        ),
        (
            "torch.use_deterministic_algorithms",
            "https://docs.pytorch.org/docs/stable/generated/torch.use_deterministic_algorithms.html",
        ),
        ("openxla/xla#12520: flags for GPUs", "https://github.com/openxla/xla/pull/12520"),
    )
    fixes = (
        (
            "tensorflow",
            "import tensorflow as tf\ntf.config.experimental.enable_op_determinism()",
        ),
        (
            "torch on a GPU",
            'import os\nos.environ["CUBLAS_WORKSPACE_CONFIG"] = ":4096:8"\n'
            "import torch\ntorch.use_deterministic_algorithms(True)",
        ),
        ("torch", "import torch\ntorch.use_deterministic_algorithms(True)"),
        ("jax on a GPU", xla_flags.code(XLA)),
    )

    def unavailable(self, machine):
        old = older(machine, "tensorflow", 2, 8)
        if machine.get("torch") or (machine.get("tensorflow") and not old):
            return ""
        if machine.get("jax"):
            return "" if machine.get("gpus") else "JAX has such kernels on a GPU only"
        if old:
            return "TensorFlow %s has no deterministic mode" % machine["tensorflow"]
        return "neither TensorFlow nor PyTorch nor JAX is installed"

    def install(self, session, arm):
        listen(session, self.name, OPERATIONS, lambda: not deterministic())
        torch_races.listen(session, self.name)
        if arm == "pinned":
            session.on_import("tensorflow.python.framework.random_seed", self.allow_unseeded)
            session.on_import("tensorflow", lambda module: self.hold(session, module))
            session.on_import("torch", lambda module: self.hold_torch(session, module))
            xla_flags.hold(session, self.name, (XLA,))

    def allow_unseeded(self, module):
        """Deterministic mode refuses random operations without a seed. They are another factor's
        (tf-seed): here they get a fresh seed each, which is what they do without this mode."""

        def make(original):
            def wrapper(op_seed):
                if op_seed is None and global_seed() is None:
                    return tuple(int.from_bytes(os.urandom(4), "big") >> 1 for _ in "ab")
                return original(op_seed)

            return wrapper

        replace(module, "get_seed", make)

    def hold(self, session, module):
        module.config.experimental.enable_op_determinism()
        session.read_back(self.name, True, deterministic())
        session.look(lambda: session.read_back(self.name, True, deterministic()), told=True)

    def hold_torch(self, session, module):
        # cuBLAS reads it when it is used first, and PyTorch before each of its products.
        os.environ.update((CUBLAS,))
        torch_switches.listen(session, self.name, UNSUPPORTED)
        switch = torch_switches.deterministic(module)
        torch_switches.inductor(session)
        if session.plan.get("released"):
            patterns = session.plan["released"]
            torch_releasing.release(session, self.name, module, switch, patterns, RELEASED)
        session.look(
            lambda: session.read_back(
                self.name,
                [True, CUBLAS[1]],
                [
                    torch_switches.is_deterministic(module),
                    xla_flags.in_environment(CUBLAS[0]),
                ],
            )
        )


def deterministic():
    """Whether TensorFlow's deterministic kernels are asked for."""
    config = sys.modules.get("tensorflow.python.framework.config")
    return config is not None and bool(config.is_op_determinism_enabled())


def listen(session, factor, operations, varies):
    """Note every use of these operations as a lead for `factor`, as long as ``varies()``."""
    for operation in operations:
        session.on_import(
            operation.module,
            lambda module, operation=operation: wrap(session, factor, operation, varies, module),
        )


def wrap(session, factor, operation, varies, module):
    detail = "%s %s" % (operation.name, operation.what)

    def make(original):
        def wrapper(*args, **kwargs):
            try:
                if operation.may_race(args, kwargs) and not compiled() and varies():
                    session.saw(factor, detail, None)
            except Exception as error:
                session.failed("noting " + operation.name, error)
            return original(*args, **kwargs)

        return wrapper

    # The second is what `tf.raw_ops` shows, made from the first when the module was imported.
    replace(module, operation.function, make)
    replace(module, operation.name, make)


def compiled():
    """Whether XLA compiles what is traced here; its loops on the CPU don't race."""
    util = sys.modules.get("tensorflow.python.ops.control_flow_util")
    ops = sys.modules["tensorflow.python.framework.ops"]
    return util is not None and bool(util.GraphOrParentsInXlaContext(ops.get_default_graph()))


def elements(value):
    """How many numbers a value holds; None when its shape is not known yet."""
    count = 1
    for side in getattr(value, "shape", None) or (None,):
        if side is None:
            return None
        count *= int(side)
    return count


FACTOR = OpDeterminism()
