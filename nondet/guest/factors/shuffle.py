"""The order of training examples: `fit(shuffle=)`, `Dataset.shuffle`, PyDataset."""

import sys

from .base import Factor, replace

ADAPTERS = ("array_data_adapter.py", "py_dataset_adapter.py")


class Shuffle(Factor):
    name = "shuffle"
    group = "consumers"
    title = "Shuffling of the training data"
    explanation = (
        "`fit` shuffles arrays before every epoch unless told not to, and `Dataset.shuffle` and "
        "PyDataset shuffle on request. Sums over a batch depend on the order of its rows."
    )
    pinned = "`fit`, `tf.random.shuffle`, `Dataset.shuffle` and PyDataset shuffle by fixed seeds."
    off = "Nothing is shuffled."
    noticed = "By a shuffling function between a draw and the script's line that led to it."
    consumer = True
    advice = "Seed with `keras.utils.set_random_seed`, or give `Dataset.shuffle` a seed."
    fix = "dataset = dataset.shuffle(1000, seed=42)"

    def recognises(self, filename, frame):
        if filename.endswith(ADAPTERS):
            return True
        return frame.f_code.co_name in ("shuffle", "random_shuffle") and "/tensorflow/" in filename

    def install(self, session, arm):
        if arm == "free":
            return
        for name, hold in (
            ("tensorflow", self.hold_operations),
            ("tensorflow.python.data.ops.shuffle_op", self.hold_datasets),
            ("keras.src.trainers.data_adapters.py_dataset_adapter", self.hold_py_dataset),
        ):
            session.on_import(name, lambda m, hold=hold: hold(session, arm, m))

    def hold_operations(self, session, arm, module):
        """`tf.random.shuffle`, which `fit` uses: fixed whatever the global seed."""
        seeds = session.seed(self.name, "pinned"), session.seed(self.name, "pinned")

        def make(original):
            def wrapper(value, seed=None, name=None):
                if arm == "ablated":
                    return module.identity(value)
                return module.raw_ops.RandomShuffle(value=value, seed=seeds[0], seed2=seeds[1])

            return wrapper

        replace(module.random, "shuffle", make)
        session.read_back(self.name, True, hasattr(module.random.shuffle, "autograph_info__"))

    def hold_datasets(self, session, arm, module):
        seeds = session.seed(self.name, "pinned"), session.seed(self.name, "pinned")
        random_seed = sys.modules["tensorflow.python.data.util.random_seed"]
        constant = sys.modules["tensorflow.python.framework.constant_op"].constant

        def make(original):
            def wrapper(input_dataset, buffer_size, seed=None, *args, **kwargs):
                if arm == "ablated":
                    return input_dataset
                kept = random_seed.get_seed
                random_seed.get_seed = lambda seed: tuple(constant(s, "int64") for s in seeds)
                try:
                    return original(input_dataset, buffer_size, seed, *args, **kwargs)
                finally:
                    random_seed.get_seed = kept

            return wrapper

        replace(module, "_shuffle", make)

    def hold_py_dataset(self, session, arm, module):
        class Fixed(object):
            """Stands for the module `random` in Keras' adapter."""

            def __init__(self, original):
                self.original = original
                self.generator = original.Random(session.seed("shuffle/py-dataset", "pinned"))

            def shuffle(self, items):
                if arm != "ablated":
                    self.generator.shuffle(items)

            def __getattr__(self, name):
                return getattr(self.original, name)

        module.random = Fixed(module.random)


FACTOR = Shuffle()
