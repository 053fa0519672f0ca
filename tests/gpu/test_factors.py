"""The factors of GPUs on one: every pin is set and read back by what it concerns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nondet.guest.factors import REGISTRY
from nondet.host import gpus
from tests.gpu import needs, needs_gpu
from tests.guest.running import Shown, guided

pytestmark = needs_gpu

PINNED = (
    "cudnn", "tf32", "precision", "op-determinism", "cuda-streams", "memory-fill", "cpu-isa",
)  # fmt: skip

TORCH = """
import torch
torch.manual_seed(1)
torch.backends.cudnn.benchmark = True
x = torch.randn(64, 64, device="cuda", requires_grad=True)
images = torch.randn(4, 8, 32, 32, device="cuda", requires_grad=True)
larger = torch.nn.functional.interpolate(images, scale_factor=2, mode="bilinear")
(larger.sum() + (x @ x).sum()).backward()  # bilinear
print(torch.backends.cudnn.benchmark, torch.cuda.memory_allocated() > 0)
import nondet
nondet.checkpoint("x", [x.grad, images.grad])
"""
JAX = """
import jax
import jax.numpy as jnp
x = jax.jit(lambda x: x @ x)(jnp.ones((64, 64)))
print(jax.default_backend())
import nondet
nondet.checkpoint("x", x)
"""
TENSORFLOW = """
import tensorflow as tf
x = tf.ones((64, 64))
print((x @ x).device)
import nondet
nondet.checkpoint("x", (x @ x).numpy())
"""


def run(folder: Path, script: str, names: tuple[str, ...]) -> Shown:
    folder.mkdir(exist_ok=True)
    (folder / "train.py").write_text(script)
    environ: dict[str, str | None] = {}
    for factor in REGISTRY:
        if factor.name in names:
            environ |= factor.environment("pinned", 7)
    shown = guided(folder, "train.py", pinned=names, environ=environ)
    assert shown.code == 0, shown.err
    assert shown.of("guest-error") == []
    assert [e for e in shown.of("pin") if not e["ok"]] == []
    return shown


def pins(shown: Shown, factor: str) -> list[Any]:
    return [e["seen"] for e in shown.of("pin") if e["factor"] == factor]


@needs("torch")
def test_on_pytorch(tmp_path: Path) -> None:
    shown = run(tmp_path / "subject", TORCH, PINNED)
    assert shown.out.split() == ["False", "True"]
    assert [True, ":4096:8"] in pins(shown, "op-determinism")
    assert pins(shown, "cuda-streams") == ["1"]
    told = [e for e in shown.of("exercised") if "without a deterministic kernel" in e["detail"]]
    (named,) = {e["detail"].partition(" ")[0] for e in told}
    assert named == "upsample_bilinear2d_backward_out_cuda"
    (line,) = (n for n, text in enumerate(TORCH.splitlines(), 1) if text.endswith("# bilinear"))
    assert {e["site"]["line"] for e in told} == {line}


@needs("torch")
def test_the_gpu_that_pytorch_uses_is_one_that_the_driver_knows(tmp_path: Path) -> None:
    from nondet.host.hardware import Hardware

    shown = run(tmp_path / "subject", TORCH, ())
    (used,) = shown.of("gpu-use")[-1]["used"]
    assert used["framework"] == "torch"
    assert used["peak"] > 0
    hardware = Hardware.opened()
    assert hardware is not None
    assert any(device.uuid.startswith(used["uuid"]) for device in hardware.devices)
    hardware.close()


@needs("torch")
def test_without_a_device_pytorch_computes_elsewhere(tmp_path: Path) -> None:
    script = "import torch\nprint(torch.cuda.is_available())\n"
    shown = run(tmp_path / "subject", script, ("device",))
    assert shown.out.split() == ["False"]


@needs("jax")
def test_on_jax(tmp_path: Path) -> None:
    shown = run(tmp_path / "subject", JAX, PINNED)
    assert shown.out.split() == ["gpu"]
    assert pins(shown, "op-determinism") == [["--xla_gpu_deterministic_ops=true"]]
    assert pins(shown, "tf32")[-1] == "highest"


@needs("tensorflow")
def test_on_tensorflow(tmp_path: Path) -> None:
    shown = run(tmp_path / "subject", TENSORFLOW, PINNED)
    assert "GPU:0" in shown.out
    assert True in pins(shown, "op-determinism")


def test_what_the_driver_tells() -> None:
    found = gpus.found()
    assert found.driver
    for device in found.devices:
        assert device.memory
        assert device.capability
