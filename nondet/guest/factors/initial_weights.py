"""The values that weights start from."""

from .base import Factor, replace


class InitialWeights(Factor):
    name = "initial-weights"
    group = "consumers"
    title = "Initial weights"
    explanation = "Weights start from random values drawn by the layers' initializers."
    pinned = "Every random initializer gets a fixed seed, whether it had one or not."
    varied = "The same, with other seeds in every trial."
    off = "As pinned, since weights must start from something."
    noticed = "By an initializer between a draw and the script's line that led to it."
    consumer = True
    advice = "Give initializers a seed, or seed with `keras.utils.set_random_seed`."
    fix = "keras.layers.Dense(10, kernel_initializer=keras.initializers.GlorotUniform(seed=42))"

    def recognises(self, filename, frame):
        return "/keras/src/initializers/" in filename

    def install(self, session, arm):
        if arm != "free":
            session.on_import(
                "keras.src.initializers.random_initializers", lambda m: self.hold(session, arm, m)
            )

    def hold(self, session, arm, module):
        def make(original):
            def wrapper(initializer, *args, **kwargs):
                original(initializer, *args, **kwargs)
                initializer.seed = session.seed(self.name, "pinned" if arm == "ablated" else arm)

            return wrapper

        replace(module.RandomInitializer, "__init__", make)
        held = hasattr(module.RandomInitializer.__init__, "autograph_info__")
        session.read_back(self.name, True, held)


FACTOR = InitialWeights()
