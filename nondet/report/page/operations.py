"""Words for the operations behind a cause, and for the GPUs that trials ran on."""

from __future__ import annotations

from nondet.record import Kernel, OnGpu

HOW = {
    "localised": "Trials part first in what it computes, although all that came before agrees",
    "warned": "PyTorch has no deterministic kernel for it, and warned of that in these trials",
    "released": "With its usual kernel, and every other operation held, trials part",
    "refused": "The framework refused it in deterministic mode",
}


def kernel(found: Kernel) -> str:
    """How an operation was found, a sentence for each witness."""
    told = dict(HOW)
    if found.layer:
        told["localised"] += f" (layer `{found.layer}`)"
    return " ".join(f"{told[how]}." for how in found.seen)


def instead(found: Kernel) -> str:
    """What does the same repeatably, and its cost, as a sentence."""
    text = found.instead[:1].upper() + found.instead[1:]
    return f"{text}. It costs {found.cost}." if found.cost else f"{text}."


def on_gpu(gpu: OnGpu) -> str:
    """A GPU that a trial could see, with what the driver told of it."""
    told = [gpu.uuid, "an instance of a GPU" if gpu.mig else ""]
    told += ["not used"] if gpu.used is False else []
    told += [f"up to {gpu.memory / 2**20:.0f} MiB"] if gpu.memory is not None else []
    for clock, what in ((gpu.sm_clock, "processors"), (gpu.memory_clock, "memory")):
        if clock is not None:
            span = f"{clock[0]}" if clock[0] == clock[1] else f"{clock[0]} to {clock[1]}"
            told.append(f"{what} at {span} MHz")
    told += [f"slowed down by {' and '.join(gpu.slowed)}"] if gpu.slowed else []
    for count, what in ((gpu.corrected, "corrected"), (gpu.uncorrected, "uncorrected")):
        if count:
            told.append(f"{count} {what} memory error{'' if count == 1 else 's'}")
    if gpu.others:
        told.append(f"beside {gpu.others} other process{'' if gpu.others == 1 else 'es'}")
    told += ["lost by the driver"] if gpu.lost else []
    return f"{gpu.name} ({'; '.join(text for text in told if text)})"
