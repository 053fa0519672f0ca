"""PyTorch's generators, JAX' keys, and Keras on either of them."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import pytest

from nondet.guest.factors import cpu_threads
from tests.guest.running import Shown, guided, plain

pytest.importorskip("torch", reason="PyTorch is an extra")
pytest.importorskip("jax", reason="JAX is an extra")
pytestmark = pytest.mark.subject


def subject(folder: Path, script: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "train.py").write_text(textwrap.dedent(script))
    return folder


def seen(shown: Shown, factor: str) -> list[tuple[Any, ...]]:
    return [
        (e["detail"], e["unseeded"], e["consumer"], e["site"] and e["site"]["line"], e["what"])
        for e in shown.of("exercised")
        if e["factor"] == factor
    ]


TORCH = """
import hashlib, pickle
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(3)
x = torch.ones(3)

def draws(x):
    y = torch.rand(3) + torch.randn(3)
    y.normal_()
    y.index_put_([torch.zeros(2, dtype=torch.long)], torch.ones(2), accumulate=True)
    return F.dropout(x + y, 0.5, True) + torch.rand_like(x)

print(draws(x).tolist(), torch.jit.script(draws)(x).tolist())
print(torch.compile(draws, backend="eager", fullgraph=True)(x).tolist())
print(torch.func.vmap(draws, randomness="different")(torch.ones(2, 3)).tolist())
net = nn.Sequential(nn.Linear(3, 8), nn.Dropout(0.5), nn.RReLU(), nn.Linear(8, 1))
print(torch.jit.script(net)(x).tolist())
print(torch.fx.symbolic_trace(lambda x: torch.rand_like(x) + F.dropout(x).normal_()).code)
print(pickle.loads(pickle.dumps(torch.rand)).__name__, repr(torch.rand)[:35])

class Mode(torch.overrides.TorchFunctionMode):
    def __torch_function__(self, func, types, args=(), kwargs=None):
        print({torch.rand: "rand", torch.rand_like: "rand_like"}[func])
        return func(*args, **(kwargs or {}))

with Mode():
    torch.rand(2), torch.rand_like(x)
own = torch.Generator().manual_seed(4)
print(torch.rand(2, generator=own).tolist(), repr(own)[:26], own.initial_seed())
state = torch.get_rng_state()
first = torch.rand(2)
torch.set_rng_state(state)
print(torch.equal(first, torch.rand(2)))
optimizer = torch.optim.Adam(net.parameters())
for (rows,) in DataLoader(TensorDataset(torch.randn(32, 3)), batch_size=8, shuffle=True):
    optimizer.zero_grad()
    (net(rows) ** 2).mean().backward()
    optimizer.step()
bits = b"".join(p.detach().numpy().tobytes() for p in net.parameters())
print(hashlib.sha256(bits).hexdigest())
"""


def test_torch_scripts_compiles_traces_and_trains_as_without_us(tmp_path: Path) -> None:
    folder = subject(tmp_path / "subject", TORCH)
    expected = plain(folder, "train.py")
    assert expected.code == 0, expected.err
    for arms in ({}, {"torch-seed": "pinned"}):
        shown = guided(folder, "train.py", arms=arms)
        assert shown.out == expected.out
        assert shown.of("guest-error") == []
        assert not [row for row in seen(shown, "torch-seed") if row[1]]
    assert [e["ok"] for e in shown.of("pin")] == [True]


UNSEEDED = """
import torch, nondet
from torch.utils.data import DataLoader

torch.rand(2, generator=torch.Generator().manual_seed(1))
for _ in DataLoader(range(4)):
    pass
layer = torch.nn.Linear(2, 3)
encoder = torch.nn.TransformerEncoderLayer(2, 1, 4)
noise = torch.randn(3)
out = torch.nn.Dropout(0.5)(layer(torch.ones(1, 2))) + noise
torch.nn.Dropout(0.5).eval()(out)
order = [int(i) for i in DataLoader(range(40), shuffle=True)]
torch.seed()
own = torch.Generator()
own.seed()
last = torch.rand(3, generator=own)
torch.manual_seed(5)
torch.rand(2)
nondet.checkpoint("all", [out.detach().numpy(), order, last.numpy(), torch.rand(2).numpy()])
"""


def test_draws_of_torch_name_their_lines_and_are_held(tmp_path: Path) -> None:
    folder = subject(tmp_path / "subject", UNSEEDED)
    runs = [guided(folder, "train.py", arms={"torch-seed": "pinned"}) for _ in range(2)]
    runs.append(guided(folder, "train.py"))
    assert [run.of("guest-error") for run in runs] == [[], [], []]
    held, again, free = [[e["digests"] for e in run.of("checkpoint")] for run in runs]
    assert held == again
    assert held != free
    assert [e["ok"] for e in runs[0].of("pin")] == [True, True, True]
    rows = seen(runs[2], "torch-seed")
    assert ("Tensor.uniform_", True, "initial-weights", 8, "Linear") in rows
    assert ("Tensor.uniform_", True, "initial-weights", 9, "TransformerEncoderLayer") in rows
    assert ("torch.randn", True, None, 10, "") in rows
    assert ("torch.dropout", True, "dropout", 11, "Dropout") in rows
    assert ("Tensor.random_", True, "shuffle", 13, "") in rows
    assert ("torch.seed()", True, None, 14, "") in rows
    assert ("torch.Generator.seed()", True, None, 16, "") in rows
    assert ("torch.rand", False, None, 19, "") in rows
    # Neither what a generator of its own gives, nor the seed of workers that there are none of,
    # nor a mask that is not drawn.
    assert not {5, 6, 12, 17} & {row[3] for row in rows}
    given = [(e["call"], e["site"]["line"]) for e in runs[2].of("seeded")]
    assert given == [("torch.Generator.manual_seed", 5), ("torch.manual_seed", 18)]


SPLIT = """
import torch, nondet
from torch.utils.data import random_split

one, other = random_split(range(40), [30, 10])
own = random_split(range(40), [30, 10], generator=torch.Generator().manual_seed(1))
torch.manual_seed(5)
nondet.checkpoint("rows", list(one))
"""


def test_a_draw_that_is_handed_the_default_generator_is_one_of_it(tmp_path: Path) -> None:
    shown = guided(subject(tmp_path / "subject", SPLIT), "train.py")
    assert shown.of("guest-error") == []
    rows = [row for row in seen(shown, "torch-seed") if row[0] == "torch.randperm"]
    assert [(row[1], row[3]) for row in rows] == [(True, 5)]
    (late,) = [e for e in shown.of("seeded") if e["call"] == "torch.manual_seed"]
    assert [place["site"]["line"] for place in late["before"]] == [5]


def test_draws_that_no_function_shows_are_told_by_the_state(tmp_path: Path) -> None:
    script = "import torch\nunseen = torch._C._VariableFunctions.rand(3)\n"
    folder = subject(tmp_path / "subject", script)
    assert [row[:2] for row in seen(guided(folder, "train.py"), "torch-seed")] == [
        ("a draw of PyTorch's own", True)
    ]


KEYS = """
import os
import jax, nondet
import numpy as np

seed = int.from_bytes(os.urandom(4), "big")
key = jax.random.key(seed)
old = jax.random.PRNGKey(np.uint32(seed))
inside = jax.jit(lambda n: jax.random.normal(jax.random.key(n)))(3)
keys = jax.random.split(key, 2)
draws = [jax.random.normal(keys[0], (3,)), jax.random.uniform(old, (2,)), inside]
try:
    jax.random.key(np.zeros(3, int))
except TypeError as error:
    print(error)
nondet.checkpoint("draws", [np.asarray(draw) for draw in draws])
"""


def test_keys_of_jax_are_held_whatever_their_seed(tmp_path: Path) -> None:
    folder = subject(tmp_path / "subject", KEYS)
    runs = [guided(folder, "train.py", arms={"jax-seed": "pinned"}) for _ in range(2)]
    runs.append(guided(folder, "train.py"))
    assert {run.out for run in runs} == {plain(folder, "train.py").out}
    assert [run.of("guest-error") for run in runs] == [[], [], []]
    held, again, free = [[e["digests"] for e in run.of("checkpoint")] for run in runs]
    assert held == again
    assert held != free
    assert [e["ok"] for e in runs[0].of("pin")] == [True, True]
    assert seen(runs[2], "jax-seed") == [
        ("jax.random.key", False, None, 7, ""),
        ("jax.random.PRNGKey", False, None, 8, ""),
    ]
    given = [e for e in runs[2].of("seeded") if e["factor"] == "jax-seed"]
    assert [(e["call"], e["site"]["line"]) for e in given] == [
        ("jax.random.key", 7),
        ("jax.random.PRNGKey", 8),
    ]
    before = [e["digest"] for e in runs[0].of("seeded") if e["factor"] == "jax-seed"]
    assert before != [e["digest"] for e in given]


THREADS = """
import jax, nondet
import jax.numpy as jnp
import numpy as np

rows = np.random.default_rng(1).normal(size=(60_000, 16)).astype("float32")
nondet.checkpoint("sums", [np.asarray(jax.jit(jnp.sum)(rows))])
"""


def test_the_threads_of_jax_are_varied_and_never_pinned(tmp_path: Path) -> None:
    # On one thread a callback that computes by JAX would wait for itself for ever.
    assert "PJRT_NPROC" not in cpu_threads.FACTOR.environment("pinned", 0)
    environ = cpu_threads.FACTOR.environment("varied", 0)
    assert environ["PJRT_NPROC"] == environ["OMP_NUM_THREADS"]
    folder = subject(tmp_path / "subject", THREADS)
    several, one = {"PJRT_NPROC": "4"}, dict.fromkeys(environ, "1")
    runs = [
        guided(folder, "train.py", environ=several),
        guided(folder, "train.py", arms={"cpu-threads": "varied"}, environ=one),
    ]
    assert [run.of("guest-error") for run in runs] == [[], []]
    held = dict.fromkeys(cpu_threads.VARIABLES, "1")
    assert [(e["seen"], e["ok"]) for e in runs[1].of("pin")] == [(held, True), ("1", True)]
    # XLA groups a sum for one thread otherwise than for several.
    free, alone = [e["digests"] for run in runs for e in run.of("checkpoint")]
    assert free != alone


BACKEND = """
import os
os.environ["KERAS_BACKEND"] = BACKEND
import hashlib, random
import keras
import numpy as np

SEEDS

def mlp(name):
    return keras.Sequential([
        keras.Input((4,)), keras.layers.Dense(8, activation="relu"), keras.layers.Dropout(0.3),
        keras.layers.GaussianNoise(0.1), keras.layers.BatchNormalization(), keras.layers.Dense(1),
    ], name=name)

def tell(model):
    bits = b"".join(np.ascontiguousarray(w).tobytes() for w in model.get_weights())
    print(model.name, hashlib.sha256(bits).hexdigest())

x = np.random.normal(size=(64, 4)).astype("float32")
y = x.sum(axis=1, keepdims=True)
model = mlp("fit")
model.compile("adam", "mse")
model.fit(x, y, epochs=2, batch_size=16, verbose=0, validation_split=0.25)
tell(model)
model = mlp("batches")
model.compile("sgd", "mse")
for i in range(3):
    model.train_on_batch(x, y)
tell(model)
"""


TENSORS = """
import torch
import nondet

torch.manual_seed(3)
layer = torch.nn.Linear(2, 3)
nondet.checkpoint("weights", dict(layer.named_parameters()))
nondet.checkpoint("output", [layer(torch.ones(2)), torch.ones(4, dtype=torch.bfloat16)])
pair = torch.tensor([1 + 2j, 3j]).conj()
nondet.checkpoint("marked", [pair, pair.imag])
nondet.checkpoint("resolved", [pair.resolve_conj(), pair.imag.resolve_neg()])
"""


def test_tensors_of_a_gradient_are_taken_as_they_are(tmp_path: Path) -> None:
    shown = guided(subject(tmp_path / "subject", TENSORS), "train.py")
    assert (shown.code, shown.of("guest-error")) == (0, []), shown.err
    assert [len(e["digests"]) for e in shown.of("checkpoint")] == [2, 2, 2, 2]
    layouts = [tensor[1:] for e in shown.of("layout") for tensor in e["tensors"]]
    single = [["float32", shape] for shape in ([3], [3, 2], [3])]
    assert layouts[:4] == [*single, ["bfloat16", [4]]]
    # A conjugate or a negative may be a mark on the values of another tensor.
    marked, resolved = shown.of("checkpoint")[2:]
    assert marked["digests"] == resolved["digests"]


@pytest.mark.parametrize("backend", [pytest.param("jax", marks=pytest.mark.long), "torch"])
def test_keras_on_another_backend_is_recorded_and_unchanged(backend: str, tmp_path: Path) -> None:
    script = BACKEND.replace("= BACKEND", f'= "{backend}"')
    script = script.replace("SEEDS", "keras.utils.set_random_seed(3)")
    folder = subject(tmp_path / "subject", script)
    expected = plain(folder, "train.py")
    assert expected.code == 0, expected.err
    shown = guided(folder, "train.py", granularity="step")
    assert shown.out == expected.out
    assert shown.of("guest-error") == []
    told = {e["name"]: e["backend"] for e in shown.of("framework")}
    assert (told["keras"], told.get("tensorflow", "")) == (backend, "")
    recorded: dict[str, list[tuple[str, int, int]]] = {}
    for e in shown.of("checkpoint"):
        recorded.setdefault(e["model"], []).append((e["kind"], e["epoch"], e["step"]))
    steps = [("step", 0, i) for i in range(1, 7)]
    assert recorded["fit"] == [
        ("init", 0, 0), *steps[:3], ("epoch", 1, 3), *steps[3:], ("epoch", 2, 6)
    ]  # fmt: skip
    assert recorded["batches"] == [("init", 0, 0), *steps[:3]]
    digests = [e["digests"][0] for e in shown.of("checkpoint") if e["model"] == "fit"]
    # Every step changes the first kernel, and an epoch ends with its last step.
    assert len(set(digests)) == 7
    rows = {(row[2], row[4].split(" ")[0]) for row in seen(shown, "python-random")}
    assert {("initial-weights", "Dense"), ("noise-and-augmentation", "GaussianNoise")} <= rows
    # On PyTorch the layer takes a seed of Keras' and draws its masks from PyTorch's generator.
    masks = "torch-seed" if backend == "torch" else "python-random"
    assert "dropout" in {row[2] for row in seen(shown, masks)}
    assert (("dropout", "Dropout") in rows) == (backend == "jax")
    shuffled = "torch-seed" if backend == "torch" else "numpy-global"
    assert "shuffle" in {row[2] for row in seen(shown, shuffled)}


@pytest.mark.long
@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_consumers_are_held_on_another_backend(backend: str, tmp_path: Path) -> None:
    script = BACKEND.replace("= BACKEND", f'= "{backend}"').replace("SEEDS", "np.random.seed(1)")
    script = script.replace("y = x.sum", "np.random.seed()\ny = x.sum")
    folder = subject(tmp_path / "subject", script)
    names = ("initial-weights", "dropout", "noise-and-augmentation", "shuffle")
    runs = [guided(folder, "train.py", pinned=names) for _ in range(2)]
    assert runs[0].out == runs[1].out
    assert runs[0].out
    assert runs[0].of("guest-error") == []
    pins = runs[0].of("pin")
    assert {e["factor"] for e in pins} == set(names)
    assert all(e["ok"] for e in pins)
