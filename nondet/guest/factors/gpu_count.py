"""One GPU or several."""

from ..xla_flags import in_environment
from .base import ALWAYS, FIRST, Factor, without_gpu

VARIABLE = "CUDA_VISIBLE_DEVICES"


class GpuCount(Factor):
    name = "gpu-count"
    group = "kernels"
    title = "Several GPUs in one run"
    symptom = "Runs on one GPU repeat, and those on several don't."
    explanation = (
        "Several GPUs exchange what each has computed, in an order and by an algorithm that may "
        "depend on which is done first, and a batch is split by their number."
    )
    because = "several GPUs work together"
    pinned = "`CUDA_VISIBLE_DEVICES` names the first of the GPUs alone that the run would see."
    noticed = "A trial can't see it, so it counts as in use where there are several GPUs."
    acts = "before-start"
    late = False
    observable = False
    pin = "ablating"
    instead = ("nccl", "distribution", "device")
    due = (ALWAYS,)
    advice = (
        "Running on one GPU tells that the difference arises between them; to keep them all, fix "
        "how they add up (the factor `nccl`), and wait for all before a value is read."
    )
    references = (
        (
            "CUDA: environment variables",
            "https://docs.nvidia.com/cuda/cuda-c-programming-guide/index.html#env-vars",
        ),
    )

    def environment(self, arm, number):
        return {VARIABLE: FIRST} if arm == "pinned" else {}

    def unavailable(self, machine):
        if len(machine.get("gpus") or ()) == 1:
            return "this machine has one GPU"
        given = machine.get("environ", {}).get(VARIABLE)
        if given is not None and "," not in given:
            return "CUDA_VISIBLE_DEVICES shows one GPU or none"
        return without_gpu(machine)

    def install(self, session, arm):
        if arm == "pinned":
            session.variables(lambda: self.check(session))

    def check(self, session):
        shown = in_environment(VARIABLE)
        session.read_back(self.name, True, bool(shown) and "," not in shown)


FACTOR = GpuCount()
