"""The seeds that Keras makes up for layers, initializers and `keras.random`."""

from .base import Factor, replace


class KerasSeed(Factor):
    name = "keras-seed"
    group = "consumers"
    title = "Keras' own default seeds"
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
    advice = "Seed with `keras.utils.set_random_seed`, or give the layer or function a seed."
    fix = "import keras\nkeras.utils.set_random_seed(42)"

    def recognises(self, filename, frame):
        return "/keras/src/random/" in filename

    def install(self, session, arm):
        if arm != "free":
            session.on_import(
                "keras.src.random.seed_generator", lambda m: self.hold(session, arm, m)
            )

    def hold(self, session, arm, module):
        def make(original):
            def wrapper():
                # Drawn all the same, so that what comes next in the source's stream stays there.
                original()
                return (
                    session.seed(self.name, "varied" if arm == "varied" else "pinned") % 10**9 + 1
                )

            return wrapper

        replace(module, "make_default_seed", make)
        held = hasattr(module.make_default_seed, "autograph_info__")
        session.read_back(self.name, True, held)


FACTOR = KerasSeed()
