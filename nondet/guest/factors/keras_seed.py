"""The seeds that Keras makes up for layers, initializers and `keras.random`."""

from .base import Factor, replace, without_keras_3

BACKENDS = ("tensorflow", "jax", "torch", "numpy")


class KerasSeed(Factor):
    name = "keras-seed"
    group = "consumers"
    late = False
    title = "Keras' own default seeds"
    symptom = "Draws of `keras.random`, of layers and of initializers are others in every run."
    explanation = (
        "Layers, initializers and `keras.random` without a seed take one from Keras, which draws "
        "it from Python's `random`."
    )
    pinned = (
        "Keras takes its default seeds from a fixed stream. It draws from `random` all the same, "
        "so that later draws of the script stay where they were."
    )
    varied = "From another stream in every trial."
    noticed = (
        "By Keras' own random functions between a draw and the script's line that led to it, where"
        " no other consumer stands nearer."
    )
    consumer = True
    framework = "keras"
    due = tuple("keras.src.backend.%s.random" % backend for backend in BACKENDS)
    advice = "Seed with `keras.utils.set_random_seed`, or give the layer or function a seed."
    references = (
        ("keras.random", "https://keras.io/api/random/"),
        ("keras.utils.set_random_seed", "https://keras.io/api/utils/python_utils/"),
    )
    fix = "import keras\nkeras.utils.set_random_seed(42)"

    def unavailable(self, machine):
        return without_keras_3(machine)

    def recognises(self, filename, frame):
        return "/keras/src/random/" in filename

    def install(self, session, arm):
        if arm == "free":
            return
        self.probe = None
        session.on_import("keras.src.random.seed_generator", lambda m: self.hold(session, arm, m))
        for backend in BACKENDS:
            session.on_import(
                "keras.src.backend.%s.random" % backend, lambda m: self.check(session, m)
            )

    def hold(self, session, arm, module):
        def make(original):
            def wrapper():
                if self.probe is not None:
                    return self.probe
                # Drawn all the same, so that what comes next in the source's stream stays there.
                original()
                return (
                    session.seed(self.name, "varied" if arm == "varied" else "pinned") % 10**9 + 1
                )

            return wrapper

        replace(module, "make_default_seed", make)

    def check(self, session, module):
        """See that the seed made by the name that layers and initializers look up is ours."""
        self.probe = 7
        try:
            session.read_back(self.name, 7, module.make_default_seed())
        finally:
            self.probe = None


FACTOR = KerasSeed()
