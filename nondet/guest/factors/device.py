"""GPU or CPU."""

import os

from .base import ALWAYS, Factor, without_gpu

NONE = "-1"


class Device(Factor):
    name = "device"
    group = "kernels"
    title = "GPU or CPU"
    symptom = "Runs on the CPU repeat, and those on a GPU don't."
    explanation = "GPU kernels may add up in another order from run to run; CPU kernels rarely do."
    because = "a GPU kernel is not deterministic"
    pinned = "`CUDA_VISIBLE_DEVICES=-1`: every operation runs on the CPU."
    noticed = "A trial can't see it, so it counts as in use on a machine with a GPU."
    acts = "before-start"
    observable = False
    pin = "ablating"
    instead = ("op-determinism",)
    due = (ALWAYS,)
    advice = "Running on the CPU tells where the difference arises; it is a costly cure."
    references = (
        (
            "Summers and Dinneen 2021: nondeterminism and instability",
            "https://arxiv.org/abs/2103.04514",
        ),
        ("Zhuang et al. 2021: randomness from tooling", "https://arxiv.org/abs/2106.11872"),
    )
    launch = (("CUDA_VISIBLE_DEVICES", "-1"),)

    def environment(self, arm, number):
        return {"CUDA_VISIBLE_DEVICES": "-1"} if arm == "pinned" else {}

    def unavailable(self, machine):
        if machine.get("environ", {}).get("CUDA_VISIBLE_DEVICES") in ("", "-1"):
            return "CUDA_VISIBLE_DEVICES already hides every GPU"
        return without_gpu(machine)

    def install(self, session, arm):
        if arm == "pinned":
            session.variables(lambda: session.read_back(self.name, NONE, shown()))


def shown():
    """The GPUs that the process may see; `NONE` in whatever way it says so."""
    value = os.environ.get("CUDA_VISIBLE_DEVICES")
    return NONE if value is not None and value.strip() in ("", NONE) else value


FACTOR = Device()
