"""The order of training examples: `fit(shuffle=)`, `Dataset.shuffle`, PyDataset, DataLoader."""

import sys

from .base import OF_KERAS_2, Factor, older, replace

ADAPTERS = ("array_data_adapter.py", "py_dataset_adapter.py")
SAMPLERS = ("/torch/utils/data/sampler.py", "/torch/utils/data/dataset.py")
KERAS_2 = "/keras/engine/training_arrays.py"
SAMPLE = "dataset = dataset.shuffle(1000, seed=42)"


class Shuffle(Factor):
    name = "shuffle"
    group = "consumers"
    late = False
    title = "Shuffling of the training data"
    symptom = (
        "Initial weights agree, and the first batch holds other rows, or the same in another order."
    )
    explanation = (
        "`fit` shuffles arrays before every epoch unless told not to, and `Dataset.shuffle`, "
        "PyDataset and PyTorch's DataLoader shuffle on request. Sums over a batch depend on the "
        "order of its rows."
    )
    pinned = (
        "`fit`, `tf.random.shuffle`, `Dataset.shuffle`, PyDataset and the samplers of DataLoader "
        "shuffle by fixed seeds."
    )
    off = "Nothing is shuffled."
    noticed = "By a shuffling function between a draw and the script's line that led to it."
    consumer = True
    advice = "Seed the generator that the order is drawn from."
    advices = (
        ("keras", "Seed with `keras.utils.set_random_seed`, or give what shuffles a seed."),
        (
            "torch",
            "Seed the generator that the order is drawn from, or give the DataLoader one of its "
            "own that is seeded.",
        ),
        ("tensorflow", "Give `Dataset.shuffle` a seed, or set the global one."),
        ("tensorflow-1", "Give `Dataset.shuffle` a seed, or set the global one."),
    )
    references = (
        ("Keras: fit", "https://keras.io/api/models/model_training_apis/"),
        (
            "tf.data.Dataset.shuffle",
            "https://www.tensorflow.org/api_docs/python/tf/data/Dataset#shuffle",
        ),
    )
    fixes = (
        ("keras", "keras.utils.set_random_seed(42)"),
        (
            "torch",
            "loader = DataLoader(rows, shuffle=True, generator=torch.Generator().manual_seed(42))",
        ),
        ("tensorflow", SAMPLE),
        ("tensorflow-1", SAMPLE),
    )
    fix_is_sample = True

    def unavailable(self, machine):
        if not any(machine.get(name) for name in ("tensorflow", "keras", "torch")):
            return "neither TensorFlow nor Keras nor PyTorch is installed"
        # Before, `fit` shuffled by NumPy on its own.
        old = older(machine, "keras", 2, 4) and not machine.get("torch")
        return OF_KERAS_2 if old else ""

    def recognises(self, filename, frame):
        if filename.endswith(ADAPTERS):
            return "/keras/src/" in filename
        if filename.endswith(SAMPLERS):
            return True
        if filename.endswith(KERAS_2):
            return frame.f_code.co_name == "fit_loop"
        shuffles = frame.f_code.co_name in ("shuffle", "random_shuffle")
        return shuffles and "/tensorflow/python/" in filename

    def install(self, session, arm):
        if arm not in ("pinned", "ablated"):
            return
        for name, hold in (
            ("tensorflow", self.hold_operations),
            ("tensorflow.python.data.ops.shuffle_op", self.hold_datasets),
            ("keras.src.trainers.data_adapters.array_data_adapter", self.hold_arrays),
            ("keras.src.trainers.data_adapters.py_dataset_adapter", self.hold_py_dataset),
            ("torch.utils.data.sampler", self.hold_samplers),
        ):
            session.on_import(name, lambda m, hold=hold: hold(session, arm, m))

    def hold_operations(self, session, arm, module):
        """`tf.random.shuffle`, which `fit` uses: fixed whatever the global seed."""
        seeds = session.seed(self.name, "pinned"), session.seed(self.name, "pinned")

        def make(original):
            def wrapper(value, seed=None, name=None):
                if arm == "ablated":
                    made = module.identity(value)
                    if not module.executing_eagerly():
                        session.read_back(self.name, "Identity", made.op.type)
                    return made
                made = module.raw_ops.RandomShuffle(value=value, seed=seeds[0], seed2=seeds[1])
                # Outside a graph an operation leaves nothing to read.
                if not module.executing_eagerly():
                    seen = [made.op.get_attr("seed"), made.op.get_attr("seed2")]
                    session.read_back(self.name, list(seeds), seen)
                return made

            return wrapper

        replace(module.random, "shuffle", make)

    def hold_datasets(self, session, arm, module):
        seeds = session.seed(self.name, "pinned"), session.seed(self.name, "pinned")
        random_seed = sys.modules["tensorflow.python.data.util.random_seed"]
        constant = sys.modules["tensorflow.python.framework.constant_op"].constant

        def make(original):
            def wrapper(input_dataset, buffer_size, seed=None, *args, **kwargs):
                if arm == "ablated":
                    shuffled = type(input_dataset).__name__ == "_ShuffleDataset"
                    session.read_back(self.name, False, shuffled)
                    return input_dataset
                kept = random_seed.get_seed
                random_seed.get_seed = lambda seed: tuple(constant(s, "int64") for s in seeds)
                try:
                    made = original(input_dataset, buffer_size, seed, *args, **kwargs)
                finally:
                    random_seed.get_seed = kept
                held = getattr(made, "_seed", None), getattr(made, "_seed2", None)
                if all(hasattr(number, "numpy") for number in held):
                    seen = [int(number.numpy()) for number in held]
                    session.read_back(self.name, list(seeds), seen)
                return made

            return wrapper

        replace(module, "_shuffle", make)

    def hold_arrays(self, session, arm, module):
        """Arrays under another backend than TensorFlow: NumPy's generator permutes them."""
        seed = session.seed("shuffle/arrays", "pinned")
        generator = module.np.random.RandomState(seed)
        fresh = [True]

        def permutation(count):
            # Drawn all the same, so that what comes next in the source's stream stays there.
            module.np.original.random.permutation(count)
            if arm == "ablated":
                return module.np.arange(count)
            order = generator.permutation(count)
            if fresh and fresh.pop():
                expected = module.np.original.random.RandomState(seed).permutation(count)
                session.read_back(self.name, expected.tolist(), order.tolist())
            return order

        random = Standing(module.np.random, permutation=permutation)
        module.np = Standing(module.np, random=random)

    def hold_py_dataset(self, session, arm, module):
        seed = session.seed("shuffle/py-dataset", "pinned")
        generator = module.random.Random(seed)
        fresh = [True]

        def shuffle(items):
            before = list(items)
            if arm != "ablated":
                generator.shuffle(items)
            if fresh and fresh.pop():
                if arm != "ablated":
                    module.random.Random(seed).shuffle(before)
                session.read_back(self.name, before, list(items))

        module.random = Standing(module.random, shuffle=shuffle)

    def hold_samplers(self, session, arm, module):
        """The samplers of PyTorch's DataLoader: each pass by a generator of ours."""
        torch = sys.modules["torch"]

        def make(original):
            def wrapper(sampler):
                if arm == "ablated" and hasattr(sampler, "data_source"):
                    # The order is counted here: there is nothing to read.
                    for place in range(len(sampler)):
                        yield place % len(sampler.data_source)
                    return
                number = session.seed(self.name, "pinned")
                ours = torch.Generator()
                ours.manual_seed(number)
                before = ours.get_state()
                kept, sampler.generator = sampler.generator, ours
                try:
                    # Read by the sampler before its first item, and not afterwards.
                    items = original(sampler)
                    first = next(items, None)
                finally:
                    sampler.generator = kept
                if first is not None:
                    drawn = not torch.equal(before, ours.get_state())
                    session.read_back(self.name, [number, True], [ours.initial_seed(), drawn])
                    yield first
                    for item in items:
                        yield item

            return wrapper

        for name in ("RandomSampler", "SubsetRandomSampler", "WeightedRandomSampler"):
            replace(getattr(module, name), "__iter__", make)


class Standing(object):
    """Stands for a module in one place: a few functions of it are ours."""

    def __init__(self, original, **ours):
        self.__dict__.update(ours, original=original)

    def __getattr__(self, name):
        return getattr(self.original, name)


FACTOR = Shuffle()
