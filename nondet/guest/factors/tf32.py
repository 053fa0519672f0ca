"""TensorFloat-32 on a GPU."""

import os

from .base import ALWAYS, Factor, replace, without_gpu

VARIABLE = "NVIDIA_TF32_OVERRIDE"
SETTER = "enable_tensor_float_32_execution"
PRECISION = "jax_default_matmul_precision"


class Tf32(Factor):
    name = "tf32"
    group = "kernels"
    title = "TensorFloat-32 on a GPU"
    symptom = (
        "Each machine repeats itself, and two with GPUs of different age agree to about three "
        "digits."
    )
    explanation = (
        "GPUs since Ampere may compute products of 32-bit numbers with 10 bits of precision. Older "
        "GPUs and CPUs can't. The result differs between the two, and repeats on each."
    )
    because = "products of 32-bit numbers are computed with TensorFloat-32"
    pinned = (
        "`NVIDIA_TF32_OVERRIDE=0`, the switches of TensorFlow and PyTorch are off, and JAX' "
        "`jax_default_matmul_precision` is `highest`: full precision, whatever the script asks for."
    )
    varied = (
        "The other choice than the script's in TensorFlow, and than the default in PyTorch: full "
        "precision where TensorFloat-32 is allowed."
    )
    noticed = "A trial can't see it, so it counts as in use on a machine with a GPU."
    stress = "sensitivity"
    acts = "before-start"
    late = False
    observable = False
    due = (ALWAYS,)
    advice = "To get the same result on older GPUs, compute with full precision. It is slower."
    references = (
        (
            "tf.config.experimental.enable_tensor_float_32_execution",
            "https://www.tensorflow.org/api_docs/python/tf/config/experimental/enable_tensor_float_32_execution",
        ),
        ("PyTorch: CUDA semantics, TF32", "https://docs.pytorch.org/docs/stable/notes/cuda.html"),
    )
    launch = ((VARIABLE, "0"),)

    def environment(self, arm, number):
        return {VARIABLE: "0"} if arm == "pinned" else {}

    def unavailable(self, machine):
        return without_gpu(machine)

    def install(self, session, arm):
        if arm == "free":
            return
        if arm == "pinned":
            session.variables(lambda: session.read_back(self.name, "0", os.environ.get(VARIABLE)))
        session.on_import(
            "tensorflow.python.framework.config", lambda m: self.hold(session, arm, m)
        )
        session.on_import("torch", lambda m: self.hold_torch(session, arm, m))
        if arm == "pinned":
            session.on_import("jax._src.config", lambda m: self.hold_jax(session, m))

    def hold(self, session, arm, module):
        def make(original):
            def wrapper(enabled):
                return original(arm == "varied" and not enabled)

            return wrapper

        replace(module, SETTER, make)
        # As if the script asked for what it has by default.
        getattr(module, SETTER)(True)
        session.read_back(self.name, False, bool(module.tensor_float_32_execution_enabled()))

    def hold_torch(self, session, arm, module):
        switches = (module.backends.cuda.matmul, module.backends.cudnn)
        wanted = []
        for switch in switches:
            wanted.append(arm == "varied" and not switch.allow_tf32)
            switch.allow_tf32 = wanted[-1]
        look = lambda: session.read_back(  # noqa: E731
            self.name, wanted, [bool(s.allow_tf32) for s in switches]
        )
        look()
        session.look(look, told=True)

    def hold_jax(self, session, module):
        """XLA's own kernels don't look at the variable."""
        original = module.config.update
        original(PRECISION, "highest")

        def make(original):
            def update(config, name, value):
                return original(config, name, "highest" if name == PRECISION else value)

            return update

        replace(type(module.config), "update", make)
        session.first_checkpoint.append(
            lambda: session.read_back(
                self.name, "highest", str(getattr(module.config, PRECISION, None))
            )
        )


FACTOR = Tf32()
