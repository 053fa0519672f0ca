"""What happens inside steps is seen, and the looking changes no bit of it."""

from __future__ import annotations

import functools
import sys
import types
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from nondet.guest.inside.keras_taps import Tapping, leaves
from nondet.guest.inside.scene import Moment, Scene
from nondet.host import shipped, zooming
from nondet.host.trials import Trial
from tests.benchmarks import probes
from tests.guest.looking import BACKENDS, alone, look, need
from tests.guest.running import Shown

HERE = Path(__file__).parent
PROBES = sorted(probes.PROBES.glob("places/*.py"))

EVERYWHERE = ("mlp", "lstm", "functional", "masked", "shared", "eager", "left_over")
CASES = {
    "tensorflow": EVERYWHERE,
    "tensorflow, other ways": (
        "named", "in_turns", "cnn", "softmax",
        "jit", "several_steps", "noisy", "penalised", "tape", "eager_tape", "sigmoid",
        "own_softmax", "bfloat16", "float16", "mirrored",
    ),
    "jax": (*EVERYWHERE, "named", "several_steps"),
    "torch": (*EVERYWHERE, "named", "in_turns", "cnn"),
}  # fmt: skip
"""Kinds of models (families.py), by what runs in one process."""
LONG = ("tensorflow, other ways", "jax", "torch")
"""What takes a minute or more each. In short, TensorFlow and JAX are tried in the test of the
window."""

ORDER = ("state", "batch", "forward", "loss", "gradient", "update")
MODES = {"tensorflow": "graph", "jax": "jit", "torch": "eager"}


def heavy(names: Sequence[str]) -> pytest.MarkDecorator:
    """One worker has all that is learnt from a process, for as long as it lives: it may run other
    tests in between."""

    def marks(name: str) -> list[pytest.MarkDecorator]:
        found = [pytest.mark.subject, pytest.mark.xdist_group(f"inside {name}")]
        return [*found, pytest.mark.long] if name in LONG else found

    return pytest.mark.parametrize(
        "name", [pytest.param(name, marks=marks(name)) for name in names]
    )


@pytest.fixture(scope="session")
def families(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Any]:
    """What a case shows without a guest, and with one that looks into all steps."""

    @functools.cache
    def both(name: str) -> tuple[Shown, Shown, Trial]:
        backend = name.partition(",")[0]
        need(backend)
        folder = tmp_path_factory.mktemp(backend)
        script = HERE / "families.py"
        plain = alone(folder / "plain", script, *CASES[name], backend=backend)
        assert plain.code == 0, plain.err
        shown, trial = look(folder / "seen", script, *CASES[name], backend=backend, window=(1, 100))
        return plain, shown, trial

    return both


Families = Callable[[str], tuple[Shown, Shown, Trial]]


def moments(trial: Trial, kind: str, step: int | None = None) -> list[Moment]:
    """Those of a step of a model, the last one unless told."""
    index = next(i for i, model in trial.models.items() if model == kind)
    step = step or max(s for i, s in trial.insides if i == index)
    layout = trial.scenes[trial.insides[index, step].layout]
    return [
        Moment(phase, tensor, layer, what, op, dtype, shape)
        for phase, layer, what, op, tensor, dtype, shape in layout.moments
    ]


def named(found: Sequence[Moment], phase: str, layer: str = "") -> list[str]:
    return [m.tensor for m in found if m.phase == phase and m.layer.endswith(layer)]


# -- the observer changes nothing


@heavy(tuple(CASES))
def test_final_weights_are_bit_equal_with_all_steps_looked_into(
    name: str, families: Families
) -> None:
    plain, seen, _ = families(name)
    assert [line.split()[0] for line in plain.out.splitlines()] == list(CASES[name])
    assert seen.out == plain.out
    assert seen.code == 0
    assert seen.err.count("Traceback") == 0


@heavy(tuple(CASES))
def test_every_step_of_every_kind_is_looked_into(name: str, families: Families) -> None:
    trial = families(name)[2]
    assert [e.error for e in trial.errors] == []
    assert set(trial.models.values()) == set(CASES[name])
    for index, kind in trial.models.items():
        seen = [step for model, step in trial.insides if model == index]
        assert seen == trial.traces[index].steps.tolist()
        assert len(seen) >= (2 if kind == "several_steps" else 4)
        wanted = set(ORDER[1:]) - ({"loss"} if kind.endswith("tape") else set())
        for step in seen:
            assert wanted <= {m.phase for m in moments(trial, kind, step)}, kind


@heavy(tuple(CASES))
def test_digests_of_a_step_differ_from_those_of_the_next(name: str, families: Families) -> None:
    """Weights at least: none is left out because it looks like the last one."""
    trial = families(name)[2]
    for (index, step), inside in trial.insides.items():
        after = trial.insides.get((index, step + 1))
        if after is not None and after.layout == inside.layout:
            pairs = zip(inside.digests, after.digests, strict=True)
            same = [a == b for a, b in pairs]
            phases = [row[0] for row in trial.scenes[inside.layout].moments]
            updated = [
                equal for equal, phase in zip(same, phases, strict=True) if phase == "update"
            ]
            assert not all(updated), (trial.models[index], step)


# -- what is seen


@heavy(BACKENDS)
def test_moments_come_as_the_step_goes(name: str, families: Families) -> None:
    trial = families(name)[2]
    for kind in ("mlp", "lstm", "functional", "shared", "masked"):
        phases = [ORDER.index(m.phase) for m in moments(trial, kind)]
        assert phases == sorted(phases), kind
    found = moments(trial, "mlp")
    assert named(found, "batch") == ["x", "y"]
    assert len(named(found, "state")) == 1
    forward = [m.layer.rpartition("/")[2] for m in found if m.phase == "forward"]
    assert list(dict.fromkeys(forward)) == ["flatten", "dense", "dropout", "dense_1"]
    backward = [m.layer.rpartition("/")[2] for m in found if m.tensor == "gradient of its output"]
    assert backward[0] == "dense_1"
    updated = named(found, "update", "dense_1")
    assert updated[-2:] == ["kernel", "bias"]


@heavy(BACKENDS)
def test_moments_name_what_they_are_of(name: str, families: Families) -> None:
    found = moments(families(name)[2], "mlp")
    output = next(m for m in found if m.tensor == "output" and m.layer.endswith("dense"))
    assert (output.kind, output.dtype) == ("Dense", "float32")
    assert output.shape[-1] == 8
    assert next(m.kind for m in found if m.phase == "loss") == "mse"
    kernels = [m for m in found if m.tensor == "kernel"]
    assert {(m.phase, m.kind) for m in kernels} == {("gradient", "Dense"), ("update", "Adam")}


@heavy(BACKENDS)
def test_a_layer_called_again_has_numbered_moments(name: str, families: Families) -> None:
    found = moments(families(name)[2], "shared")
    outputs = [tensor for tensor in named(found, "forward", "again") if "output" in tensor]
    assert outputs == ["output", "output, call 2", "output, call 3"]
    backward = [tensor for tensor in named(found, "gradient", "again") if "its output" in tensor]
    assert len(backward) == 3
    # Its weights have one gradient.
    assert named(found, "gradient", "again").count("kernel") == 1


@heavy(BACKENDS)
def test_how_steps_run_is_told(name: str, families: Families) -> None:
    trial = families(name)[2]
    modes: dict[str, set[str]] = {}
    for (index, _), inside in trial.insides.items():
        modes.setdefault(trial.models[index], set()).add(trial.scenes[inside.layout].mode)
    assert modes.pop("eager") == {"eager"}
    assert set().union(*modes.values()) == {MODES[name]}


@heavy(("tensorflow, other ways",))
def test_a_step_that_xla_compiles_is_told_from_others(name: str, families: Families) -> None:
    trial = families(name)[2]
    layouts = {trial.models[i]: inside.layout for (i, _), inside in trial.insides.items()}
    assert trial.scenes[layouts["jit"]].mode == "xla"
    assert trial.scenes[layouts["eager_tape"]].mode == "eager"
    assert trial.scenes[layouts["tape"]].mode == "graph"


@heavy(("tensorflow",))
def test_sparse_gradients_have_indices_and_values(name: str, families: Families) -> None:
    found = moments(families(name)[2], "masked")
    tensors = named(found, "gradient", "embedding")
    assert [t for t in tensors if t.startswith("embeddings")] == [
        "embeddings (indices)", "embeddings"
    ]  # fmt: skip


@heavy(BACKENDS)
def test_a_batch_that_is_left_over_is_seen_as_it_is(name: str, families: Families) -> None:
    trial = families(name)[2]
    batches = [moments(trial, "left_over", step) for step in (1, 2, 3)]
    shapes = [next(m.shape for m in found if m.phase == "batch") for found in batches]
    # One graph of TensorFlow's is for batches of all sizes.
    sizes = (-1, -1, -1) if name == "tensorflow" else (16, 16, 11)
    assert shapes == [(size, 6, 6) for size in sizes]
    numbers = [len(found) for found in batches]
    assert numbers[0] == numbers[2]


# -- the window


@pytest.mark.subject
@pytest.mark.parametrize(
    "name",
    [*(pytest.param(name, marks=pytest.mark.long) for name in ("tensorflow", "jax")), "torch"],
)
def test_steps_outside_of_the_window_are_left_alone(name: str, tmp_path: Path) -> None:
    """Also where two models count on by themselves, and where steps have begun before it opens."""
    need(name)
    script = HERE / "families.py"
    plain = alone(tmp_path / "plain", script, "mlp", "in_turns", backend=name)
    shown, trial = look(tmp_path / "t01", script, "mlp", "in_turns", backend=name, window=(3, 4))
    assert shown.code == 0, shown.err
    assert shown.out == plain.out
    assert list(trial.insides) == [(0, 3), (0, 4), (1, 3), (2, 3), (1, 4), (2, 4)]
    for key, inside in trial.insides.items():
        phases = {row[0] for row in trial.scenes[inside.layout].moments}
        assert set(ORDER[1:]) <= phases, key


# -- where two trials part


@pytest.fixture(scope="session")
def looked_into(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Any]:
    """Two trials of all probes of places, one after the other in one process."""

    @functools.cache
    def pair(backend: str) -> list[Trial]:
        need(backend)
        folder = tmp_path_factory.mktemp("places")
        found = []
        for trial in ("t01", "t02"):
            shown, looked = look(
                folder / trial,
                HERE / "places.py",
                *map(str, PROBES),
                backend=backend,
                window=(1, 6),
                granularity="step",
            )
            assert shown.code == 0, shown.err
            assert [e.error for e in looked.errors] == []
            found.append(looked)
        return found

    return pair


def only(trial: Trial, index: int) -> Trial:
    """A trial of nothing but one of its models."""
    found = Trial(trial.id, {}, trial.plan, trial.question, trial.folder)
    found.scenes = trial.scenes
    found.insides = {key: inside for key, inside in trial.insides.items() if key[0] == index}
    return found


@heavy(BACKENDS)
@pytest.mark.parametrize("probe", PROBES, ids=lambda probe: str(probe.stem))
def test_the_first_to_differ_is_what_was_planted(
    probe: Path, name: str, looked_into: Callable[[str], list[Trial]]
) -> None:
    pair, index = looked_into(name), PROBES.index(probe)
    inits = [trial.checkpoints[trial.owners.index(index)].tensors for trial in pair]
    unequal = [path for (path, a), (_, b) in zip(*inits, strict=True) if a != b]
    phase, _, place = shipped.read(probe).place.partition(" ")
    if phase == "initial-weights":
        assert unequal == [place]
        return
    assert unequal == []
    found = zooming.first_inside(*[only(trial, index) for trial in pair])
    assert found is not None
    assert found.first.phase == phase
    assert f"/{found.first.layer}/{found.first.tensor}".endswith(f"/{place}")
    assert found.step == (3 if phase == "batch" else 1)


# -- in one process, with stand-ins


class Session:
    """Keeps what a guest would tell."""

    def __init__(self) -> None:
        self.events = self
        self.told: list[dict[str, Any]] = []

    def emit(self, event: str, **fields: Any) -> None:
        self.told.append({"event": event, **fields})


class Taps:
    """Stand-ins for tensors are floats; a digest is one's text."""

    mode = "eager"

    def __init__(self, failing: str = "") -> None:
        self.failing = failing
        self.seen: list[tuple[Moment, str]] = []
        self.turned: list[tuple[bool, str]] = []

    def __getattribute__(self, name: str) -> Any:
        if name == object.__getattribute__(self, "failing"):
            raise RuntimeError(f"{name} fails")
        return object.__getattribute__(self, name)

    def able(self, open_now: bool) -> bool:
        return open_now

    def differentiating(self) -> bool:
        return False

    def usable(self, value: object) -> bool:
        return isinstance(value, float)

    def differentiable(self, value: float) -> bool:
        return True

    def value(self, variable: Any) -> Any:
        return getattr(variable, "value", variable)

    def parts(self, gradient: Any) -> list[tuple[str, Any]]:
        return [("", gradient)]

    def record(self, value: float, moment: Moment) -> None:
        self.seen.append((moment.of("", "float32", ()), str(value)))

    def with_gradient(self, value: float, moment: Moment) -> float:
        return value

    def turn(self, inside: bool, model: Any) -> None:
        self.turned.append((inside, model.name))

    def gather(self) -> list[tuple[Moment, str]]:
        found, self.seen = self.seen, []
        return found


class Part:
    """Something with a name, such as a variable or an entry of the recorder."""

    def __init__(self, name: str, value: float = 0.0, index: int = 0, stride: int = 1) -> None:
        self.name = self.path = name
        self.value = value
        self.index = index
        self.steps_per_execution = stride


def scene(first: int, last: int, taps: Taps | None = None) -> tuple[Scene, Session, Taps]:
    session, taps = Session(), taps or Taps()
    made = Scene(session, first, last)
    made.taps = taps
    return made, session, taps


def windows(session: Session) -> list[tuple[str, int]]:
    return [(e["model"], e["step"]) for e in session.told if e["event"] == "inside"]


@pytest.mark.parametrize(
    ("window", "stride", "told"),
    [
        ((1, 3), 1, [1, 2, 3]),
        ((3, 5), 1, [3, 4, 5]),
        ((4, 5), 2, [4, 6]),
        ((5, 6), 4, [8]),
        ((9, 20), 3, [9]),
    ],
)
def test_steps_that_touch_the_window_are_told(
    window: tuple[int, int], stride: int, told: list[int]
) -> None:
    made, session, taps = scene(*window)
    model = Part("m", stride=stride)
    made.look(model, model, 0)
    for step in range(stride, 10, stride):
        if made.open:
            made.record(float(step), Moment("batch", "x"))
        made.ended(model, model, step)
    assert [step for _, step in windows(session)] == told
    assert [e["digests"] for e in session.told if e["event"] == "inside"] == [
        [str(float(step))] for step in told
    ]
    layouts = [e for e in session.told if e["event"] == "inside-layout"]
    assert [e["id"] for e in layouts] == [1]


def test_each_model_has_its_own_window() -> None:
    made, session, taps = scene(2, 3)
    often, rarely = Part("often", index=0), Part("rarely", index=1)
    for model in (often, rarely):
        made.look(model, model, 0)
    steps = {"often": 0, "rarely": 0}
    for model in [often, often, often, rarely] * 4:
        made.record(1.0, Moment("batch", model.name))
        steps[model.name] += 1
        made.ended(model, model, steps[model.name])
    assert windows(session) == [("often", 2), ("often", 3), ("rarely", 2), ("rarely", 3)]
    # Of each only its own: what comes between is dropped.
    tensors = [[m[4] for m in e["moments"]] for e in session.told if e["event"] == "inside-layout"]
    assert tensors == [["often"], ["rarely"]]
    assert not made.open
    assert taps.turned[-1] == (False, "rarely")


def test_what_was_tapped_between_two_windows_is_dropped() -> None:
    made, session, taps = scene(1, 1)
    first, second = Part("first", index=0), Part("second", index=1)
    made.look(first, first, 0)
    made.ended(first, first, 1)
    # A compiled step goes on to call us.
    taps.record(2.0, Moment("batch", "stale"))
    made.look(second, second, 0)
    made.record(3.0, Moment("batch", "x"))
    made.ended(second, second, 1)
    assert [e["digests"] for e in session.told if e["event"] == "inside"] == [["3.0"]]


def test_a_layout_is_told_once_and_again_when_the_moments_are_others() -> None:
    made, session, taps = scene(1, 9)
    model = Part("m")
    for step, tensors in enumerate(("ab", "ab", "aab", "ab"), 1):
        for tensor in tensors:
            made.record(1.0, Moment("forward", tensor, "layer"))
        made.ended(model, model, step)
    assert [e["layout"] for e in session.told if e["event"] == "inside"] == [1, 1, 2, 1]
    layouts = [e["moments"] for e in session.told if e["event"] == "inside-layout"]
    assert [m[4] for m in layouts[1]] == ["a", "a, call 2", "b"]
    taps.mode = "graph"
    for tensor in "ab":
        made.record(1.0, Moment("forward", tensor, "layer"))
    made.ended(model, model, 5)
    assert session.told[-2]["mode"] == "graph"


class Tree:
    @staticmethod
    def map_structure(call: Callable[[Any], Any], structure: Any) -> Any:
        if isinstance(structure, dict):
            return {key: Tree.map_structure(call, part) for key, part in structure.items()}
        if isinstance(structure, (list, tuple)):
            return type(structure)(Tree.map_structure(call, part) for part in structure)
        return call(structure)


@pytest.fixture
def keras(monkeypatch: pytest.MonkeyPatch) -> None:
    masking = types.SimpleNamespace(get_keras_mask=lambda value: None)
    monkeypatch.setitem(sys.modules, "keras", types.SimpleNamespace(tree=Tree))
    monkeypatch.setitem(sys.modules, "keras.src.backend.common.masking", masking)


class Subject:
    """A layer, a model and an optimizer that are tapped; and what our code has failed in."""

    def __init__(self, taps: Taps, by_name: bool = True) -> None:
        class Layer:
            name = path = "layer"

            def __call__(self, values: Any, scale: float = 1.0) -> Any:
                return {"out": values[0] * scale, "rest": [None, "text", values]}

        class Base:
            layer: Layer

            def train_step(self, data: Any) -> Any:
                return {"loss": self.compute_loss(*data)}

            def compute_loss(self, x: float, y: float) -> float:
                return float(self.layer([x], scale=2.0)["out"] - y)

        class Model(Base):
            name = "model"
            weights = trainable_variables = [Part("model/layer/kernel", 1.0)]
            non_trainable_variables = [Part("seed_generator_state", 2.0)]
            loss = "mse"

            def __init__(self) -> None:
                self.layer = Layer()
                self.optimizer = Optimizer()

            def compute_loss(self, x: float, y: float) -> float:
                return super().compute_loss(x, y)

            def train_step(self, data: Any) -> Any:
                logs = super().train_step(data=data) if by_name else super().train_step(data)
                self.optimizer.apply([logs["loss"]], self.weights)
                return logs

        class Optimizer:
            variables = [Part("momentum", 3.0)]

            def apply(self, grads: Any, trainable_variables: Any = None) -> str:
                for gradient, variable in zip(grads, trainable_variables, strict=True):
                    variable.value -= gradient
                return "applied"

        self.failures: list[str] = []
        self.scene, self.session, self.taps = scene(1, 9, taps)
        tapping = Tapping(self.scene, self.guarded)
        tapping.wrap_layers(Layer)
        tapping.wrap_class(Model)
        tapping.wrap_apply(Optimizer)
        self.model = Model()

    def guarded(self, where: str, call: Callable[..., Any], *args: Any) -> Any:
        try:
            return call(*args)
        except Exception as error:
            self.failures.append(f"{where}: {error}")
            return None

    def step(self) -> tuple[Any, float]:
        return self.model.train_step((3.0, 1.0)), self.model.weights[0].value


@pytest.mark.parametrize("by_name", [False, True])
def test_a_step_of_a_tapped_model_is_told_from_end_to_end(by_name: bool, keras: None) -> None:
    subject = Subject(Taps(), by_name)
    assert subject.step() == ({"loss": 5.0}, -4.0)
    assert subject.failures == []
    found = [(m.phase, m.layer, m.tensor, digest) for m, digest in subject.taps.gather()]
    assert found == [
        ("state", "", "seed_generator_state", "2.0"),
        ("batch", "", "x", "3.0"),
        ("batch", "", "y", "1.0"),
        ("forward", "layer", "input", "2.0"),
        ("forward", "layer", "output", "6.0"),
        ("loss", "", "loss", "5.0"),
        ("gradient", "model/layer", "kernel", "5.0"),
        ("update", "", "momentum", "3.0"),
        ("update", "model/layer", "kernel", "-4.0"),
    ]


FAILING = ("usable", "record", "differentiable", "with_gradient", "value", "parts")


@pytest.mark.parametrize("failing", FAILING)
def test_a_failure_of_ours_never_reaches_the_subject(failing: str, keras: None) -> None:
    subject = Subject(Taps(failing))
    assert subject.step() == ({"loss": 5.0}, -4.0)
    assert subject.failures
    assert all(failure.endswith(f"{failing} fails") for failure in subject.failures)


def test_an_exception_of_the_subject_leaves_the_taps_as_they_were(keras: None) -> None:
    subject = Subject(Taps())
    with pytest.raises(TypeError):
        subject.model.train_step((3.0,))
    assert (subject.scene.stepping, subject.scene.depth) == (0, 0)
    subject.taps.gather()
    assert subject.step() == ({"loss": 5.0}, -4.0)
    assert len(subject.taps.gather()) == 9


def test_nothing_is_recorded_while_the_window_is_closed(keras: None) -> None:
    subject = Subject(Taps())
    subject.scene.open = False
    assert subject.step() == ({"loss": 5.0}, -4.0)
    assert subject.taps.gather() == []


@pytest.mark.parametrize(
    ("structure", "paths"),
    [
        (1.0, [""]),
        ({"b": 1.0, "a": [2.0, None]}, ["[b]", "[a][0]"]),
        (((1.0,), {}), ["[0][0]"]),
        (None, []),
    ],
)
def test_leaves_of_a_batch_have_paths(structure: Any, paths: list[str]) -> None:
    found: Iterator[tuple[str, Any]] = leaves(structure)
    assert [path for path, _ in found] == paths
