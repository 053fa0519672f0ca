"""Threads and processes that prepare data: tf.data's parallel stages, PyDataset's workers."""

import sys
import weakref

from .base import Factor, replace

CALLING = (
    "PyFunc",
    "EagerPyFunc",
    "Multinomial",
    "TruncatedNormal",
    "ParameterizedTruncatedNormal",
)
DRAWN = ("Random", "Rng", "StatefulRandom", "StatefulStandard", "StatefulUniform", "StatefulTrunc")
STAGES = ("map", "interleave", "batch", "padded_batch", "ragged_batch")
ANY_ORDER = "Options.deterministic = False"
AHEAD = "Dataset.prefetch, behind what draws from shared state"
SLOPPY = "parallel_interleave, sloppy=True"
SERIAL = "-num_parallel_calls, deterministic"
SERIALLY = "dataset.map(prepare)  # neither num_parallel_calls nor deterministic=False"
IN_ORDER = "dataset.%s(prepare, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)"
DRAWING_TOO = (
    "Dataset.map in parallel, deterministic=False, drawing",
    "Dataset.interleave in parallel, deterministic=False, drawing",
)
IN_TURN = """import tensorflow as tf
IN_TURN = tf.data.Options()
IN_TURN.experimental_optimization.inject_prefetch = False"""
"""Without it TensorFlow adds a prefetch of its own."""


class DataThreads(Factor):
    name = "data-threads"
    group = "parallelism"
    title = "Parallel data preparation"
    instead = ("op-determinism",)
    symptom = (
        "Runs agree with one worker and part with several, often not at the first batch and not"
        " every time."
    )
    explanation = (
        "Elements that several threads prepare at once may come in another order, or draw from a "
        "shared generator in another order, in every run."
    )
    because = "data is prepared by threads that race one another"
    pinned = (
        "The stages of `tf.data` (map, interleave and the batches) run without "
        "`num_parallel_calls` and in order, and nothing is prefetched behind a stage that draws "
        "random numbers or runs Python code. A PyDataset has one worker and no processes, "
        "PyTorch's DataLoader at most one worker and its batches in order."
    )
    varied = "As the script has it, on a machine whose cores are kept busy."
    loads = True
    stress = "dormant"
    noticed = (
        "By every parallel stage, every prefetch behind a stage that draws or runs Python code, "
        "and every PyDataset and DataLoader with workers. Suspected where the order is free "
        "(`deterministic=False`, `sloppy=True`, `in_order=False`), where the parallel stage's "
        "function draws random numbers or runs Python code, and for every PyDataset with more than "
        "one worker."
    )
    advice = (
        "Give every element its own seed (from its index), or prepare the data with one worker and "
        "in order."
    )
    advices = (
        (
            "torch",
            "Give every element its own seed (from its index), or prepare the data with one "
            "worker: `num_workers=1, in_order=True`.",
        ),
        (
            "tensorflow",
            "Give every element its own seed (from its index), or prepare the data with one "
            "worker: `Dataset.map` without `num_parallel_calls`, `workers=1` elsewhere. "
            "`deterministic=True` alone keeps the order of elements, not that of their draws.",
        ),
        (
            "tensorflow-1",
            "Give every element its own seed (from its index), or prepare the data with one "
            "worker: `Dataset.map` without `num_parallel_calls`, `workers=1` elsewhere.",
        ),
        (
            "keras",
            "Give every element its own seed (from its index), or prepare the data with one "
            "worker: `PyDataset(workers=1)`.",
        ),
    )
    references = (
        ("TensorFlow: performance of tf.data", "https://www.tensorflow.org/guide/data_performance"),
        ("tf.data.Options", "https://www.tensorflow.org/api_docs/python/tf/data/Options"),
        ("tensorflow#13932", "https://github.com/tensorflow/tensorflow/issues/13932"),
        ("torch.utils.data", "https://docs.pytorch.org/docs/stable/data.html"),
    )
    edits = (
        ("PyDataset with ", "workers=1"),
        ("DataLoader with ", "in_order=True, num_workers=1"),
        (ANY_ORDER, "options.deterministic = True"),
        (
            AHEAD,
            "dataset.with_options(options)  # in place of prefetch, with "
            "options.experimental_optimization.inject_prefetch = False",
        ),
        *((start, SERIALLY) for start in DRAWING_TOO),
        ("Dataset.map in parallel, deterministic=False", IN_ORDER % "map"),
        ("Dataset.interleave in parallel, deterministic=False", IN_ORDER % "interleave"),
        ("Dataset.", SERIALLY),
        (SLOPPY, "dataset.interleave(read)  # without num_parallel_calls"),
    )
    rewrites = (
        (DRAWING_TOO[0], "map", SERIAL, ""),
        ("Dataset.map in parallel, drawing", "map", SERIAL, ""),
        (DRAWING_TOO[1], "interleave", SERIAL, ""),
        ("Dataset.interleave in parallel, drawing", "interleave", SERIAL, ""),
        ("Dataset.map in parallel, deterministic=False", "map", "+deterministic=True", ""),
        (
            "Dataset.interleave in parallel, deterministic=False",
            "interleave",
            "+deterministic=True",
            "",
        ),
        (AHEAD, "prefetch", "{owner}.with_options(IN_TURN)", IN_TURN),
        ("DataLoader with ", "DataLoader", "+num_workers=1, in_order=True", ""),
    )

    def install(self, session, arm):
        self.reported = set()
        session.on_import(
            "tensorflow.python.data.ops.dataset_ops", lambda m: self.tf_data(session, arm, m)
        )
        session.on_import(
            "tensorflow.python.data.experimental.ops.interleave_ops",
            lambda m: self.parallel_interleave(session, arm, m),
        )
        session.on_import(
            "keras.src.trainers.data_adapters.py_dataset_adapter",
            lambda m: self.py_dataset(session, arm, m),
        )
        session.on_import("torch.utils.data.dataloader", lambda m: self.torch(session, arm, m))

    def tf_data(self, session, arm, module):
        for owner in (module.DatasetV2, getattr(module, "DatasetV1", None)):
            for name in STAGES:
                if owner is not None and name in vars(owner):
                    replace(owner, name, self.stage(session, arm, name))
            if owner is not None and "prefetch" in vars(owner):
                replace(owner, "prefetch", self.prefetch(session, arm))
        replace(module.DatasetV2, "with_options", self.options(session, arm))
        if arm == "pinned" and hasattr(module.DatasetV2, "_apply_debug_options"):
            replace(module.DatasetV2, "_apply_debug_options", self.iterated(module))

    def stage(self, session, arm, name):
        def make(original):
            def wrapper(dataset, *args, **kwargs):
                try:
                    parallel, free_order = settings(original, dataset, args, kwargs)
                except TypeError:
                    # Wrong arguments: the original says so better.
                    return original(dataset, *args, **kwargs)
                if arm == "pinned":
                    if parallel or free_order:
                        args, kwargs = sequential(original, dataset, args, kwargs)
                        made = original(*args, **kwargs)
                    else:
                        made = original(dataset, *args, **kwargs)
                    self.read_back(session, "Dataset.%s runs" % name, made)
                    return made
                made = original(dataset, *args, **kwargs)
                if parallel:
                    detail = "Dataset.%s in parallel" % name
                    drawing = draws(made)
                    free_order = free_order or any_order(made)
                    if free_order:
                        detail += ", deterministic=False"
                    # In whatever order rows are handed on, they race for what they draw.
                    if drawing:
                        detail += ", drawing from shared state"
                    session.saw(self.name, detail, free_order or drawing)
                return made

            return wrapper

        return make

    def read_back(self, session, what, dataset):
        """That the dataset just made for the script is not a parallel one. Each kind of stage is
        told once, and every failure."""
        seen = "in parallel" if parallel_stage(dataset) else "one by one"
        if seen == "in parallel" or what not in self.reported:
            self.reported.add(what)
            session.read_back(self.name, [what, "one by one"], [what, seen])

    def prefetch(self, session, arm):
        """What draws while the script draws as well, and ahead of it, shares its state with it."""

        def make(original):
            def wrapper(dataset, *args, **kwargs):
                drawing = any(draws(stage) for stage in stages(dataset))
                if drawing and arm == "pinned":
                    self.read_back(session, "what stood before Dataset.prefetch runs", dataset)
                    return dataset
                # Keras prefetches what generators give, whoever calls it.
                if drawing and session.asker(sys._getframe(1))[1] == "user":
                    session.saw(self.name, AHEAD, None)
                return original(dataset, *args, **kwargs)

            return wrapper

        return make

    def options(self, session, arm):
        """Options that ask for any order give way to order."""

        def make(original):
            def wrapper(dataset, options, *args, **kwargs):
                if getattr(options, "deterministic", None) is False:
                    racing = any(parallel_stage(stage) for stage in stages(dataset))
                    # A stage that comes later tells of itself.
                    session.saw(self.name, ANY_ORDER, True if racing else None)
                    if arm == "pinned":
                        options = copied(options)
                        options.deterministic = True
                        made = original(dataset, options, *args, **kwargs)
                        order = "any" if any_order(made) else "kept"
                        session.read_back(self.name, ["order", "kept"], ["order", order])
                        return made
                return original(dataset, options, *args, **kwargs)

            return wrapper

        return make

    def iterated(self, module):
        """TensorFlow itself adds a prefetch, and makes stages parallel, when a dataset is iterated:
        not where its stages draw from shared state."""

        def make(original):
            def wrapper(dataset):
                dataset = original(dataset)
                if not any(draws(stage) for stage in stages(dataset)):
                    return dataset
                options = module.options_lib.Options()
                options.autotune.enabled = False
                options.experimental_optimization.map_parallelization = False
                if hasattr(options.experimental_optimization, "inject_prefetch"):
                    options.experimental_optimization.inject_prefetch = False
                try:
                    return dataset.with_options(options)
                except ValueError:
                    # The script has set one of them the other way round: its choice stays.
                    return dataset

            return wrapper

        return make

    def parallel_interleave(self, session, arm, module):
        """The older form, a function that is given to `Dataset.apply`."""

        def make(original):
            def wrapper(*args, **kwargs):
                apply = original(*args, **kwargs)
                given = bound(original, args, kwargs).arguments
                if arm == "pinned":
                    lengths = {k: given[k] for k in ("cycle_length", "block_length") if k in given}
                    return lambda dataset: dataset.interleave(given["map_func"], **lengths)
                detail = SLOPPY if given.get("sloppy") else "parallel_interleave"

                def applied(dataset):
                    made = apply(dataset)
                    free_order = bool(given.get("sloppy")) or any_order(made)
                    session.saw(self.name, detail, free_order or draws(made))
                    return made

                return applied

            return wrapper

        replace(module, "parallel_interleave", make)

    def py_dataset(self, session, arm, module):
        def make(original):
            def wrapper(adapter, x, *args, **kwargs):
                if x.workers > 1 or (x.workers > 0 and x.use_multiprocessing):
                    kind = "processes" if x.use_multiprocessing else "threads"
                    detail = "PyDataset with %d worker %s" % (x.workers, kind)
                    session.saw(self.name, detail, True)
                    if arm == "pinned":
                        x._workers, x._use_multiprocessing = 1, False
                        session.read_back(self.name, [1, False], [x.workers, x.use_multiprocessing])
                return original(adapter, x, *args, **kwargs)

            return wrapper

        replace(module.PyDatasetAdapter, "__init__", make)

    def torch(self, session, arm, module):
        """PyTorch's DataLoader: its workers are processes, whose batches it takes in turn unless
        it is told otherwise."""

        def make(original):
            def wrapper(loader, *args, **kwargs):
                try:
                    call = bound(original, (loader,) + args, kwargs)
                except TypeError:
                    return original(loader, *args, **kwargs)
                workers = call.arguments.get("num_workers", 0)
                in_order = call.arguments.get("in_order", True)
                if workers:
                    detail = "DataLoader with %s worker processes" % (workers,)
                    if not in_order:
                        detail += ", in_order=False"
                    # With more than one, what comes first is a race.
                    session.saw(self.name, detail, True if not in_order and workers > 1 else None)
                if not workers or arm != "pinned":
                    return original(loader, *args, **kwargs)
                call.arguments["num_workers"] = 1
                if not in_order:
                    call.arguments["in_order"] = True
                original(*call.args, **call.kwargs)
                seen = [loader.num_workers, getattr(loader, "in_order", True)]
                session.read_back(self.name, [1, True], seen)
                return None

            return wrapper

        replace(module.DataLoader, "__init__", make)


def bound(original, args, kwargs):
    import inspect

    return inspect.signature(original).bind(*args, **kwargs)


def settings(original, dataset, args, kwargs):
    """Whether a stage of tf.data is parallel, and whether it may give up the order."""
    arguments = bound(original, (dataset,) + args, kwargs).arguments
    parallel = arguments.get("num_parallel_calls") is not None
    return parallel, arguments.get("deterministic") is False


def stages(dataset):
    """A dataset and all that it is made of."""
    found, waiting = [], [dataset]
    while waiting:
        stage = waiting.pop()
        # The form of TensorFlow 1 around the one that does the work.
        stage = getattr(stage, "_dataset", stage)
        found.append(stage)
        inputs = getattr(stage, "_inputs", None)
        waiting.extend(inputs() if callable(inputs) else ())
    return found


def parallel_stage(dataset):
    return "Parallel" in type(getattr(dataset, "_dataset", dataset)).__name__


def any_order(dataset):
    """Whether an option that was given before lets the elements come in any order."""
    return getattr(getattr(dataset, "_options_attr", None), "deterministic", None) is False


def copied(options):
    import copy

    return copy.deepcopy(options)


DRAWING = weakref.WeakKeyDictionary()  # type: ignore[var-annotated]
"""By dataset: reading a function's whole graph once is enough."""


def draws(dataset):
    """Whether the function of a stage draws random numbers or runs Python code: the order of its
    calls then matters, even where that of the elements is kept."""
    dataset = getattr(dataset, "_dataset", dataset)
    known = DRAWING.get(dataset)
    if known is None:
        functions = getattr(dataset, "_functions", None)
        wrapped = functions() if callable(functions) else ()
        known = DRAWING[dataset] = any(draws_in(each) for each in wrapped)
    return known


def draws_in(wrapped):
    function = getattr(wrapped, "function", None)
    if function is None:
        return False
    try:
        graph = function.graph.as_graph_def()
    except ValueError:
        # Larger than a protocol buffer may be.
        return False
    nodes = list(graph.node)
    for inner in graph.library.function:
        nodes.extend(inner.node_def)
    return any(node.op in CALLING or node.op.startswith(DRAWN) for node in nodes)


def sequential(original, dataset, args, kwargs):
    """The same call with neither parallelism nor a free order."""
    call = bound(original, (dataset,) + args, kwargs)
    for name, value in (("num_parallel_calls", None), ("deterministic", None)):
        if name in call.arguments:
            call.arguments[name] = value
    return call.args, call.kwargs


FACTOR = DataThreads()
