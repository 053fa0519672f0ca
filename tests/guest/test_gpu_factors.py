"""Factors of GPUs without one: their switches are set, held, and read back from the libraries."""

from __future__ import annotations

import sys
import textwrap
import types
from pathlib import Path
from typing import Any

import pytest

from nondet.guest import knobs, parent, torch_switches, xla_flags
from nondet.guest.factors import by_name
from nondet.guest.factors.op_determinism import UNSUPPORTED
from tests.guest.running import Shown, guided

PINNED = ("cudnn", "tf32", "precision", "op-determinism", "memory-fill", "cpu-isa")


def run(folder: Path, script: str, arms: dict[str, str], **environ: str) -> Shown:
    folder.mkdir(exist_ok=True)
    (folder / "train.py").write_text(textwrap.dedent(script))
    changes: dict[str, str | None] = dict(environ)
    for name, arm in arms.items():
        changes |= by_name(name).environment(arm, 5)
    shown = guided(folder, "train.py", arms=arms, environ=changes)
    assert shown.code == 0, shown.err
    assert shown.of("guest-error") == []
    assert [e for e in shown.of("pin") if not e["ok"]] == []
    return shown


def pins(shown: Shown, factor: str) -> list[Any]:
    return [e["seen"] for e in shown.of("pin") if e["factor"] == factor]


TORCH = """
import warnings
import torch
torch.backends.cudnn.benchmark = True
torch.use_deterministic_algorithms(False)
x = torch.zeros(4)
index, values = torch.tensor([0, 1]), torch.tensor([1.0, 2.0])
for _ in range(3):
    x.put_(index, values)  # refused
warnings.warn("of the script's own")
print(torch.backends.cudnn.benchmark, torch.are_deterministic_algorithms_enabled())
import nondet
nondet.checkpoint("x", x)
"""


@pytest.mark.subject
def test_pytorch_is_held_and_what_it_warns_of_is_named(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="PyTorch is an extra")
    shown = run(tmp_path / "subject", TORCH, dict.fromkeys(PINNED, "pinned"))
    assert shown.out.split() == ["False", "True"]
    assert pins(shown, "cudnn")[1:] == [[True, False]]
    assert pins(shown, "op-determinism") == [[True, ":4096:8"]]
    assert [False, False] in pins(shown, "tf32")
    assert {name for name, on in pins(shown, "precision")[0] if not on} >= {
        "allow_fp16_reduced_precision_reduction",
        "allow_bf16_reduced_precision_reduction",
    }
    seen = [e for e in shown.of("exercised") if e["factor"] == "op-determinism"]
    line = TORCH.splitlines().index("    x.put_(index, values)  # refused") + 1
    assert [(e["detail"], e["unseeded"], e["site"]["line"]) for e in seen] == [
        ("put_" + UNSUPPORTED, None, line)
    ]
    # The script's own warnings are shown as ever; ours to note are not.
    assert "of the script's own" in shown.err
    assert "deterministic implementation" not in shown.err


JAX = """
import os
os.environ["XLA_FLAGS"] = "--xla_gpu_autotune_level=3"
import jax
import jax.numpy as jnp
jax.config.update("jax_default_matmul_precision", "bfloat16")
jax.jit(lambda x: x @ x)(jnp.ones((4, 4)))
print(jax.config.jax_default_matmul_precision)
import nondet
nondet.checkpoint("x", jnp.ones(3))
"""


@pytest.mark.subject
def test_xla_itself_tells_which_flags_are_in_force(tmp_path: Path) -> None:
    pytest.importorskip("jax", reason="JAX is an extra")
    shown = run(tmp_path / "subject", JAX, dict.fromkeys(PINNED, "pinned"))
    assert shown.out.split() == ["highest"]
    assert pins(shown, "op-determinism") == [["--xla_gpu_deterministic_ops=true"]]
    assert pins(shown, "cudnn")[1:] == [["--xla_gpu_autotune_level=0"]]
    assert pins(shown, "precision") == [["--xla_allow_excess_precision=false"]]
    assert pins(shown, "tf32")[-1] == "highest"
    assert pins(shown, "cpu-isa")[-1] == "--xla_cpu_max_isa=AVX2"


def test_a_flag_that_xla_did_not_take_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    flags = ("--xla_gpu_autotune_level=0", "--xla_gpu_deterministic_ops=true")
    told = 'xla_gpu_autotune_level: 4\nxla_gpu_dump_to: "x"\n'
    monkeypatch.setattr(xla_flags, "options", lambda: told)
    assert xla_flags.in_force(flags) == [
        "--xla_gpu_autotune_level=4",
        "--xla_gpu_deterministic_ops=false",
    ]
    # TensorFlow does not tell: the last of two in the environment is what counts.
    monkeypatch.setattr(xla_flags, "options", lambda: None)
    monkeypatch.setenv("XLA_FLAGS", f"{flags[0]} --xla_gpu_autotune_level=2")
    assert xla_flags.in_force(flags) == ["--xla_gpu_autotune_level=2", ""]


def test_flags_are_put_behind_those_that_are_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XLA_FLAGS", "--xla_b=1 --xla_a=0")
    xla_flags.add(("--xla_b=1", "--xla_a=2"))
    assert xla_flags.in_environment("XLA_FLAGS") == "--xla_a=0 --xla_b=1 --xla_a=2"


@pytest.mark.parametrize(
    ("text", "op"),
    [
        # PyTorch 2.0 and 2.13, the second as recorded on a CPU.
        (
            "adaptive_avg_pool2d_backward_cuda does not have a deterministic implementation, but "
            "you set 'torch.use_deterministic_algorithms(True, warn_only=True)'. You can file an "
            "issue at https://github.com/pytorch/pytorch/issues to help us prioritize adding "
            "deterministic support for this operation. (Triggered internally at "
            "../aten/src/ATen/Context.cpp:71.)",
            "adaptive_avg_pool2d_backward_cuda",
        ),
        (
            "put_ does not have a deterministic implementation, but you set "
            "'torch.use_deterministic_algorithms(True, warn_only=True)'. You can file an issue at "
            "https://github.com/pytorch/pytorch/issues to help us prioritize adding deterministic "
            "support for this operation. (Triggered internally at "
            "/__w/pytorch/pytorch/aten/src/ATen/Context.cpp:186.)",
            "put_",
        ),
        (
            "Deterministic behavior was enabled with either "
            "`torch.use_deterministic_algorithms(True)` or "
            "`at::Context::setDeterministicAlgorithms(true)`, but this operation is not "
            "deterministic because it uses CuBLAS and you have CUDA >= 10.2.",
            "a product by cuBLAS",
        ),
        ("The given NumPy array is not writable", ""),
    ],
)
def test_warnings_of_pytorch_name_their_operation(text: str, op: str) -> None:
    assert torch_switches.named(text) == op


@pytest.mark.subject
def test_a_trial_tells_what_is_set_and_no_gpu_where_there_is_none(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="PyTorch is an extra")
    shown = run(tmp_path / "subject", TORCH, {}, CUBLAS_WORKSPACE_CONFIG=":16:8")
    (told,) = shown.of("knobs")
    assert told["values"] | {"XLA_FLAGS": ""} == {
        "CUBLAS_WORKSPACE_CONFIG": ":16:8",
        "XLA_FLAGS": "",
        "torch.deterministic": "False",
        "torch.warn-only": "False",
        "torch.cudnn.benchmark": "True",
        "torch.cudnn.deterministic": "False",
    }
    if not Path("/dev/nvidia0").exists():
        assert shown.of("gpu-use") == []


class Cuda:
    """As ``torch.cuda`` with two GPUs, of which the second is used."""

    is_initialized = staticmethod(lambda: True)
    device_count = staticmethod(lambda: 2)
    max_memory_reserved = staticmethod(lambda number: number * 1024)

    @staticmethod
    def get_device_properties(number: int) -> Any:
        return type("Properties", (), {"uuid": "6a2f"})()


def test_the_gpus_that_a_framework_has_taken_memory_on(monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in = type("torch", (), {"cuda": Cuda})
    monkeypatch.setattr(knobs, "sys", type("sys", (), {"modules": {"torch": stand_in}}))
    assert knobs.use() == [{"framework": "torch", "gpu": 1, "uuid": "GPU-6a2f", "peak": 1024}]
    monkeypatch.setattr(Cuda, "is_initialized", lambda: False)
    assert knobs.use() == []


def test_a_process_that_has_opened_a_gpu_is_not_forked(tmp_path: Path) -> None:
    assert not parent.opens(str(tmp_path))
    with (tmp_path / "nvidia0").open("w"):
        assert parent.opens(str(tmp_path / "nvidia"))


LATE = """
import os
import jax
os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=2"
print(jax.device_count())
import nondet
nondet.checkpoint("x", jax.numpy.ones(3))
"""


@pytest.mark.subject
def test_flags_hold_where_the_script_sets_its_own_after_the_import(tmp_path: Path) -> None:
    pytest.importorskip("jax", reason="JAX is an extra")
    shown = run(tmp_path / "subject", LATE, {"op-determinism": "pinned"})
    assert shown.out.split() == ["2"]
    assert pins(shown, "op-determinism") == [["--xla_gpu_deterministic_ops=true"]]


def test_a_tensorflow_for_the_cpu_is_not_given_flags_for_gpus() -> None:
    class Module:
        __name__ = "tensorflow.python.framework.versions"

    module = Module()
    gpu, both = ("--xla_gpu_autotune_level=0",), ("--xla_allow_excess_precision=false",)
    build = type("build_info", (), {"build_info": {"is_cuda_build": False}})
    platform = type("platform", (), {"build_info": build})
    names = {"tensorflow.python.platform": platform}
    with pytest.MonkeyPatch.context() as patch:
        for name in ("tensorflow", "tensorflow.python"):
            patch.setitem(sys.modules, name, types.ModuleType(name))
        for name, stand_in in names.items():
            patch.setitem(sys.modules, name, stand_in)
        assert not xla_flags.concerned(module, gpu)
        assert xla_flags.concerned(module, both)
        build.build_info["is_cuda_build"] = True  # type: ignore[attr-defined]
        assert xla_flags.concerned(module, gpu)
