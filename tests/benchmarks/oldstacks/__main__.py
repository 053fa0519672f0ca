"""Diagnoses the classic script on each old stack, and writes what was found (docs/old-stacks.md).

``python -m tests.benchmarks.oldstacks`` makes the environments (minutes, once, below build/), runs
every way to train with and without nondet, counts the results of variants, diagnoses, and compares
with what is promised. Exit code 1 when something is not as promised. About twenty minutes on two
cores; Theano wants a C++ compiler.
"""

from __future__ import annotations

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
PROMISED = {
    "tensorflow": ("causes-found", ["update-order"]),
    "theano": ("reproducible", []),
    "numpy": ("causes-found", ["numpy-generator"]),
}
"""The verdict on the classic script, and its causes."""
NONDET = [sys.executable, "-m", "nondet"]


def main() -> int:
    failures = []
    for stack in STACKS:
        print(stack.title, flush=True)
        made(stack)
        with tempfile.TemporaryDirectory() as folder:
            room = Path(folder)
            if stack.backend:
                failures += [f"{stack.title}: {told}" for told in undisturbed(stack, room)]
            failures += [f"{stack.title}: {told}" for told in diagnosed(stack, room)]
            if stack.backend == "tensorflow":
                count(stack, room)
    for failure in failures:
        print("FAILED", failure)
    return 1 if failures else 0


def undisturbed(stack: Stack, room: Path) -> Iterator[str]:
    """What training leaves, with every step recorded and without: each difference."""
    script = str(shutil.copy(SUBJECTS / "lasting.py", room))
    # An optimizer that leaves nothing open; all of Theano's are such.
    optimizer = "tensorflow" if stack.backend == "tensorflow" else "adam"
    for way in WAYS:
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


def diagnosed(stack: Stack, room: Path) -> Iterator[str]:
    """Diagnose the classic script, keep the record and its summary: each broken promise."""
    work = room / "work"
    work.mkdir()
    script = f"classic_{stack.name}.py"
    shutil.copy(SUBJECTS / script, work)
    subprocess.run(
        [*NONDET, "diagnose", "--quiet", "--python", stack.python, script],
        cwd=work,
        env=stack.environ(room / "compiled"),
        check=False,
    )
    diagnosis = record.decode((work / "nondet-report" / "diagnosis.json").read_bytes())
    verdict, causes = PROMISED[stack.name]
    if diagnosis.verdict != verdict:
        yield f"{diagnosis.verdict} where {verdict} was promised"
    if [cause.factor for cause in diagnosis.causes] != causes:
        yield f"caused by {[cause.factor for cause in diagnosis.causes]}, not {causes}"
    if causes and not (diagnosis.prescription and diagnosis.prescription.patch_verified):
        yield "the patch was not verified"
    if stack.backend:
        publish(stack, diagnosis, room)


def publish(stack: Stack, diagnosis: record.Diagnosis, room: Path) -> None:
    """The record, without this machine's folders, and what is rendered from it."""
    text = record.encode(diagnosis).decode()
    places = (str(room / "work"), "."), (str(room), ".."), (str(stack.folder), stack.name)
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
