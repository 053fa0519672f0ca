"""Kernels, threads and replicas: what is noted at which line, and that every choice takes."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import pytest

from nondet.guest.factors import by_name
from tests.guest.running import Shown, guided

FACTORS = ("xla", "onednn", "cpu-isa", "op-determinism", "cpu-threads", "distribution")

SCRIPT = """
import os
os.environ["TF_NUM_INTRAOP_THREADS"] = os.environ.get("TF_NUM_INTRAOP_THREADS", "2")
import keras
import numpy as np
import tensorflow as tf
keras.utils.set_random_seed(1)
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
tf.config.threading.set_intra_op_parallelism_threads(2)
replicas = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])  # mirrored

ids = np.zeros(40000, "int32")
ones = np.ones((40000, 8), "float32")
table = tf.Variable(tf.zeros((4, 8)))
table.scatter_add(tf.IndexedSlices(ones, ids))  # scatter
table.scatter_add(tf.IndexedSlices(ones[:9], ids[:9]))  # too few to be shared out
tf.raw_ops.ResourceScatterSub(resource=table.handle, indices=ids, updates=ones)  # raw
tf.math.bincount(np.zeros(90000, "int32"), np.ones(90000, "float32"))  # bincount
tf.math.bincount(np.zeros(90000, "int32"))  # whole numbers add up the same

@tf.function
def crops(image, boxes):
    with tf.GradientTape() as tape:
        tape.watch(image)
        cut = tf.image.crop_and_resize(image, boxes, tf.zeros(500, tf.int32), (14, 14))
    return tape.gradient(cut, image)  # crop

crops(tf.zeros((1, 32, 32, 3)), tf.random.uniform((500, 4)))

@tf.function(jit_compile=True)  # compiled
def double(x):
    table.scatter_add(tf.IndexedSlices(ones, ids))  # XLA's own loop
    return x * 2

double(tf.constant(1.0))
x = np.ones((8, 6, 6, 4), "float32")

def train(**options):
    layers = [keras.layers.Conv2D(4, 3, groups=2), keras.layers.Flatten(), keras.layers.Dense(1)]
    model = keras.Sequential([keras.Input((6, 6, 4)), *layers])
    model.compile("sgd", "mse", **options)  # model
    model.fit(x, x[:, 0, 0, :1], verbose=0)
    return model.jit_compile

print(train(jit_compile=True), train(), replicas.num_replicas_in_sync)
"""


def run(folder: Path, script: str, arms: dict[str, str], **environ: str) -> Shown:
    folder.mkdir(exist_ok=True)
    (folder / "train.py").write_text(textwrap.dedent(script))
    changes = dict(environ)
    for name, arm in arms.items():
        changed = by_name(name).environment(arm, 5)
        changes |= {key: value for key, value in changed.items() if value is not None}
    shown = guided(folder, "train.py", arms=arms, environ=changes)
    assert shown.code == 0, shown.err
    assert shown.of("guest-error") == []
    assert [e for e in shown.of("pin") if not e["ok"]] == []
    return shown


def noted(shown: Shown, script: str) -> set[tuple[str, str, bool | None, str]]:
    """(factor, detail, whether it varies, the comment of the line named)."""
    lines = script.splitlines()
    return {
        (e["factor"], e["detail"], e["unseeded"], lines[e["site"]["line"] - 1].partition("# ")[2])
        for e in shown.of("exercised")
        if e["factor"] in FACTORS and e["factor"] != "onednn"
    }


def pins(shown: Shown, factor: str) -> list[Any]:
    return [e["seen"] for e in shown.of("pin") if e["factor"] == factor]


@pytest.mark.subject
def test_uses_are_noted_at_the_users_lines(tmp_path: Path) -> None:
    shown = run(tmp_path / "subject", SCRIPT, {})
    assert noted(shown, SCRIPT) == {
        ("distribution", "MirroredStrategy with 2 replicas", False, "mirrored"),
        ("op-determinism", "ResourceScatterAdd at indices that repeat", None, "scatter"),
        ("op-determinism", "ResourceScatterSub at indices that repeat", None, "raw"),
        ("op-determinism", "CropAndResizeGradImage of boxes that overlap", None, "crop"),
        ("cpu-threads", "DenseBincount of weights", None, "bincount"),
        ("xla", "tf.function compiled by XLA", False, "compiled"),
        ("xla", "a model compiled by XLA", False, "model"),
        ("xla", "a model that runs without XLA", False, "model"),
    }
    assert shown.out.split() == ["True", "False", "2"]


@pytest.mark.subject
def test_all_pins_take(tmp_path: Path) -> None:
    shown = run(tmp_path / "subject", SCRIPT, dict.fromkeys(FACTORS, "pinned"), XLA_FLAGS="")
    assert shown.out.split() == ["False", "False", "1"]
    assert {e["factor"] for e in shown.of("pin")} == set(FACTORS)
    assert pins(shown, "onednn") == [False]
    assert [1, 1] in pins(shown, "cpu-threads")
    # Grouped convolutions of Keras run by XLA alone on a CPU, and still do.
    assert pins(shown, "xla") == ["", True]
    assert "--xla_cpu_max_isa=AVX2" in pins(shown, "cpu-isa")


@pytest.mark.subject
def test_the_varied_arm_takes_the_other_choice(tmp_path: Path) -> None:
    arms = dict.fromkeys(("xla", "cpu-isa", "cpu-threads"), "varied")
    shown = run(tmp_path / "subject", SCRIPT, arms)
    assert shown.out.split() == ["False", "True", "2"]
    assert pins(shown, "xla") == [True]
    assert "--xla_cpu_max_isa=SSE4_2" in pins(shown, "cpu-isa")
    assert pins(shown, "cpu-threads")[1][0] > 0


TORCH = """
import torch
torch.set_num_threads(2)
torch.set_num_interop_threads(2)
table = torch.zeros(50, 8, requires_grad=True)
index = torch.zeros(9000, dtype=torch.long)
for _ in range(9):
    table[index].sum().backward()  # backward
(table * 2).sum().backward()  # no index
taken = torch.zeros(50, requires_grad=True)
torch.take(taken, index).sum().backward()  # take
sums = torch.zeros(50, 8)
sums.index_put_((index,), torch.ones(9000, 8), accumulate=True)  # put
sums.index_put_((index[:9],), torch.ones(9, 8), accumulate=True)  # few
sums.index_put_((index,), torch.ones(9000, 8))  # no sum
torch.use_deterministic_algorithms(True, warn_only=True)
table[index].sum().backward()  # asked to be deterministic
torch.use_deterministic_algorithms(False)
print(torch.are_deterministic_algorithms_enabled())
torch.nn.functional.embedding(index, table).sum().backward()  # adds in order
import nondet
nondet.checkpoint("gradient", table.grad)
print(torch.get_num_threads(), torch.get_num_interop_threads(), torch.backends.mkldnn.enabled)
print(torch.backends.cpu.get_cpu_capability())
"""


@pytest.mark.subject
def test_pytorch_is_listened_to_and_held_as_well(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="PyTorch is not installed")
    free = run(tmp_path / "subject", TORCH, {})
    assert noted(free, TORCH) == {
        ("op-determinism", "IndexBackward0 at indices that repeat", None, "backward"),
        ("op-determinism", "TakeBackward0 at indices that repeat", None, "take"),
        ("op-determinism", "Tensor.index_put_ at indices that repeat", None, "put"),
    }
    assert free.out.split()[:4] == ["False", "2", "2", "True"]
    arms = dict.fromkeys(("onednn", "cpu-isa", "cpu-threads", "op-determinism"), "pinned")
    held = run(tmp_path / "subject", TORCH, arms)
    # The script's own choices give way.
    assert held.out.split()[:4] == ["True", "1", "1", "False"]
    assert held.out.split()[4] in ("AVX2", "DEFAULT")
    assert pins(held, "op-determinism") == [[True, ":4096:8"]]
    assert [1, 1] in pins(held, "cpu-threads")
    assert pins(held, "onednn") == [False]


@pytest.mark.subject
@pytest.mark.long
def test_a_parameter_server_keeps_one_worker(tmp_path: Path) -> None:
    script = (Path(__file__).parents[2] / "probes" / "distribution.py").read_text()
    runs = [run(tmp_path / "subject", script, {"distribution": "pinned"}) for _ in range(2)]
    assert [pins(shown, "distribution") for shown in runs] == [[1], [1]]
    assert runs[0].of("checkpoint")[0]["digests"] == runs[1].of("checkpoint")[0]["digests"]
    strategies = [e for e in runs[0].of("exercised") if e["factor"] == "distribution"]
    assert [e["detail"] for e in strategies] == ["ParameterServerStrategy with 2 workers"]
    assert strategies[0]["unseeded"] is True


@pytest.fixture
def stand_ins(tmp_path: Path) -> Path:
    """A folder with packages that have the modules at which libraries are told, and no more."""
    folder = tmp_path / "subject"
    for name, text in (
        ("tensorflow/python/platform/self_check.py", ""),
        ("tensorflow/python/framework/versions.py", "VERSION = '2.21.0'\n"),
        ("jaxlib/version.py", "__version__ = '0.4.30'\n"),
    ):
        path = folder / name
        path.parent.mkdir(parents=True)
        path.write_text(text)
        for parent in path.parents:
            if parent == folder:
                break
            (parent / "__init__.py").touch()
    return folder


FLAGS = """
import os
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "{onednn}"
os.environ["XLA_FLAGS"] = "--xla_dump_to=here"
os.environ["TF_XLA_FLAGS"] = "--tf_xla_auto_jit=2 --tf_xla_cpu_global_jit"
import tensorflow.python.platform.self_check
import {module}
for name in ("TF_ENABLE_ONEDNN_OPTS", "XLA_FLAGS", "TF_XLA_FLAGS"):
    print(os.environ[name])
"""
VERSIONS = "tensorflow.python.framework.versions"


@pytest.mark.parametrize(
    ("arm", "before", "after"), [("pinned", "1", "0"), ("varied", "1", "0"), ("varied", "0", "1")]
)
def test_flags_that_the_script_sets_itself_are_kept_and_give_way(
    stand_ins: Path, arm: str, before: str, after: str
) -> None:
    script = FLAGS.format(onednn=before, module=VERSIONS)
    shown = run(stand_ins, script, dict.fromkeys(("onednn", "xla", "cpu-isa"), arm))
    limit = {"pinned": "AVX2", "varied": "SSE4_2"}[arm]
    assert shown.out.splitlines() == [
        after,
        f"--xla_dump_to=here --xla_cpu_max_isa={limit}",
        "--tf_xla_auto_jit=2 --tf_xla_cpu_global_jit --tf_xla_auto_jit=-1",
    ]
    asked = [e for e in shown.of("exercised") if e["factor"] == "xla"]
    assert [e["detail"].partition(",")[0] for e in asked] == ["TF_XLA_FLAGS=--tf_xla_auto_jit=2"]


def test_an_xla_that_does_not_know_the_flag_is_not_given_it(stand_ins: Path) -> None:
    script = FLAGS.format(onednn="1", module="jaxlib.version")
    shown = run(stand_ins, script, {"cpu-isa": "pinned"})
    assert shown.out.splitlines()[1] == "--xla_dump_to=here"


RELEASED = """
import torch
import warnings
warnings.simplefilter("error")
torch.use_deterministic_algorithms(False)
index = torch.zeros(9, dtype=torch.long)
table = torch.zeros(5, 8, requires_grad=True)
seen = []
class Own(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.clone()
    @staticmethod
    def backward(ctx, gradient):
        seen.append(torch.are_deterministic_algorithms_enabled())
        return gradient
Own.apply(table)[index].sum().backward()  # backward
torch.zeros(5).index_add_(0, index, torch.ones(9))  # add
try:
    torch.zeros(5).index_add_(0, index, torch.ones(3))
except Exception as error:
    print(type(error).__name__)
print(seen, torch.are_deterministic_algorithms_enabled())
print(table.grad.sum().item())
"""


@pytest.mark.subject
def test_an_operation_is_released_while_all_others_are_held(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="PyTorch is not installed")
    folder = tmp_path / "subject"
    folder.mkdir()
    (folder / "train.py").write_text(RELEASED)
    arms = {"op-determinism": "pinned"}
    shown = guided(folder, "train.py", arms=arms, released=("index_put", "^cumsum$"))
    assert shown.code == 0, shown.err
    assert shown.of("guest-error") == []
    # The switch is as held around it and behind it, though the script asked for something else.
    assert shown.out.split("\n")[:3] == ["RuntimeError", "[True] True", "72.0"]
    told = {
        e["detail"]: RELEASED.splitlines()[e["site"]["line"] - 1].partition("# ")[2]
        for e in shown.of("exercised")
        if e["factor"] == "op-determinism"
    }
    assert told == {"index_put with its usual kernel": "backward"}
    pins = [(e["expected"], e["seen"]) for e in shown.of("pin")]
    assert (False, False) in pins
    assert all(expected == seen for expected, seen in pins)


OLDER = {
    "tensorflow/python/eager/def_function.py": """
class Function:
    def __init__(self, function, compiled):
        self.function, self.{asked} = function, compiled

    def __call__(self, *args):
        return self.function(*args)

def function(compiled):
    return lambda function: Function(function, compiled)
""",
    "tensorflow/python/eager/polymorphic_function/polymorphic_function.py": """
from tensorflow.python.eager.def_function import Function
""",
    "tf_keras/src/engine/training.py": """
class Optimizer:
    jit_compile = True

class Model:
    def compile(self, jit_compile=None):
        self._jit_compile, self.optimizer = jit_compile, Optimizer()
""",
}
COMPILED = """
from tensorflow.python.eager import def_function
from tf_keras.src.engine.training import Model
from tensorflow.python.eager.polymorphic_function import polymorphic_function

@def_function.function(True)  # compiled
def double(x):
    return 2 * x

model = Model()
model.compile(jit_compile=True)
print(double.{asked}, model._jit_compile, model.optimizer.jit_compile, double(2))
"""


@pytest.mark.parametrize("asked", ["_experimental_compile", "_jit_compile"])
@pytest.mark.parametrize("arm", ["free", "pinned", "varied"])
def test_xla_is_seen_and_held_in_older_tensorflow(tmp_path: Path, asked: str, arm: str) -> None:
    packages = tmp_path / "site-packages"
    for name, text in OLDER.items():
        path = packages / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.replace("{asked}", asked))
        for parent in path.relative_to(packages).parents[:-1]:
            (packages / parent / "__init__.py").touch()
    script = COMPILED.format(asked=asked)
    shown = run(tmp_path / "subject", script, {"xla": arm}, PYTHONPATH=str(packages))
    assert shown.out == ("True True True 4\n" if arm == "free" else "None False False 4\n")
    told = [(e["detail"], e["site"]["line"]) for e in shown.of("exercised") if e["factor"] == "xla"]
    assert told == [
        ("tf.function compiled by XLA", 6),
        ("a model compiled by XLA", 11),
        ("an optimizer compiled by XLA", 11),
    ]
