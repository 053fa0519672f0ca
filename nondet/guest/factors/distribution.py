"""Replicas and workers of tf.distribute."""

from .base import Factor, replace

NAMES = {
    "CollectiveAllReduceStrategy": "MultiWorkerMirroredStrategy",
    "ParameterServerStrategyV2": "ParameterServerStrategy",
}
"""What a class is called in public."""
PARAMETER_SERVER = "ParameterServerStrategy"


class Distribution(Factor):
    name = "distribution"
    group = "kernels"
    title = "Replicas and workers of tf.distribute"
    symptom = "With several workers, runs part after a few steps, and more when a worker is slow."
    explanation = (
        "Workers of a parameter server take up work and write their updates as they come: each "
        "starts from variables that another has changed at some moment. Replicas that work in "
        "step (MirroredStrategy) add up in a fixed order and repeat."
    )
    because = "workers update the variables whenever they are done"
    pinned = (
        "One worker of the parameter server's gets all the work, in the order in which it was "
        "scheduled, and MirroredStrategy has one replica, which gets the whole batch. That "
        "trains another way than the script does. Workers in processes of their own "
        "(MultiWorkerMirroredStrategy) are left alone."
    )
    noticed = (
        "By every strategy with more than one replica or worker. Suspected where the workers "
        "don't wait for one another: ParameterServerStrategy."
    )
    pin = "ablating"
    framework = "tensorflow"
    advice = (
        "Train in step, by replicas that wait for one another: MirroredStrategy. With a parameter "
        "server only one worker keeps the order."
    )
    advices = (
        (
            "tensorflow",
            "Train in step: MirroredStrategy or MultiWorkerMirroredStrategy, whose replicas wait "
            "for one another. With a parameter server only one worker, or `coordinator.join()` "
            "after every scheduled step, keeps the order.",
        ),
    )
    references = (
        (
            "TensorFlow: distributed training",
            "https://www.tensorflow.org/guide/distributed_training",
        ),
        ("Recht et al. 2011: Hogwild!", "https://arxiv.org/abs/1106.5730"),
    )
    edits = ((PARAMETER_SERVER, "strategy = tf.distribute.MirroredStrategy()"),)

    def unavailable(self, machine):
        return "" if machine.get("tensorflow") else "TensorFlow is not installed"

    def install(self, session, arm):
        session.on_import(
            "tensorflow.python.distribute.distribute_lib", lambda m: self.listen(session, m)
        )
        if arm != "pinned":
            return
        for name, hold in (
            ("mirrored_strategy", self.one_replica),
            ("parameter_server_strategy_v2", self.one_worker),
            ("coordinator.cluster_coordinator", self.count_workers),
        ):
            session.on_import(
                "tensorflow.python.distribute." + name, lambda m, hold=hold: hold(session, m)
            )

    def listen(self, session, module):
        def make(original):
            def wrapper(strategy, extended, *args, **kwargs):
                original(strategy, extended, *args, **kwargs)
                try:
                    self.note(session, strategy, extended)
                except Exception as error:
                    session.failed("noting a strategy", error)

            return wrapper

        # Before TensorFlow 2.0 all strategies were of one class.
        owner = getattr(module, "StrategyBase", None) or module.Strategy
        replace(owner, "__init__", make)

    def note(self, session, strategy, extended):
        kind = type(strategy).__name__
        kind = NAMES.get(kind, kind)
        replicas = int(strategy.num_replicas_in_sync)
        workers = int(getattr(extended, "_num_workers", 1))
        if kind.startswith("_") or max(replicas, workers) < 2:
            return
        many = "%d replicas" % replicas if replicas > 1 else "%d workers" % workers
        apart = kind.startswith(PARAMETER_SERVER) and workers > 1
        session.saw(self.name, "%s with %s" % (kind, many), apart)

    def one_replica(self, session, module):
        def make(original):
            def wrapper(extended, strategy, devices=None, *args, **kwargs):
                if module.context.executing_eagerly():
                    devices = list(devices or module.all_local_devices())[:1]
                original(extended, strategy, devices, *args, **kwargs)
                if module.context.executing_eagerly():
                    session.read_back(self.name, 1, int(extended._num_replicas_in_sync))

            return wrapper

        replace(module.MirroredExtended, "__init__", make)

    def one_worker(self, session, module):
        def make(original):
            def wrapper(strategy, *args, **kwargs):
                original(strategy, *args, **kwargs)
                # What the coordinator goes by. The cluster itself keeps all its members.
                strategy._num_workers = strategy._extended._num_workers = 1

            return wrapper

        replace(module.ParameterServerStrategyV2, "__init__", make)

    def count_workers(self, session, module):
        def make(original):
            def wrapper(cluster, *args, **kwargs):
                original(cluster, *args, **kwargs)
                session.read_back(self.name, 1, len(cluster.workers))

            return wrapper

        replace(module.Cluster, "__init__", make)


FACTOR = Distribution()
