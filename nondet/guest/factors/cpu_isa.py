"""Instruction sets of the CPU."""

from .. import xla_flags
from ..xla_flags import in_environment, numbers
from .base import ALWAYS, Factor

LIMITS = {
    # The newest that a library may use: what most x86 processors of the last ten years have, and
    # what nearly all have.
    "pinned": {
        "ONEDNN_MAX_CPU_ISA": "AVX2",
        "DNNL_MAX_CPU_ISA": "AVX2",
        "ATEN_CPU_CAPABILITY": "avx2",
        "MKL_ENABLE_INSTRUCTIONS": "AVX2",
    },
    "varied": {
        "ONEDNN_MAX_CPU_ISA": "SSE41",
        "DNNL_MAX_CPU_ISA": "SSE41",
        "ATEN_CPU_CAPABILITY": "default",
        "MKL_ENABLE_INSTRUCTIONS": "SSE4_2",
    },
}
XLA_LIMITS = {"pinned": "AVX2", "varied": "SSE4_2"}
XLA_FLAG = "--xla_cpu_max_isa="
XLA_MODULES = (
    ("tensorflow.python.framework.versions", "VERSION", (2, 19)),
    ("jaxlib.version", "__version__", (0, 5)),
)
"""(module, its version, the first that knows the flag): an older one ends the process over it.
XLA reads its flags when it compiles for the first time, which is later."""


class CpuIsa(Factor):
    name = "cpu-isa"
    group = "kernels"
    title = "Instruction sets of the CPU"
    symptom = (
        "Each machine repeats itself, and two with different processors agree to some digits "
        "only, with the same packages."
    )
    explanation = (
        "Libraries choose their kernels by the processor's instruction sets: the same script may "
        "round differently on another processor, and gives the same bits in every run on one."
    )
    because = "kernels are chosen by the processor's instruction sets"
    pinned = (
        "oneDNN, XLA, PyTorch and MKL use nothing newer than AVX2. NumPy and OpenBLAS are left "
        "alone."
    )
    varied = "The same libraries use nothing newer than SSE4, as on an older processor."
    noticed = "A trial can't see it, so it counts as in use."
    stress = "sensitivity"
    acts = "before-start"
    late = False
    observable = False
    due = (ALWAYS,)
    advice = (
        "To get the same result on other processors, limit the libraries to what all of them "
        "have. It slows training down."
    )
    references = (
        (
            "oneDNN: CPU dispatcher control",
            "https://oneapi-src.github.io/oneDNN/dev_guide_cpu_dispatcher_control.html",
        ),
        (
            "oneMKL: reproducibility conditions",
            "https://www.intel.com/content/www/us/en/docs/onemkl/developer-reference-c/2026-0/reproducibility-conditions.html",
        ),
    )
    launch = (
        ("ONEDNN_MAX_CPU_ISA", "AVX2"),
        ("ATEN_CPU_CAPABILITY", "avx2"),
        ("XLA_FLAGS", XLA_FLAG + "AVX2"),
    )

    def environment(self, arm, number):
        return dict(LIMITS.get(arm, {}))

    def unavailable(self, machine):
        import platform

        known = platform.machine().lower() in ("x86_64", "amd64", "i686")
        return "" if known else "this processor is no x86, whose instruction sets it limits"

    def install(self, session, arm):
        if arm not in LIMITS:
            return
        for name, version, first in XLA_MODULES:
            session.on_import(
                name,
                lambda module, version=version, first=first: self.limit_xla(
                    session, arm, getattr(module, version, ""), first
                ),
            )
        session.on_import("torch", lambda module: self.check_torch(session, arm, module))
        session.look(lambda: self.check(session, arm), late=False)

    def limit_xla(self, session, arm, version, first):
        """After what the script's own flags say: the last of two wins."""
        if numbers(version) >= first:
            flag = XLA_FLAG + XLA_LIMITS[arm]
            xla_flags.add((flag,))
            session.first_checkpoint.append(
                lambda: session.read_back(self.name, flag, xla_flags.in_force((flag,))[0])
            )

    def check(self, session, arm):
        """oneDNN tells nobody what it chose: that the libraries can read the limit is checked."""
        wanted = [list(pair) for pair in sorted(LIMITS[arm].items())]
        session.read_back(self.name, wanted, [[name, in_environment(name)] for name, _ in wanted])

    def check_torch(self, session, arm, module):
        """What PyTorch chose: not newer than the limit."""
        capability = module.backends.cpu.get_cpu_capability()
        allowed = ("DEFAULT", "AVX2") if arm == "pinned" else ("DEFAULT",)
        expected = capability if capability in allowed else allowed[-1]
        session.read_back(self.name, expected, capability)


FACTOR = CpuIsa()
