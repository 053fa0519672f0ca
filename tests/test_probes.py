"""Probes through the installed command: exactly what was planted is found, and the page says so.

A choice of all probes, one for each way in which a diagnosis goes, most of them `long`;
`sh .ci/do probes` runs all.
"""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nondet import record
from nondet.guest.factors import REGISTRY
from nondet.host import shipped
from tests.benchmarks import patches, probes
from tests.report import browser

CHOSEN = ("control_suspicious",)
"""No cause. What the README's example shows has two sources that need a seed."""
LONG = (
    "data_threads_prefetch", "hash_seed", "leftovers", "op_determinism", "shuffle", "three_causes",
    "two_stage_transfer", "unresolved",
)  # fmt: skip
"""More of them; `sh .ci/do probes` runs all."""
PATCHED = ("three_causes", "shuffle", "data_threads_prefetch")
"""Those whose patched script is run as well; `sh .ci/do probes` does it for all."""
WITHOUT = {
    "nccl": "what it holds shows between machines, each with three GPUs or more",
    "gpu-count": "it takes two GPUs",
}
"""Factors without a probe, with the reason."""
SHOWN = ("op_determinism", "three_causes")
"""Diagnoses whose page is opened in a browser."""

# One worker: trials that share the cores with those of another diagnosis take longer.
subject = [pytest.mark.subject, pytest.mark.xdist_group("subjects")]


@pytest.fixture(scope="session")
def output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("diagnoses")


def diagnosed(name: str, output: Path) -> record.Diagnosis:
    """The diagnosis of a probe, made once for all tests of this file."""
    done = output / name / "diagnosis.json"
    if done.exists():
        return record.decode(done.read_bytes())
    more = () if name in PATCHED else ("--no-verify",)
    return probes.diagnose(probes.named(name), output / name, more=more)


@pytest.mark.parametrize("probe", shipped.all_probes(), ids=lambda probe: probe.name)
def test_a_probe_is_short_and_promises_known_factors(probe: shipped.Probe) -> None:
    known = {factor.name for factor in REGISTRY}
    promised = probe.causes | probe.stress
    assert promised | probe.consumers | probe.alternatives <= known
    assert probe.verdict in record.EXIT_CODES
    text = probe.path.read_text(encoding="utf-8")
    ast.parse(text)
    length = len(text.splitlines())
    if probe.mixed:
        assert 60 <= length <= 120
        assert 2 <= len(probe.causes) <= 4
    else:
        assert length < (60 if len(probe.causes) > 1 else 40)
    # Every cause has a line that the report must name, and no mark stands without a promise.
    assert probe.causes <= set(probe.marks) <= promised | {probes.REFUSED}


def test_probes_are_told_apart_by_their_names() -> None:
    names = [probe.name for probe in shipped.all_probes()]
    assert len(names) == len(set(names))


def test_every_factor_has_a_probe() -> None:
    promised: set[str] = set()
    for probe in shipped.all_probes():
        promised |= probe.causes | probe.consumers | probe.stress
    assert promised | set(WITHOUT) == {factor.name for factor in REGISTRY}
    assert not promised & set(WITHOUT)


# -- the harness itself

PROBE = """\
# probe: two at once | causes: hash-seed, tf-seed
# | alternatives: shuffle
words = {"a", "b"}  # <- hash-seed
x = tf.random.normal((4, len(words)))  # <- tf-seed
y = tf.random.normal((4, 1))  # <- tf-seed
"""
STRESSED = (
    "# probe: a listing | causes: none | stress: file-order\nx = os.listdir()  # <- file-order\n"
)
REFUSED = "# probe: no kernel | causes: none | verdict: broken\ny = crop(x)  # <- op-determinism\n"


def probe_of(text: str, folder: Path) -> shipped.Probe:
    (folder / "train.py").write_text(text)
    return shipped.read(folder / "train.py")


def cause(factor: str, *lines: int, file: str = "train.py") -> record.Cause:
    return record.Cause(factor=factor, sites=sites(file, *lines))


def sites(file: str, *lines: int) -> tuple[record.Site, ...]:
    return tuple(record.Site(file=file, line=line, function="<module>") for line in lines)


def found(verdict: record.VerdictWord, *causes: record.Cause, **more: Any) -> record.Diagnosis:
    return record.Diagnosis(
        nondet="1",
        subject=record.Subject(script="train.py"),
        environment=record.Environment(python="3.13", platform="Linux", cpu="one", cores=2),
        verdict=verdict,
        causes=causes,
        cost=record.Cost(trials=9, subject_seconds=20, wall_seconds=30, single_run_seconds=10),
        **more,
    )


def test_a_probe_is_read_with_its_marks(tmp_path: Path) -> None:
    probe = probe_of(PROBE, tmp_path)
    assert probe.causes == {"hash-seed", "tf-seed"}
    assert probe.alternatives == {"shuffle"}
    assert probe.verdict == "causes-found"
    assert probe.marks == {"hash-seed": {3}, "tf-seed": {4, 5}}


def test_each_way_to_be_wrong_is_told(tmp_path: Path) -> None:
    probe = probe_of(PROBE, tmp_path)
    other = {"alternatives": (("tf-seed", "shuffle"),)}
    words, draws = cause("hash-seed", 2, 3), cause("tf-seed", 5, 4)
    assert probes.wrong(probe, found("causes-found", words, draws, **other)) == []
    for fault, wrong in {
        "verdict unresolved, expected causes-found": found("unresolved", words, draws, **other),
        "causes ['hash-seed'], expected": found("causes-found", words, **other),
        "alternatives ['shuffle'] are not named": found("causes-found", words, draws),
        "tf-seed: lines [4] are named, expected [4, 5]": found(
            "causes-found", words, cause("tf-seed", 4), **other
        ),
        "hash-seed: lines [] are named, expected [3]": found(
            "causes-found", cause("hash-seed", 3, file="other.py"), draws, **other
        ),
    }.items():
        assert fault in " ".join(probes.wrong(probe, wrong))
    more = cause("python-random", 3)
    assert "python-random" in probes.wrong(probe, found("causes-found", words, draws, more))[0]


def test_what_stress_provokes_is_compared_both_ways(tmp_path: Path) -> None:
    probe = probe_of(STRESSED, tmp_path)
    assert probe.stress == {"file-order"}
    assert probe.verdict == "reproducible"
    listing = record.Dormant(factor="file-order", sites=sites("train.py", 2))
    threads = (record.Sensitivity(factor="cpu-threads"),)

    def stressed(*dormant: record.Dormant, **more: Any) -> list[str]:
        stress = record.Stress(dormant=dormant)
        return probes.wrong(probe, found("reproducible", stress=stress, **more))

    assert stressed(listing) == []
    assert "file-order: lines [] are named" in stressed(record.Dormant(factor="file-order"))[0]
    # Which kernels give other bits is the processor's matter; what lies dormant is the script's.
    assert stressed(listing, sensitivities=threads) == []
    clock = record.Dormant(factor="clock")
    assert "dormant ['clock', 'file-order']" in stressed(listing, clock)[0]
    assert "dormant []" in stressed()[0]
    kernels = probe_of(STRESSED.replace("stress: file-order", "stress: onednn"), tmp_path)
    assert "['onednn'] are not named" in probes.wrong(kernels, found("reproducible"))[0]


def test_a_broken_probe_names_the_line_that_was_refused(tmp_path: Path) -> None:
    probe = probe_of(REFUSED, tmp_path)
    refusal = record.Refusal(op="Crop", message="no", advice="", site=sites("train.py", 2)[0])
    assert probes.wrong(probe, found("broken", refusals=(refusal,))) == []
    assert probes.wrong(probe, found("broken")) == [
        "no refused operation is named",
        "op-determinism: lines [] are named, expected [2]",
    ]


def test_the_page_has_a_table_of_mixed_scripts(tmp_path: Path) -> None:
    mixed = dataclasses.replace(
        probe_of(PROBE, tmp_path), path=probes.MIXED / "train.py", packages=("no-such-package",)
    )
    false = cause("clock", 7)
    diagnosis = found("causes-found", cause("hash-seed", 3), cause("tf-seed", 4, 5), false)
    page = probes.page(
        [
            probes.Result(probe_of(STRESSED, tmp_path), reason="not run: needs a GPU"),
            probes.Result(mixed, diagnosis),
            probes.examine(mixed, tmp_path / "none", has_gpu=False),
        ]
    )
    single, several = page.split("## Mixed scripts")
    assert "| none; under stress: file-order | not run: needs a GPU |" in single
    assert "| hash-seed (3), tf-seed (4, 5), clock | 9 | 30 s | 3.0 | 2.0 | clock |" in several
    assert "| not run: needs no-such-package |" in several
    assert "Of 2 planted\nsources in 1 scripts 2 were found; 1 others were accused." in several


def test_the_page_of_patches_counts_only_what_was_run() -> None:
    def fixed(**of: Any) -> record.Diagnosis:
        fix = record.Prescription(snippet="", **of)
        return found("causes-found", cause("hash-seed", 3), prescription=fix)

    runs = ("t07", "t08", "t09")
    page = patches.page(
        [
            ("good", fixed(patch="x", patch_verified=True, patch_trials=runs)),
            ("launched", fixed(variables={"A": "1"}, patch_verified=True, patch_trials=runs)),
            ("bad", fixed(patch="x", patch_trials=runs, patch_note="it still differs")),
            ("advised", fixed(patch="x", left=("no line",), patch_note="not run: no line")),
            ("none", found("reproducible")),
        ],
        9,
    )
    assert (
        "Of 3 scripts whose causes a change of code or of the launch line holds, 2 repeat" in page
    )
    assert "| good | hash-seed | code | repeats: 3 runs agree |" in page
    assert "| launched | hash-seed | launch line | repeats: 3 runs agree |" in page
    assert "| bad | hash-seed | code | it still differs |" in page
    assert "| advised | hash-seed | code | not run: no line |" in page
    assert "| none" not in page


# -- through the command


def parameter(name: str) -> Any:
    return pytest.param(name, marks=[*subject, pytest.mark.long] if name in LONG else subject)


@pytest.mark.parametrize("name", [parameter(name) for name in (*CHOSEN, *LONG)])
def test_exactly_the_planted_sources_are_found(name: str, output: Path) -> None:
    probe = probes.named(name)
    if reason := probes.missing(probe, has_gpu=False):
        pytest.skip(reason)
    diagnosis = diagnosed(name, output)
    assert probes.wrong(probe, diagnosis) == []
    assert not diagnosis.warnings
    for cause in diagnosis.causes:
        assert cause.first_divergence is not None
        assert cause.trials
        assert cause.agreeing
    if probe.causes:
        assert diagnosis.prescription is not None
        assert diagnosis.prescription.verified
        if name in PATCHED:
            assert diagnosis.prescription.patch_verified, diagnosis.prescription.patch_note
        assert diagnosis.confidence is not None
        assert diagnosis.confidence.agreeing_trials >= 6


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    yield from browser.started(tmp_path_factory.mktemp("profile"))


@pytest.mark.browser
@pytest.mark.parametrize("name", [parameter(name) for name in SHOWN])
def test_the_page_of_a_real_diagnosis(name: str, output: Path, driver: Any) -> None:
    diagnosis = diagnosed(name, output)
    page = browser.load(driver, output / name / "report.html")
    assert browser.text(page, "verdict").startswith("Runs part")
    for cause in diagnosis.causes:
        assert cause.title in browser.text(page, f"cause-{cause.factor}")
    assert diagnosis.prescription is not None
    fix = browser.find(page, "fix").text
    for line in (*diagnosis.prescription.snippet.splitlines(), diagnosis.prescription.launch):
        assert line.strip() in fix
    for edit in diagnosis.prescription.edits:
        assert f"{edit.file}:{edit.line}" in fix
        assert edit.code in fix
    assert page.execute_script(browser.INK) > 1
    assert browser.complaints(page) == []
