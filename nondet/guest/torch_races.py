"""PyTorch's operations that add up, on a CPU, in the order in which its threads finish.

Each has a deterministic kernel as well, which `torch.use_deterministic_algorithms` asks for.
"""

import sys

BACKWARD = ("IndexBackward0", "TakeBackward0")
"""The gradients of ``x[index]`` and of `torch.take`, which add at the index."""
ADDING = ("index_put_", "put_")
"""Methods that add at an index, when they are asked to accumulate."""
ENOUGH = 32768
"""Below so many elements an operation is not shared out over threads."""
LOOKS = 3
"""Backward passes of one line whose graph is looked through: the later ones are alike."""
NODES = 2000


def listen(session, factor):
    """Note each use of a racing operation as a lead for `factor`."""
    session.on_import("torch", lambda module: additions(session, factor, module))
    session.on_import("torch.autograd", lambda module: gradients(session, factor, module))


def deterministic():
    """Whether deterministic kernels are asked for."""
    torch = sys.modules.get("torch")
    asked = getattr(torch, "are_deterministic_algorithms_enabled", None)
    return asked is not None and bool(asked())


def additions(session, factor, torch):
    for name in ADDING:
        addition(session, factor, torch, name)


def addition(session, factor, torch, name):
    # Factors import this module, so it can't import theirs at its top.
    from .factors.base import replace

    compiling = getattr(getattr(torch, "compiler", None), "is_compiling", lambda: False)
    detail = "Tensor.%s at indices that repeat" % name

    def make(original):
        def wrapper(*args, **kwargs):
            # The compiler traces this function as if it were the script's.
            if not compiling():
                try:
                    # Modes and subclasses of the script's are told of every look at a tensor.
                    with torch._C.DisableTorchFunction():
                        shared = accumulates(args, kwargs)
                    if shared and not deterministic():
                        session.saw(factor, detail, None)
                except Exception as error:
                    session.failed("noting " + name, error)
            return original(*args, **kwargs)

        return wrapper

    replace(torch.Tensor, name, make)


def accumulates(args, kwargs):
    """Whether enough is added on the CPU for threads to share it."""
    if not (args[3] if len(args) > 3 else kwargs.get("accumulate", False)):
        return False
    values = args[2] if len(args) > 2 else kwargs.get("values", kwargs.get("source"))
    return values.device.type == "cpu" and values.numel() >= ENOUGH


def gradients(session, factor, module):
    """Look for racing gradients in the graph, before a backward pass consumes it."""
    from .factors.base import replace

    looks = {}

    def make(original):
        def wrapper(*args, **kwargs):
            try:
                if not deterministic():
                    look(session, factor, looks, args[0] if args else kwargs.get("tensors"))
            except Exception as error:
                session.failed("noting a backward pass", error)
            return original(*args, **kwargs)

        # torch.compile would go into our source otherwise.
        wrapper._torchdynamo_disable = True
        return wrapper

    replace(module, "backward", make)


def look(session, factor, looks, tensors):
    frame = sys._getframe(2)
    while frame.f_globals.get("__name__", "").split(".")[0] == "torch":
        frame = frame.f_back
    where = (frame.f_code, frame.f_code.co_filename, frame.f_lineno)
    if looks.get(where, 0) < LOOKS:
        looks[where] = looks.get(where, 0) + 1
        for name in racing(tensors):
            session.saw(factor, name + " at indices that repeat", None)


def racing(tensors):
    """Names of the racing gradients in the graph of what is differentiated."""
    if not isinstance(tensors, (list, tuple)):
        tensors = (tensors,)
    left = [getattr(tensor, "grad_fn", None) for tensor in tensors]
    seen, found = set(), []
    while left and len(seen) < NODES:
        node = left.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        name = node.name()
        if name in BACKWARD and name not in found and on_cpu(node):
            found.append(name)
        left.extend(following for following, _ in node.next_functions)
    return found


def on_cpu(node):
    """Whether the index that a gradient keeps lies on the CPU, where only threads race."""
    kept = getattr(node, "_saved_indices", None) or (getattr(node, "_saved_index", None),)
    return all(index is None or index.device.type == "cpu" for index in kept)
