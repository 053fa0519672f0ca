"""Threads inside CPU kernels: TensorFlow's pools, OpenMP, the BLAS."""

import os

from .base import Factor, replace

VARIABLES = (
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
)
SETTERS = ("set_intra_op_parallelism_threads", "set_inter_op_parallelism_threads")


class CpuThreads(Factor):
    name = "cpu-threads"
    group = "parallelism"
    title = "Threads inside CPU kernels"
    explanation = (
        "Some CPU kernels add up in the order in which their threads finish: scatter-adds with "
        "repeated indices, some image gradients, weighted bincount."
    )
    because = "a CPU kernel adds up in the order in which its threads finish"
    pinned = (
        "One thread for TensorFlow's two pools, OpenMP, OpenBLAS and MKL. The script's own thread "
        "counts give way."
    )
    varied = "One to four threads."
    noticed = "A trial can't see it, so it counts as in use."
    acts = "before-start"
    observable = False
    instead = ("op-determinism",)
    advice = (
        "Use one thread for TensorFlow's operations, set before the first one runs. It costs "
        "speed: replace the racing operation if you can."
    )
    fix = (
        "import tensorflow as tf\n"
        "tf.config.threading.set_intra_op_parallelism_threads(1)\n"
        "tf.config.threading.set_inter_op_parallelism_threads(1)"
    )

    def environment(self, arm, number):
        if arm == "pinned":
            return dict.fromkeys(VARIABLES, "1")
        if arm == "varied":
            return dict.fromkeys(VARIABLES, str(number % 4 + 1))
        return {}

    def unavailable(self, machine):
        return "this machine has one core" if machine.get("cores") == 1 else ""

    def install(self, session, arm):
        if arm == "free":
            return
        count = int(os.environ[VARIABLES[0]])
        session.on_import(
            "tensorflow.python.framework.config", lambda m: self.hold(session, m, count)
        )

    def hold(self, session, module, count):
        """The subject's own thread counts give way: the pin is what is asked about."""

        def make(original):
            def wrapper(num_threads):
                return original(count)

            return wrapper

        for name in SETTERS:
            replace(module, name, make)
        session.first_checkpoint.append(lambda: self.check(session, count))

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


def count_from(which):
    """What TensorFlow takes when its configuration says 0: the environment."""
    return int(os.environ.get("TF_NUM_%sOP_THREADS" % which, "0"))


FACTOR = CpuThreads()
