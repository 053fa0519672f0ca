"""What a user should know of a machine, and what to set: one rule a function, pure.

Sources of what is said of versions: the release notes of TensorFlow 2.16 (Keras 3 by default) and
2.18 (NumPy 2), https://github.com/tensorflow/tensorflow/releases; of cuBLAS, its documentation's
section on reproducibility, https://docs.nvidia.com/cuda/cublas/#results-reproducibility; of
OpenMP, https://www.openmp.org/spec-html/5.0/openmpse51.html (OMP_DYNAMIC).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from nondet.machines import Checkup, Library, Remark

AMPERE = (8, 0)
"""The first compute capability that has TF32."""
CUBLAS = ("CUBLAS_WORKSPACE_CONFIG", ":4096:8")


def of(found: Checkup) -> Iterator[Remark]:
    """All that applies, what is bad first."""
    remarks = [remark for rule in RULES for remark in rule(found)]
    yield from sorted(remarks, key=lambda remark: remark.level != "bad")


def library(found: Checkup, name: str) -> Library | None:
    usable = (one for one in found.libraries if one.name == name and not one.failure)
    return next(usable, None)


def number(text: str) -> tuple[int, int]:
    """The first two numbers of a version."""
    numbers = [int(part) for part in re.findall(r"\d+", text)[:2]]
    return (numbers[0] if numbers else 0, numbers[1] if len(numbers) > 1 else 0)


# -- libraries that don't go together, or don't start


def not_importable(found: Checkup) -> Iterator[Remark]:
    for one in found.libraries:
        if one.failure:
            yield Remark(
                level="bad",
                about=one.name,
                text=f"{one.name} is installed and can't be imported: {one.failure}",
                todo=f"install {one.name} anew, in an environment of its own",
            )


def old_keras(found: Checkup) -> Iterator[Remark]:
    keras, tensorflow = library(found, "keras"), library(found, "tensorflow")
    if keras is None:
        return
    if number(keras.version) < (3, 0):
        yield Remark(
            level="note",
            about="keras",
            text=f"Keras {keras.version}: training is recorded and compared, and its steps are not "
            "looked into",
        )
    elif tensorflow is not None and number(tensorflow.version) < (2, 16):
        yield Remark(
            level="bad",
            about="keras",
            text=f"Keras {keras.version} beside TensorFlow {tensorflow.version}, whose tf.keras is "
            "Keras 2: a script that uses both has two sets of generators and seeds",
            todo="install tensorflow>=2.16, or keras<3",
        )


def numpy_and_tensorflow(found: Checkup) -> Iterator[Remark]:
    numpy, tensorflow = library(found, "numpy"), library(found, "tensorflow")
    if numpy is None or tensorflow is None:
        return
    if number(numpy.version) >= (2, 0) and number(tensorflow.version) < (2, 18):
        yield Remark(
            level="bad",
            about="numpy",
            text=f"TensorFlow {tensorflow.version} was built for NumPy 1, and NumPy is "
            f"{numpy.version}",
            todo="install numpy<2, or tensorflow>=2.18",
        )


# -- variables that make runs differ, or that undo one another


def dynamic_threads(found: Checkup) -> Iterator[Remark]:
    if found.variables.get("OMP_DYNAMIC", "").lower() in ("true", "1"):
        yield Remark(
            level="bad",
            about="OMP_DYNAMIC",
            text="OpenMP chooses the number of threads anew each time, and sums are split by it",
            todo="leave it unset, or set it to false",
            set=("OMP_DYNAMIC", "false"),
        )
    schedule = found.variables.get("OMP_SCHEDULE", "").lower()
    if "dynamic" in schedule or "guided" in schedule:
        yield Remark(
            level="bad",
            about="OMP_SCHEDULE",
            text=f"{schedule}: which thread adds what is another matter in every run",
            todo="leave it unset, or set it to static",
            set=("OMP_SCHEDULE", "static"),
        )


def autotune(found: Checkup) -> Iterator[Remark]:
    variables = found.variables
    if variables.get("TF_CUDNN_USE_AUTOTUNE") == "0" and "TF_CUDNN_DETERMINISTIC" in variables:
        yield Remark(
            level="note",
            about="TF_CUDNN_USE_AUTOTUNE",
            text="with autotuning off, TF_CUDNN_DETERMINISTIC has no effect",
            todo="call tf.config.experimental.enable_op_determinism() in place of both",
        )


def hash_seed(found: Checkup) -> Iterator[Remark]:
    if found.variables.get("PYTHONHASHSEED", "random") == "random":
        yield Remark(
            level="note",
            about="PYTHONHASHSEED",
            text="sets of strings have another order in every process",
            todo="set it before Python starts, where a vocabulary or a list is made from a set",
            set=("PYTHONHASHSEED", "0"),
        )


def xla_flags(found: Checkup) -> Iterator[Remark]:
    if "auto_jit" in found.variables.get("TF_XLA_FLAGS", ""):
        yield Remark(
            level="note",
            about="TF_XLA_FLAGS",
            text="XLA compiles what it finds, and with deterministic ops some of it has no kernel",
            todo="leave it unset while you look for a cause",
        )


# -- the processor


def one_core(found: Checkup) -> Iterator[Remark]:
    if found.environment.cores == 1:
        yield Remark(
            level="note",
            about="cores",
            text="with one core, threads hardly race: what repeats here may not elsewhere",
            todo="diagnose on a machine like the one you train on",
        )


def fewer_cores(found: Checkup) -> Iterator[Remark]:
    cores = found.environment.cores
    if found.quota is not None and found.quota < cores:
        yield Remark(
            level="note",
            about="cores",
            text=f"time for {found.quota:.3g} of {cores} cores is granted: libraries start threads "
            f"for {cores}, which wait for one another in an order of their own",
            todo="set the number of threads to what is granted",
            set=("OMP_NUM_THREADS", str(max(1, int(found.quota)))),
        )


def onednn(found: Checkup) -> Iterator[Remark]:
    tensorflow = library(found, "tensorflow")
    if tensorflow is None or "TF_ENABLE_ONEDNN_OPTS" in found.variables:
        return
    # On Arm it is off unless it is asked for.
    if any(flag.startswith(("avx", "sse")) for flag in found.features):
        yield Remark(
            level="note",
            about="oneDNN",
            text="TensorFlow computes with oneDNN, which chooses kernels by the processor: equal "
            "from run to run here, not the same bits on another processor",
            todo="set this where results are compared between machines (slower)",
            set=("TF_ENABLE_ONEDNN_OPTS", "0"),
        )


def addresses(found: Checkup) -> Iterator[Remark]:
    if not found.fixed_addresses:
        yield Remark(
            level="note",
            about="addresses",
            text="processes can't be started at fixed addresses here (a container's rules, or "
            "another system than Linux): the factor `addresses` is not tested",
        )


# -- GPUs


def unseen_gpus(found: Checkup) -> Iterator[Remark]:
    if not found.gpus or found.variables.get("CUDA_VISIBLE_DEVICES") in ("", "-1"):
        return
    for name in ("tensorflow", "torch", "jax"):
        one = library(found, name)
        if one is not None and one.told.get("GPUs") == "0":
            yield Remark(
                level="bad",
                about=name,
                text=f"there is a GPU and {name} does not see it: it computes on the processor",
                todo=f"install a build of {name} for CUDA {found.cuda or ''}".rstrip(),
            )


def gpu_kernels(found: Checkup) -> Iterator[Remark]:
    if not found.gpus:
        return
    if library(found, "tensorflow") is not None:
        yield Remark(
            level="note",
            about="tensorflow",
            text="on a GPU some operations add in whatever order threads come",
            todo="call tf.config.experimental.enable_op_determinism() after seeding",
        )
    if library(found, "torch") is not None and CUBLAS[0] not in found.variables:
        yield Remark(
            level="note",
            about="torch",
            text="torch.use_deterministic_algorithms(True) fails on a GPU without a fixed "
            "workspace for cuBLAS",
            todo="set it before Python starts",
            set=CUBLAS,
        )
    flags = found.variables.get("XLA_FLAGS", "")
    if library(found, "jax") is not None and "deterministic_ops" not in flags:
        yield Remark(
            level="note",
            about="jax",
            text="XLA may choose kernels anew in every process, and some that add with atomics",
            todo="set it before Python starts",
            set=("XLA_FLAGS", f"{flags} --xla_gpu_deterministic_ops=true".strip()),
        )


def tf32(found: Checkup) -> Iterator[Remark]:
    has = any(gpu.capability is not None and gpu.capability >= AMPERE for gpu in found.gpus)
    if has and "NVIDIA_TF32_OVERRIDE" not in found.variables:
        yield Remark(
            level="note",
            about="TF32",
            text="products of float32 may be computed with ten bits of mantissa: equal from run "
            "to run, about three digits away from other processors",
            todo="set this where results are compared between machines (slower)",
            set=("NVIDIA_TF32_OVERRIDE", "0"),
        )


def instances(found: Checkup) -> Iterator[Remark]:
    if any(gpu.mig for gpu in found.gpus):
        yield Remark(
            level="note",
            about="MIG",
            text="the GPU is cut into instances: kernels are chosen by the size of one, so that "
            "results are equal between instances of one size alone",
        )


def memory_errors(found: Checkup) -> Iterator[Remark]:
    for gpu in dict.fromkeys(gpu for gpu in found.gpus if gpu.ecc is False):
        yield Remark(
            level="note",
            about="ECC",
            text=f"{gpu.name}: errors of its memory go unseen",
            todo="switch it on (nvidia-smi -e 1, then restart) when a difference stays a riddle",
        )


def unlike_gpus(found: Checkup) -> Iterator[Remark]:
    names = list(dict.fromkeys(gpu.name for gpu in found.gpus))
    if len(names) > 1:
        yield Remark(
            level="bad",
            about="GPUs",
            text=f"GPUs of several kinds ({', '.join(names)}): which of them a run gets decides "
            "about its bits",
            todo="name one",
            set=("CUDA_VISIBLE_DEVICES", "0"),
        )


RULES: tuple[Callable[[Checkup], Iterator[Remark]], ...] = (
    not_importable, old_keras, numpy_and_tensorflow, dynamic_threads, unlike_gpus, unseen_gpus,
    hash_seed, autotune, xla_flags, one_core, fewer_cores, onednn, addresses, gpu_kernels, tf32,
    instances, memory_errors,
)  # fmt: skip
