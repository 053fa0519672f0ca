"""What is said of a machine, rule by rule: where it applies, and where it does not."""

from __future__ import annotations

import pytest

from nondet.host import remarks
from nondet.machines import Checkup
from tests.host.checkups import H100, T4, checkup, library, variables

TF = library("tensorflow", "2.21.0", GPUs="1")
BLIND = library("tensorflow", "2.21.0", GPUs="0")
KERAS = library("keras", "3.15.1")
NUMPY = library("numpy", "2.4.0")
AVX = ("avx", "avx2")

APPLIES = {
    "not importable": (checkup(libraries=(library("jax", "", "ImportError: no"),)), "bad", "jax"),
    "keras 2": (checkup(libraries=(library("keras", "2.15.0"),)), "note", "keras"),
    "two kerases": (
        checkup(libraries=(KERAS, library("tensorflow", "2.15.0"))), "bad", "keras",
    ),
    "numpy 2": (checkup(libraries=(NUMPY, library("tensorflow", "2.17.1"))), "bad", "numpy"),
    "threads anew": (checkup(variables=variables(OMP_DYNAMIC="TRUE")), "bad", "OMP_DYNAMIC"),
    "schedule": (checkup(variables=variables(OMP_SCHEDULE="guided,4")), "bad", "OMP_SCHEDULE"),
    "unlike GPUs": (checkup(gpus=(H100, T4)), "bad", "GPUs"),
    "unseen GPU": (checkup(gpus=(H100,), libraries=(BLIND,)), "bad", "tensorflow"),
    "hash seed": (checkup(variables={}), "note", "PYTHONHASHSEED"),
    "random hash seed": (
        checkup(variables={"PYTHONHASHSEED": "random"}), "note", "PYTHONHASHSEED",
    ),
    "autotune": (
        checkup(variables=variables(TF_CUDNN_USE_AUTOTUNE="0", TF_CUDNN_DETERMINISTIC="1")),
        "note", "TF_CUDNN_USE_AUTOTUNE",
    ),
    "auto jit": (
        checkup(variables=variables(TF_XLA_FLAGS="--tf_xla_auto_jit=2")), "note", "TF_XLA_FLAGS",
    ),
    "one core": (checkup(cores=1), "note", "cores"),
    "quota": (checkup(quota=1.5), "note", "cores"),
    "oneDNN": (checkup(features=AVX, libraries=(TF,)), "note", "oneDNN"),
    "addresses": (checkup(fixed_addresses=False), "note", "addresses"),
    "kernels of TensorFlow": (checkup(gpus=(T4,), libraries=(TF,)), "note", "tensorflow"),
    "workspace": (
        checkup(gpus=(T4,), libraries=(library("torch", "2.13", GPUs="1"),)), "note", "torch",
    ),
    "kernels of XLA": (
        checkup(gpus=(T4,), libraries=(library("jax", "0.10", GPUs="1"),)), "note", "jax",
    ),
    "TF32": (checkup(gpus=(H100,)), "note", "TF32"),
    "instances": (checkup(gpus=(H100.__class__(name="A100", mig=True),)), "note", "MIG"),
    "memory errors": (checkup(gpus=(T4,)), "note", "ECC"),
}  # fmt: skip

SILENT = {
    "what is as it should be": checkup(),
    "keras 3 on a new TensorFlow": checkup(libraries=(KERAS, TF, NUMPY)),
    "keras 3 alone": checkup(libraries=(KERAS,)),
    "numpy 1 with an old TensorFlow": checkup(
        libraries=(library("numpy", "1.26.4"), library("tensorflow", "2.17.1"))
    ),
    "a fixed number of threads": checkup(variables=variables(OMP_DYNAMIC="false")),
    "a static schedule": checkup(variables=variables(OMP_SCHEDULE="static,8")),
    "autotune off alone": checkup(variables=variables(TF_CUDNN_USE_AUTOTUNE="0")),
    "a quota of all cores": checkup(quota=4.0),
    "oneDNN that was chosen": checkup(
        features=AVX, libraries=(TF,), variables=variables(TF_ENABLE_ONEDNN_OPTS="1")
    ),
    "TensorFlow on Arm": checkup(features=("asimd",), libraries=(TF,)),
    "GPUs that are hidden": checkup(
        gpus=(H100,),
        libraries=(library("torch", "2.13", GPUs="0"),),
        variables=variables(
            CUDA_VISIBLE_DEVICES="",
            NVIDIA_TF32_OVERRIDE="0",
            CUBLAS_WORKSPACE_CONFIG=":4096:8",
        ),
    ),
    "XLA that was told": checkup(
        gpus=(H100,),
        libraries=(library("jax", "0.10", GPUs="1"),),
        variables=variables(NVIDIA_TF32_OVERRIDE="0", XLA_FLAGS="--xla_gpu_deterministic_ops=true"),
    ),
}


@pytest.mark.parametrize("case", APPLIES)
def test_rule_applies(case: str) -> None:
    found, level, about = APPLIES[case]
    assert (level, about) in [(remark.level, remark.about) for remark in remarks.of(found)]


@pytest.mark.parametrize("case", SILENT)
def test_rules_are_silent(case: str) -> None:
    assert list(remarks.of(SILENT[case])) == []


def test_every_rule_is_tried() -> None:
    """Each gives something for one of the machines above."""
    machines = [found for found, _, _ in APPLIES.values()]
    assert all(any(list(rule(found)) for found in machines) for rule in remarks.RULES)


def test_what_is_bad_comes_first() -> None:
    found: Checkup = checkup(gpus=(H100, T4), variables={}, cores=1)
    levels = [remark.level for remark in remarks.of(found)]
    assert levels == sorted(levels) and set(levels) == {"bad", "note"}


def test_flags_that_are_set_stay() -> None:
    found = checkup(
        gpus=(T4,),
        libraries=(library("jax", "0.10", GPUs="1"),),
        variables=variables(XLA_FLAGS="--xla_dump_to=d"),
    )
    (told,) = [remark.set for remark in remarks.of(found) if remark.about == "jax"]
    assert told == ("XLA_FLAGS", "--xla_dump_to=d --xla_gpu_deterministic_ops=true")


@pytest.mark.parametrize(
    ("text", "expected"),
    [("2.21.0", (2, 21)), ("2.13.0+cpu", (2, 13)), ("3", (3, 0)), ("", (0, 0)), ("dev", (0, 0))],
)
def test_numbers_of_versions(text: str, expected: tuple[int, int]) -> None:
    assert remarks.number(text) == expected
