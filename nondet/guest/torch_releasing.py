"""Deterministic kernels of PyTorch's for all operations but some, which keep their usual ones.

Every operation passes PyTorch's dispatcher, those of a backward pass too, where a mode of ours sees
it and turns the switch off for as long as it runs. Seen in the thread that imported PyTorch and in
those that compute its gradients; what others compute stays held.
"""

import re

RELEASED = " with its usual kernel"
"""How the details of sightings end that tell of what was released."""


def release(session, factor, torch, switch, patterns):
    """Release the operations whose names one of `patterns` is found in, in whatever case, such as
    ``^index_put_$``. `switch` sets PyTorch's own: it takes a bool, and ``warn_only``."""
    from torch.utils._python_dispatch import TorchDispatchMode

    wanted = re.compile("|".join(patterns), re.IGNORECASE)
    chosen = {}

    class Releasing(TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            kwargs = kwargs or {}
            name = func.overloadpacket.__name__
            if name not in chosen:
                chosen[name] = bool(wanted.search(name))
            if not chosen[name]:
                return func(*args, **kwargs)
            switch(False)
            try:
                tell(name)
                return func(*args, **kwargs)
            finally:
                switch(True, warn_only=True)

    told = set()

    def tell(name):
        session.saw(factor, name + RELEASED, None)
        if name not in told:
            told.add(name)
            session.read_back(factor, False, torch.are_deterministic_algorithms_enabled())

    # To the end of the process.
    Releasing().__enter__()
