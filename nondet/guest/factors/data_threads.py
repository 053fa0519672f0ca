"""Threads and processes that prepare data: tf.data's parallel stages, PyDataset's workers."""

from .base import Factor, replace

CALLING = (
    "PyFunc",
    "EagerPyFunc",
    "Multinomial",
    "TruncatedNormal",
    "ParameterizedTruncatedNormal",
)
STAGES = ("map", "interleave", "batch", "padded_batch", "ragged_batch")


class DataThreads(Factor):
    name = "data-threads"
    group = "parallelism"
    title = "Parallel data preparation"
    instead = ("op-determinism",)
    explanation = (
        "Elements that several threads prepare at once may come in another order, or draw from a "
        "shared generator in another order, in every run."
    )
    because = "data is prepared by threads that race one another"
    pinned = (
        "The stages of `tf.data` (map, interleave and the batches) run without "
        "`num_parallel_calls` and in order; a PyDataset has one worker and no processes."
    )
    noticed = (
        "By every parallel stage, and every PyDataset with more than one worker. Suspected where "
        "the order is free (`deterministic=False`), where the stage's function draws random "
        "numbers or runs Python code, and for every such PyDataset."
    )
    advice = (
        "Give every element its own seed (from its index), or prepare the data with one worker: "
        "`PyDataset(workers=1)`, `Dataset.map` without `num_parallel_calls`. "
        "`deterministic=True` alone keeps the order of elements, not that of their draws."
    )
    edits = (
        ("PyDataset with ", "workers=1"),
        ("Dataset.", "dataset.map(prepare)  # neither num_parallel_calls nor deterministic=False"),
    )

    def install(self, session, arm):
        session.on_import(
            "tensorflow.python.data.ops.dataset_ops", lambda m: self.tf_data(session, arm, m)
        )
        session.on_import(
            "keras.src.trainers.data_adapters.py_dataset_adapter",
            lambda m: self.py_dataset(session, arm, m),
        )

    def tf_data(self, session, arm, module):
        for owner in (module.DatasetV2, getattr(module, "DatasetV1", None)):
            for name in STAGES:
                if owner is not None and name in vars(owner):
                    replace(owner, name, self.stage(session, arm, name))
        if arm == "pinned":
            replace(module.DatasetV2, "with_options", self.options)
            held = hasattr(module.DatasetV2.map, "autograph_info__")
            session.read_back(self.name, True, held)

    def stage(self, session, arm, name):
        def make(original):
            def wrapper(dataset, *args, **kwargs):
                try:
                    parallel, free_order = settings(original, dataset, args, kwargs)
                except TypeError:
                    # Wrong arguments: the original says so better.
                    return original(dataset, *args, **kwargs)
                if arm == "pinned" and (parallel or free_order):
                    args, kwargs = sequential(original, dataset, args, kwargs)
                    return original(*args, **kwargs)
                made = original(dataset, *args, **kwargs)
                if parallel:
                    detail = "Dataset.%s in parallel" % name
                    drawing = draws(made)
                    if free_order:
                        detail += ", deterministic=False"
                    elif drawing:
                        detail += ", drawing from shared state"
                    session.saw(self.name, detail, free_order or drawing)
                return made

            return wrapper

        return make

    def options(self, original):
        """Options that ask for any order give way to order."""

        def wrapper(dataset, options, *args, **kwargs):
            if options.deterministic is False:
                import copy

                options = copy.deepcopy(options)
                options.deterministic = True
            return original(dataset, options, *args, **kwargs)

        return wrapper

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


def bound(original, dataset, args, kwargs):
    import inspect

    return inspect.signature(original).bind(dataset, *args, **kwargs)


def settings(original, dataset, args, kwargs):
    """Whether a stage of tf.data is parallel, and whether it may give up the order."""
    arguments = bound(original, dataset, args, kwargs).arguments
    parallel = arguments.get("num_parallel_calls") is not None
    return parallel, arguments.get("deterministic") is False


def draws(dataset):
    """Whether the function of a stage draws random numbers or runs Python code: the order of its
    calls then matters, even where that of the elements is kept."""
    function = getattr(getattr(dataset, "_map_func", None), "function", None)
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
    return any(node.op in CALLING or node.op.startswith("Random") for node in nodes)


def sequential(original, dataset, args, kwargs):
    """The same call with neither parallelism nor a free order."""
    call = bound(original, dataset, args, kwargs)
    for name, value in (("num_parallel_calls", None), ("deterministic", None)):
        if name in call.arguments:
            call.arguments[name] = value
    return call.args, call.kwargs


FACTOR = DataThreads()
