"""Libraries that own a generator: how to seed, read and notice each."""


class Library(object):
    """A library with a generator of its own, which no seed of Python, NumPy or TensorFlow reaches.

    `seed(module, number)` seeds it. `draw(module)` returns something drawn that can be compared,
    so that the pin is read back. `draws` and `seeds` are dotted names in `module` of what draws
    from it and of what seeds it; without `draws`, importing the library counts as using it, unless
    its use is seen in another way (`watched`: how the details of its draws start). `steady`:
    without a seed it starts from a fixed state, so that drawing is no suspect.
    """

    def __init__(self, module, seed, draw, draws=(), seeds=(), steady=False, watched=""):
        self.module = module
        self.seed = seed
        self.draw = draw
        self.draws = tuple(draws)
        self.seeds = tuple(seeds)
        self.steady = steady
        self.watched = watched
        self.told = watched or module + "."


def seed_cv2(module, number):
    module.setRNGSeed(number & 0x7FFFFFFF)


def draw_cv2(module):
    import numpy

    return module.randu(numpy.empty(4, numpy.int32), 0, 1 << 30).reshape(-1).tolist()


def seed_imgaug(module, number):
    module.seed(number & 0x7FFFFFFF)


def draw_imgaug(module):
    return float(module.random.get_global_rng().random_sample())


def seed_shared(module, number):
    # Of Faker and mimesis: the `random.Random` that their objects share. Seeded as such, since
    # `Faker.seed` would also mark them as seeded.
    module.random.seed(number)


def draw_shared(module):
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
    Library(
        "faker.generator",
        seed_shared,
        draw_shared,
        (),
        ("Generator.seed", "Generator.seed_instance"),
        watched="Faker's ",
    ),
    # Every provider has a generator of its own; python-random sees them made.
    Library("mimesis.random", seed_shared, draw_shared, watched="an unseeded mimesis "),
    Library("numba", seed_numba, draw_numba),
    Library(
        "polars",
        seed_polars,
        draw_polars,
        ("DataFrame.sample", "Series.sample", "Series.shuffle", "Expr.shuffle", "Expr.sample"),
        ("set_random_seed",),
    ),
)
