"""Writes the generated documentation: docs/factors.md, and the help texts in docs/command.md.

``python -m tests.benchmarks.factor_table``. tests/test_docs.py fails when either is out of date.
"""

from __future__ import annotations

import re
from pathlib import Path

import rich_click as click
from click.testing import CliRunner

from nondet.cli import main as command
from nondet.guest.factors import REGISTRY
from nondet.guest.factors.base import Factor
from nondet.host import launching

DOCS = Path(__file__).resolve().parent.parent.parent / "docs"
FACTORS, COMMAND = DOCS / "factors.md", DOCS / "command.md"
WIDTH = 80
BLOCK = re.compile(r"(<!-- help: (.*?) -->\n```text\n).*?(\n```\n)", re.DOTALL)

GROUPS = {
    "generators": "Where random numbers come from.",
    "entropy": "What the system gives anew to every process: random bytes, time, names, numbers.",
    "order": "What is walked or found in another order, or found at all.",
    "parallelism": "What threads and processes race for.",
    "kernels": "How operations are computed.",
    "consumers": (
        "What random numbers are used for. A consumer carries a difference and is not its source: "
        "it is asked about only when no source holds the runs, and named beside the source that it "
        "draws from."
    ),
}
ACTS = {
    "before-start": "before the interpreter starts, through its environment",
    "before-import": "before the module that it concerns is imported",
    "after-import": "right after the module that it concerns was imported",
    "host": "outside the process, when the host makes the trial's folder",
}
HEAD = f"""\
<!-- Written by `python -m tests.benchmarks.factor_table`: change the factors, not this page. -->

# Factors

A factor is one source of nondeterminism that can be held or let go. There are {len(REGISTRY)},
listed by group. `nondet factors` prints the list in a terminal; a factor's name is what `--factors`
and `--skip` take, and what `diagnosis.json` holds. One more, `machine`, is there for trials [on a
cluster](cluster.md) alone.

In each trial a factor is in one arm:

- *pinned*: held at a stated value. A pin inside the process is read back there; one that did not
  take fails the trial, and a failed trial proves nothing.
- *free*: as the script has it.
- *varied*: deliberately different in every trial. `nondet diagnose --stress` uses it to provoke
  what lies dormant.
- *off* (`ablated` in the record): for consumers, the last resort when fixed draws don't hold.

A *faithful* pin keeps what the program does and fixes its choice: a seed, an order, a deterministic
kernel. An *ablating* one takes something away. A cause that was found by an ablating pin is marked
so.

A factor that can't act on a machine, such as `cudnn` without a GPU, is listed under *not tested*
with the reason.

## Why some stand where they do

`keras-seed` stands among the consumers: Keras 3 has no stream of its own for the seeds that it
makes up, and draws them from Python's `random`. So the source is `python-random`, and `keras-seed`
says what it was drawn for.

`jax-seed` is a consumer for the like reason: JAX has no hidden generator. Its keys are made from
seeds that the script takes from somewhere, and that somewhere is the source.

`addresses` is no part of process-identity: memory addresses are held in another way than process
ids and names, outside the process, and can't be held in every container.
"""


NAMES = {
    "keras": "Keras",
    "tensorflow": "TensorFlow",
    "tensorflow-1": "TensorFlow 1",
    "torch": "PyTorch",
    "jax": "JAX",
    "torch on a GPU": "PyTorch on a GPU",
    "jax on a GPU": "JAX on a GPU",
}


def factors_page() -> str:
    """The whole of docs/factors.md."""
    parts = [HEAD]
    for group, text in GROUPS.items():
        parts.append(f"## {group.capitalize()}\n\n{text}\n")
        parts += [section(factor) for factor in REGISTRY if factor.group == group]
    return "\n".join(parts)


def section(factor: Factor) -> str:
    """A factor's title, table, advice and fix."""
    rows = [
        ("pinned", f"{factor.pinned} ({'faithful' if factor.pin == 'faithful' else 'ablating'})"),
        ("free", factor.free),
        ("varied", factor.varied or "No such arm: as free."),
    ]
    if factor.consumer:
        rows.append(("off", factor.off or "No such arm: as free."))
    table = "\n".join(f"| {name} | {text} |" for name, text in rows)
    points = [f"- The pin acts {ACTS[factor.acts]}.", f"- How its use is noticed: {factor.noticed}"]
    if factor.instead:
        names = " and ".join(f"`{name}`" for name in factor.instead)
        points.append(f"- The pin of {names} may hold the same difference, so that is asked too.")
    points.append(f"- What to change: {factor.advice}")
    for name, other in factor.advices:
        points.append(f"- What to change with {NAMES[name]}: {other}")
    for seen, edit in factor.edits:
        points.append(f'- Where the report shows "{seen}", write: `{edit}`')
    links = ", ".join(f"[{title}]({address})" for title, address in factor.references)
    points.append(f"- To read: {links}")
    code = factor.fix
    kind = "python"
    if factor.launch and not code:
        kind = "sh"
        code = launching.line(launching.together(factor.launch), "python train.py")
    fix = f"\n```{kind}\n{code}\n```\n" if code else ""
    for name, other in factor.fixes:
        by = "has" if name == "keras" else "computes with"
        fix += f"\nIn a script that {by} {NAMES[name]}:\n\n```python\n{other}\n```\n"
    return (
        f"### {factor.name}\n\n**{factor.title}.** {factor.explanation}\n\n"
        f"*What it looks like:* {factor.symptom}\n\n"
        f"| arm | what a trial does |\n| --- | --- |\n{table}\n\n" + "\n".join(points) + f"\n{fix}"
    )


def help_text(name: str) -> str:
    """What ``--help`` prints at a width of 80, as in ``nondet diagnose``."""
    words = name.split()
    done = CliRunner().invoke(
        command, [*words[1:], "--help"], prog_name=words[0], env={"COLUMNS": str(WIDTH)}
    )
    if done.exit_code != 0:
        raise click.ClickException(f"{name} --help: exit code {done.exit_code}")
    return "\n".join(line.rstrip() for line in done.output.strip("\n").splitlines()).strip("\n")


def command_names() -> list[str]:
    """The command itself and each of its commands."""
    return ["nondet", *(f"nondet {name}" for name in command.commands)]


def command_page(page: str) -> str:
    """The page with each of its help blocks made anew."""
    return BLOCK.sub(lambda match: match[1] + help_text(match[2]) + match[3], page)


def main() -> None:
    FACTORS.write_text(factors_page(), encoding="utf-8")
    COMMAND.write_text(command_page(COMMAND.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
