"""Settings that fight each other, from what trials told of theirs."""

from __future__ import annotations

import pytest

from nondet.host import conflicts

DETERMINISTIC = {"torch.deterministic": "True", "torch.warn-only": "False"}
EXCLUDED = "--xla_gpu_exclude_nondeterministic_ops=true"


@pytest.mark.parametrize(
    ("knobs", "start"),
    [
        (
            {"TF_CUDNN_USE_AUTOTUNE": "0", "TF_CUDNN_DETERMINISTIC": "1"},
            "TF_CUDNN_USE_AUTOTUNE=0 undoes TF_CUDNN_DETERMINISTIC=1",
        ),
        (DETERMINISTIC, "PyTorch in deterministic mode refuses products by cuBLAS"),
        (
            DETERMINISTIC | {"torch.warn-only": "True", "CUBLAS_WORKSPACE_CONFIG": ":0:0"},
            "PyTorch in deterministic mode only warns of products by cuBLAS with "
            "CUBLAS_WORKSPACE_CONFIG :0:0",
        ),
        (
            {"torch.cudnn.benchmark": "True", "torch.cudnn.deterministic": "True"},
            "torch.backends.cudnn.benchmark is on beside deterministic algorithms",
        ),
        ({"XLA_FLAGS": EXCLUDED}, "--xla_gpu_exclude_nondeterministic_ops leaves autotuning on"),
        (
            {
                "XLA_FLAGS": "--xla_gpu_deterministic_ops=true "
                "--xla_gpu_load_autotune_results_from=tuned.txt"
            },
            "--xla_gpu_deterministic_ops does not tune",
        ),
    ],
)
def test_each_conflict_is_told(knobs: dict[str, str], start: str) -> None:
    (text,) = conflicts.of(knobs, compiled=False)
    assert text.startswith(start)


@pytest.mark.parametrize(
    "knobs",
    [
        {},
        {"TF_CUDNN_USE_AUTOTUNE": "0"},
        DETERMINISTIC | {"CUBLAS_WORKSPACE_CONFIG": ":16:8", "torch.cudnn.benchmark": "False"},
        {"torch.cudnn.benchmark": "True"},
        {"XLA_FLAGS": f"{EXCLUDED} --xla_gpu_autotune_level=0"},
        {"XLA_FLAGS": f"{EXCLUDED} --xla_gpu_load_autotune_results_from=tuned.txt"},
        {"XLA_FLAGS": "--xla_gpu_deterministic_ops"},
        {"tensorflow.op-determinism": "True"},
    ],
)
def test_what_goes_together_is_not(knobs: dict[str, str]) -> None:
    assert conflicts.of(knobs, compiled=False) == []


def test_deterministic_operations_and_a_compiled_model() -> None:
    (text,) = conflicts.of({"tensorflow.op-determinism": "True"}, compiled=True)
    assert "jit_compile=False" in text
