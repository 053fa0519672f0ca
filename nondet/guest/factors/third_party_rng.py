"""Libraries that own a generator: an open table of how to seed, read and notice each."""

import sys

from .base import Factor, replace


class Library(object):
    """A library with a generator of its own, which no seed of Python, NumPy or TensorFlow reaches.

    `seed(module, number)` seeds it. `draw(module)` returns something drawn that can be compared,
    so that the pin is read back. `draws` and `seeds` are dotted names in `module` of what draws
    from it and of what seeds it; without `draws`, importing the library counts as using it.
    `steady`: without a seed it starts from a fixed state, so that drawing is no suspect.
    """

    def __init__(self, module, seed, draw, draws=(), seeds=(), steady=False):
        self.module = module
        self.seed = seed
        self.draw = draw
        self.draws = draws
        self.seeds = seeds
        self.steady = steady


def seed_cv2(module, number):
    module.setRNGSeed(number & 0x7FFFFFFF)


def draw_cv2(module):
    import numpy

    return module.randu(numpy.empty(4, numpy.int32), 0, 1 << 30).reshape(-1).tolist()


def seed_imgaug(module, number):
    module.seed(number & 0x7FFFFFFF)


def draw_imgaug(module):
    return float(module.random.get_global_rng().random_sample())


def seed_faker(module, number):
    module.Generator.seed(number)


def draw_faker(module):
    return module.random.random()


def seed_numba(module, number):
    # Of this thread, which is the one that imports it; other threads have states of their own.
    from numba import _helperlib

    for state in (_helperlib.rnd_get_np_state_ptr(), _helperlib.rnd_get_py_state_ptr()):
        _helperlib.rnd_seed(state, number & 0xFFFFFFFF)


def draw_numba(module):
    from numba import _helperlib

    index, words = _helperlib.rnd_get_state(_helperlib.rnd_get_np_state_ptr())
    return [index, sum(words)]


def seed_polars(module, number):
    module.set_random_seed(number)


def draw_polars(module):
    return module.Series([float(i) for i in range(32)]).shuffle().to_list()


LIBRARIES = (
    Library(
        "cv2",
        seed_cv2,
        draw_cv2,
        ("randu", "randn", "randShuffle", "kmeans", "findHomography"),
        ("setRNGSeed",),
        steady=True,
    ),
    Library("imgaug", seed_imgaug, draw_imgaug, (), ("seed",)),
    Library("faker.generator", seed_faker, draw_faker, (), ("Generator.seed",)),
    Library("numba", seed_numba, draw_numba),
    Library(
        "polars",
        seed_polars,
        draw_polars,
        ("DataFrame.sample", "Series.sample", "Series.shuffle", "Expr.shuffle", "Expr.sample"),
        ("set_random_seed",),
    ),
)


class ThirdPartyRng(Factor):
    name = "third-party-rng"
    group = "generators"
    title = "A library's own generator"
    explanation = (
        "Some libraries draw from a generator of their own, which no seed of Python, NumPy or "
        "TensorFlow reaches: albumentations, imgaug, OpenCV, Faker, numba, polars."
    )
    because = "a library draws from a generator of its own that is not seeded"
    pinned = (
        "Each library is seeded when it is imported, and an albumentations pipeline that is made "
        "without a seed gets one."
    )
    varied = "The same, with another seed in every trial."
    noticed = (
        "By the drawing functions of OpenCV and polars, and by albumentations pipelines. polars "
        "and albumentations are suspected where no seed was given. imgaug, Faker and numba count "
        "as in use when they are imported."
    )
    advice = (
        "Seed the library itself: `albumentations.Compose(..., seed=42)`, `imgaug.seed(42)`, "
        "`cv2.setRNGSeed(42)`, `Faker.seed(42)`, `polars.set_random_seed(42)`, and "
        "`np.random.seed(42)` inside a function that numba compiles."
    )

    edits = (
        ("an albumentations pipeline ", "albumentations.Compose([...], seed=42)"),
        ("cv2.", "cv2.setRNGSeed(42)  # before the first draw"),
        ("imgaug is imported", "imgaug.seed(42)  # right after the import"),
        ("faker.generator is imported", "Faker.seed(42)  # right after the import"),
        ("numba is imported", "np.random.seed(42)  # inside the function that numba compiles"),
        ("polars.", "polars.set_random_seed(42)  # before the first draw"),
    )

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
        if arm in ("pinned", "varied"):
            number = session.seed(self.name, arm)
            library.seed(module, number)
            first = library.draw(module)
            library.seed(module, number)
            session.read_back(self.name, first, library.draw(module))
            library.seed(module, number)
        if not library.draws:
            # That it is used can't be seen, nor that it is seeded: neither a suspect nor settled.
            detail = "%s is imported" % library.module
            key, _ = session.sightings.key(self.name, detail, None, sys._getframe(1))
            session.sightings.count((key[0], detail, None) + key[3:])

        def seeding(original):
            def wrapper(*args, **kwargs):
                state["seeded"] = True
                return original(*args, **kwargs)

            return wrapper

        for name in library.draws:
            self.wrap(module, name, self.drawing(session, library, name, state))
        for name in library.seeds:
            self.wrap(module, name, seeding)

    def drawing(self, session, library, name, state):
        def make(original):
            def wrapper(*args, **kwargs):
                unseeded = not (library.steady or state["seeded"] or kwargs.get("seed") is not None)
                session.saw(self.name, "%s.%s" % (library.module, name), unseeded)
                return original(*args, **kwargs)

            return wrapper

        return make

    @staticmethod
    def wrap(module, name, make):
        """Replace the function of that dotted name, if there is one."""
        owner, _, last = name.rpartition(".")
        for part in owner.split(".") if owner else ():
            module = getattr(module, part, None)
        # A class method is bound by the class it is looked up on: left to itself.
        if module is not None and not isinstance(vars(module).get(last), classmethod):
            replace(module, last, make)

    def albumentations(self, session, arm, module):
        """Every pipeline holds generators of its own, seeded when it is made or not at all."""

        def make(original):
            def wrapper(pipeline, *args, **kwargs):
                original(pipeline, *args, **kwargs)
                if kwargs.get("seed") is not None or not hasattr(pipeline, "set_random_seed"):
                    return
                session.saw(self.name, "an albumentations pipeline without a seed", True)
                if arm in ("pinned", "varied"):
                    seed = session.seed(self.name, arm)
                    pipeline.set_random_seed(seed)
                    session.read_back(self.name, seed, getattr(pipeline, "seed", None))

            return wrapper

        if "__init__" in vars(module.Compose):
            replace(module.Compose, "__init__", make)


FACTOR = ThirdPartyRng()
