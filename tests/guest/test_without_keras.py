"""Training without Keras is recorded, and goes on as it would without the guest."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import pytest

from nondet.guest.factors import cpu_threads
from nondet.host import zooming
from tests.guest import looking
from tests.guest.running import Shown, guided, plain

pytestmark = pytest.mark.subject

TELL = """
import hashlib
import numpy as np
def tell(name, arrays):
    bits = b"".join(np.ascontiguousarray(a).tobytes() for a in arrays)
    print(name, hashlib.sha256(bits).hexdigest())
"""


def shown(folder: Path, script: str, **how: Any) -> Shown:
    """What the script shows under the guest, which must be what it shows without."""
    folder.mkdir(exist_ok=True)
    (folder / "train.py").write_text(TELL + textwrap.dedent(script))
    expected = plain(folder, "train.py")
    assert expected.code == 0, expected.err
    found = guided(folder, "train.py", **how)
    assert found.of("guest-error") == []
    assert (found.code, found.out) == (0, expected.out), found.err
    return found


def moments(run: Shown) -> dict[str, list[tuple[str, int]]]:
    """By model, what was recorded of it: (kind, epoch or step)."""
    found: dict[str, list[tuple[str, int]]] = {}
    for e in run.of("checkpoint"):
        found.setdefault(e["model"], []).append((e["kind"], e["epoch"] or e["step"]))
    return found


def tensors(run: Shown) -> dict[str, list[str]]:
    """By model, the paths of the tensors that were recorded last."""
    return {e["model"]: [path for path, _, _ in e["tensors"]] for e in run.of("layout")}


def steps(count: int) -> list[tuple[str, int]]:
    return [("init", 0), *(("step", n) for n in range(1, count + 1))]


TORCH = """
import torch
from torch import nn

torch.manual_seed(1)

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU())
        self.head = nn.Linear(8, 1)
        self.register_buffer("table", torch.ones(2), persistent=False)
    def forward(self, x):
        return self.head(self.body(x))

class Own(torch.optim.Optimizer):
    def __init__(self, params, lr):
        super().__init__(params, dict(lr=lr))
    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for p in group["params"]:
                p -= group["lr"] * p.grad

x = torch.randn(32, 4)
y = x.sum(1, keepdim=True)

def train(net, optimizer, step=None):
    for _ in range(3):
        optimizer.zero_grad()
        ((net(x) - y) ** 2).mean().backward()
        (step or optimizer.step)()
    tell(type(net).__name__, [t.detach().numpy() for t in net.state_dict().values()])

net = Net()
train(net, Own(net.parameters(), 0.1))
left, right = nn.Linear(4, 4), nn.Linear(4, 1)
optimizers = [torch.optim.SGD(part.parameters(), 0.01) for part in (left, right)]
for _ in range(2):
    for optimizer in optimizers:
        optimizer.zero_grad()
        right(left(x)).mean().backward()
        optimizer.step()
net = nn.Sequential(Net())
optimizer = torch.optim.LBFGS(net.parameters(), max_iter=2)
def closure():
    optimizer.zero_grad()
    loss = ((net(x) - y) ** 2).mean()
    loss.backward()
    return loss
optimizer.step(closure)
loose = torch.zeros(3, requires_grad=True)
loose.sum().backward()
torch.optim.Adam([loose]).step()
print(loose.tolist())
scaler, net = torch.amp.GradScaler("cpu"), Net()
optimizer = torch.optim.Adam(net.parameters())
with torch.autocast("cpu", dtype=torch.bfloat16):
    loss = (net(x) ** 2).mean()
scaler.scale(loss).backward()
scaler.step(optimizer)
class Mode(torch.overrides.TorchFunctionMode):
    seen = 0
    def __torch_function__(self, func, types, args=(), kwargs=None):
        Mode.seen += 1
        return func(*args, **(kwargs or {}))
with Mode():
    optimizer.step()
print(Mode.seen)
"""


def test_steps_of_every_optimizer_of_torch_are_recorded(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="PyTorch is an extra")
    run = shown(tmp_path / "subject", TORCH)
    assert moments(run) == {
        "Net": steps(3),
        "Linear": steps(2),
        "Linear_1": steps(2),
        "Sequential": steps(1),
        "parameters": steps(1),
        "Net_1": steps(2),
    }
    assert tensors(run)["Net"] == [
        "body.0.weight",
        "body.0.bias",
        "body.1.weight",
        "body.1.bias",
        "body.1.running_mean",
        "body.1.running_var",
        "body.1.num_batches_tracked",
        "head.weight",
        "head.bias",
    ]
    # A forward pass changes what layers count before the first step does.
    first = next(e for e in run.of("layout") if e["model"] == "Net")
    assert not [path for path, _, _ in first["tensors"] if "running" in path]
    digests = [e["digests"][0] for e in run.of("checkpoint") if e["model"] == "Net"]
    assert len(set(digests)) == 4


PARTING = """
import torch
from torch import nn

torch.manual_seed(1)
x = torch.randn(16, 4)
net = nn.Sequential(nn.Linear(4, 8), nn.Sequential(nn.Tanh(), nn.Dropout(0.5)), nn.Linear(8, 1))
optimizer = torch.optim.Adam(net.parameters())
for step in range(3):
    if step == 1:
        torch.seed()
    with torch.no_grad():
        net(x)
    optimizer.zero_grad()
    (net(x) ** 2).mean().backward()
    optimizer.step()
"""


def test_what_is_first_to_differ_inside_a_step_of_torch_is_named(tmp_path: Path) -> None:
    looking.need("torch")
    script = tmp_path / "train.py"
    script.write_text(PARTING)
    folders = tmp_path / "one", tmp_path / "other"
    runs = [looking.look(at, script, backend="torch", window=(1, 3)) for at in folders]
    assert [trial.errors for _, trial in runs] == [[], []]
    one, other = (trial for _, trial in runs)
    assert list(one.insides) == [(0, 1), (0, 2), (0, 3)]
    found = zooming.first_inside(one, other)
    assert found is not None
    first = found.first
    told = found.step, first.phase, first.layer, first.kind, first.tensor
    assert told == (2, "forward", "1.1", "Dropout", "output")
    moments = [(m.phase, m.layer, m.tensor) for m in found.moments]
    before = moments.index(("forward", "1.1", "output"))
    # What is computed without gradients is no part of the step.
    assert moments[:before] == [
        ("batch", "", "input"),
        ("forward", "0", "output"),
        ("forward", "1.0", "output"),
    ]
    assert moments[before + 1 :][:3] == [
        ("forward", "2", "output"),
        ("loss", "", "loss"),
        ("gradient", "2", "gradient of its output"),
    ]
    assert ("update", "", "0.weight/exp_avg") in moments
    assert moments[-1] == ("update", "2", "bias")


COMPILED = """
import torch
from torch import nn

torch.manual_seed(1)
x = torch.randn(32, 4)

class Own(torch.optim.Optimizer):
    def __init__(self, params, lr):
        super().__init__(params, dict(lr=lr))
    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for p in group["params"]:
                p -= group["lr"] * p.grad

for kind, whole in ((Own, True), (torch.optim.SGD, False)):
    net = nn.Sequential(nn.Linear(4, 8), nn.Linear(8, 1))
    optimizer = kind(net.parameters(), lr=0.01)
    forward = torch.compile(net, backend="eager")
    @torch.compile(backend="eager", fullgraph=whole)
    def step():
        optimizer.step()
    for _ in range(2):
        optimizer.zero_grad()
        (forward(x) ** 2).mean().backward()
        step()
    tell(kind.__name__, [t.detach().numpy() for t in net.state_dict().values()])

@torch.compile(backend="eager")
def inner(x):
    return 2 * x
@torch.compile(backend="eager", fullgraph=True)
def outer(x):
    return inner(x) + 1
print(outer(x).sum().item(), inner.__name__)
"""


@pytest.mark.long
def test_steps_within_what_torch_compiles_are_recorded(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="PyTorch is an extra")
    run = shown(tmp_path / "subject", COMPILED)
    assert moments(run) == {"Sequential": steps(2), "Sequential_1": steps(2)}


KERAS = """
import os
os.environ["KERAS_BACKEND"] = "torch"
import keras, torch

keras.utils.set_random_seed(1)
net = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, name="first")], name="net")
optimizer = torch.optim.Adam(net.parameters())
x = torch.randn(16, 4)
for _ in range(2):
    optimizer.zero_grad()
    (net(x) ** 2).mean().backward()
    optimizer.step()
tell("net", net.get_weights())
"""


@pytest.mark.long
def test_a_model_of_keras_has_its_own_names_whatever_optimizes_it(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="PyTorch is an extra")
    run = shown(tmp_path / "subject", KERAS)
    assert moments(run) == {"net": steps(2)}
    assert tensors(run) == {"net": ["net/first/kernel", "net/first/bias"]}


LIGHTNING = """
import logging, os, warnings
warnings.filterwarnings("ignore")
logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
import lightning, torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

lightning.seed_everything(1, verbose=False)

class Net(lightning.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(4, 8), nn.Linear(8, 1))
    def training_step(self, batch, index):
        loss = ((self.net(batch[0]) - batch[1]) ** 2).mean()
        self.log("loss", loss)
        return loss
    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())

x = torch.randn(64, 4)
rows = TensorDataset(x, x.sum(1, keepdim=True))
net = Net()
for _ in range(2):
    trainer = lightning.Trainer(
        max_epochs=2, accelerator="cpu", logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False,
    )
    trainer.fit(net, DataLoader(rows, 16, shuffle=True))
tell("Net", [t.detach().numpy() for t in net.state_dict().values()])
"""


@pytest.mark.long
def test_epochs_of_lightning_are_recorded_with_what_it_logs(tmp_path: Path) -> None:
    pytest.importorskip("lightning", reason="Lightning is an extra")
    run = shown(tmp_path / "subject", LIGHTNING)
    assert moments(run) == {"Net": [("init", 0), *[("epoch", 1), ("epoch", 2)] * 2]}
    assert [e["step"] for e in run.of("checkpoint")] == [0, 4, 8, 12, 16]
    assert [(e["fit"], e["epoch"], [*e["values"]]) for e in run.of("metric")] == [
        (1, 1, ["loss"]),
        (1, 2, ["loss"]),
        (2, 1, ["loss"]),
        (2, 2, ["loss"]),
    ]
    assert [(e["fit"], e["step"], e["over"]) for e in run.of("fit")] == [
        (1, 0, False),
        (1, 8, True),
        (2, 8, False),
        (2, 16, True),
    ]
    # Its steps are logged, and not kept as checkpoints.
    assert [e["model"] for e in run.of("pace")] == ["Net"]


OPTAX = """
import functools
import jax, jax.export
import jax.numpy as jnp
import optax
from jax import jit

key = jax.random.key(0)
x = jax.random.normal(key, (32, 4))
y = x.sum(1, keepdims=True)
start = {"a": jax.random.normal(key, (4, 8)), "b": jnp.ones((8, 1))}
adam = optax.adam(0.01)

def loss(params, x, y):
    return ((jnp.tanh(x @ params["a"]) @ params["b"] - y) ** 2).mean()

# What it returns first is built as the parameters are.
@functools.partial(jit, donate_argnums=(0, 1))
def step(params, state, x, y):
    value, grads = jax.value_and_grad(loss)(params, x, y)
    updates, state = adam.update(grads, state, params)
    return value, state, optax.apply_updates(params, updates)

for count in (3, 2):
    params = jax.tree.map(jnp.copy, start)
    state = adam.init(params)
    for _ in range(count):
        before = params
        _, state, params = step(params, state, x, y)
        print(before["a"].is_deleted(), end=" ")
    tell("step", jax.tree.leaves(params))

@jit
def evaluate(params, x):
    return (x @ params["a"]).sum()
print(float(evaluate(params, x)), float(evaluate.lower(params, x).compile()(params, x)))
print(jax.make_jaxpr(evaluate)(params, x).eqns[0].primitive, isinstance(step, jax.stages.Wrapped))
print(jax.export.export(evaluate)(params, x).nr_devices, str(step)[:22], step.__name__)

params, state = start, adam.init(start)
for _ in range(2):
    updates, state = adam.update(jax.grad(loss)(params, x, y), state, params)
    params = optax.apply_updates(params, updates)
tell("by hand", jax.tree.leaves(params))

# Put together by itself, with a key in it.
@jit
def carrying(parts, key):
    params = dict(zip("ab", parts))
    updates = jax.tree.map(lambda g: -0.1 * g, jax.grad(loss)(params, x, y))
    params = optax.apply_updates(params, updates)
    return (params["a"], params["b"]), jax.random.split(key)[0]
parts = start["a"], start["b"]
for _ in range(2):
    parts, key = carrying(parts, key)
tell("carrying", parts)

class Model:
    @functools.partial(jax.jit, static_argnums=0)
    def twice(self, x):
        return 2 * x
print(Model().twice.lower(Model(), jnp.ones(2)).as_text()[:6], type(evaluate.__wrapped__))
print(Model().twice(jnp.ones(2)).tolist(), jax.vmap(jit(lambda x: x + 1))(x).shape)
"""


def test_steps_of_optax_are_recorded_compiled_and_by_hand(tmp_path: Path) -> None:
    pytest.importorskip("optax", reason="Optax is an extra")
    run = shown(tmp_path / "subject", OPTAX)
    # Of what was put together by hand, what it is before the first step isn't known.
    alone = {"carrying": steps(2)[1:]}
    assert moments(run) == {"step": steps(3), "step_1": steps(2), "params": steps(2)} | alone
    named = dict.fromkeys(("step", "step_1", "params"), ["a", "b"])
    assert tensors(run) == named | {"carrying": ["0/0", "0/1"]}
    found = {(e["model"], e["kind"], e["step"]): tuple(e["digests"]) for e in run.of("checkpoint")}
    # Each training starts from the same, and the second goes the way of the first.
    starts = [(name, "init", 0) for name in ("step", "step_1", "params")]
    assert len({found[start] for start in starts}) == 1
    assert found["step", "step", 2] == found["step_1", "step", 2]


STATELESS = """
import os, sys
os.environ["KERAS_BACKEND"] = "jax"
# Keras only prepares data by it, and it takes long to import.
sys.modules["tensorflow"] = None
import jax, keras
from keras import layers

keras.utils.set_random_seed(1)
x = np.random.default_rng(1).normal(size=(32, 4)).astype("float32")
y = x.sum(1, keepdims=True)

def made(kind, name, units=8):
    body = [layers.Dense(units, name="first"), layers.BatchNormalization(), layers.Dropout(0.5)]
    model = keras.Sequential([keras.Input((4,)), *body, layers.Dense(1)], name=name)
    optimizer = kind(0.01)
    optimizer.build(model.trainable_variables)
    return model, optimizer

def loss_of(model, trained, others, x, y):
    found, others = model.stateless_call(trained, others, x, training=True)
    return keras.ops.mean((found - y) ** 2), others

def stepping(model, optimizer):
    grad = jax.value_and_grad(lambda *given: loss_of(model, *given), has_aux=True)
    def step(state, x, y):
        trained, others, kept = state
        (loss, others), grads = grad(trained, others, x, y)
        trained, kept = optimizer.stateless_apply(kept, grads, trained)
        return loss, (trained, others, kept)
    return step

def start(model, optimizer, kind=list):
    held = model.trainable_variables, model.non_trainable_variables, optimizer.variables
    return tuple(kind(v.value for v in each) for each in held)

def train(name, state, step, count):
    for _ in range(count):
        _, state = step(state, x, y)
    tell(name, [a for each in state for a in each if a.dtype != "uint32"])

net = made(keras.optimizers.Adam, "net")
train("compiled", start(*net), jax.jit(stepping(*net), donate_argnums=0), 3)
"""
STATELESS_OTHERWISE = """
tuples = made(keras.optimizers.SGD, "tuples")
train("tuples", start(*tuples, tuple), jax.jit(stepping(*tuples)), 2)
plain = made(keras.optimizers.Adam, "plain")
train("by hand", start(*plain), stepping(*plain), 2)
scaling = lambda rate: keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(rate))
scaled = made(scaling, "scaled")
train("scaled", start(*scaled), jax.jit(stepping(*scaled)), 2)

# Two models that have as many weights, in one step.
pair = made(keras.optimizers.SGD, "small"), made(keras.optimizers.SGD, "large", 16)
both = [stepping(*one) for one in pair]
@jax.jit
def rivals(states, x, y):
    return 0.0, [step(state, x, y)[1] for step, state in zip(both, states)]
states = [start(*one) for one in pair]
for _ in range(2):
    _, states = rivals(states, x, y)
tell("rivals", [a for state in states for a in state[0]])

fitted, optimizer = made(keras.optimizers.SGD, "fitted")
fitted.compile(optimizer, loss="mse", run_eagerly=True)
fitted.fit(x, y, batch_size=16, verbose=0)
fitted.train_on_batch(x, y)
tell("fitted", fitted.get_weights())
"""


def test_steps_of_keras_without_a_state_are_recorded(tmp_path: Path) -> None:
    pytest.importorskip("jax", reason="JAX is an extra")
    run = shown(tmp_path / "subject", STATELESS)
    assert moments(run) == {"net": steps(3)}
    assert tensors(run)["net"][:2] == ["net/first/kernel", "net/first/bias"]
    digests = [tuple(e["digests"]) for e in run.of("checkpoint")]
    assert len(set(digests)) == 4


@pytest.mark.long
def test_steps_of_keras_without_a_state_are_recorded_however_written(tmp_path: Path) -> None:
    pytest.importorskip("jax", reason="JAX is an extra")
    run = shown(tmp_path / "subject", STATELESS + STATELESS_OTHERWISE)
    assert moments(run) == {
        "net": steps(3),
        "tuples": steps(2),
        "plain": steps(2),
        "scaled": steps(2),
        # Of both, called as the one that is updated first.
        "small": steps(2),
        # Not a second time.
        "fitted": [("init", 0), ("epoch", 1), ("step", 3)],
    }
    names = tensors(run)["small"]
    assert len(names) == len(set(names)) == 2 * len(tensors(run)["net"])
    assert {path.split("/")[0] for path in names} == {"small", "large"}


@pytest.mark.long
def test_steps_of_keras_without_a_state_are_looked_into(tmp_path: Path) -> None:
    """Also from a step on that comes after its function was compiled."""
    looking.need("jax")
    script = tmp_path / "train.py"
    script.write_text(TELL + textwrap.dedent(STATELESS))
    expected = looking.alone(tmp_path / "alone", script, backend="jax")
    run, trial = looking.look(tmp_path / "looked", script, backend="jax", window=(2, 3))
    assert (run.out, trial.errors) == (expected.out, [])
    assert list(trial.insides) == [(0, 2), (0, 3)]
    inside = trial.insides[0, 2]
    moments = [(m[0], m[1], m[4]) for m in trial.scenes[inside.layout].moments]
    assert moments[:2] == [
        ("batch", "", "input of net"),
        ("forward", "net/first", "output"),
    ]
    assert ("gradient", "net/first", "kernel") in moments
    assert moments[-1][0] == "update"
    assert trial.scenes[inside.layout].mode == "jit"
    assert inside.digests != trial.insides[0, 3].digests


FLAX = """
import jax
import jax.numpy as jnp
import optax
from flax import linen, nnx
from flax.training import train_state

key = jax.random.key(0)
x = jax.random.normal(key, (32, 4))
y = x.sum(1, keepdims=True)

class Net(linen.Module):
    @linen.compact
    def __call__(self, x):
        return linen.Dense(1)(linen.relu(linen.Dense(8)(x)))

class State(train_state.TrainState):
    mean: dict

@jax.jit
def step(state, x, y):
    def loss(params):
        return ((state.apply_fn(params, x) - y) ** 2).mean()
    state = state.apply_gradients(grads=jax.grad(loss)(state.params))
    return state.replace(mean=optax.incremental_update(state.params, state.mean, 0.1))

net = Net()
params = net.init(key, x)
state = State.create(apply_fn=net.apply, params=params, tx=optax.adam(0.01), mean=params)
for _ in range(2):
    state = step(state, x, y)
tell("linen", jax.tree.leaves(state.params))

class Mlp(nnx.Module):
    def __init__(self, rngs):
        self.a = nnx.Linear(4, 8, rngs=rngs)
        self.norm = nnx.BatchNorm(8, rngs=rngs)
        self.b = nnx.Linear(8, 1, rngs=rngs)
    def __call__(self, x):
        return self.b(nnx.relu(self.norm(self.a(x))))

def train(model, optimizer):
    grads = nnx.grad(lambda model: ((model(x) - y) ** 2).mean())(model)
    optimizer.update(model, grads)

model = Mlp(nnx.Rngs(0))
optimizer = nnx.Optimizer(model, optax.adam(0.01), wrt=nnx.Param)
compiled = nnx.jit(train)
for _ in range(2):
    compiled(model, optimizer)
tell("nnx", jax.tree.leaves(nnx.state(model)))

graph, both = nnx.split((model, optimizer))
@jax.jit
def pure(both):
    model, optimizer = nnx.merge(graph, both)
    train(model, optimizer)
    return nnx.state((model, optimizer))
for _ in range(2):
    both = pure(both)
tell("split", jax.tree.leaves(both))
"""


@pytest.mark.long
def test_steps_of_flax_are_recorded_by_each_of_its_ways(tmp_path: Path) -> None:
    pytest.importorskip("flax", reason="Flax is an extra")
    run = shown(tmp_path / "subject", FLAX)
    # Of a state that was put together by hand, what it is before the first step isn't known.
    assert moments(run) == {"Net": steps(2), "Mlp": steps(2), "pure": steps(2)[1:]}
    paths = tensors(run)
    assert paths["Net"][:2] == ["params/params/Dense_0/bias", "params/params/Dense_0/kernel"]
    assert paths["Net"][4] == "mean/params/Dense_0/bias"
    assert paths["Mlp"][:2] == ["a/bias", "a/kernel"]
    assert "0/a/kernel" in " ".join(paths["pure"])


SKLEARN = """
import inspect, pickle
import joblib
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import RandomForestClassifier, VotingClassifier
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

rng = np.random.default_rng(0)
x = rng.normal(size=(100, 4))
y = (x[:, 0] > 0).astype(int)

class Mine(ClassifierMixin, BaseEstimator):
    def __init__(self, depth=1):
        self.depth = depth
    def fit(self, x, y, sample_weight=None):
        self.forest_ = RandomForestClassifier(2, random_state=0).fit(x, y)
        self.classes_ = self.forest_.classes_
        return self
    def predict(self, x):
        return self.forest_.predict(x)

forest = RandomForestClassifier(3, random_state=0, n_jobs=2)
tell("forest", [forest.fit(x, y).predict_proba(x), forest.fit(x, y).predict(x)])
tell("pipeline", [make_pipeline(StandardScaler(), LogisticRegression()).fit(x, y).predict(x)])
tell("search", [GridSearchCV(LogisticRegression(), {"C": [0.1, 1]}, cv=2).fit(x, y).predict(x)])
print(cross_val_score(LogisticRegression(), x, y, cv=2))
linear = SGDClassifier(random_state=0)
for start in (0, 50):
    linear.partial_fit(x[start : start + 50], y[start : start + 50], classes=[0, 1])
votes = [("a", LogisticRegression()), ("b", Mine())]
tell("votes", [VotingClassifier(votes, n_jobs=2).fit(x, y).predict(x), linear.coef_])
print(inspect.signature(Mine.fit), Mine().get_metadata_routing(), len(pickle.dumps(linear)))
work = joblib.delayed(lambda model: int(model.fit(x, y).predict(x).sum()))
print(joblib.Parallel(2)(work(Mine(depth)) for depth in (1, 2)))
try:
    Mine().fit(x, y[:3])
except ValueError as error:
    print(error)
Mine().fit(x, y)
network = MLPRegressor(hidden_layer_sizes=(2,), random_state=0)
print(inspect.signature(network.partial_fit), hasattr(MLPRegressor(solver="lbfgs"), "partial_fit"))
tell("network", [network.partial_fit(x, y).partial_fit(x, y).predict(x)])
"""


def test_what_estimators_have_learnt_is_recorded_fit_by_fit(tmp_path: Path) -> None:
    pytest.importorskip("sklearn", reason="scikit-learn is an extra")
    run = shown(tmp_path / "subject", SKLEARN)
    assert moments(run) == {
        "RandomForestClassifier": [("fit", 1), ("fit", 2)],
        "Pipeline": [("fit", 1)],
        "GridSearchCV": [("fit", 1)],
        "LogisticRegression": [("fit", 1)],
        "LogisticRegression_1": [("fit", 1)],
        "SGDClassifier": [("step", 1), ("step", 2)],
        "VotingClassifier": [("fit", 1)],
        "Mine": [("fit", 1)],
        # Behind a condition (`available_if`), and with a fit of a LabelBinarizer's inside.
        "MLPRegressor": [("step", 1), ("step", 2)],
    }
    paths = tensors(run)
    assert "estimators_/0/tree_/threshold" in paths["RandomForestClassifier"]
    assert "steps/1/1/coef_" in paths["Pipeline"]
    assert not [path for path in paths["GridSearchCV"] if path.endswith(("_time", "_time_"))]
    assert "forest_/estimators_/1/tree_/value" in paths["Mine"]


BOOSTERS = """
import lightgbm, xgboost

rng = np.random.default_rng(0)
x = rng.normal(size=(300, 5))
y = (x[:, 0] + x[:, 1] * x[:, 2] > 0).astype(int)
rows = xgboost.DMatrix(x, y)

def own(prediction, rows):
    return prediction - rows.get_label(), np.ones(len(prediction))

dart, three = {"booster": "dart", "rate_drop": 0.5}, {"num_class": 3, "objective": "multi:softprob"}
for more in ({}, dart, three):
    model = xgboost.train({"objective": "binary:logistic", "nthread": 2} | more, rows, 2)
    tell("xgboost", [np.frombuffer(model.save_raw(), "uint8")])
xgboost.train({}, rows, 2, obj=own)
linear = {"booster": "gblinear", "updater": "coord_descent"}
tell("linear", [np.frombuffer(xgboost.train(linear, rows, 2).save_raw(), "uint8")])
data = lightgbm.Dataset(x, y)
options = {"objective": "binary", "verbose": -1, "num_threads": 2}
lightgbm.train(options, data, 2)
model = xgboost.XGBClassifier(n_estimators=2, n_jobs=2).fit(x, y)
tell("classifier", [model.predict(x)])
"""


def test_rounds_of_boosting_are_steps_and_the_whole_is_recorded_at_the_end(tmp_path: Path) -> None:
    pytest.importorskip("xgboost", reason="XGBoost is an extra")
    pytest.importorskip("lightgbm", reason="LightGBM is an extra")
    run = shown(tmp_path / "subject", BOOSTERS)
    whole = [("step", 1), ("step", 2), ("fit", 1)]
    names = ["Booster", *(f"Booster_{n}" for n in range(1, 7))]
    assert moments(run) == dict.fromkeys(names, whole) | {"XGBClassifier": [("fit", 1)]}
    paths: dict[str, list[list[str]]] = {}
    for e in run.of("layout"):
        paths.setdefault(e["model"], []).append([path for path, _, _ in e["tensors"]])
    assert paths["Booster"][0][1] == "tree 0/split_conditions"
    assert paths["Booster"][-1][1] == "all split_conditions"
    assert "tree 2/base_weights" in paths["Booster_2"][0]
    assert paths["Booster_4"] == [["coefficients"], ["all coefficients"]]
    assert "tree 0/leaf_value" in paths["Booster_5"][0]


def test_boosters_have_one_thread_where_threads_are_pinned(tmp_path: Path) -> None:
    pytest.importorskip("xgboost", reason="XGBoost is an extra")
    pytest.importorskip("lightgbm", reason="LightGBM is an extra")
    folder = tmp_path / "subject"
    folder.mkdir()
    script = BOOSTERS.replace('"updater": "coord_descent"', '"nthread": 2')
    (folder / "train.py").write_text(TELL + script)
    threads = cpu_threads.FACTOR.environment("pinned", 0)
    held = guided(folder, "train.py", arms={"cpu-threads": "pinned"}, environ=threads)
    assert (held.code, held.of("guest-error")) == (0, []), held.err
    assert {e["ok"] for e in held.of("pin")} == {True}
    read = [e["seen"] for e in held.of("pin")]
    assert "1" in read and ["[num_threads: 1]"] in read
    seen = {e["detail"] for e in held.of("exercised") if e["factor"] == "cpu-threads"}
    assert seen == {"XGBoost's shotgun updater", "LightGBM without deterministic=True"}
