"""Steps of PyTorch's optimizers, seen by the hooks that PyTorch offers for all of them."""

import functools
import sys
import weakref

from ..device_values import array_of
from ..factors.base import replace
from ..inside.torch_modules import TorchModules
from .trainees import Weight

WRAPPERS = ("OptimizedModule", "DataParallel", "DistributedDataParallel", "AveragedModel")
"""Modules that stand for the one inside them, which keeps its own names."""
READABLE = {}  # type: ignore[var-annotated]
"""By dtype, as far as it was asked for."""


class Update(object):
    """What is known of an optimizer: how many tensors it changes, and of which models."""

    def __init__(self):
        self.count = 0
        self.steps = 0
        self.known = set()
        self.owned = []
        """(Tracked, a function that gives the model or None)."""


class Loose(object):
    """Parameters that belong to no module."""

    def __init__(self, parameters):
        self.parameters = parameters


class TorchSteps(object):
    def __init__(self, session, trainees, guarded):
        self.session = session
        self.trainees = trainees
        self.recorder = trainees.recorder
        self.guarded = guarded
        self.updates = weakref.WeakKeyDictionary()
        self.by_model = weakref.WeakKeyDictionary()
        self.fits = 0
        """Lightning's, one in the other, that are under way (lightning_epochs.py)."""
        self.fit_begins = None
        self.optimizers = []
        """Those that were made, weakly."""
        self.inside = None
        """What looks into steps, where that is asked for."""
        self.compiled = 0
        """Calls of compiled functions, one in the other, that are under way."""

    def listen(self, torch):
        module = sys.modules.get("torch.optim.optimizer")
        if not hasattr(module, "register_optimizer_step_post_hook"):
            # Before PyTorch 2.
            return
        compiling = getattr(getattr(torch, "compiler", None), "is_compiling", never)
        call = uncompiled(torch, self.guarded)

        # Where a step is compiled these two are as well: there they do nothing at all.
        def before(optimizer, args, kwargs):
            if not compiling():
                call("a step begins", self.begins, optimizer)

        def after(optimizer, args, kwargs):
            if not compiling():
                call("a step ends", self.ends, optimizer)

        module.register_optimizer_step_pre_hook(before)
        module.register_optimizer_step_post_hook(after)
        if self.recorder.scene is not None and hasattr(torch.autograd, "backward"):
            self.inside = TorchModules(self.recorder.scene, unseen)
            self.inside.listen(torch, compiling, uncompiled(torch, self.carefully))
        replace(module.Optimizer, "__init__", self.making)
        averages = getattr(sys.modules.get("torch.optim.swa_utils"), "AveragedModel", None)
        if averages is not None:
            replace(averages, "__init__", self.averaging)
        replace(torch, "compile", lambda original: self.compiling(original, compiling, call))

    def carefully(self, where, call, *args):
        """As `guarded`. A trial that misses something inside a step still shows all of its
        weights."""
        try:
            call(*args)
        except Exception as error:
            self.session.failed(where, error)

    def making(self, original):
        def __init__(optimizer, *args, **kwargs):
            original(optimizer, *args, **kwargs)
            self.optimizers.append(weakref.ref(optimizer))

        return __init__

    def averaging(self, original):
        def __init__(model, *args, **kwargs):
            original(model, *args, **kwargs)
            self.carefully("an average is made", self.averaged, model)

        return __init__

    def averaged(self, model):
        own = functools.partial(weights, buffers=True)
        with unseen():
            tensors = [weight.value for weight in own(model)]
            size = sum(tensor.numel() * tensor.element_size() for tensor in tensors)
        name = self.trainees.name(type(model).__name__)
        self.recorder.leaving.average(name, model, size, own)

    def compiling(self, original, within, call):
        """What `torch.compile` makes of a function may hold steps that no hook is told of."""

        def watched(made):
            if not callable(made) or isinstance(made, sys.modules["torch"].nn.Module):
                return made

            @functools.wraps(made)
            def compiled(*args, **kwargs):
                if within() or self.compiled or not self.optimizers:
                    return made(*args, **kwargs)
                looks = call("a compiled call begins", self.looks)
                self.compiled += 1
                try:
                    result = made(*args, **kwargs)
                finally:
                    self.compiled -= 1
                call("a compiled call ends", self.stepped_inside, looks)
                return result

            return compiled

        def compile(model=None, *args, **kwargs):
            if self.inside is not None:
                self.inside.leave_modules()
            made = original(model, *args, **kwargs)
            return watched(made) if model is not None else lambda model: watched(made(model))

        return compile

    # -- steps within compiled functions

    def looks(self):
        """(optimizer, steps seen so far, versions of its tensors) of each optimizer."""
        self.optimizers = [reference for reference in self.optimizers if reference() is not None]
        found = []
        for optimizer in [reference() for reference in self.optimizers]:
            self.begins(optimizer)
            found.append((optimizer, self.updates[optimizer].steps, versions(optimizer)))
        return found

    def stepped_inside(self, looks):
        """Record the steps that no hook was told of: they leave other versions of the tensors."""
        for optimizer, steps, seen in looks or ():
            if self.updates[optimizer].steps == steps and versions(optimizer) != seen:
                self.ends(optimizer)

    # -- steps

    def begins(self, optimizer):
        update = self.updates.get(optimizer)
        if update is None:
            update = self.updates[optimizer] = Update()
        self.look(optimizer, update)
        if self.fits:
            for tracked, _ in update.owned:
                self.fit_begins(tracked)

    def look(self, optimizer, update):
        """See which models an optimizer changes, and record what they start from."""
        groups = optimizer.param_groups
        count = sum(len(group["params"]) for group in groups)
        if count == update.count or self.elsewhere():
            return
        update.count = count
        new = [p for g in groups for p in g["params"] if id(p) not in update.known]
        update.known.update(id(parameter) for parameter in new)
        with unseen():
            for tracked, model in self.owners(new):
                if all(tracked is not other for other, _ in update.owned):
                    update.owned.append((tracked, model))
                    self.recorder.begin(tracked)
                    if self.inside is not None:
                        self.recorder.scene.look(tracked, model(), tracked.steps)

    def ends(self, optimizer):
        update = self.updates.get(optimizer)
        if update is None or not update.owned or self.elsewhere():
            return
        update.steps += 1
        with unseen():
            for tracked, model in update.owned:
                if model() is not None:
                    self.stepped(tracked, model(), optimizer)

    def stepped(self, tracked, model, optimizer):
        if self.inside is not None:
            own = {id(p) for group in optimizer.param_groups for p in group["params"]}
            changed = [w for w in tracked.variables() if id(w.value) in own]
            models = [(known.name, module) for module, known in self.by_model.items()]
            self.carefully("a step", self.inside.stepped, changed, optimizer, models)
        if self.fits:
            self.recorder.step_in_fit_ends(tracked, model)
        else:
            self.recorder.step_ends(tracked, model, 1)

    def elsewhere(self):
        """Whether nothing is recorded here: in a forked child, or while a CUDA graph is made."""
        cuda = sys.modules["torch"].cuda
        if cuda.is_initialized() and cuda.is_current_stream_capturing():
            return True
        return self.recorder.elsewhere("training by an optimizer of PyTorch")

    # -- models

    def owners(self, parameters):
        """(Tracked, function that gives the model) of the fewest outermost modules that hold these
        parameters; what is left belongs to no module."""
        left = {id(parameter) for parameter in parameters}
        found = []
        for module in outermost(left):
            own = left & {id(p) for p in sys.modules["torch"].nn.Module.parameters(module)}
            if own:
                left -= own
                found.append((self.tracked_module(module), weakref.ref(module)))
        if left:
            loose = Loose([p for p in parameters if id(p) in left])
            tracked = self.trainees.track("parameters", lambda: numbered(loose.parameters))
            found.append((tracked, lambda: loose))
        return found

    def tracked_module(self, module):
        tracked = self.by_model.get(module)
        if tracked is None and module in self.recorder.models:
            # A model of Keras, whose layers are modules where PyTorch is its backend.
            tracked = self.by_model[module] = self.recorder.track(module)
        if tracked is None:
            reference = weakref.ref(module)
            # Before the first step, a forward pass has already changed what layers count.
            tracked = self.trainees.track(
                type(module).__name__,
                lambda: weights(reference(), buffers=tracked.recorded is not None),
            )
            self.by_model[module] = tracked
        return tracked


def never():
    return False


def versions(optimizer):
    """A number that grows with every change of an optimizer's tensors."""
    return sum(p._version for group in optimizer.param_groups for p in group["params"])


def uncompiled(torch, function):
    """The function, for callers that run while `torch.compile` looks at each function that begins:
    it looks at none of ours."""
    frames = getattr(getattr(torch._C, "_dynamo", None), "eval_frame", None)
    if not hasattr(frames, "skip_code"):
        return function

    def call(*args):
        looking = frames.set_eval_frame(None)
        try:
            return function(*args)
        finally:
            frames.set_eval_frame(looking)

    frames.skip_code(call.__code__)
    return call


class unseen(object):
    """Where what we read is told neither to modes of the script's nor to its tensors' classes."""

    def __enter__(self):
        modes = sys.modules.get("torch.utils._python_dispatch")
        self.entered = [sys.modules["torch"]._C.DisableTorchFunction()]
        if hasattr(modes, "_disable_current_modes"):
            self.entered.append(modes._disable_current_modes())
        for context in self.entered:
            context.__enter__()

    def __exit__(self, *exception):
        for context in reversed(self.entered):
            context.__exit__(*exception)


def outermost(parameters):
    """The modules that hold some of the parameters with these ids, those with the most first, and
    of equals the one that holds the other.

    Found among all that lives, once for each optimizer: to note every module as it is made would
    miss those that are copied or loaded.
    """
    kind = sys.modules["torch"].nn.Module
    import gc  # not at the top: the script could see that

    modules = [m for m in gc.get_objects() if issubclass(type(m), kind) and "_modules" in vars(m)]
    rows = []
    for place, module in enumerate(modules):
        if type(module).__name__ in WRAPPERS:
            continue
        own = {id(parameter) for parameter in kind.parameters(module)}
        if own & parameters:
            inner = sum(1 for _ in kind.modules(module))
            rows.append((-len(own & parameters), -inner, place, module))
    return [row[3] for row in sorted(rows, key=lambda row: row[:3])]


def weights(module, buffers):
    """Parameters, and with `buffers` those that a saved state holds as well, layer by layer; each
    by the first of its names."""
    if module is None:
        return []
    torch, found, known = sys.modules["torch"], [], set()
    base = torch.nn.Module
    for prefix, part in base.named_modules(module):
        transient = getattr(part, "_non_persistent_buffers_set", ())
        held = list(base.named_parameters(part, recurse=False))
        if buffers:
            rows = base.named_buffers(part, recurse=False)
            held += [row for row in rows if row[0] not in transient]
        for name, tensor in held:
            if id(tensor) not in known and usable(torch, tensor):
                known.add(id(tensor))
                path = "%s.%s" % (prefix, name) if prefix else name
                path = path.replace("_orig_mod.", "")
                found.append(Held(path, functools.partial(getattr, part, name, None)))
    return found


class Held(Weight):
    """A tensor that a module has by a name, until something else takes its place."""

    __slots__ = ()

    @property
    def gone(self):
        return not usable(sys.modules["torch"], self.read())


def numbered(parameters):
    torch = sys.modules["torch"]
    return [
        Weight(str(place), lambda parameter=parameter: parameter)
        for place, parameter in enumerate(parameters)
        if usable(torch, parameter)
    ]


def usable(torch, tensor):
    """Whether a tensor has bits that can be read here."""
    return (
        isinstance(tensor, torch.Tensor)
        # Of its own kind: spread over devices, or put together when it is asked for.
        and type(tensor).__torch_dispatch__ is torch.Tensor.__torch_dispatch__
        and not torch.nn.parameter.is_lazy(tensor)
        and tensor.layout is torch.strided
        and tensor.device.type != "meta"
        and readable(torch, tensor.dtype)
    )


def readable(torch, dtype):
    """Whether NumPy can take bits of that dtype, if need be by another name."""
    if dtype not in READABLE:
        try:
            array_of(torch.empty(0, dtype=dtype))
            READABLE[dtype] = True
        except (TypeError, RuntimeError):
            READABLE[dtype] = False
    return READABLE[dtype]


def install(session, trainees, guarded):
    steps = TorchSteps(session, trainees, guarded)
    session.on_import("torch", steps.listen)
    return steps
