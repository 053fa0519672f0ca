"""Libraries that own a generator: those of a table, and those that plugins name."""

import functools
import sys

from .. import plugins
from ..libraries import LIBRARIES, Library
from ..made import CLAIMED, package, plain
from .base import Factor, replace


class ThirdPartyRng(Factor):
    name = "third-party-rng"
    group = "generators"
    title = "A library's own generator"
    symptom = (
        "All the seeds that one knows of are set, and augmented images, invented names or "
        "shuffled tables still are others in every run."
    )
    explanation = (
        "Some libraries draw from a generator of their own, which no seed of Python, NumPy or "
        "TensorFlow reaches: albumentations, imgaug, OpenCV, Faker, mimesis, numba, polars, and "
        "those that a plugin names."
    )
    because = "a library draws from a generator of its own that is not seeded"
    pinned = (
        "Each library is seeded when it is imported, and what albumentations and mimesis make "
        "without a seed gets one. Of numba, only the generator of the thread that imports it can "
        "be seeded: those of the threads of `prange` can't be held."
    )
    varied = "The same, with another seed in every trial."
    noticed = (
        "By the drawing functions of OpenCV and polars, by albumentations pipelines, by every "
        "value of Faker's, by the generators that mimesis makes, and by functions that numba "
        "compiles and that draw. They are suspected where no seed was given; OpenCV is not, since "
        "it starts from a fixed state. imgaug and numba, and a plugin's library that names no "
        "drawing function, count as in use when they are imported. Seeds that the script gives are "
        "noted."
    )
    advice = (
        "Seed the library itself: `albumentations.Compose(..., seed=42)`, `imgaug.seed(42)`, "
        "`cv2.setRNGSeed(42)`, `Faker.seed(42)`, `mimesis.Generic(seed=42)`, "
        "`polars.set_random_seed(42)`, and `np.random.seed(42)` inside a function that numba "
        "compiles (it seeds the thread that runs it, and not those of `prange`)."
    )
    references = (
        (
            "albumentations#2332",
            "https://github.com/albumentations-team/albumentations/issues/2332",
        ),
        (
            "polars.set_random_seed",
            "https://docs.pola.rs/api/python/stable/reference/api/polars.set_random_seed.html",
        ),
        (
            "Faker: seeding the generator",
            "https://faker.readthedocs.io/en/master/#seeding-the-generator",
        ),
        (
            "numba: random numbers",
            "https://numba.readthedocs.io/en/stable/reference/numpysupported.html#random",
        ),
    )

    edits = (
        ("an albumentations pipeline ", "albumentations.Compose([...], seed=42)"),
        ("an albumentations transform ", "albumentations.Compose([transform], seed=42)"),
        ("cv2.", "cv2.setRNGSeed(42)  # before the first draw"),
        ("imgaug is imported", "imgaug.seed(42)  # right after the import"),
        ("Faker's ", "Faker.seed(42)  # before the first value"),
        ("an unseeded mimesis ", "seed=42  # as an argument, such as mimesis.Generic(seed=42)"),
        ("numba ", "np.random.seed(42)  # inside the function that numba compiles"),
        ("polars.", "polars.set_random_seed(42)  # before the first draw"),
    )
    rewrites = (
        ("an albumentations pipeline ", "Compose", "+seed=42", ""),
        ("cv2.", "", "", "import cv2\ncv2.setRNGSeed(42)"),
        ("imgaug is imported", "", "", "import imgaug\nimgaug.seed(42)"),
        ("Faker's ", "", "", "from faker import Faker\nFaker.seed(42)"),
        ("an unseeded mimesis ", "{last}", "+seed=42", ""),
        ("polars.", "", "", "import polars\npolars.set_random_seed(42)"),
    )

    def install(self, session, arm):
        named = [self.plugged(plugin) for plugin in plugins.load(session)]
        modules = {library.module for library in named}
        for library in [known for known in LIBRARIES if known.module not in modules] + named:
            CLAIMED.add(library.module.partition(".")[0])
            session.on_import(
                library.module,
                lambda module, library=library: self.imported(session, arm, module, library),
            )
        session.on_import(
            "albumentations.core.composition", lambda m: self.albumentations(session, arm, m)
        )
        session.on_import(
            "albumentations.core.transforms_interface", lambda m: self.transforms(session, m)
        )
        session.on_import("faker.generator", lambda m: self.faker(session, m))
        session.on_import("numba.cpython.randomimpl", lambda m: self.numba(session, m))

    @staticmethod
    def plugged(plugin):
        """The entry that a plugin stands for; it takes the place of one of the table."""
        draws, seeds = getattr(plugin, "DRAWS", ()), getattr(plugin, "SEEDS", ())
        return Library(plugin.MODULE, plugin.seed, plugin.draw, draws, seeds)

    def imported(self, session, arm, module, library):
        state = {"seeded": False}
        if arm in ("pinned", "varied"):
            try:
                self.hold(session, arm, module, library)
            except Exception as error:
                session.failed("seeding " + library.module, error, lost=True)
        if not library.draws and not library.watched:
            # That it is used can't be seen, nor that it is seeded: neither a suspect nor settled.
            detail = "%s is imported" % library.module
            key, _ = session.sightings.key(self.name, detail, None, sys._getframe(1))
            session.sightings.count((key[0], detail, None) + key[3:])
        for name in library.draws:
            self.wrap(module, name, self.drawing(session, library, name, state))
        for name in library.seeds:
            self.wrap(module, name, self.seeding(session, library, name, state))

    def hold(self, session, arm, module, library):
        """Seed it, and see that what it draws depends on the seed and on nothing else."""
        number = session.seed(self.name, arm)
        drawn = []
        for seed in (number, number, number + 1):
            library.seed(module, seed)
            drawn.append(comparable(library.draw(module)))
        library.seed(module, number)
        session.read_back(
            self.name,
            [library.module, drawn[0], "depends on the seed"],
            [library.module, drawn[1], "depends on the seed" if drawn[0] != drawn[2] else "fixed"],
        )

    def seeding(self, session, library, name, state):
        def make(original):
            def wrapper(*args, **kwargs):
                made = original(*args, **kwargs)
                # Without the object or class that it is a method of.
                values = [v for v in list(args) + list(kwargs.values()) if is_seed(v)]
                state["seeded"] = any(value is not None for value in values)
                if state["seeded"]:
                    call = "%s.%s" % (library.module, name)
                    session.seeded(self.name, call, plain(values), holds=library.told)
                return made

            return wrapper

        return make

    def drawing(self, session, library, name, state):
        def make(original):
            def wrapper(*args, **kwargs):
                seeded = library.steady or state["seeded"] or seed_given(name, args, kwargs)
                session.saw(self.name, "%s.%s" % (library.module, name), not seeded)
                return original(*args, **kwargs)

            return wrapper

        return make

    @staticmethod
    def wrap(module, name, make):
        """Replace the function or method of that dotted name, if there is one."""
        owner, _, last = name.rpartition(".")
        for part in owner.split(".") if owner else ():
            module = getattr(module, part, None)
        if module is None:
            return
        original = vars(module).get(last)
        if isinstance(original, (classmethod, staticmethod)):
            made = functools.update_wrapper(make(original.__func__), original.__func__)
            setattr(module, last, type(original)(made))
        else:
            replace(module, last, make)

    def albumentations(self, session, arm, module):
        """Every pipeline holds generators of its own, seeded when it is made or later, or not at
        all: it is told of when it is used."""
        if not hasattr(module.Compose, "set_random_seed"):
            # Before 1.4.19: it draws from the global generators of Python and NumPy.
            return
        waiting = {}
        unwatched = module.BaseCompose.set_random_seed

        def init(original):
            def wrapper(pipeline, *args, **kwargs):
                original(pipeline, *args, **kwargs)
                waiting.pop(id(pipeline), None)
                if getattr(pipeline, "seed", None) is not None:
                    seed = plain(pipeline.seed)
                    session.seeded(self.name, "albumentations.Compose", seed, holds="")
                    return
                detail = "an albumentations pipeline without a seed"
                key, _ = session.sightings.key(self.name, detail, True, sys._getframe(1))
                waiting[id(pipeline)] = key
                if arm in ("pinned", "varied"):
                    self.hold_pipeline(session, arm, pipeline, unwatched)

            return wrapper

        def call(original):
            def wrapper(pipeline, *args, **kwargs):
                if waiting and asks_itself(sys._getframe(1)):
                    key = waiting.pop(id(pipeline), None)
                    if key is not None:
                        session.sightings.count(key)
                return original(pipeline, *args, **kwargs)

            return wrapper

        def seed(original):
            def wrapper(pipeline, seed, *args, **kwargs):
                if seed is not None:
                    # By the user, or by the pipeline around it.
                    waiting.pop(id(pipeline), None)
                    if asks_itself(sys._getframe(1)):
                        name = "albumentations.Compose.set_random_seed"
                        session.seeded(self.name, name, plain(seed), holds="")
                return original(pipeline, seed, *args, **kwargs)

            return wrapper

        replace(module.Compose, "__init__", init)
        replace(module.Compose, "__call__", call)
        replace(module.BaseCompose, "set_random_seed", seed)

    def hold_pipeline(self, session, arm, pipeline, set_random_seed):
        """Seed it, and see that it draws what this seed gives."""
        seed = session.seed(self.name, arm)
        set_random_seed(pipeline, seed)
        python, numpy = sys.modules["random"], sys.modules["numpy"].random
        session.read_back(
            self.name,
            [python.Random(seed).random(), float(numpy.default_rng(seed).random())],
            [pipeline.py_random.random(), float(pipeline.random_generator.random())],
        )
        set_random_seed(pipeline, seed)

    def transforms(self, session, module):
        """A transform that is used outside a pipeline has generators of its own."""
        if not hasattr(module.BasicTransform, "set_random_seed"):
            return

        def make(original):
            def wrapper(transform, *args, **kwargs):
                if asks_itself(sys._getframe(1)) and getattr(transform, "seed", 0) is None:
                    session.saw(self.name, "an albumentations transform without a seed", True)
                return original(transform, *args, **kwargs)

            return wrapper

        replace(module.BasicTransform, "__call__", make)

    def faker(self, session, module):
        """Providers take their generator, which all Faker objects share, from this property."""
        shared = vars(module.Generator).get("random")
        if not isinstance(shared, property):
            return

        @functools.wraps(shared.fget)
        def random(generator):
            session.saw(
                self.name, "Faker's own generator", not getattr(generator, "_is_seeded", False)
            )
            return shared.fget(generator)

        module.Generator.random = property(random, shared.fset, shared.fdel, shared.__doc__)

    def numba(self, session, module):
        """Compiling a function that draws, or that seeds, asks for the generator's address."""
        state = {"seeded": False}

        def make(original):
            def wrapper(context, builder, name, *args, **kwargs):
                if name in ("np", "py"):
                    if seeds(sys._getframe(1)):
                        state["seeded"] = True
                    else:
                        # A seed that is compiled may still not be run, or in another thread.
                        unseeded = None if state["seeded"] else True
                        self.compiled(session, sys._getframe(1), unseeded)
                return original(context, builder, name, *args, **kwargs)

            return wrapper

        replace(module, "get_state_ptr", make)

    def compiled(self, session, frame, unseeded):
        """Note a draw at its line in the compiled function, which numba has in hand; else where
        the function is called."""
        try:
            detail = "numba compiles a function that draws"
            key, _ = session.sightings.key(self.name, detail, unseeded, frame)
            place = compiled_place(session, frame) or key[4]
            session.sightings.count((key[0], detail, unseeded, key[3], place, key[5]))
        except Exception as error:
            session.failed("noting what numba compiles", error)


def compiled_place(session, frame):
    """The place in the user's code that numba is at work on."""
    while frame is not None:
        worker = frame.f_locals.get("self") if package(frame) == "numba" else None
        place = getattr(worker, "loc", None)
        path = getattr(place, "filename", None)
        if path and session.sightings.is_user(path):
            function = getattr(getattr(worker, "func_ir", None), "func_id", None)
            return path, place.line, getattr(function, "func_name", "")
        frame = frame.f_back
    return None


def comparable(value):
    """What was drawn, as plain numbers where it is an array."""
    return value.tolist() if hasattr(value, "tolist") else value


def is_seed(value):
    """Whether it is no object or class that a method belongs to."""
    return type(value).__module__ in ("builtins", "numpy") and not isinstance(value, type)


def seed_given(name, args, kwargs):
    """Whether a call that draws has a seed of its own."""
    if name.endswith(".shuffle") and len(args) > 1 and args[1] is not None:
        return True
    return kwargs.get("seed") is not None


def asks_itself(frame):
    """Whether the caller is not albumentations, which seeds and calls the parts of a pipeline."""
    while frame is not None and package(frame) == __name__.partition(".")[0]:
        frame = frame.f_back
    return frame is None or package(frame) != "albumentations"


def seeds(frame):
    """Whether this frame of numba's compiles `np.random.seed` or `random.seed`."""
    return "numba_rnd_init" in frame.f_code.co_consts


FACTOR = ThirdPartyRng()
