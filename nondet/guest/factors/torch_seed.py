"""PyTorch's default generators, on the CPU and on every GPU."""

import functools
import sys

from .base import Factor, Unbound

DRAWS = (
    "rand", "randn", "randint", "randperm", "normal", "bernoulli", "multinomial", "poisson",
    "binomial", "rand_like", "randn_like", "randint_like", "dropout", "dropout_", "alpha_dropout",
    "alpha_dropout_", "feature_dropout", "feature_dropout_", "feature_alpha_dropout",
    "feature_alpha_dropout_", "rrelu", "rrelu_",
)  # fmt: skip
METHODS = (
    "uniform_", "normal_", "random_", "bernoulli_", "bernoulli", "exponential_", "geometric_",
    "log_normal_", "cauchy_", "multinomial",
)  # fmt: skip
RANDOM = (
    "torch/random.py", "torch/cuda/random.py", "torch/cuda/__init__.py", "torch/_compile.py",
    "torch/_dynamo/eval_frame.py",
)  # fmt: skip
LOADERS = "torch/utils/data/dataloader.py"


class TorchSeed(Factor):
    name = "torch-seed"
    group = "generators"
    title = "PyTorch's generators"
    symptom = (
        "Initial weights of `torch.nn` modules, dropout masks or the order of a DataLoader are "
        "others in every run."
    )
    explanation = (
        "PyTorch's default generators, on the CPU and on every GPU, start from the operating "
        "system's entropy in every process unless they are seeded. Initial weights, dropout and "
        "the DataLoader's shuffle are drawn from them."
    )
    because = "PyTorch's generator is not seeded"
    reasons = (
        ("torch.seed()", "PyTorch's generator is seeded from the operating system"),
        ("torch.Generator.seed()", "a `torch.Generator` is seeded from the operating system"),
    )
    pinned = (
        "`torch.manual_seed` is called when PyTorch has been imported, and `torch.seed()` and "
        "`torch.Generator().seed()` set fixed numbers."
    )
    varied = "The same, with another seed in every trial."
    noticed = (
        "By every function and method of PyTorch that draws without a generator of its own. "
        "Suspected where nothing was seeded before."
    )
    due = ("torch",)
    advice = "Seed it before the first module is made: `torch.manual_seed(42)`."
    references = (
        ("PyTorch: reproducibility", "https://docs.pytorch.org/docs/stable/notes/randomness.html"),
        (
            "torch.manual_seed",
            "https://docs.pytorch.org/docs/stable/generated/torch.manual_seed.html",
        ),
    )
    fix = "import torch\ntorch.manual_seed(42)"
    edits = (
        ("torch.seed()", "torch.manual_seed(42)"),
        ("torch.Generator.seed()", "generator.manual_seed(42)"),
    )
    rewrites = (
        ("torch.seed()", "seed", "{owner}.manual_seed(42)", ""),
        ("torch.Generator.seed()", "seed", "{owner}.manual_seed(42)", ""),
    )
    framework = "torch"
    reseeds_on = ("torch",)

    def unavailable(self, machine):
        return "" if machine.get("torch") else "PyTorch is not installed"

    def install(self, session, arm):
        session.on_import("torch", lambda module: self.imported(session, arm, module))

    def imported(self, session, arm, torch):
        # Which kinds of device have been seeded; "all" by `torch.manual_seed`.
        self.seeded = set()
        self.noted = False
        if arm in ("pinned", "varied"):
            self.hold(session, arm, torch)
        self.generators(session, arm, torch)
        for owner in (torch, torch._VF):
            for name in DRAWS:
                self.wrap(session, torch, owner, name)
        # It has the function since before it was replaced, for `random_split`.
        dataset = sys.modules.get("torch.utils.data.dataset")
        if getattr(dataset, "randperm", None) == torch.randperm:
            dataset.randperm = torch.randperm
        for name in METHODS:
            self.wrap(session, torch, torch.Tensor, name)
        self.started = torch.get_rng_state()
        session.first_checkpoint.append(lambda: self.look(session, torch))
        session.at_end.append(lambda: self.look(session, torch))

    def hold(self, session, arm, torch):
        seed = session.seed(self.name, arm)
        # It reaches the GPUs as well, once they are used.
        torch.manual_seed(seed)
        expected = torch.rand(4, generator=torch.Generator().manual_seed(seed)).tolist()
        state = torch.get_rng_state()
        session.read_back(self.name, expected, torch.rand(4).tolist())
        torch.set_rng_state(state)

    # -- draws

    def wrap(self, session, torch, owner, name):
        original = getattr(owner, name, None)
        if original is None:
            return
        method = owner is torch.Tensor
        factor, detail = self.name, "Tensor." + name if method else "torch." + name
        # A mask is drawn only in training: the place of that argument.
        training = 2 if "dropout" in name else 3 if "rrelu" in name else None

        # The compiler traces this function as if it were the script's: nothing but the draw.
        compiling = getattr(getattr(torch, "compiler", None), "is_compiling", never)
        tensor, seeded, saw = torch.Tensor, self.seeded, session.saw

        def wrapper(*args, **kwargs):
            made = original(*args, **kwargs)
            # A stand-in for a tensor, as in symbolic tracing, was not drawn.
            if compiling() or not isinstance(made, tensor):
                return made
            given = kwargs and kwargs.get("generator")
            # `random_split` hands on the default one unless it is given another.
            if given and not self.is_default(torch, given):
                return made
            if training is not None and not trains(training, args, kwargs):
                return made
            if name == "random_" and self.for_workers(session, sys._getframe(1)):
                return made
            kind = "all" if "all" in seeded else device(torch, made)
            if kind != "meta":
                self.noted = True
                saw(factor, detail, kind not in seeded)
            return made

        stand_for(owner, name, wrapper, original, method)

    def for_workers(self, session, caller):
        """Whether this is the seed of a DataLoader's workers, drawn even where there are none."""
        if not within(caller, LOADERS):
            return False
        if getattr(caller.f_locals.get("loader"), "num_workers", 0):
            detail = "the seed of DataLoader's workers"
            session.saw(self.name, detail, not self.seeded & {"all", "cpu"}, depth=2)
            self.noted = True
        else:
            self.started = sys.modules["torch"].get_rng_state()
        return True

    def look(self, session, torch):
        """Draws that no function of ours saw (recurrent layers, compiled code) leave their trace
        in the generator's state."""
        if self.noted or self.seeded & {"all", "cpu"}:
            return
        if not torch.equal(self.started, torch.get_rng_state()):
            self.noted = True
            key, _ = session.sightings.key(self.name, "a draw of PyTorch's own", True, None)
            session.sightings.count(key)

    # -- seeds

    def generators(self, session, arm, torch):
        """All seeding ends at the methods of generators. Their class is C's, and does not take
        other methods by assignment; its table of attributes does."""
        import ctypes
        import gc

        owner = torch._C.Generator
        table = gc.get_referents(vars(owner))[0]
        seeding, reseeding, restoring = (table[n] for n in ("manual_seed", "seed", "set_state"))

        @functools.wraps(seeding)
        def manual_seed(generator, *args, **kwargs):
            made = seeding(generator, *args, **kwargs)
            self.gave(session, torch, generator, args[0] if args else kwargs.get("seed"))
            return made

        @functools.wraps(reseeding)
        def seed(generator, *args, **kwargs):
            default = self.is_default(torch, generator)
            detail = "torch.seed()" if default else "torch.Generator.seed()"
            session.saw(self.name, detail, True)
            self.noted = True
            if default:
                self.unseed(generator.device.type)
            if arm not in ("pinned", "varied"):
                return reseeding(generator, *args, **kwargs)
            number = session.seed(self.name, arm)
            seeding(generator, number)
            session.read_back(self.name, number, generator.initial_seed())
            return number

        @functools.wraps(restoring)
        def set_state(generator, *args, **kwargs):
            made = restoring(generator, *args, **kwargs)
            frame = sys._getframe(1)
            while frame is not None and within(frame, RANDOM):
                frame = frame.f_back
            # Libraries put back what they have read before: that is no seed.
            if self.is_default(torch, generator) and session.asker(frame)[1] == "user":
                self.seeded.add(generator.device.type)
            return made

        table.update(manual_seed=manual_seed, seed=seed, set_state=set_state)
        ctypes.pythonapi.PyType_Modified(ctypes.py_object(owner))

    def gave(self, session, torch, generator, value):
        default = self.is_default(torch, generator)
        frame, depth, call = sys._getframe(2), 3, "torch.Generator.manual_seed"
        while frame is not None and within(frame, RANDOM):
            if frame.f_code.co_name == "seed":
                # `torch.seed()` hands what it got from the operating system to the GPUs.
                return
            frame, depth, call = frame.f_back, depth + 1, "torch.manual_seed"
        if default:
            every = call == "torch.manual_seed" and generator is torch.default_generator
            self.seeded.add("all" if every else generator.device.type)
        # Libraries seed generators of their own from others, over and over: no seed of the user's.
        if isinstance(value, int) and (default or session.asker(frame)[1] == "user"):
            session.seeded(self.name, call, value, depth, holds=None if default else "")

    def unseed(self, kind):
        if "all" in self.seeded and kind != "cpu":
            self.seeded.add("cpu")
        elif kind == "cpu":
            self.seeded.clear()
        self.seeded.difference_update(("all", kind))

    @staticmethod
    def is_default(torch, generator):
        if generator is torch.default_generator:
            return True
        return any(generator is other for other in torch.cuda.default_generators)


def trains(place, args, kwargs):
    """Whether a mask is drawn: the argument that says so stands at that place, or by name."""
    given = args[place] if len(args) > place else kwargs.get("training")
    return bool(given or kwargs.get("train"))


def device(torch, made):
    """The kind of device that a tensor is on, unseen by modes and subclasses of the script's, which
    are told of every look at a tensor."""
    with torch._C.DisableTorchFunction():
        return made.device.type


def never():
    return False


def within(frame, files):
    return frame.f_code.co_filename.replace("\\", "/").endswith(files)


def stand_for(owner, name, wrapper, original, method):
    """Put a wrapper in the place of a function of PyTorch's, or of a method."""
    functools.update_wrapper(wrapper, original)
    wrapper.autograph_info__ = {}
    if method:
        setattr(owner, name, wrapper)
        return
    standing = functools.update_wrapper(Standing(wrapper), original)
    setattr(owner, name, standing)
    # TorchScript knows the operations of PyTorch by the identity of these objects.
    operations = sys.modules["torch.jit._builtins"]._get_builtin_table()
    if id(original) in operations:
        operations[id(standing)] = operations[id(original)]


class Standing(Unbound):
    """Stands for a function of PyTorch's. It is equal to it, because libraries keep tables of
    PyTorch's functions."""

    def __eq__(self, other):
        return other is self or other is self.__wrapped__

    def __hash__(self):
        return hash(self.__wrapped__)

    def __repr__(self):
        return repr(self.__wrapped__)


FACTOR = TorchSeed()
