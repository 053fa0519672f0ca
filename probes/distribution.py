# probe: two workers and a parameter server, none waits | causes: distribution
import socket

import tensorflow as tf

import nondet

tf.random.set_seed(1)


def address():
    with socket.create_server(("localhost", 0)) as free:
        return f"localhost:{free.getsockname()[1]}"


cluster = tf.train.ClusterSpec({"worker": [address(), address()], "ps": [address()]})
# Each server needs a few threads to answer the others, however few cores there are.
config = tf.compat.v1.ConfigProto(inter_op_parallelism_threads=4)
for job, task in (("worker", 0), ("worker", 1), ("ps", 0)):
    tf.distribute.Server(cluster, job_name=job, task_index=task, protocol="grpc", config=config)
resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(cluster, rpc_layer="grpc")
strategy = tf.distribute.ParameterServerStrategy(resolver)  # <- distribution
coordinator = tf.distribute.coordinator.ClusterCoordinator(strategy)

with strategy.scope():
    weights = tf.Variable(tf.random.normal((8, 1)))


@tf.function
def step(x, y):
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean((tf.matmul(x, weights) - y) ** 2)
    weights.assign_sub(0.01 * tape.gradient(loss, weights))


for x in tf.unstack(tf.random.normal((40, 64, 8))):
    coordinator.schedule(step, args=(x, tf.reduce_sum(x, axis=-1, keepdims=True) ** 2))
coordinator.join()
nondet.checkpoint("weights", weights.numpy())
