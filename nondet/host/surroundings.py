"""What a run has around it that bears on reproducibility, and what is known of each difference."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from nondet.host import machine
from nondet.host.planning import Settings
from nondet.host.processor import features as features
from nondet.host.trials import Trial
from nondet.runs import Facts, Gap, RecordedRun

VARIABLES = re.compile(
    r"PYTHON|OMP_|KMP_|GOMP_|MKL_|OPENBLAS_|BLIS_|VECLIB_|NUMEXPR_|DNNL_|ONEDNN_|TF_|XLA_|CUDA_|"
    r"CUBLAS_|CUDNN_|NVIDIA_|NCCL_|HIP_|ROCM_|KERAS_|JAX_|TORCH_|PYTORCH_|NPY_|LC_|LANG$|TZ$"
)
"""Start of the names of environment variables that libraries read."""
PRIVATE = re.compile(
    "AUTH|COOKIE|CREDENTIAL|KEY|LICENSE|PASS|PRIVATE|PWD|SECRET|SIGNATURE|TOKEN", re.IGNORECASE
)
"""In the names of those whose values are nobody's business. (The guest's: guest/keras_hooks.py.)"""
ROUNDS = "it rounds otherwise: results differ in the last bits, and training makes more of them"
PACKAGES = {
    "tensorflow": "other kernels, and other ways to fuse them: " + ROUNDS,
    "keras": "other defaults, initialisers and ways to draw seeds",
    "torch": "other kernels: " + ROUNDS,
    "jax": "other ways to compile: " + ROUNDS,
    "jaxlib": "other ways to compile: " + ROUNDS,
    "numpy": "its BLAS and the streams of its generators may be others",
    "scipy": "other algorithms and BLAS: " + ROUNDS,
    "scikit-learn": "other algorithms and defaults",
    "pandas": "order of groups and of sorted equals may be another",
    "ml-dtypes": "conversions to bfloat16 and float8 may round otherwise",
}
"""What another version is known to do; of all other packages nothing is known."""
SAME_AS = {
    "tensorflow-cpu": "tensorflow", "tensorflow-intel": "tensorflow", "tf-keras": "keras",
}  # fmt: skip
FRAMEWORKS = {"tensorflow", "keras", "torch", "jax", "jaxlib"}
"""Those of which a run tells whether it imported them: a package that none did changes nothing."""
PART_OF = {"jaxlib": "jax"}
NAMES = (
    (
        r"TF_ENABLE_ONEDNN_OPTS$",
        "TensorFlow computes with other kernels (oneDNN on or off): " + ROUNDS,
    ),
    (r"(DNNL|ONEDNN)_", "oneDNN chooses other kernels: " + ROUNDS),
    (
        r"(OMP|MKL|OPENBLAS|BLIS|NUMEXPR|TF_NUM_\w+)_(NUM_)?\w*THREADS$|TF_NUM_",
        "sums are split among another number of threads: " + ROUNDS,
    ),
    (r"(MKL|OPENBLAS|NPY)_", "another choice of kernels: " + ROUNDS),
    (r"(TF_XLA|XLA)_", "XLA compiles otherwise: " + ROUNDS),
    (r"TF_DETERMINISTIC_OPS$|TF_CUDNN_", "kernels that repeat, in place of faster ones"),
    (r"CUBLAS_WORKSPACE_CONFIG$", "whether cuBLAS repeats with several streams"),
    (r"NVIDIA_TF32_OVERRIDE$", "float32 products in TF32 or not: about three digits"),
    (r"CUDA_VISIBLE_DEVICES$", "other GPUs, or none"),
    (r"KERAS_BACKEND$", "another framework computes: nothing is equal bit for bit"),
    (r"PYTHONHASHSEED$", "the order of sets and of what is built from them"),
    (r"(LC_|LANG$)", "the order of sorted text, and how numbers are written"),
    (r"TZ$", "local times"),
    (r"JAX_", "how JAX computes: precision, key streams, backends"),
)
"""(start of a variable's name, what it is known to do), the first that fits."""


def facts(trial: Trial, settings: Settings, environ: Mapping[str, str]) -> Facts:
    """Of a run that has ended. `environ`: the environment that it was started with."""
    described = settings.subject.description
    return Facts(
        environment=machine.environment(described.python, described.packages),
        features=features(),
        threads=machine.cores(),
        variables=telling(environ),
        frameworks=dict(trial.frameworks),
    )


def telling(environ: Mapping[str, str]) -> dict[str, str]:
    """The variables that libraries read, and none that may hold a secret."""
    return {
        name: value
        for name, value in sorted(environ.items())
        if VARIABLES.match(name) and not PRIVATE.search(name)
    }


def gaps(one: RecordedRun, other: RecordedRun) -> tuple[Gap, ...]:
    """All that differs around two runs, what is known to matter first."""
    found = [*_subject(one, other), *_machine(one.facts, other.facts)]
    found += _packages(one.facts, other.facts)
    found += _variables(one.facts.variables, other.facts.variables)
    return tuple(sorted(found, key=lambda gap: not gap.effect))


def _subject(one: RecordedRun, other: RecordedRun) -> Iterator[Gap]:
    first, second = one.subject, other.subject
    if first.sha256 != second.sha256:
        yield Gap(
            kind="script",
            name=first.script,
            one=first.sha256[:12],
            other=second.sha256[:12],
            effect="the scripts themselves are not the same",
        )
    if first.args != second.args:
        texts = [" ".join(side.args) or "none" for side in (first, second)]
        told = "the script was given other arguments"
        yield Gap(kind="script", name="arguments", one=texts[0], other=texts[1], effect=told)
    if one.pins != other.pins:
        texts = [
            ", ".join(f"{name} {arm}" for name, arm in sorted(run.pins.items())) or "none"
            for run in (one, other)
        ]
        told = "nondet held other factors"
        yield Gap(kind="pins", name="pins", one=texts[0], other=texts[1], effect=told)
    if one.pins and other.pins and one.seed != other.seed:
        told = "nondet made what it held from another seed"
        seeds = str(one.seed), str(other.seed)
        yield Gap(kind="pins", name="seed of the pins", one=seeds[0], other=seeds[1], effect=told)


def _machine(one: Facts, other: Facts) -> Iterator[Gap]:
    here, there = one.environment, other.environment
    if here.python != there.python:
        told = "order of keys and hashes, and `random`'s methods, may be others"
        yield Gap(kind="python", name="Python", one=here.python, other=there.python, effect=told)
    if here.cpu != there.cpu:
        told = "libraries choose their kernels by the processor"
        yield Gap(kind="processor", name="processor", one=here.cpu, other=there.cpu, effect=told)
    if one.features != other.features:
        lacking = [set(b.features) - set(a.features) for a, b in ((one, other), (other, one))]
        texts = [" ".join(sorted(names)) for names in reversed(lacking)]
        told = "kernels are chosen by instruction sets: " + ROUNDS
        yield Gap(
            kind="processor",
            name="instruction sets",
            one=f"also {texts[0]}" if texts[0] else "-",
            other=f"also {texts[1]}" if texts[1] else "-",
            effect=told,
        )
    if one.threads != other.threads:
        told = "sums are split among another number of threads: " + ROUNDS
        yield Gap(
            kind="threads",
            name="cores to use",
            one=str(one.threads),
            other=str(other.threads),
            effect=told,
        )
    if here.gpus != there.gpus:
        texts = [", ".join(side.gpus) or "none" for side in (here, there)]
        told = "other kernels, and another order of sums: nothing is equal bit for bit"
        yield Gap(kind="gpu", name="GPUs", one=texts[0], other=texts[1], effect=told)
    if here.driver != there.driver:
        texts = [side.driver or "none" for side in (here, there)]
        told = "kernels that the driver compiles may be others"
        yield Gap(kind="gpu", name="NVIDIA driver", one=texts[0], other=texts[1], effect=told)
    if here.platform != there.platform:
        told = "the C library's functions may round otherwise"
        yield Gap(
            kind="processor", name="system", one=here.platform, other=there.platform, effect=told
        )


def _packages(one: Facts, other: Facts) -> Iterator[Gap]:
    first, second = (
        {_canonical(n): v for n, v in f.environment.packages.items()} for f in (one, other)
    )
    imported = {*one.frameworks, *other.frameworks}
    for name in sorted(first.keys() | second.keys(), key=_weight):
        versions = first.get(name, "not installed"), second.get(name, "not installed")
        if versions[0] != versions[1]:
            known = SAME_AS.get(name, name)
            acted = PART_OF.get(known, known) in imported or known not in FRAMEWORKS
            yield Gap(
                kind="package",
                name=name,
                one=versions[0],
                other=versions[1],
                effect=PACKAGES.get(known, "") if acted else "",
            )


def _canonical(name: str) -> str:
    """A distribution's name as the index knows it: ``tensorflow_cpu`` is ``tensorflow-cpu``."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _weight(name: str) -> tuple[int, str]:
    """Sorts frameworks first, as the table of packages has them, and the rest by name."""
    order = list(PACKAGES)
    known = SAME_AS.get(name, name)
    return (order.index(known) if known in order else len(order)), name


def _variables(one: Mapping[str, str], other: Mapping[str, str]) -> Iterator[Gap]:
    for name in sorted(one.keys() | other.keys()):
        if one.get(name) != other.get(name):
            known = (told for start, told in NAMES if re.match(start, name))
            yield Gap(
                kind="variable",
                name=name,
                one=one.get(name, "not set"),
                other=other.get(name, "not set"),
                effect=next(known, ""),
            )
