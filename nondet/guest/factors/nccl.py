"""How several GPUs add up what each of them has."""

from ..xla_flags import in_environment
from .base import ALWAYS, Factor, without_gpu


class Nccl(Factor):
    name = "nccl"
    group = "kernels"
    title = "NCCL's sums over several GPUs"
    symptom = (
        "On several GPUs of one machine repeated runs agree, and another machine, or another "
        "number of GPUs, gives other last digits."
    )
    explanation = (
        "NCCL adds the gradients of several GPUs along a ring, a tree or in the switch between "
        "them, and chooses by size and by how the machine is wired. Each adds in another order."
    )
    because = "NCCL chooses how the GPUs' numbers are added up"
    pinned = "`NCCL_ALGO=Ring` and `NCCL_PROTO=Simple`."
    noticed = "A trial can't see it, so it counts as in use where there are several GPUs."
    acts = "before-start"
    late = False
    observable = False
    instead = ("distribution", "device")
    due = (ALWAYS,)
    advice = "Name the algorithm, the same one on all machines."
    references = (
        (
            "NCCL: environment variables",
            "https://docs.nvidia.com/deeplearning/nccl/user-guide/docs/env.html",
        ),
    )
    launch = (("NCCL_ALGO", "Ring"), ("NCCL_PROTO", "Simple"))

    def environment(self, arm, number):
        return dict(self.launch) if arm == "pinned" else {}

    def unavailable(self, machine):
        if len(machine.get("gpus") or ()) == 1:
            return "this machine has one GPU"
        return without_gpu(machine)

    def install(self, session, arm):
        if arm == "pinned":
            session.variables(lambda: self.check(session))

    def check(self, session):
        seen = [[name, in_environment(name)] for name, _ in self.launch]
        session.read_back(self.name, [list(pair) for pair in self.launch], seen)


FACTOR = Nccl()
