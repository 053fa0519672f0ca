"""TensorFloat-32 on a GPU."""

import os

from .base import Factor, replace

VARIABLE = "NVIDIA_TF32_OVERRIDE"
SETTER = "enable_tensor_float_32_execution"


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
        "`NVIDIA_TF32_OVERRIDE=0`, and the frameworks' own switches are off: full precision, "
        "whatever the script asks for."
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
        return "" if machine.get("gpus") else "this machine has no GPU that NVML can see"

    def install(self, session, arm):
        if arm == "free":
            return
        if arm == "pinned":
            session.read_back(self.name, "0", os.environ.get(VARIABLE))
        session.on_import(
            "tensorflow.python.framework.config", lambda m: self.hold(session, arm, m)
        )
        session.on_import("torch", lambda m: self.hold_torch(session, arm, m))

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
        session.read_back(self.name, wanted, [bool(s.allow_tf32) for s in switches])


FACTOR = Tf32()
