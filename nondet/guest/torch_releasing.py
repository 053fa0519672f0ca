"""Deterministic kernels of PyTorch's for all operations but some, which keep their usual ones.

Every operation passes PyTorch's dispatcher, those of a backward pass too, where a mode of ours sees
it and turns the switch off for as long as it runs. That mode is at work in the thread that imported
PyTorch and in those that compute its gradients. The switch is one for the whole process: what other
threads compute meanwhile is not held either.
"""

import re
import sys
import threading

OTHERS = re.compile(r"^_?resize|(select|slice|diagonal|as_strided)_scatter")
"""What bears such a name and adds up nothing."""


def release(session, factor, torch, switch, patterns, suffix):
    """Release the operations whose names one of `patterns` is found in, in whatever case, such as
    ``^index_put_$``. `switch` sets PyTorch's own: it takes a bool, and ``warn_only``. `suffix` ends
    the details of the sightings that tell of what was released."""
    from torch.utils._python_dispatch import TorchDispatchMode

    letting_go = LettingGo(session, factor, torch, switch, suffix)
    wanted = re.compile("|".join(patterns), re.IGNORECASE)
    chosen = {}

    def is_chosen(func):
        name = getattr(getattr(func, "overloadpacket", None), "__name__", "")
        if name not in chosen:
            chosen[name] = bool(wanted.search(name)) and not OTHERS.search(name)
        return name if chosen[name] else ""

    class Releasing(TorchDispatchMode):
        supports_higher_order_operators = True

        @classmethod
        def ignore_compile_internals(cls):
            # Else nothing is compiled, and it would be another program that is looked at.
            return True

        @classmethod
        def _should_skip_dynamo(cls):
            # That would import the compiler.
            return False

        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            name = is_chosen(func)
            if not name:
                return func(*args, **(kwargs or {}))
            letting_go.begin(name)
            try:
                return func(*args, **(kwargs or {}))
            finally:
                letting_go.end()

    # To the end of the process.
    Releasing().__enter__()


class LettingGo(object):
    """Turns the switch off while an operation runs that is released, and on again behind it."""

    def __init__(self, session, factor, torch, switch, suffix):
        self.session = session
        self.factor = factor
        self.torch = torch
        self.switch = switch
        self.suffix = suffix
        # A signal's handler or a `__del__` may compute something in the midst of it.
        self.lock = threading.RLock()
        self.inside = 0
        self.told = set()

    def begin(self, name):
        with self.lock:
            self.inside += 1
            self.switch(False)
        try:
            self.tell(name)
        except Exception as error:
            self.session.failed("noting " + name, error)

    def end(self):
        with self.lock:
            self.inside -= 1
            if not self.inside:
                self.switch(True, warn_only=True)

    def tell(self, name):
        frame = sys._getframe(2)
        main = threading.main_thread().ident
        if threading.get_ident() != main:
            # Gradients on a GPU are computed by threads of PyTorch's, for the one that waits.
            frame = sys._current_frames().get(main, frame)
        self.session.saw_from(frame, self.factor, name + self.suffix, None)
        if name not in self.told:
            self.told.add(name)
            asked = self.torch.are_deterministic_algorithms_enabled()
            self.session.read_back(self.factor, False, asked)
