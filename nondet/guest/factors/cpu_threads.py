"""Threads inside CPU kernels: TensorFlow's pools, OpenMP, the BLAS, boosting."""

import os

from .. import library_threads
from ..boosting_threads import BY_TIME, SHOTGUN, BoostingThreads
from ..xla_flags import in_environment
from .base import ALWAYS, Factor, replace
from .op_determinism import Operation, elements, listen

VARIABLES = (
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
)
READING = ("numpy", "scipy", "sklearn", "tensorflow", "torch", "xgboost", "lightgbm")
"""Modules whose import loads libraries that read the variables."""
XLA_VARIABLE = "PJRT_NPROC"
"""Threads of JAX on a CPU. It groups sums for one or for several; its kernels were not seen to
race, and on one thread a callback that computes by JAX waits for itself: never pinned."""
SETTERS = ("set_intra_op_parallelism_threads", "set_inter_op_parallelism_threads")
TORCH_SETTERS = ("set_num_threads", "set_num_interop_threads")


class Weighted(Operation):
    """A bincount races when it adds weights that are no whole numbers, in one row."""

    def may_race(self, args, kwargs):
        weights = kwargs["weights"] if "weights" in kwargs else args[2] if len(args) > 2 else None
        dtype = getattr(weights, "dtype", None)
        whole = getattr(dtype, "is_integer", False) or elements(weights) == 0
        return not whole and Operation.may_race(self, args, kwargs)


OPERATIONS = (
    Weighted("math_ops", "Bincount", "of weights", ("arr", 0), 50000),
    Weighted("math_ops", "DenseBincount", "of weights", ("input", 0), 50000),
    Operation(
        "training_ops", "ResourceSparseApplyAdagrad", "at indices that repeat", ("grad", 3), 20000
    ),
    Operation(
        "training_ops", "ResourceSparseApplyAdagradV2", "at indices that repeat", ("grad", 4), 20000
    ),
)  # fmt: skip
"""Those that race whether or not deterministic kernels are asked for."""


class CpuThreads(Factor):
    name = "cpu-threads"
    group = "parallelism"
    title = "Threads inside CPU kernels"
    symptom = (
        "With all seeds set, the last digits of a sum differ from run to run, or from one "
        "machine to another with more cores. Training lets the difference grow."
    )
    explanation = (
        "Some CPU kernels add up in the order in which their threads finish: scatter-adds with "
        "repeated indices, some image gradients, weighted bincount, the gradient of PyTorch's "
        "`x[index]`, the default updater of XGBoost's `gblinear`. LightGBM takes the faster of two "
        "ways to add up, as measured in each run, unless told `deterministic=True`. Others group "
        "their sums by the number of threads: the result then repeats at one count, and another "
        "count gives another."
    )
    because = "a CPU kernel adds up in the order in which its threads finish"
    pinned = (
        "One thread for TensorFlow's two pools, PyTorch, OpenMP, OpenBLAS, MKL, XGBoost and "
        "LightGBM. The script's own thread counts give way. JAX's threads, of which no kernel was "
        "seen to race, stay."
    )
    varied = "Another number of threads than the machine has cores, for JAX too."
    noticed = (
        "By weighted bincount and sparse Adagrad in TensorFlow, by XGBoost's updater `shotgun`, "
        "and by LightGBM without `deterministic=True`. A trial can't see others, so it counts as "
        "in use."
    )
    stress = "sensitivity"
    acts = "before-start"
    observable = False
    instead = ("op-determinism",)
    due = (ALWAYS,)
    advice = (
        "Use one thread for the framework's operations, set before the first one runs. It costs "
        "speed: replace the racing operation if you can."
    )
    references = (
        ("Goldberg 1991: floating-point arithmetic", "https://doi.org/10.1145/103162.103163"),
        ("tf.config.threading", "https://www.tensorflow.org/api_docs/python/tf/config/threading"),
        (
            "oneMKL: reproducibility conditions",
            "https://www.intel.com/content/www/us/en/docs/onemkl/developer-reference-c/2026-0/reproducibility-conditions.html",
        ),
        (
            "LightGBM: deterministic",
            "https://lightgbm.readthedocs.io/en/latest/Parameters.html#deterministic",
        ),
    )
    launch = tuple((name, "1") for name in VARIABLES)
    fixes = (
        (
            "tensorflow",
            "import tensorflow as tf\n"
            "tf.config.threading.set_intra_op_parallelism_threads(1)\n"
            "tf.config.threading.set_inter_op_parallelism_threads(1)",
        ),
        (
            "tensorflow-1",
            "import keras\n"
            "import tensorflow as tf\n"
            "one = tf.compat.v1.ConfigProto(\n"
            "    intra_op_parallelism_threads=1, inter_op_parallelism_threads=1\n"
            ")\n"
            "keras.backend.set_session(tf.compat.v1.Session(config=one))",
        ),
        ("torch", "import torch\ntorch.set_num_threads(1)"),
    )
    edits = (
        (SHOTGUN, '"updater": "coord_descent"  # among the parameters'),
        (BY_TIME, '"deterministic": True, "force_row_wise": True  # among the parameters'),
    )

    def environment(self, arm, number):
        if arm == "pinned":
            return dict(self.launch)
        if arm == "varied":
            cores = cores_of_this_process()
            counts = [count for count in (1, 2, 3, 4) if count != cores]
            chosen = str(counts[number % len(counts)])
            return dict.fromkeys((*VARIABLES, XLA_VARIABLE), chosen)
        return {}

    def unavailable(self, machine):
        return "this machine has one core" if machine.get("cores") == 1 else ""

    def install(self, session, arm):
        listen(session, self.name, OPERATIONS, lambda: True)
        count = None
        if arm != "free":
            count = 1 if arm == "pinned" else int(os.environ.get(VARIABLES[0], "1"))
        BoostingThreads(session, self.name, count).install()
        if count is None:
            return
        self.hold_environment(session, arm, count)
        session.on_import(
            "tensorflow.python.framework.config", lambda m: self.hold(session, m, count)
        )
        session.on_import(
            "tensorflow.python.client.session", lambda m: self.hold_sessions(session, m, count)
        )
        session.on_import("torch", lambda m: self.hold_torch(session, m, count))
        if arm == "varied":
            session.on_import("jax", lambda module: self.vary_jax(session, count))

    def hold_environment(self, session, arm, count):
        """What the script sets for libraries that it has yet to import gives way as well."""
        values = dict.fromkeys(VARIABLES, str(count))
        if session.plan.get("restarted") or session.plan.get("muted"):
            # The script has started this process, with an environment of its own making.
            os.environ.update(values)
        session.read_back(self.name, values, {name: os.environ.get(name) for name in values})
        for name in READING:
            session.hooks.before_import(name, lambda: os.environ.update(values))
        if arm == "pinned":
            session.look(lambda: self.check_libraries(session))

    def check_libraries(self, session):
        """Of what is loaded that computes with threads of its own."""
        seen = library_threads.counts()
        if seen:
            session.read_back(self.name, [[name, 1] for name, _ in seen], seen)

    def hold(self, session, module, count):
        """The subject's own thread counts give way: the pin is what is asked about."""

        def make(original):
            def wrapper(num_threads):
                return original(count)

            return wrapper

        for name in SETTERS:
            replace(module, name, make)
        session.look(lambda: self.check(session, count))

    def vary_jax(self, session, count):
        """JAX tells nobody how many threads it has: that it can read their number is checked."""
        session.first_checkpoint.append(
            lambda: session.read_back(self.name, str(count), in_environment(XLA_VARIABLE))
        )

    def check(self, session, count):
        from tensorflow.python.eager import context

        made = context.context()
        if not made._initialized:
            # Not ours to start: the subject may still configure its devices.
            session.first_checkpoint.append(lambda: self.check(session, count))
            return
        config = made.config
        seen = [
            config.intra_op_parallelism_threads or count_from("INTRA"),
            config.inter_op_parallelism_threads or count_from("INTER"),
        ]
        session.read_back(self.name, [count, count], seen)

    def hold_sessions(self, session, module, count):
        """What a session of TensorFlow 1 is configured with comes before the environment."""

        def make(original):
            def wrapper(made, target="", graph=None, config=None):
                ours = module.config_pb2.ConfigProto()
                if config is not None and not isinstance(config, type(ours)):
                    original(made, target, graph, config)
                    return
                if config is not None:
                    ours.CopyFrom(config)
                ours.intra_op_parallelism_threads = ours.inter_op_parallelism_threads = count
                original(made, target, graph, ours)
                seen = made._config
                session.read_back(
                    self.name,
                    [count, count],
                    [seen.intra_op_parallelism_threads, seen.inter_op_parallelism_threads],
                )

            return wrapper

        replace(module.BaseSession, "__init__", make)

    def hold_torch(self, session, module, count):
        for name in TORCH_SETTERS:
            getattr(module, name)(count)

            def make(original):
                def wrapper(num_threads):
                    # Not passed on: a second count for the threads between operations would
                    # be an error.
                    return None

                return wrapper

            replace(module, name, make)
        session.look(
            lambda: session.read_back(
                self.name,
                [count, count],
                [module.get_num_threads(), module.get_num_interop_threads()],
            )
        )


def count_from(which):
    """What TensorFlow takes when its configuration says 0: the environment."""
    return int(os.environ.get("TF_NUM_%sOP_THREADS" % which, "0"))


def cores_of_this_process():
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


FACTOR = CpuThreads()
