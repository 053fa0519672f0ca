"""What probes showed of a machine, as people read it; shared by terminal and page."""

from __future__ import annotations

from nondet.machines import Probed, Probing
from nondet.naming import enumerated
from nondet.report.page import words

CONTROL = "control_seeded"
"""The probe that has no source, and must repeat."""
GROUPS = (
    ("live", "Live here", "Left as they are, runs of these differ on this machine."),
    ("quiet", "Quiet here", "Runs of these agreed, though the source is planted in them."),
    ("broken", "Broken", "These did not come to their end."),
    ("unsure", "Unsure", "The budget was spent before these were known."),
    ("skipped", "Not run", "These can't run here."),
)


def of_state(found: Probing, state: str) -> list[Probed]:
    return [probe for probe in found.probes if probe.state == state]


def control_fails(found: Probing) -> bool:
    """Whether a script without any source gives other results here: then nothing else counts."""
    return any(p.probe == CONTROL and p.state == "live" for p in found.probes)


def label(found: Probing) -> tuple[str, str]:
    """The finding in a few words, and its tone."""
    if control_fails(found):
        return "Not to be trusted", "bad"
    if not of_state(found, "live") and not of_state(found, "quiet"):
        return "Nothing known", "warn"
    live, quiet = (sum(bool(p.factors) for p in of_state(found, s)) for s in ("live", "quiet"))
    return (f"{live} of {live + quiet} live", "warn") if live else ("All quiet", "good")


def sentence(found: Probing) -> str:
    if control_fails(found):
        return (
            "A script in which all is seeded gives other results on this machine: look for what is "
            "wrong with it before you trust any diagnosis here."
        )
    live = of_state(found, "live")
    names = list(dict.fromkeys(name for probe in live for name in probe.factors))
    if names:
        return f"Live on this machine: {enumerated(names, 8)}."
    if not of_state(found, "quiet"):
        return "No probe came to an end, so that nothing is known of this machine."
    return "None of the sources that were probed is live on this machine."


def note(found: Probing) -> str:
    """What those who read it should bear in mind."""
    held = [p.probe for p in of_state(found, "live") if p.held == "parts"]
    if held:
        return (
            f"Pinning did not hold {enumerated(held, 4)}: a diagnosis would not "
            "call that source the cause here."
        )
    return ""


def machine(found: Probing) -> str:
    environment = found.checkup.environment
    texts = [environment.cpu, words.plural(environment.cores, "core")]
    if environment.gpus:
        texts += [*environment.gpus, f"driver {environment.driver}"]
    return ", ".join(texts)


def frameworks(found: Probing) -> str:
    libraries = [f"{one.name} {one.version}" for one in found.checkup.libraries if one.version]
    return ", ".join(libraries) or "no library that is known"


def often(probe: Probed) -> str:
    """How often results differ: ``4 in 4 runs``."""
    if probe.state == "quiet":
        return words.plural(probe.runs, "equal run")
    return f"{probe.distinct} in {words.plural(probe.runs, 'run')}"


def bound(probe: Probed) -> str:
    if probe.bound is None:
        return ""
    return f"{100 * probe.bound:.3g} % (sure to {100 * probe.level:.4g} %)"


def where(probe: Probed) -> str:
    first = probe.first
    if first is None:
        return "not known"
    moment = {
        "init": "initial weights",
        "batch": "the first batch",
        "step": f"step {first.step}",
        "epoch": f"epoch {first.epoch}",
        "end": "after the last step",
    }.get(first.checkpoint, first.model)
    return f"{moment}, {first.tensor}" if first.tensor else moment


def apart(probe: Probed) -> str:
    """The largest distance of the weights at the end."""
    texts = []
    if probe.max_rel is not None:
        texts.append(f"{words.number(probe.max_rel, 2)} relative")
    if probe.max_ulp is not None and probe.max_ulp < 10_000:
        texts.append(f"{probe.max_ulp} ulp")
    return ", ".join(texts) or "not known"


def held(probe: Probed) -> str:
    if not probe.held:
        return "not asked" if not probe.factors else "not known"
    runs = words.plural(probe.held_runs, "run")
    return f"{runs} agree" if probe.held == "holds" else f"runs still differ ({runs})"
