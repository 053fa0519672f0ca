"""How precisely a GPU adds up what has 16 bits."""

from .. import xla_flags
from .base import Factor, without_gpu

SWITCHES = (
    "allow_fp16_reduced_precision_reduction",
    "allow_bf16_reduced_precision_reduction",
    "allow_fp16_accumulation",
)
"""Of ``torch.backends.cuda.matmul``; older versions lack the later ones."""
FLAG = "--xla_allow_excess_precision=false"


class Precision(Factor):
    name = "precision"
    group = "kernels"
    title = "Precision of sums of 16-bit numbers"
    symptom = (
        "With mixed precision each way to run repeats itself, and a compiled model, another "
        "version or another GPU agrees to two digits only."
    )
    explanation = (
        "A product of 16-bit numbers may be added up in 16 bits or in 32, and XLA may keep more "
        "bits between two operations than their types say. The result differs between the two, "
        "and repeats in each."
    )
    because = "sums of 16-bit numbers are kept in more or fewer bits"
    pinned = (
        "Sums in 32 bits in PyTorch (`torch.backends.cuda.matmul`), and in XLA no more bits "
        "between operations than their types have: `--xla_allow_excess_precision=false`."
    )
    varied = (
        "The other choice than the default in PyTorch; in XLA, which allows more bits by default, "
        "no more of them."
    )
    noticed = "A trial can't see it, so it counts as in use on a machine with a GPU."
    stress = "sensitivity"
    acts = "before-import"
    late = False
    observable = False
    due = ("torch",)
    advice = "To get the same result elsewhere, keep sums in 32 bits on all machines. It is slower."
    references = (
        (
            "PyTorch: CUDA semantics, reduced precision reduction",
            "https://docs.pytorch.org/docs/stable/notes/cuda.html",
        ),
        ("XLA: flags", "https://openxla.org/xla/flags_guidance"),
    )
    launch = (("XLA_FLAGS", FLAG),)
    fixes = (
        (
            "torch",
            "import torch\n"
            "torch.backends.cuda.matmul.allow_fp16_reduced_precision_reduction = False\n"
            "torch.backends.cuda.matmul.allow_bf16_reduced_precision_reduction = False",
        ),
    )

    def unavailable(self, machine):
        return without_gpu(machine)

    def install(self, session, arm):
        if arm in ("pinned", "varied"):
            xla_flags.hold(session, self.name, (FLAG,))
            session.on_import("torch", lambda module: self.torch(session, arm, module))

    def torch(self, session, arm, module):
        matmul = module.backends.cuda.matmul
        wanted = []
        for name in SWITCHES:
            try:
                now = bool(getattr(matmul, name))
            except (AttributeError, AssertionError, RuntimeError):
                continue
            wanted.append((name, arm == "varied" and not now))
            setattr(matmul, *wanted[-1])
        session.look(
            lambda: session.read_back(
                self.name, wanted, [(name, bool(getattr(matmul, name))) for name, _ in wanted]
            )
        )


FACTOR = Precision()
