"""Dropout in all its places: its own layers, recurrent cells, attention; and PyTorch's."""

import sys

from .. import generators
from .base import Factor, replace, without_keras_3

LAYERS = ("dropout", "alpha_dropout", "gaussian_dropout", "spatial_dropout")
HOLDERS = ("/keras/src/layers/rnn/", "/keras/src/layers/attention/")
TORCH = ("/torch/nn/functional.py", "/torch/nn/modules/dropout.py")
KERAS_2 = (
    "/keras/backend/tensorflow_backend.py", "/keras/backend/theano_backend.py", "/keras/backend.py"
)  # fmt: skip
FAR = 12


class Dropout(Factor):
    name = "dropout"
    group = "consumers"
    title = "Dropout"
    symptom = (
        "Initial weights and batches agree, and runs part inside the first step, behind a "
        "dropout layer."
    )
    explanation = "Dropout layers draw a random mask for every batch, from a seed of their own."
    pinned = (
        "The seed generator of every layer that drops starts from a fixed state, and masks are "
        "drawn from it on PyTorch too, where Keras takes PyTorch's own generator for layers "
        "without a seed."
    )
    varied = "From another state in every trial."
    off = "Nothing is dropped."
    noticed = "By such a layer between a draw and the script's line that led to it."
    consumer = True
    framework = "keras"
    advice = "Seed the generator that masks are drawn from."
    advices = (("keras", "Give the layer a seed, or seed with `keras.utils.set_random_seed`."),)
    references = (
        ("Keras: Dropout", "https://keras.io/api/layers/regularization_layers/dropout/"),
        ("Srivastava et al. 2014: dropout", "https://jmlr.org/papers/v15/srivastava14a.html"),
    )
    fixes = (("keras", "keras.layers.Dropout(0.5, seed=42)"),)
    fix_is_sample = True

    def unavailable(self, machine):
        return without_keras_3(machine)

    def recognises(self, filename, frame):
        return self.drops(filename, frame) and not unused(frame)

    def drops(self, filename, frame):
        """Whether a layer that drops makes its seed generator here, or draws a mask."""
        base = filename.rsplit("/", 1)[-1].rsplit(".", 1)[0]
        if "keras/src/layers/regularization/" in filename:
            return base in LAYERS
        if filename.endswith(KERAS_2):
            return frame.f_code.co_name == "dropout"
        if any(holder in filename for holder in HOLDERS) and frame.f_code.co_name == "__init__":
            # These make a seed generator whether or not they drop anything.
            values = frame.f_locals
            return bool(values.get("dropout") or values.get("recurrent_dropout"))
        if filename.endswith(TORCH):
            return base == "dropout" or "dropout" in frame.f_code.co_name
        return False

    def install(self, session, arm):
        if arm == "free":
            return
        import weakref

        self.held = weakref.WeakSet()
        if arm == "ablated":
            for backend in ("tensorflow", "jax", "torch"):
                session.on_import("keras.src.backend.%s.random" % backend, self.switch_off)
        else:
            session.on_import("keras.src.backend.torch.random", self.hold_masks)
        session.on_import(
            "keras.src.random.seed_generator", lambda m: self.hold(session, arm, m)
        )  # fmt: skip

    def hold(self, session, arm, module):
        """Masks from a fixed seed, for each generator that a dropping layer makes."""
        arm = "pinned" if arm == "ablated" else arm
        generators.hold(session, self.name, arm, module, self.claims, self.held)

    def hold_masks(self, module):
        """Keras on PyTorch draws a layer's masks from its seed generator only when that was given a
        seed. The other one draws all the same, so that its later draws stay where they were."""
        compiling = getattr(getattr(module.torch, "compiler", None), "is_compiling", lambda: False)

        def make(original):
            def wrapper(inputs, rate, noise_shape=None, seed=None):
                given = getattr(seed, "_initial_seed", 0)
                if given is not None or seed not in self.held or compiling():
                    return original(inputs, rate, noise_shape, seed)
                original(inputs, rate, noise_shape, seed)
                seed._initial_seed = 0
                try:
                    return original(inputs, rate, noise_shape, seed)
                finally:
                    seed._initial_seed = None

            return wrapper

        replace(module, "dropout", make)

    def claims(self, frame):
        """Whether a dropping layer makes a seed generator here."""
        for _ in range(FAR):
            if frame is None:
                return False
            if self.drops(frame.f_code.co_filename.replace("\\", "/"), frame):
                return True
            frame = frame.f_back
        return False

    def switch_off(self, module):
        """Ablating: nothing is dropped."""

        def make(original):
            def wrapper(inputs, rate, *args, **kwargs):
                return inputs

            return wrapper

        replace(module, "dropout", make)


def unused(frame):
    """Whether a layer makes a seed generator here and draws no mask from it: on PyTorch Keras takes
    PyTorch's own generator for layers without a seed, unless their masks have a shape of their
    own."""
    if frame.f_code.co_name != "__init__" or "seed" not in frame.f_locals:
        return False
    values = frame.f_locals
    if values["seed"] is not None or values.get("noise_shape") is not None:
        return False
    shaped = hasattr(type(values.get("self")), "_get_noise_shape")
    backend = getattr(sys.modules.get("keras.src.backend"), "backend", None)
    return not shaped and backend is not None and backend() == "torch"


FACTOR = Dropout()
