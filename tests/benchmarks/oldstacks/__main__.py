"""Diagnoses scripts on each old stack, and writes what was found (docs/old-stacks.md).

``python -m tests.benchmarks.oldstacks [STACK...]`` makes the environments (minutes, once, below
build/), runs every way to train with and without nondet, counts the results of variants, diagnoses,
and compares with what is promised. Exit code 1 when something is not as promised. About twenty
minutes on two cores; Theano wants a C++ compiler.
"""

from __future__ import annotations

import argparse
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec

from nondet import record
from nondet.report import markdown
from tests.benchmarks.oldstacks import outcomes
from tests.benchmarks.oldstacks.environments import ROOT, STACKS, Stack, made

SUBJECTS = Path(__file__).resolve().parent / "subjects"
DOCS = ROOT / "docs"
WAYS = ("fit", "fit_generator", "train_on_batch")
EAGER_WAYS = ("fit", "tape", "train_on_batch")
PROMISED = {
    "classic_tensorflow": ("causes-found", ["update-order"]),
    "classic_theano": ("reproducible", []),
    "unseeded_theano": ("causes-found", ["numpy-global"]),
    "classic_numpy": ("causes-found", ["numpy-generator"]),
    "classic_eager": ("causes-found", ["python-random"]),
    "unseeded_eager": ("causes-found", ["python-random", "tf-seed"]),
    "classic_tf_keras": ("causes-found", ["python-random"]),
    "unseeded_tf_keras": ("causes-found", ["python-random", "tf-seed"]),
}
"""The verdict on each script, and its causes."""
PUBLISHED = ("classic_tensorflow", "classic_theano")
"""Those whose records are files of the docs."""
NONDET = [sys.executable, "-m", "nondet"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    names = [stack.name for stack in STACKS]
    parser.add_argument("stacks", nargs="*", metavar="STACK", help=f"of {', '.join(names)}")
    chosen = parser.parse_args()
    if unknown := set(chosen.stacks) - set(names):
        parser.error(f"no such stack: {', '.join(sorted(unknown))}")
    failures = []
    for stack in STACKS:
        if chosen.stacks and stack.name not in chosen.stacks:
            continue
        print(stack.title, flush=True)
        made(stack)
        with tempfile.TemporaryDirectory() as folder:
            room = Path(folder)
            if stack.backend:
                failures += [f"{stack.title}: {told}" for told in undisturbed(stack, room)]
            for script in sorted(SUBJECTS.glob(f"*_{stack.name}.py")):
                told = diagnosed(stack, script, room / script.stem)
                failures += [f"{stack.title}: {script.name}: {one}" for one in told]
            if stack.name == "tensorflow":
                count(stack, room)
    for failure in failures:
        print("FAILED", failure)
    return 1 if failures else 0


def undisturbed(stack: Stack, room: Path) -> Iterator[str]:
    """What training leaves, with every step recorded and without: each difference."""
    script = str(shutil.copy(SUBJECTS / "lasting.py", room))
    # An optimizer that leaves nothing open: in a graph of TensorFlow's, Keras' own do.
    optimizer = "tensorflow" if stack.name == "tensorflow" else "adam"
    for way in EAGER_WAYS if stack.eager else WAYS:
        command = [script, way, optimizer]
        plain = output([stack.python, *command], stack, room)
        recorded = output(
            [*NONDET, "record", "--granularity", "step", "-o", str(room / "run.nd"), "--python",
             stack.python, *command], stack, room
        )  # fmt: skip
        print(f"  {way}: {plain} without nondet, {recorded} with", flush=True)
        if not plain or plain != recorded:
            yield f"{way} leaves {plain or 'nothing'} without nondet, and {recorded} with it"


def output(command: list[str], stack: Stack, room: Path) -> str:
    """What the script printed of its weights; empty when it failed."""
    done = subprocess.run(
        command,
        cwd=room,
        env=stack.environ(),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        print(done.stderr[-2000:])
        return ""
    return done.stdout.split()[-1]


def count(stack: Stack, room: Path) -> None:
    """Write the table of variants into the page."""
    script = str(shutil.copy(SUBJECTS / "variants.py", room))
    outcomes.publish(
        outcomes.table(lambda command: output([stack.python, script, *command], stack, room))
    )


def diagnosed(stack: Stack, script: Path, room: Path) -> Iterator[str]:
    """Diagnose a script, keep the record and its summary: each broken promise."""
    work = room / "work"
    work.mkdir(parents=True)
    shutil.copy(script, work)
    subprocess.run(
        [*NONDET, "diagnose", "--quiet", "--python", stack.python, script.name],
        cwd=work,
        env=stack.environ(room / "compiled"),
        check=False,
    )
    diagnosis = record.decode((work / "nondet-report" / "diagnosis.json").read_bytes())
    verdict, causes = PROMISED[script.stem]
    found = ", ".join(cause.factor for cause in diagnosis.causes) or "no cause"
    print(f"  {script.name}: {diagnosis.verdict}, {found}, {diagnosis.cost.trials} trials")
    if diagnosis.verdict != verdict:
        yield f"{diagnosis.verdict} where {verdict} was promised"
    if sorted(cause.factor for cause in diagnosis.causes) != sorted(causes):
        yield f"caused by {[cause.factor for cause in diagnosis.causes]}, not {causes}"
    if causes and not (diagnosis.prescription and diagnosis.prescription.patch_verified):
        yield "the patch was not verified"
    if script.stem in PUBLISHED:
        publish(stack, diagnosis, room)


def publish(stack: Stack, diagnosis: record.Diagnosis, room: Path) -> None:
    """The record, without this machine's folders and kernel, and what is rendered from it."""
    text = record.encode(diagnosis).decode()
    places = [(str(room / "work"), "."), (str(room), ".."), (str(stack.folder), stack.name)]
    if build := platform.release().partition("-")[2]:
        places.append((f"-{build}", ""))
    for place, name in places:
        text = text.replace(place, name)
    path = DOCS / f"old-stacks-{stack.name}.json"
    # On one line: for programs, beside what is rendered of it for people.
    path.write_bytes(msgspec.json.format(text.encode(), indent=-1) + b"\n")
    shown = markdown.render(record.decode(text.encode())).replace("### ", "## ", 1)
    whole = f"# {stack.title}\n\nRendered from [the record]({path.name}).\n\n{shown}"
    path.with_suffix(".md").write_text(whole, encoding="utf-8")
    print(f"  written: {path.relative_to(ROOT)}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
