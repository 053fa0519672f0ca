"""cuDNN's and cuBLAS' choice among algorithms on a GPU, and XLA's."""

from .. import torch_switches, xla_flags
from .base import ALWAYS, Factor, without_gpu

AUTOTUNE = "TF_CUDNN_USE_AUTOTUNE"
"""Beside TF_CUDNN_DETERMINISTIC it undoes that (tensorflow PR#24747)."""
FLAG = "--xla_gpu_autotune_level=0"
SWITCHES = (("_set_cudnn_deterministic", True), ("_set_cudnn_benchmark", False))


class Cudnn(Factor):
    name = "cudnn"
    group = "kernels"
    title = "Choice of algorithms by timing"
    symptom = (
        "On a GPU and with all seeds set, runs agree at first and part by the last digits after"
        " some steps, most of all in convolutions."
    )
    explanation = (
        "On a GPU, convolutions and matrix products may run by another algorithm from run to run: "
        "cuDNN and XLA time several and keep the fastest, cuBLAS chooses by what else is going on, "
        "and some algorithms add up in any order."
    )
    because = "the algorithms of cuDNN, cuBLAS or XLA vary"
    pinned = (
        "`TF_CUDNN_DETERMINISTIC=1` without `TF_CUDNN_USE_AUTOTUNE`, and "
        "`CUBLAS_WORKSPACE_CONFIG=:4096:8`. In PyTorch `torch.backends.cudnn.deterministic` is on "
        "and `benchmark` off, whatever the script asks for. XLA chooses without timing: "
        "`--xla_gpu_autotune_level=0`."
    )
    noticed = "A trial can't see it, so it counts as in use on a machine with a GPU."
    acts = "before-start"
    late = False
    observable = False
    instead = ("op-determinism", "device")
    due = (ALWAYS,)
    advice = "Ask for deterministic algorithms, and have none chosen by timing."
    advices = (
        (
            "tensorflow",
            "Ask for deterministic algorithms: `tf.config.experimental.enable_op_determinism()` "
            "includes them.",
        ),
        (
            "torch",
            "Ask for deterministic algorithms (`torch.backends.cudnn.deterministic = True`), and "
            "have none chosen by timing (`benchmark = False`).",
        ),
        (
            "jax",
            "Have no algorithm chosen by timing. Or let a first run write its choices to a file "
            "(`--xla_gpu_dump_autotune_results_to`) that later ones read "
            "(`--xla_gpu_load_autotune_results_from`), which keeps the speed.",
        ),
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
        ("XLA: persisted autotuning", "https://openxla.org/xla/persisted_autotuning"),
        ("NVIDIA framework-reproducibility", "https://github.com/NVIDIA/framework-reproducibility"),
    )
    launch = (("TF_CUDNN_DETERMINISTIC", "1"), ("CUBLAS_WORKSPACE_CONFIG", ":4096:8"))
    fixes = (
        (
            "torch",
            'import os\nos.environ["CUBLAS_WORKSPACE_CONFIG"] = ":4096:8"\n'
            "import torch\n"
            "torch.backends.cudnn.deterministic = True\n"
            "torch.backends.cudnn.benchmark = False",
        ),
        ("jax", xla_flags.code(FLAG)),
    )

    def environment(self, arm, number):
        return {**dict(self.launch), AUTOTUNE: None} if arm == "pinned" else {}

    def unavailable(self, machine):
        return without_gpu(machine)

    def install(self, session, arm):
        if arm != "pinned":
            return
        wanted = [*self.launch, (AUTOTUNE, "")]
        seen = [[name, xla_flags.in_environment(name)] for name, _ in wanted]
        session.read_back(self.name, [list(pair) for pair in wanted], seen)
        xla_flags.hold(session, self.name, (FLAG,))
        session.on_import("torch", lambda module: self.torch(session, module))

    def torch(self, session, module):
        held = [pair for pair in SWITCHES if torch_switches.hold(module, *pair)]
        cudnn = module.backends.cudnn
        session.look(
            lambda: session.read_back(
                self.name,
                [value for _, value in held],
                [bool(getattr(cudnn, name.rpartition("_")[2])) for name, _ in held],
            )
        )


FACTOR = Cudnn()
