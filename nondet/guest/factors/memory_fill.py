"""Memory that is read before anything was written to it."""

import sys

from .base import Factor
from .torch_seed import never, stand_for

FUNCTIONS = ("empty", "empty_like", "empty_strided", "empty_permuted")
METHODS = ("new_empty", "new_empty_strided")


class MemoryFill(Factor):
    name = "memory-fill"
    group = "entropy"
    title = "Memory that nobody has written to"
    symptom = (
        "Some numbers are zero in most runs and huge, or NaN, in others; a small change elsewhere "
        "in the script makes it come and go."
    )
    explanation = (
        "`torch.empty` and its like take memory as it is: it holds what was there before, "
        "addresses among it, which are others in every process. What is read before it is written "
        "to is chance."
    )
    because = "memory is read before it is written to"
    pinned = "What PyTorch hands out without content is filled with zeros."
    varied = "The same, with another small number in every trial."
    noticed = (
        "By the script's own calls of `torch.empty`, `torch.empty_like`, `torch.empty_strided`, "
        "`torch.empty_permuted`, `Tensor.new_empty` and `Tensor.new_empty_strided`. Most fill what "
        "they get, so it is no suspect."
    )
    stress = "dormant"
    framework = "torch"
    instead = ("addresses",)
    due = ("torch",)
    advice = "Fill what is taken: `torch.zeros` in place of `torch.empty`."
    references = (
        (
            "torch.utils.deterministic.fill_uninitialized_memory",
            "https://docs.pytorch.org/docs/stable/deterministic.html",
        ),
    )
    edits = (
        ("torch.empty", "torch.zeros(...)"),
        ("torch.empty_like", "torch.zeros_like(...)"),
        ("Tensor.new_empty", "tensor.new_zeros(...)"),
    )
    rewrites = (
        ("torch.empty_like", "empty_like", "{owner}.zeros_like({args})", ""),
        ("torch.empty", "empty", "{owner}.zeros({args})", ""),
        ("Tensor.new_empty", "new_empty", "{owner}.new_zeros({args})", ""),
    )

    def unavailable(self, machine):
        return "" if machine.get("torch") else "PyTorch is not installed"

    def install(self, session, arm):
        session.on_import("torch", lambda module: self.imported(session, arm, module))

    def imported(self, session, arm, torch):
        value = None
        if arm == "pinned":
            value = 0
        elif arm == "varied":
            value = 1 + session.seed(self.name, arm) % 100
        for owner, names in ((torch, FUNCTIONS), (torch.Tensor, METHODS)):
            for name in names:
                self.wrap(session, torch, owner, name, value)
        if value is not None:
            self.check(session, torch, value)
            session.look(lambda: self.check(session, torch, value), told=True, early=False)

    def check(self, session, torch, value):
        used = torch.full((64,), 7.5)
        del used
        seen = torch.empty(64)
        session.read_back(self.name, [value] * 2, [float(seen.min()), float(seen.max())])

    def wrap(self, session, torch, owner, name, value):
        original = getattr(owner, name, None)
        if original is None:
            return
        method = owner is torch.Tensor
        factor, detail = self.name, ("Tensor." if method else "torch.") + name
        compiling = getattr(getattr(torch, "compiler", None), "is_compiling", never)
        tensor, fill = torch.Tensor, filled
        asker, saw = session.asker, session.saw

        def wrapper(*args, **kwargs):
            made = original(*args, **kwargs)
            # A stand-in for a tensor, as in symbolic tracing, has no memory.
            if compiling() or not isinstance(made, tensor):
                return made
            if asker(sys._getframe(1))[1] == "user":
                saw(factor, detail, None)
            if value is not None:
                try:
                    fill(torch, made, value)
                except Exception as error:
                    session.failed("filling what " + detail + " made", error, unheld=factor)
            return made

        stand_for(owner, name, wrapper, original, method)


def filled(torch, made, value):
    """Write a number to all of a tensor, unseen by modes, subclasses and differentiation."""
    with torch._C.DisableTorchFunction():
        if made.device.type == "meta" or made.is_quantized or made.layout != torch.strided:
            return
        made.detach().fill_(value)


FACTOR = MemoryFill()
