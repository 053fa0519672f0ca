"""The values that weights start from."""

import sys

from .. import layers
from .base import Factor, replace, without_keras_3

FAR = 40
NEAR = 8
BACKENDS = ("tensorflow", "jax", "torch")
KERAS_2 = ("/keras/initializers.py", "/keras/initializers/", "/python/keras/initializers")


class InitialWeights(Factor):
    name = "initial-weights"
    group = "consumers"
    title = "Initial weights"
    symptom = "Two runs differ before the first step."
    explanation = "Weights start from random values drawn by the layers' initializers."
    pinned = (
        "Every random initializer gets a fixed seed, whether it had one or not. What initializers "
        "of one's own draw by `keras.random` or `tf.random` without a seed starts from fixed ones."
    )
    varied = "The same, with other seeds in every trial."
    off = "As pinned, since weights must start from something."
    noticed = "By an initializer between a draw and the script's line that led to it."
    consumer = True
    framework = "keras"
    advice = "Seed the generator that weights are drawn from, before the model is made."
    advices = (("keras", "Give initializers a seed, or seed with `keras.utils.set_random_seed`."),)
    references = (
        ("Keras: initializers", "https://keras.io/api/layers/initializers/"),
        ("Bouthillier et al. 2021: variance in benchmarks", "https://arxiv.org/abs/2103.03098"),
    )
    fixes = (
        (
            "keras",
            "keras.layers.Dense(10, kernel_initializer=keras.initializers.GlorotUniform(seed=42))",
        ),
    )
    fix_is_sample = True

    def unavailable(self, machine):
        return without_keras_3(machine)

    def recognises(self, filename, frame):
        code = frame.f_code
        if "keras/src/initializers/" in filename or filename.endswith("/torch/nn/init.py"):
            return True
        if any(place in filename for place in KERAS_2):
            return True
        if "/keras/src/" in filename:
            return code.co_name == "add_weight" or layers.initializes(code)
        if constructs_module(frame):
            return True
        # An initializer of the user's or of another library: Keras calls it for a variable.
        return frame.f_back is not None and layers.initializes(frame.f_back.f_code)

    def install(self, session, arm):
        if arm == "free":
            return
        arm = "pinned" if arm == "ablated" else arm
        self.given = {}
        for name, hold in (
            ("keras.src.initializers.random_initializers", self.hold),
            ("keras.src.random.seed_generator", self.hold_global),
            ("tensorflow.python.framework.random_seed", self.hold_operations),
        ):
            session.on_import(name, lambda m, hold=hold: hold(session, arm, m))
        for backend in BACKENDS:
            session.on_import(
                "keras.src.backend.%s.random" % backend, lambda m: self.check(session, m)
            )

    def hold(self, session, arm, module):
        """Keras' own initializers, at whatever moment they are made."""
        import weakref

        def make(original):
            def wrapper(initializer, *args, **kwargs):
                original(initializer, *args, **kwargs)
                number = session.seed(self.name, arm)
                if hasattr(initializer.seed, "state"):
                    # A seed generator stays one: each of its draws is another.
                    initializer.seed.state.assign([number, 0])
                    return
                initializer.seed = number
                key = id(initializer)
                forget = lambda _: self.given.pop(key, None)  # noqa: E731
                self.given[key] = (number, weakref.ref(initializer, forget))

            return wrapper

        replace(module.RandomInitializer, "__init__", make)

    def check(self, session, module):
        """See which seed reaches the drawing function when an initializer is called."""

        def make(original):
            def wrapper(seed):
                number = self.number_of(sys._getframe(1))
                if number is not None:
                    seen = seed if isinstance(seed, int) else repr(seed)
                    session.read_back(self.name, number, seen)
                return original(seed)

            return wrapper

        replace(module, "draw_seed", make)

    def number_of(self, frame):
        """The seed that the initializer that draws here was given by us."""
        for _ in range(NEAR):
            if frame is None:
                return None
            if "/keras/src/initializers/" in frame.f_code.co_filename.replace("\\", "/"):
                initializer = frame.f_locals.get("self")
                number, reference = self.given.get(id(initializer), (None, None))
                return number if reference is not None and reference() is initializer else None
            frame = frame.f_back
        return None

    def hold_global(self, session, arm, module):
        """What an initializer of the user's draws by `keras.random` without a seed."""

        def make(original):
            def wrapper():
                generator = original()
                if not initializing(sys._getframe(1)):
                    return generator
                return Fixed(generator, session.seed(self.name, arm))

            return wrapper

        replace(module, "global_seed_generator", make)

    def hold_operations(self, session, arm, module):
        """What an initializer of the user's draws by `tf.random` without a seed."""

        def make(original):
            def wrapper(op_seed):
                seeds = original(op_seed)
                if op_seed is None and initializing(sys._getframe(1)):
                    return session.seed(self.name, arm), session.seed(self.name, arm)
                return seeds

            return wrapper

        replace(module, "get_seed", make)


class Fixed(object):
    """Stands for Keras' global seed generator for one draw. The real one is drawn from all the
    same, so that what comes next in its stream stays there."""

    def __init__(self, generator, number):
        self.generator = generator
        self.number = number

    def next(self, ordered=True):
        self.generator.next(ordered=ordered)
        backend = self.generator.backend
        return backend.convert_to_tensor([self.number, 0], dtype=backend.random_seed_dtype())


def initializing(frame):
    """Whether Keras gives a variable its first value, some frames above."""
    for _ in range(FAR):
        if frame is None:
            return False
        if layers.initializes(frame.f_code):
            return True
        frame = frame.f_back
    return False


def constructs_module(frame):
    """Whether this is the construction of a PyTorch module, which makes its own parameters."""
    kind = getattr(sys.modules.get("torch.nn"), "Module", None)
    code = frame.f_code
    if kind is None or code.co_name not in ("__init__", "reset_parameters"):
        return False
    module = frame.f_locals.get("self")
    # A layer of Keras on PyTorch is such a module as well.
    keras = getattr(sys.modules.get("keras.src.layers.layer"), "Layer", ())
    return isinstance(module, kind) and not isinstance(module, keras)


FACTOR = InitialWeights()
