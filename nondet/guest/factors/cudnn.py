"""cuDNN's and cuBLAS' choice among algorithms on a GPU."""

import os

from .base import Factor


class Cudnn(Factor):
    name = "cudnn"
    group = "kernels"
    title = "cuDNN's and cuBLAS' algorithms"
    symptom = (
        "On a GPU and with all seeds set, runs agree at first and part by the last digits after"
        " some steps, most of all in convolutions."
    )
    explanation = (
        "On a GPU, convolutions and matrix products may run by another algorithm from run to run, "
        "chosen by timing, and some algorithms add up in any order."
    )
    because = "cuDNN's or cuBLAS' algorithms vary"
    pinned = "`TF_CUDNN_DETERMINISTIC=1` and `CUBLAS_WORKSPACE_CONFIG=:4096:8`."
    noticed = "A trial can't see it, so it counts as in use on a machine with a GPU."
    acts = "before-start"
    late = False
    observable = False
    instead = ("op-determinism", "device")
    advice = (
        "Ask for deterministic algorithms: `tf.config.experimental.enable_op_determinism()` "
        "includes them."
    )
    references = (
        (
            "PyTorch: reproducibility, cuDNN",
            "https://docs.pytorch.org/docs/stable/notes/randomness.html",
        ),
        (
            "cuBLAS: results reproducibility",
            "https://docs.nvidia.com/cuda/cublas/index.html#results-reproducibility",
        ),
        ("NVIDIA framework-reproducibility", "https://github.com/NVIDIA/framework-reproducibility"),
    )
    launch = (("TF_CUDNN_DETERMINISTIC", "1"), ("CUBLAS_WORKSPACE_CONFIG", ":4096:8"))

    def environment(self, arm, number):
        # Not TF_CUDNN_USE_AUTOTUNE=0 as well: it counteracts the first (tensorflow PR#24747).
        return dict(self.launch) if arm == "pinned" else {}

    def unavailable(self, machine):
        return "" if machine.get("gpus") else "this machine has no GPU that NVML can see"

    def install(self, session, arm):
        if arm == "pinned":
            seen = [[name, os.environ.get(name)] for name, _ in self.launch]
            session.read_back(self.name, [list(pair) for pair in self.launch], seen)


FACTOR = Cudnn()
