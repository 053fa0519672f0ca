"""Layers that draw while they train: noise, augmentation, stochastic depth, the user's own."""

from .. import generators
from . import dropout
from .base import Factor, replace, without_keras_3

FAR = 12


class NoiseAndAugmentation(Factor):
    name = "noise-and-augmentation"
    group = "consumers"
    title = "Layers that draw (noise, augmentation, stochastic depth)"
    symptom = (
        "Initial weights and batches agree, and runs part inside the first step, behind a layer"
        " that adds noise or augments."
    )
    explanation = (
        "Layers that add noise, augment images or skip at random draw for every batch, from a seed "
        "generator that they hold. So do layers of one's own that draw."
    )
    pinned = "The seed generator of every such layer starts from a fixed state."
    varied = "From another state in every trial."
    off = "Such layers act as at inference. Those without a `training` argument act as pinned."
    noticed = "By a layer that is no dropout between a draw and the script's line that led to it."
    consumer = True
    framework = "keras"
    advice = "Seed the generator that the layer draws from."
    advices = (("keras", "Give the layer a seed, or seed with `keras.utils.set_random_seed`."),)
    references = (
        (
            "Keras: GaussianNoise",
            "https://keras.io/api/layers/regularization_layers/gaussian_noise/",
        ),
        (
            "Keras: image augmentation layers",
            "https://keras.io/api/layers/preprocessing_layers/image_augmentation/",
        ),
    )
    fixes = (("keras", "keras.layers.GaussianNoise(0.1, seed=42)"),)
    fix_is_sample = True

    layers = None

    def unavailable(self, machine):
        return without_keras_3(machine)

    def recognises(self, filename, frame):
        return self.drawing(filename, frame) is not None

    def drawing(self, filename, frame):
        """The layer that draws here for itself, neither for a weight nor to drop."""
        if self.layers is None or frame.f_code not in self.layers.codes:
            return None
        if any(holder in filename for holder in dropout.HOLDERS):
            # Recurrent and attention layers hold a generator for their dropout alone.
            return None
        if dropout.FACTOR.drops(filename, frame):
            return None
        return self.layers.at(frame)

    def install(self, session, arm):
        self.layers = session.sightings.layers
        self.noisy = {}
        if arm == "free":
            return
        session.on_import("keras.src.random.seed_generator", lambda m: self.hold(session, arm, m))
        if arm == "ablated":
            session.on_import("keras.src.layers.layer", self.switch_off)

    def hold(self, session, arm, module):
        arm = "pinned" if arm == "ablated" else arm
        generators.hold(session, self.name, arm, module, self.claims)

    def claims(self, frame):
        """Whether a layer that is no dropout makes a seed generator here: it is remembered."""
        for _ in range(FAR):
            if frame is None:
                return False
            filename = frame.f_code.co_filename.replace("\\", "/")
            if dropout.FACTOR.drops(filename, frame):
                return False
            layer = self.drawing(filename, frame)
            if layer is not None:
                self.remember(layer)
                return True
            frame = frame.f_back
        return False

    def remember(self, layer):
        import weakref

        key = id(layer)
        self.noisy[key] = weakref.ref(layer, lambda _: self.noisy.pop(key, None))

    def switch_off(self, module):
        """Ablating: such layers are told that they do not train."""

        def make(original):
            def wrapper(layer, *args, **kwargs):
                if id(layer) in self.noisy and layer._call_has_training_arg:
                    place = layer.call_signature_parameters.index("training")
                    if place < len(args):
                        args = args[:place] + (False,) + args[place + 1 :]
                    else:
                        kwargs["training"] = False
                return original(layer, *args, **kwargs)

            return wrapper

        replace(module.Layer, "__call__", make)


FACTOR = NoiseAndAugmentation()
