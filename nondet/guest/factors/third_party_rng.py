"""Libraries that own a generator: an open table of how to seed and how to notice each."""

from .base import Factor, replace


class Library(object):
    """A library with a generator of its own.

    `seed(module, number)` seeds it, `sample(module)` draws something comparable (to read the pin
    back); `draws` and `seeds` are names of functions in `module` that draw from it and seed it.
    """

    def __init__(self, module, seed, sample, draws=(), seeds=()):
        self.module = module
        self.seed = seed
        self.sample = sample
        self.draws = draws
        self.seeds = seeds


def seed_cv2(module, number):
    module.setRNGSeed(number & 0x7FFFFFFF)


def sample_cv2(module):
    import numpy

    return module.randu(numpy.empty(4, numpy.int32), 0, 1 << 30).reshape(-1).tolist()


def seed_imgaug(module, number):
    module.seed(number & 0x7FFFFFFF)


def sample_imgaug(module):
    return float(module.random.get_global_rng().random_sample())


LIBRARIES = (
    Library(
        "cv2",
        seed_cv2,
        sample_cv2,
        ("randu", "randn", "randShuffle", "kmeans", "estimateAffine2D", "findHomography"),
        ("setRNGSeed",),
    ),
    Library("imgaug", seed_imgaug, sample_imgaug, (), ("seed",)),
)


class ThirdPartyRng(Factor):
    name = "third-party-rng"
    group = "generators"
    title = "A library's own generator"
    explanation = (
        "OpenCV, albumentations and imgaug draw from generators of their own, which no seed of "
        "Python, NumPy or TensorFlow reaches."
    )
    advice = (
        "Seed the library itself: `albumentations.Compose(..., seed=42)`, `cv2.setRNGSeed(42)`, "
        "`imgaug.seed(42)`."
    )
    fix = "transform = albumentations.Compose([...], seed=42)"

    def install(self, session, arm):
        for library in LIBRARIES:
            session.on_import(
                library.module,
                lambda module, library=library: self.imported(session, arm, module, library),
            )
        session.on_import(
            "albumentations.core.composition", lambda m: self.albumentations(session, arm, m)
        )

    def imported(self, session, arm, module, library):
        state = {"seeded": False}
        if arm != "free":
            number = session.seed(self.name, arm)
            library.seed(module, number)
            first = library.sample(module)
            library.seed(module, number)
            session.read_back(self.name, first, library.sample(module))
            library.seed(module, number)

        def draw(name):
            def make(original):
                def wrapper(*args, **kwargs):
                    session.saw(
                        self.name, "%s.%s" % (library.module, name), not state["seeded"]
                    )  # fmt: skip
                    return original(*args, **kwargs)

                return wrapper

            return make

        def seeding(original):
            def wrapper(*args, **kwargs):
                state["seeded"] = True
                return original(*args, **kwargs)

            return wrapper

        for name in library.draws:
            replace(module, name, draw(name))
        for name in library.seeds:
            replace(module, name, seeding)

    def albumentations(self, session, arm, module):
        """Every pipeline holds generators of its own, seeded when it is made or not at all."""
        base = getattr(module, "BaseCompose", module.Compose)

        def make(original):
            def wrapper(pipeline, *args, **kwargs):
                original(pipeline, *args, **kwargs)
                if kwargs.get("seed") is not None or not hasattr(pipeline, "set_random_seed"):
                    return
                session.saw(self.name, "an albumentations pipeline without a seed", True)
                if arm != "free":
                    pipeline.set_random_seed(session.seed(self.name, arm))

            return wrapper

        for owner in {base, module.Compose}:
            if "__init__" in vars(owner):
                replace(owner, "__init__", make)


FACTOR = ThirdPartyRng()
