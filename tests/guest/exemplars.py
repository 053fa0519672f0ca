"""Small scripts that use factors, one each, or several where they share an import of seconds.

Each prints a line for every factor that it uses; ``# <- factor`` marks the lines at which that use
must be seen.
"""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class Exemplar:
    """A script that uses factors, those of one group pinned together."""

    name: str
    groups: tuple[tuple[str, ...], ...]
    script: str
    needs: tuple[str, ...] = ()
    """Modules without which it can't run."""
    repeats: tuple[str, ...] = ()
    """Factors that do not vary from run to run on one machine."""
    heavy: bool = False
    """Whether it imports a framework."""


PYTHON_RANDOM = """\
import random

shared = random.random()  # <- python-random
own = random.Random().random()  # <- python-random
print("python-random:", shared, own)
"""

NUMPY_GLOBAL = """\
import numpy as np

print("numpy-global:", np.random.rand(3))  # <- numpy-global
"""

NUMPY_GENERATOR = """\
import numpy as np

rng = np.random.default_rng()  # <- numpy-generator
old = np.random.RandomState()  # <- numpy-generator
print("numpy-generator:", rng.random(), old.rand())
"""

THIRD_PARTY_RNG = """\
from faker import Faker

fake = Faker()
print("third-party-rng:", [fake.random_int() for _ in range(4)])  # <- third-party-rng
"""

OS_ENTROPY = """\
import os
import secrets
import uuid

seed = os.urandom(4)  # <- os-entropy
token = secrets.token_hex(4)  # <- os-entropy
name = uuid.uuid4()  # <- os-entropy
print("os-entropy:", seed, token, name)
"""

PROCESS_IDENTITY = """\
import os
import tempfile

number = os.getpid()  # <- process-identity
with tempfile.NamedTemporaryFile() as file:  # <- process-identity
    print("process-identity:", number, os.path.basename(file.name))
"""

CLOCK = """\
import time
from datetime import datetime

seed = time.time_ns()  # <- clock
moment = datetime.now()  # <- clock
end = time.monotonic() + 0.01  # <- clock
steps = 0
while time.monotonic() < end:
    steps += 1
print("clock:", seed, moment, steps)
"""

FILE_ORDER = """\
import os
from pathlib import Path

folder = Path("data")
folder.mkdir()
for name in ("mu", "beta", "zeta", "alpha", "pi", "gamma", "nu", "delta", "rho", "eta"):
    (folder / name).touch()
listed = os.listdir(folder)  # <- file-order
walked = [path.name for path in folder.iterdir()]  # <- file-order
print("file-order:", listed, walked)
"""

HASH_SEED = """\
words = {"alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa"}
print("hash-seed:", list(words), hash("alpha"))  # <- hash-seed
"""

LEFTOVERS = """\
from pathlib import Path

state = Path("state.txt")
before = state.read_text() if state.exists() else ""  # <- leftovers
print("leftovers:", len(before))
state.write_text(before + "x")
"""

ADDRESSES = """\
class Thing:
    def __init__(self, number):
        self.number = number


things = {Thing(number) for number in range(64)}
sorted_by_address = sorted(things, key=id)  # <- addresses
print("addresses:", [thing.number for thing in things], id(sorted_by_address[0]))
"""

PYTHON_WORKERS = """\
import hashlib
from concurrent.futures import ThreadPoolExecutor, as_completed


def work(number):
    # Hashing lets go of the interpreter's lock, so tasks do run side by side.
    for _ in range(3):
        hashlib.sha256(bytes(200_000)).digest()
    return number


with ThreadPoolExecutor(4) as pool:
    futures = [pool.submit(work, number) for number in range(60)]
    done = [future.result() for future in as_completed(futures)]  # <- python-workers
print("python-workers:", done)
"""

ON_TORCH = """\
import numpy as np
import torch

import nondet

rng = np.random.default_rng(1)


def tell(factor, value):
    print(f"{factor}:", value)


tell("torch-seed", torch.rand(4).tolist())  # <- torch-seed

# The gradient of x[index] adds up at each index in the order in which threads get there.
x = torch.ones(20, requires_grad=True)
index = torch.tensor(rng.integers(0, 20, 400_000))
weights = torch.tensor(rng.normal(size=400_000).astype("float32"))
sums = []
for _ in range(10):
    x.grad = None
    (x[index] * weights).sum().backward()
    sums.append(x.grad.sum().item())
tell("cpu-threads", sums)

# What was there before holds addresses, which are others in every process.
taken = [torch.rand(256) for _ in range(50)]
del taken
words = torch.empty(256)  # <- memory-fill
tell("memory-fill", words.view(torch.int32).tolist()[:8])

tell("cpu-isa", torch.backends.cpu.get_cpu_capability())
# Thread counts and limits are read back at the first checkpoint, once they are settled.
nondet.checkpoint("sums", sums)
"""

ON_JAX = """\
import time

import jax

key = jax.random.key(time.time_ns() % 2**31)  # <- jax-seed
print("jax-seed:", jax.random.normal(key, (3,)))
"""

ON_KERAS = """\
import hashlib
import os
import time

os.environ["TF_ENABLE_ONEDNN_OPTS"] = "1"

import keras  # <- onednn
import numpy as np
import tensorflow as tf
from tensorflow.python.keras import backend
from tensorflow.python.util import _pywrap_util_port

rng = np.random.default_rng(1)
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)


def tell(factor, value):
    value = np.ascontiguousarray(value)
    print(f"{factor}:", hashlib.sha256(value.tobytes()).hexdigest()[:16])


tell("onednn", _pywrap_util_port.IsMklEnabled())

replicas = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])  # <- distribution
tell("distribution", replicas.num_replicas_in_sync)

tell("tf-seed", tf.random.normal((4,)))  # <- tf-seed
tell("keras-seed", keras.random.normal((4,)))  # <- keras-seed

layer = keras.layers.Dense(4)  # <- initial-weights
layer.build((None, 3))
tell("initial-weights", layer.kernel)

ones = np.ones((8, 16), dtype="float32")
layer = keras.layers.Dropout(0.5)  # <- dropout
tell("dropout", layer(ones, training=True))

layer = keras.layers.GaussianNoise(1.0)  # <- noise-and-augmentation
tell("noise-and-augmentation", layer(ones, training=True))

rows = tf.data.Dataset.range(64).shuffle(64)  # <- shuffle
tell("shuffle", [int(row) for row in rows])


def read(number):
    time.sleep(0.001)
    return number


def load(number):
    return tf.numpy_function(read, [number], tf.int64)


rows = tf.data.Dataset.range(64)
rows = rows.map(load, num_parallel_calls=4, deterministic=False)  # <- data-threads
tell("data-threads", [int(row) for row in rows])

# Threads add to the rows of a variable without waiting for one another.
table = tf.Variable(tf.zeros((20, 4)))
index = tf.constant(rng.integers(0, 20, 100_000))
values = tf.constant(rng.normal(size=(100_000, 4)).astype("float32"))
table.scatter_add(tf.IndexedSlices(values, index))  # <- op-determinism
tell("op-determinism", table)

wave = tf.constant(rng.normal(size=10_000).astype("float32"))
fused = tf.function(lambda x: tf.tanh(x) * tf.exp(x) + tf.sin(x), jit_compile=True)  # <- xla
tell("xla", fused(wave))

with tf.Graph().as_default():
    count, weight = backend.variable(0.0), backend.variable(1.0)
    rate = 1.0 / (count + 1.0)
    updates = [backend.update_add(count, 1.0), backend.update_sub(weight, rate / 7.0)]
    train = backend.function([], [rate], updates=updates)  # <- update-order
    for _ in range(2000):
        train([])
    tell("update-order", backend.get_value(weight))
"""

EXEMPLARS = (
    Exemplar("python_random", (("python-random",),), PYTHON_RANDOM),
    Exemplar("numpy_global", (("numpy-global",),), NUMPY_GLOBAL),
    Exemplar("numpy_generator", (("numpy-generator",),), NUMPY_GENERATOR),
    Exemplar("third_party_rng", (("third-party-rng",),), THIRD_PARTY_RNG, needs=("faker",)),
    Exemplar("os_entropy", (("os-entropy",),), OS_ENTROPY),
    Exemplar("process_identity", (("process-identity",),), PROCESS_IDENTITY),
    Exemplar("clock", (("clock",),), CLOCK),
    Exemplar("file_order", (("file-order",),), FILE_ORDER, repeats=("file-order",)),
    Exemplar("hash_seed", (("hash-seed",),), HASH_SEED),
    Exemplar("leftovers", (("leftovers",),), LEFTOVERS),
    Exemplar("addresses", (("addresses",),), ADDRESSES),
    Exemplar("python_workers", (("python-workers",),), PYTHON_WORKERS),
    Exemplar(
        "on_torch",
        (("torch-seed", "cpu-threads", "memory-fill", "cpu-isa"),),
        ON_TORCH,
        needs=("torch",),
        repeats=("cpu-isa",),
        heavy=True,
    ),
    Exemplar("on_jax", (("jax-seed",),), ON_JAX, needs=("jax",), heavy=True),
    # What one group pins can't hold what is asked of another of it: a seed of Keras' would hold
    # dropout as well, and deterministic kernels would hold what threads prepare.
    Exemplar(
        "on_keras",
        (
            ("tf-seed", "keras-seed", "data-threads", "update-order", "xla", "onednn"),
            (
                "initial-weights",
                "dropout",
                "noise-and-augmentation",
                "shuffle",
                "op-determinism",
                "distribution",
            ),
        ),
        ON_KERAS,
        needs=("tensorflow", "keras"),
        repeats=("xla", "onednn", "distribution"),
        heavy=True,
    ),
)
