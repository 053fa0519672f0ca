"""What is changed after training is recorded at the end of the script, and nothing else is."""

from __future__ import annotations

import textwrap
from pathlib import Path

import numpy as np
import pytest

from nondet.guest import leaving
from nondet.guest.digests import Digester
from nondet.guest.keras_recorder import Tracked, names
from nondet.guest.without_keras.trainees import Weight, constant
from tests.guest.running import guided, plain

SCRIPT = """
import os, sys
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, update_bn

torch.manual_seed(1)
x = torch.randn(16, 4)

class Plain(nn.Sequential): pass
class Pruned(nn.Sequential): pass
class Normed(nn.Sequential): pass
class Long(nn.Sequential): pass
class Taken(nn.Sequential): pass
class Cut(nn.Sequential): pass

def trained(kind, *inner, steps=2):
    net = kind(nn.Linear(4, 4), *inner, nn.Linear(4, 1))
    optimizer = torch.optim.SGD(net.parameters(), 0.1)
    for _ in range(steps):
        optimizer.zero_grad()
        net(x).pow(2).mean().backward()
        optimizer.step()
    return net

def bits(net):
    return [float(t.double().sum()) for t in net.state_dict().values()]

def main():
    # Nothing is left of these when the function is over.
    print(bits(trained(Plain)))
    net = trained(Pruned)
    with torch.no_grad():
        net[0].weight *= (x[:4] > 0)
    print(bits(net))
    average = AveragedModel(net)
    average.update_parameters(net)
    print(bits(average))

main()
net = trained(Normed, nn.BatchNorm1d(4))
with torch.no_grad():
    net(x[:8])
print(bits(net))
print(bits(trained(Long, steps=67)))
net = trained(Taken)
net[0].bias = None
del net[1].weight
print(bits(net))
net = trained(Cut)
with torch.no_grad():
    net[0].weight *= 2
net[1].weight = nn.Parameter(net[1].weight.to("meta"))
if not os.fork():
    with torch.no_grad():
        net[0].weight *= 2
    sys.exit()
os.wait()
sys.exit(3)
"""


@pytest.mark.subject
def test_weights_that_are_changed_after_training_are_recorded_at_the_end(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="PyTorch is an extra")
    folder = tmp_path / "subject"
    folder.mkdir()
    (folder / "train.py").write_text(textwrap.dedent(SCRIPT))
    expected, run = plain(folder, "train.py"), guided(folder, "train.py")
    assert run.visible == expected.visible
    assert run.code == 3
    assert run.of("guest-error") == []
    found = run.of("checkpoint")
    at_the_end = [(e["model"], e["step"]) for e in found if e["kind"] == "end"]
    assert at_the_end == [("Pruned", 2), ("Normed", 2), ("Cut", 2), ("AveragedModel", 0)]
    # Those that are as they were get no more than they had; a last step is still a step.
    assert [e["kind"] for e in found if e["model"] == "Plain"] == ["init", "step", "step"]
    assert [(e["kind"], e["step"]) for e in found if e["model"] == "Long"][-1] == ("step", 67)
    paths = {e["model"]: [path for path, _, _ in e["tensors"]] for e in run.of("layout")}
    for model, changed in (
        ("Pruned", ["0.weight"]),
        ("Normed", ["1.running_mean", "1.running_var", "1.num_batches_tracked"]),
    ):
        step, end = [e["digests"] for e in found if e["model"] == model][-2:]
        pairs = zip(paths[model], step, end, strict=True)
        assert [path for path, a, b in pairs if a != b] == changed
    assert "n_averaged" in paths["AveragedModel"]
    # What was taken off is left out.
    assert paths["Cut"] == ["0.weight", "0.bias", "1.bias"]


class Failures:
    def __init__(self) -> None:
        self.told: list[str] = []

    def failed(self, where: str, error: Exception) -> None:
        self.told.append(f"{where}: {error}")


class Looked:
    """Models of NumPy arrays, recorded once; `ends` are those that are recorded at the end."""

    def __init__(self) -> None:
        self.failures, self.digests = Failures(), 0
        self.ends: list[str] = []
        self.models: list[Tracked] = []
        digester = Digester("sha256")
        self.leaving = leaving.Leaving(self.failures, self, names, self.emit)
        self.digester = digester

    def digest(self, array: object) -> str:
        self.digests += 1
        return str(self.digester.digest(array))

    def emit(self, tracked: Tracked, paths: list[str], values: list[object]) -> None:
        self.ends.append(tracked.name)

    def model(self, name: str, *variables: Weight, size: int = 8) -> Tracked:
        tracked = Tracked(len(self.models), name, lambda: list(variables))
        found = [self.digester.digest(variable.value) for variable in variables]
        self.leaving.note(tracked, list(variables), names(variables), found, size)
        self.models.append(tracked)
        return tracked


def test_a_look_takes_one_digest_of_each_tensor() -> None:
    looked = Looked()
    held = {"a": np.zeros(3), "b": np.ones(2)}
    tracked = looked.model("m", *[Weight(key, lambda key=key: held[key]) for key in held])
    looked.leaving.look(tracked)
    assert (looked.digests, looked.ends) == (2, [])
    held["b"][0] = 2
    looked.leaving.look(tracked)
    looked.leaving.look(tracked)
    assert looked.ends == ["m"]


def test_the_earliest_models_are_looked_at_once_all_take_too_much() -> None:
    looked = Looked()
    held = {name: np.zeros(3) for name in "abc"}
    for name in held:
        looked.model(name, Weight("w", lambda name=name: held[name]), size=leaving.HELD // 2)
    held["a"][0] = held["c"][0] = 1
    looked.leaving.make_room(looked.models)
    assert looked.ends == ["a"]
    assert [tracked.kept is None for tracked in looked.models] == [True, True, False]


def test_what_comes_with_its_value_is_not_held_and_what_fails_is_told() -> None:
    looked = Looked()
    assert looked.model("constant", constant("w", np.zeros(3))).kept is None
    held = {"w": np.zeros(3)}
    gone = looked.model("gone", Weight("w", lambda: held["w"]))
    del held["w"]
    looked.leaving.look(gone)
    assert looked.failures.told == ["looking at gone at the end: 'w'"]
    assert looked.ends == []
