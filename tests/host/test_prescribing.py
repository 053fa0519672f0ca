"""What the causes ask for together: code for the top, the launch line, advice."""

from __future__ import annotations

import re
from collections.abc import Mapping

import pytest
from msgspec import structs

from nondet import record
from nondet.guest.factors import REGISTRY, by_name
from nondet.guest.factors.base import Factor
from nondet.host import evidence, launching, mending, prescribing
from nondet.host.line_edits import Places
from nondet.patching.patch import patch
from nondet.search.questions import Finding
from tests.host.places import seeding, site, taken

KERAS = {"keras": "3.15.1", "tensorflow": "2.21.0"}


def prescribed_for(
    causes: list[record.Cause], frameworks: dict[str, str], backend: str = ""
) -> tuple[record.Prescription, list[str]]:
    """What is prescribed for causes, and what a patch of that leaves out."""
    places = {c.factor: Places(c.sites, seedings=c.seedings) for c in causes}
    found, written = prescribing.prescribe(
        Finding(), causes, places, "python train.py", frameworks, (), backend
    )
    return found, mending.unwritten(causes, found, written)


@pytest.mark.parametrize(
    ("factor", "call", "frameworks", "code"),
    [
        ("python-random", "keras.utils.set_random_seed", KERAS, "import random\nrandom.seed(42)"),
        ("python-random", "random.seed", {}, "import random\nrandom.seed(42)"),
        ("numpy-global", "np.random.seed", KERAS, "import numpy as np\nnp.random.seed(42)"),
        ("torch-seed", "torch.manual_seed", {"torch": "2.13.0"}, "torch.manual_seed(42)"),
    ],
)
def test_a_seed_that_is_drawn_before_stays_what_it_is(
    factor: str, call: str, frameworks: dict[str, str], code: str
) -> None:
    """A number in its place would have no option of the script choose it any more."""
    draw = site("a draw", 12)
    given = structs.replace(seeding(call), site=site("", 14), before=(draw,))
    cause = record.Cause(factor=factor, sites=(draw,), seedings=(given,))
    found, left = prescribed_for([cause], frameworks)
    assert (found.edits, found.launch, left) == ((), "", [])
    assert found.snippet.endswith(code)
    # Another cause has Keras seed everything at the top, and that draw with it.
    if frameworks == KERAS:
        found, left = prescribed_for([cause, record.Cause(factor="tf-seed")], frameworks)
        assert (found.snippet, found.edits, left) == (prescribing.SEED_ALL, (), [])


@pytest.mark.parametrize(
    ("factor", "detail", "before", "after"),
    [
        ("os-entropy", "secrets.randbelow", "secrets.randbelow(9)", "FIXED.randrange(9)"),
        ("os-entropy", "uuid.uuid4", "uuid4().int",
         "uuid.UUID(int=FIXED.getrandbits(128), version=4).int"),
        ("clock", "time.time", "int(time.time())", "int(42)"),
        ("clock", "time.monotonic_ns", "monotonic_ns() % 9", "42 % 9"),
    ],
)  # fmt: skip
def test_where_all_seeds_that_vary_are_taken_from_one_line_that_line_is_changed(
    factor: str, detail: str, before: str, after: str
) -> None:
    """The seeds stay what they are: an option of the script still chooses them."""
    lines = f"\n\nseed = option or {before}\nrandom.seed(seed)\nnp.random.seed(seed)\n"
    seeds = tuple(
        structs.replace(seeding(call), site=site("", 4 + n))
        for n, call in enumerate(("random.seed", "np.random.seed"))
    )
    cause = record.Cause(factor=factor, sites=(taken(detail, 3),), seedings=seeds)
    found, left = prescribed_for([cause], {})
    assert left == []
    made = patch("train.py", (), found.edits, (), lambda file: lines)
    assert [file.after for file in made.files if lines.replace(before, after).strip() in file.after]


def test_code_goes_to_the_top_of_the_script_that_draws() -> None:
    """In the generator's own terms: only the subject may use Keras."""
    keras = prescribing.SEED_ALL
    numpy, python = (by_name(name).fix for name in ("numpy-global", "python-random"))

    def told(**programs: tuple[str, ...]) -> tuple[str, dict[str, str]]:
        named = {name.replace("_", "-"): files for name, files in programs.items()}
        causes = [record.Cause(factor=name) for name in named]
        places = {name: Places(()) for name in named}
        found, written = prescribing.prescribe(
            Finding(), causes, places, "python train.py", KERAS, programs=named
        )
        assert mending.unwritten(causes, found, written) == []
        return found.snippet, {program.file: program.snippet for program in found.programs}

    assert told(numpy_global=()) == (keras, {})
    assert told(numpy_global=("",)) == (keras, {})
    assert told(numpy_global=("make.py",)) == ("", {"make.py": numpy})
    assert told(numpy_global=("make.py",), python_random=("",)) == (keras, {"make.py": numpy})
    assert told(numpy_global=("", "make.py"), python_random=("run.py", "make.py")) == (
        keras,
        {"make.py": f"{numpy}\n\n{python}", "run.py": python},
    )
    # What is no generator is held where the frameworks are.
    assert told(op_determinism=("make.py",))[1] == {}


def top(frameworks: set[str], backend: str, *factors: str) -> list[str]:
    versions = dict.fromkeys(frameworks, "9.0")
    written = prescribing.at_top([by_name(name) for name in factors], versions, backend)
    return [one.text.splitlines()[-1] for one in written]


def test_code_is_in_the_terms_of_what_the_script_computes_with() -> None:
    both, determinism = {"keras", "tensorflow", "torch"}, "op-determinism"
    tensorflow = ["tf.config.experimental.enable_op_determinism()"]
    torch = ["torch.use_deterministic_algorithms(True)"]
    assert top({"tensorflow"}, "", determinism) == tensorflow
    assert top({"torch"}, "", determinism) == torch
    assert top({"tensorflow", "torch"}, "", determinism) == tensorflow
    # Keras imports TensorFlow to seed it, whatever it computes with.
    assert top(both, "torch", determinism) == torch
    assert top(both, "tensorflow", determinism) == tensorflow
    # On JAX that is about what TensorFlow prepares.
    assert top({*both, "jax"}, "jax", determinism) == tensorflow
    assert top(both, "torch", "cpu-threads") == ["torch.set_num_threads(1)"]


def test_keras_seeds_pytorch_where_that_is_its_backend() -> None:
    keras, torch = "keras.utils.set_random_seed(42)", "torch.manual_seed(42)"
    seeds = ("python-random", "torch-seed")
    assert set(top({"keras", "torch"}, "torch", *seeds)) == {keras}
    assert top({"keras", "torch"}, "jax", *seeds) == [keras, torch]
    assert top({"torch"}, "", "torch-seed") == [torch]


@pytest.mark.parametrize(
    ("frameworks", "factor", "code"),
    [
        (
            {"keras": "3.15.1", "tensorflow": "2.21.0"},
            "numpy-global",
            "keras.utils.set_random_seed",
        ),
        ({"keras": "2.15.0", "tensorflow": "2.15.1"}, "tf-seed", "keras.utils.set_random_seed"),
        ({"keras": "2.2.5", "tensorflow": "1.15.5"}, "numpy-global", "np.random.seed"),
        ({"keras": "2.2.5", "tensorflow": "1.15.5"}, "tf-seed", "tf.compat.v1.set_random_seed"),
        ({"tensorflow": "2.21.0"}, "tf-seed", "tf.random.set_seed"),
        ({"keras": "2.3.1", "theano": "1.0.5"}, "numpy-global", "np.random.seed"),
        ({"torch": "2.13.0"}, "cpu-threads", "torch.set_num_threads"),
        ({"tensorflow": "1.15.5"}, "cpu-threads", "tf.compat.v1.Session"),
        ({"tensorflow": "2.21.0"}, "cpu-threads", "tf.config.threading"),
        ({"torch": "2.13.0"}, "onednn", "torch.backends.mkldnn"),
    ],
)
def test_code_is_in_the_terms_of_the_versions_in_use(
    frameworks: dict[str, str], factor: str, code: str
) -> None:
    (written,) = prescribing.at_top([by_name(factor)], frameworks)
    assert code in written.text


def prescribed(
    factor: str, frameworks: dict[str, str], backend: str = "", *sites: record.Site
) -> tuple[record.Prescription, list[str]]:
    """The same for one cause."""
    return prescribed_for([record.Cause(factor=factor, sites=sites)], frameworks, backend)


THREADS = "OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1"
POOLS = "TF_NUM_INTRAOP_THREADS=1 TF_NUM_INTEROP_THREADS=1"


@pytest.mark.parametrize(
    ("frameworks", "backend", "variables"),
    [
        ({}, "", THREADS),
        ({"sklearn": "1.9.1"}, "", THREADS),
        ({"jax": "0.10.2"}, "", THREADS),
        ({"keras": "3.15.1", "jax": "0.10.2"}, "jax", THREADS),
        # Keras has imported TensorFlow, which reads its own as well.
        ({"keras": "3.15.1", "tensorflow": "2.21.0"}, "jax", f"{POOLS} {THREADS}"),
        ({"keras": "2.3.1", "theano": "1.0.5"}, "", THREADS),
    ],
)
def test_threads_of_what_has_no_code_for_them_are_held_by_the_launch_line(
    frameworks: dict[str, str], backend: str, variables: str
) -> None:
    found, left = prescribed("cpu-threads", frameworks, backend)
    assert (found.snippet, found.advice, left) == ("", (), [])
    assert found.launch == f"{variables} python train.py"


def test_a_launch_line_of_tensorflow_alone_is_none_of_others() -> None:
    assert prescribed("onednn", {"tensorflow": "2.21.0"})[0].variables
    found, _ = prescribed("onednn", {"sklearn": "1.9.1"})
    assert (found.variables, found.launch) == ({}, "")
    assert found.advice == (by_name("onednn").advice,)


def test_what_the_launch_line_does_not_say_is_not_held_by_it() -> None:
    racing = site("XGBoost's shotgun updater")
    found, left = prescribed("cpu-threads", {"xgboost": "3.2.0"}, "", racing)
    assert found.edits
    assert not found.launch
    assert left == ["what holds cpu-threads is no line of code that can be changed by itself"]


NAMED = {
    "keras": r"\bkeras|\bKeras|PyDataset",
    "tensorflow": r"tensorflow|TensorFlow|\btf\.|\bTF_|Dataset\.",
    "torch": r"torch|Torch|DataLoader",
    "jax": r"\bjax\.|JAX|xla_gpu",
    "sklearn": r"scikit-learn|sklearn",
}
"""What tells of a framework."""
NEW = {
    "keras": r"keras\.utils\.set_random_seed",
    "tensorflow": r"tf\.(random\.set_seed|config|function)|jit_compile|coordinator|MultiWorker|"
    r"enable_op_determinism|deterministic=",
}
"""What came to Keras with 2.7, and to TensorFlow with its second version."""
SCRIPTS: tuple[tuple[dict[str, str], str], ...] = (
    ({}, ""),
    ({"sklearn": "1.9.1"}, ""),
    ({"lightgbm": "4.6.0", "xgboost": "3.2.0"}, ""),
    ({"torch": "2.13.0"}, ""),
    ({"torch": "2.13.0", "torch on a GPU": "2.13.0"}, ""),
    ({"jax": "0.10.2"}, ""),
    ({"jax": "0.10.2", "jax on a GPU": "0.10.2"}, ""),
    ({"tensorflow": "2.21.0"}, ""),
    ({"tensorflow": "2.21.0", "keras": "3.15.1"}, "tensorflow"),
    ({"jax": "0.10.2", "keras": "3.15.1"}, "jax"),
    ({"torch": "2.13.0", "keras": "3.15.1"}, "torch"),
    ({"tensorflow": "1.15.5", "keras": "2.2.5"}, ""),
    ({"theano": "1.0.5", "keras": "2.3.1"}, ""),
)


def foreign(frameworks: Mapping[str, str]) -> str:
    """A pattern of what a script with these does not have."""
    found = [pattern for name, pattern in NAMED.items() if name not in frameworks]
    if not prescribing.seeds_all(frameworks):
        found.append(NEW["keras"])
    if frameworks.get("tensorflow", "").startswith("1."):
        found.append(NEW["tensorflow"])
    return "|".join(found)


def told(factor: Factor, frameworks: Mapping[str, str], backend: str) -> list[str]:
    """All that a script is told where this is its cause, but for what is said of a line."""
    launch = [name for name, _ in launching.launching(factor, frameworks)]
    top = [one.text for one in prescribing.at_top([factor], frameworks, backend)]
    return [prescribing.advice(factor, frameworks, backend), *top, *launch]


@pytest.mark.parametrize(
    ("frameworks", "backend"), SCRIPTS, ids=lambda value: "-".join(value) or "none"
)
@pytest.mark.parametrize("factor", REGISTRY, ids=lambda factor: factor.name)
def test_a_script_is_told_nothing_of_frameworks_that_it_does_not_have(
    factor: Factor, frameworks: dict[str, str], backend: str
) -> None:
    if factor.framework is not None and not evidence.frameworks_of(factor) & set(frameworks):
        return  # It can't act there.
    if factor.framework == "keras" and not prescribing.seeds_all(frameworks):
        return  # It is Keras 3's.
    for text in told(factor, frameworks, backend):
        assert not re.search(foreign(frameworks), text), text


@pytest.mark.parametrize(
    ("factor", "frameworks", "backend", "said"),
    [
        ("tf-seed", {"tensorflow": "1.15.5", "keras": "2.2.5"}, "", "tf.compat.v1.set_random_seed"),
        ("tf-seed", {"tensorflow": "2.21.0", "keras": "3.15.1"}, "", "keras.utils.set_random_seed"),
        ("python-random", {"keras": "3.15.1"}, "jax", "keras.utils.set_random_seed"),
        ("python-random", {"sklearn": "1.9.1"}, "", "`random.seed(42)`"),
        ("data-threads", {"torch": "2.13.0"}, "", "in_order=True"),
        ("data-threads", {"keras": "3.15.1", "tensorflow": "2.21.0"}, "jax", "PyDataset"),
        ("cudnn", {"torch": "2.13.0"}, "", "torch.backends.cudnn"),
        ("distribution", {"tensorflow": "2.21.0"}, "", "coordinator.join()"),
        ("python-workers", {"torch": "2.13.0"}, "", "from its shared generator"),
    ],
)
def test_advice_is_in_the_terms_of_what_the_script_uses(
    factor: str, frameworks: dict[str, str], backend: str, said: str
) -> None:
    assert said in prescribing.advice(by_name(factor), frameworks, backend)


@pytest.mark.parametrize("frameworks", [{}, {"torch": "2.13.0"}])
def test_advice_for_pools_supposes_no_order_in_which_results_are_taken(
    frameworks: dict[str, str],
) -> None:
    said = prescribing.advice(by_name("python-workers"), frameworks)
    assert said.startswith("Give every task a generator of its own")
    assert "Where results are taken as they come, " in said
