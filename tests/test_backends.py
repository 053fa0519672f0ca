"""The probes on other backends: which there are, what each promises there, and the table."""

from __future__ import annotations

import ast
import hashlib
from pathlib import Path
from typing import Any

import msgspec
import pytest

from nondet import record
from nondet.guest.factors import REGISTRY
from nondet.host import shipped
from tests.benchmarks import backends, ports, probes
from tests.benchmarks.probes import Result

every_port = pytest.mark.parametrize(
    ("probe", "backend"),
    [(probe, backend) for probe in shipped.all_probes() for backend in ports.OTHERS],
    ids=lambda value: getattr(value, "name", value),
)


@every_port
def test_a_probe_is_a_program_there_or_is_absent_for_a_reason(
    probe: shipped.Probe, backend: str, tmp_path: Path
) -> None:
    port = ports.port(probe, backend)
    assert bool(port.text) != bool(port.absent)
    if port.absent:
        return
    ast.parse(port.text)
    # A line keeps its number, so that the table can name it.
    own = probe.path.read_text(encoding="utf-8")
    assert len(port.text.splitlines()) == len(own.splitlines())
    there = ports.written(probe, port.text, tmp_path)
    assert (there.name, there.mixed) == (probe.name, probe.mixed)
    promised = there.causes | there.stress
    assert promised | there.consumers | there.alternatives <= {f.name for f in REGISTRY}
    assert there.causes <= set(there.marks) <= promised | {probes.REFUSED}
    assert there.verdict in record.EXIT_CODES
    if not ports.others(own):
        assert "tf.random" not in port.text


def test_each_name_in_the_lists_is_a_probe() -> None:
    known = {probe.name for probe in shipped.all_probes()}
    listed = {*ports.ELSEWHERE, *ports.ALONE, *ports.SHUFFLED, *(name for name, _ in ports.CHANGES)}
    assert listed <= known
    assert not set(ports.ELSEWHERE) & set(ports.ALONE)


def test_a_seed_is_the_backends_own(tmp_path: Path) -> None:
    def of(name: str, backend: str) -> str:
        return ports.port(probes.named(name), backend).text

    assert "torch.manual_seed(1)" in of("initial_weights", "torch")
    assert "torch.manual_seed(SEED)" in of("late_seed_numpy", "torch")
    assert "import torch\n" in of("initial_weights", "torch")
    assert "tensorflow" not in of("initial_weights", "jax")
    # What draws by TensorFlow goes on to do so.
    assert "tf.random.normal" in of("tf_seed", "jax")


@pytest.mark.parametrize(
    ("name", "home", "why"),
    [
        ("control_flax", "jax", "Flax, which is JAX"),
        ("flax_batches", "jax", "Flax, which is JAX"),
        ("optax_key_from_urandom", "jax", "Optax, which is JAX"),
        ("jax_key_from_time", "jax", "plain JAX"),
        ("jax_stateless_loop", "jax", "sets its backend itself"),
        ("control_lightning", "torch", "Lightning, which is PyTorch"),
        ("torch_compiled", "torch", "plain PyTorch"),
        ("memory_fill", "torch", "plain PyTorch"),
        ("control_sklearn", "", "without Keras"),
        ("control_no_model", "", "without Keras"),
    ],
)
def test_a_program_without_keras_belongs_to_what_it_computes_with(
    name: str, home: str, why: str
) -> None:
    found = {backend: ports.port(probes.named(name), backend) for backend in ports.BACKENDS}
    assert [backend for backend, port in found.items() if port.text] == [home] * bool(home)
    assert {port.absent for port in found.values() if port.absent} == {why}


def test_a_change_that_finds_nothing_to_change_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ports.CHANGES, ("clock", "jax"), (("no such text", ""),))
    with pytest.raises(ValueError, match="clock has no 'no such text' on jax"):
        ports.port(probes.named("clock"), "jax")


# -- the table

PROBE = "# probe: a draw | causes: python-random\nx = random.random()  # <- python-random\n"


def found(*causes: record.Cause, **more: Any) -> record.Diagnosis:
    return record.Diagnosis(
        nondet="1",
        subject=record.Subject(script="train.py"),
        environment=record.Environment(python="3.13", platform="Linux", cpu="one", cores=2),
        verdict="causes-found" if causes else "reproducible",
        causes=causes,
        cost=record.Cost(trials=9, subject_seconds=20, wall_seconds=30, single_run_seconds=10),
        **more,
    )


def test_a_row_says_what_was_found_where_and_what_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(PROBE)
    probe = shipped.read(tmp_path / "train.py")
    site = record.Site(file="train.py", line=2, function="<module>")
    fix = record.Prescription(snippet="", patch="x", patch_verified=True, patch_trials=("t07",))
    right = found(record.Cause(factor="python-random", sites=(site,)), prescription=fix)
    cells = {
        "tensorflow": Result(probe, right),
        "jax": Result(probe, found(), faults=("verdict reproducible, expected causes-found",)),
        "torch": Result(probe, reason="— (a kernel of TensorFlow's)"),
    }
    assert backends.row(probe, cells) == (
        "| train | python-random (2); 9 trials; patch holds "
        "| reproducible; 9 trials; **wrong**: verdict reproducible, expected causes-found "
        "| — (a kernel of TensorFlow's) |"
    )
    page = backends.page([(probe, cells)])
    assert "- on TensorFlow 1 of 1 programs\n- on JAX 0 of 1 programs\n" in page


def test_what_was_run_is_kept_and_judged_by_its_own_promise(tmp_path: Path) -> None:
    probe = probes.named("shuffle")
    there = ports.written(probe, ports.port(probe, "torch").text, tmp_path / "torch" / "scripts")
    site = record.Site(file="shuffle.py", line=18, function="<module>")
    done = found(record.Cause(factor="torch-seed", sites=(site,), consumers=("shuffle",)))
    digest = hashlib.sha256(there.path.read_bytes()).hexdigest()
    done = msgspec.structs.replace(done, subject=record.Subject(script="", sha256=digest))
    output = tmp_path / "torch" / "shuffle"
    output.mkdir()
    (output / "diagnosis.json").write_bytes(record.encode(done))
    result = backends.examined(probe, "torch", tmp_path, has_gpu=False, run=False)
    assert backends.told(result) == "torch-seed (18); 9 trials"
    assert backends.examined(probe, "jax", tmp_path, False, False).reason.startswith("not run")
