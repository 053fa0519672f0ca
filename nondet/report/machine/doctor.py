"""What ``nondet doctor`` says in the terminal: one screen, as a function of the record."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from rich.console import Console, Group, RenderableType
from rich.text import Text

from nondet.machines import Checkup, Gpu, Library, Remark
from nondet.report.console import Encodable
from nondet.report.page import words
from nondet.report.plain import shown
from nondet.report.rows import grid, row

GIGA = 2**30
TONES = {"bad": "bold red", "note": "cyan"}


def print_checkup(console: Console, found: Checkup) -> None:
    console.print(Encodable(Group(*parts(found))), crop=False)


def headline(found: Checkup) -> tuple[str, str]:
    """The verdict in a sentence, and the tone of it."""
    bad = sum(remark.level == "bad" for remark in found.remarks)
    if bad:
        count = "One thing stands" if bad == 1 else f"{bad} things stand"
        return f"{count} in the way of runs that repeat.", "bold red"
    return "Nothing known stands in the way of runs that repeat here.", "bold green"


def parts(found: Checkup) -> Iterator[RenderableType]:
    yield Text(*headline(found))
    yield Text()
    for label, text in facts(found):
        yield row(label, shown(text))
    if found.remarks:
        yield Text()
        yield from _remarks(found)
    lines = [remark.set for remark in found.remarks if remark.set is not None]
    if lines:
        yield Text()
        yield Text("To set, where that applies", "bold")
        for name, value in lines:
            yield Text(f"  export {name}={shlex.quote(value)}", no_wrap=True, overflow="ignore")


def facts(found: Checkup) -> Iterator[tuple[str, str]]:
    """(label, text) of what was found."""
    environment = found.environment
    yield "System", environment.platform
    yield "Processor", _processor(found)
    if found.features:
        yield "", "with " + " ".join(found.features)
    yield "Memory", f"{found.memory / GIGA:.3g} GiB"
    for place, gpu in enumerate(found.gpus):
        yield "" if place else "GPU", described(gpu)
    if not found.gpus:
        yield "GPU", "none with an NVIDIA driver"
    if environment.driver:
        yield "Driver", f"{environment.driver}, for CUDA up to {found.cuda or 'an unknown one'}"
    yield "Python", f"{environment.python} ({found.interpreter})"
    for library in found.libraries:
        yield library.name, told(library)
    others = [f"{name} {version}" for name, version in environment.packages.items()]
    shown_above = {library.name for library in found.libraries}
    rest = [text for text in others if text.partition(" ")[0].lower() not in shown_above]
    if rest:
        yield "Beside", ", ".join(rest)
    variables = [f"{name}={value}" for name, value in found.variables.items()]
    yield "Variables", ", ".join(variables) or "none of those that libraries read"


def _processor(found: Checkup) -> str:
    cores = found.environment.cores
    texts = [found.environment.cpu, words.plural(cores, "core") + " to use"]
    if found.all_cores != cores:
        texts.append(f"of {found.all_cores}")
    if found.physical_cores and found.physical_cores != found.all_cores:
        texts.append(f"{found.physical_cores} physical")
    if found.quota is not None:
        texts.append(f"time for {found.quota:.3g}")
    return ", ".join(texts)


def described(gpu: Gpu) -> str:
    texts = [gpu.name]
    if gpu.memory is not None:
        texts.append(f"{gpu.memory / GIGA:.0f} GiB")
    if gpu.capability is not None:
        texts.append("compute capability {}.{}".format(*gpu.capability))
    for name, value in (("ECC", gpu.ecc), ("MIG", gpu.mig)):
        if value is not None:
            texts.append(f"{name} {'on' if value else 'off'}")
    return ", ".join(texts)


def told(library: Library) -> str:
    if library.failure:
        return library.failure
    texts = [f"{name}: {value}" for name, value in library.told.items()]
    return "; ".join([library.version, *texts])


def _remarks(found: Checkup) -> Iterator[RenderableType]:
    table = grid(18)
    for remark in found.remarks:
        table.add_row(Text(shown(remark.about), TONES[remark.level]), shown(remark.text))
        if remark.todo:
            table.add_row("", Text(shown(_todo(remark)), "dim"))
    yield table


def _todo(remark: Remark) -> str:
    return f"{remark.todo}: {'='.join(remark.set)}" if remark.set else remark.todo
