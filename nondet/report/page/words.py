"""The report's sentences: numbers, moments, plans and advice, in words a colleague understands."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping, Sequence

from nondet import notebook
from nondet.naming import enumerated
from nondet.record import (
    Arm,
    Confidence,
    Diagnosis,
    Divergence,
    Edit,
    Horizon,
    NotTested,
    Prescription,
    Program,
    Recording,
    Seeding,
    Site,
    Slowdown,
    Trial,
    VerdictWord,
)

VERDICTS: dict[VerdictWord, tuple[str, str]] = {
    "reproducible": ("Reproducible so far", "good"),
    "causes-found": ("Causes found", "bad"),
    "unresolved": ("Runs differ, cause not found", "bad"),
    "unsure": ("Not sure yet", "warn"),
    "broken": ("The script did not run", "bad"),
}
"""Every verdict's label, and the tone it is shown in."""

RAN = ("nothing-recorded", "several-courses", "timeout")
"""Errors of a script that did run."""

FOLDER = "nondet-report"
"""Where a diagnosis lies that was told no other place."""
MOST_TRIALS = 100
"""Those that a diagnosis is allowed, unless ``--max-trials`` says otherwise."""
OF_THE_HOST = ("leftovers", "machine")
"""What is held by where a trial runs: a fresh folder, the machine. A single run has its own."""

_WHAT = {
    "initial-weights": "the initial weights of",
    "state": "the state of",
    "batch": "the batch",
    "forward": "the tensor",
    "loss": "the loss",
    "gradient": "the gradient of",
    "update": "the update of",
    "weights": "the weights of",
    "value": "the value",
}

_HINTS = {
    "initial-weights": "The weights already differ before the first step, so no training code "
    "is to blame: look for a generator that is seeded from the clock, a process id or hardware.",
    "state": "A seed generator's state differs while the weights still agree: look at what draws "
    "from it, and in which thread.",
    "batch": "The batches differ while the weights still agree: look at how the data is read, "
    "ordered and augmented, and in which process or thread.",
    "forward": "The inputs agree and a layer's output differs: suspect the kernel behind it.",
    "loss": "The inputs agree and the loss differs: suspect a reduction whose order is not fixed.",
    "gradient": "The loss agrees and a gradient differs: suspect a backward kernel that adds up "
    "in no fixed order.",
    "update": "The gradients agree and the update differs: suspect the optimizer or an all-reduce.",
    "weights": "Record every step to see the first one that differs.",
    "value": "The first value to differ is one of your own checkpoints: follow what it is made of.",
    "end": "Training agrees as far as it was recorded, and the final weights differ: look at what "
    "changes them after it, such as pruning, averaging or calibrating.",
    "fit": "What a fit has learnt differs: look at the data that it is given and at what it draws.",
}

UNSEEN = "What else the loss is computed from, such as targets, was not looked at."
_LOSS_ALONE = (
    f"The loss differs, and all that was looked at before it agrees. {UNSEEN} Name the targets "
    "with `nondet.checkpoint`. Where they agree too, suspect a reduction whose order is not fixed."
)
_GRADIENT_ALONE = (
    "A gradient differs, and all that was looked at before it agrees. The loss was not looked at: "
    "suspect what it is computed from, such as targets, or a backward kernel that adds up in no "
    "fixed order."
)


def verdict(diagnosis: Diagnosis) -> tuple[str, str]:
    """The verdict's label and tone; one that holds up to a horizon only says so."""
    label, tone = VERDICTS[diagnosis.verdict]
    if diagnosis.verdict == "broken" and diagnosis.error and diagnosis.error.slug in RAN:
        label = "Not diagnosed"
    horizon = diagnosis.horizon
    if diagnosis.verdict == "reproducible" and horizon is not None and horizon.reached:
        label = f"Reproducible up to {horizon.end}"
    return label.replace("`", ""), tone


def duration(seconds: float) -> str:
    """`seconds` as people say it: ``0.8 s``, ``42 s``, ``3 min 20 s``, ``1 h 5 min``."""
    if not math.isfinite(seconds):
        return "unknown"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def number(value: float | None, digits: int = 6) -> str:
    """A float with at most `digits` significant digits; ``not measured`` for None."""
    if value is None:
        return "not measured"
    if math.isnan(value):
        return "NaN"
    if isinstance(value, int) and abs(value) < 10**15:
        return str(value)
    return f"{value:.{digits}g}".replace("e-0", "e-").replace("e+0", "e").replace("e+", "e")


def bound(probability: float) -> str:
    """An upper bound as a percentage, rounded up: rounded down, it would claim too much."""
    value = 100 * probability
    value = math.ceil(value - 1e-9) if value > 10 else math.ceil(10 * value - 1e-9) / 10
    return f"{value:g} %"


def plural(count: int, one: str, many: str = "") -> str:
    """``1 run``, ``3 runs``."""
    return f"{count} {one if count == 1 else many or one + 's'}"


def _ordinal(count: int) -> str:
    """``2nd``, ``3rd``, ``11th``."""
    last = 0 if count % 100 in (11, 12, 13) else count % 10
    return f"{count}{({1: 'st', 2: 'nd', 3: 'rd'}).get(last, 'th')}"


def place(site: Site | Edit) -> str:
    """``train.py:31``."""
    return site.place


def file(site: Site) -> str:
    """``train.py``, or ``train.ipynb cell 3``: what the numbers of source lines count in."""
    return f"{site.file} cell {site.cell}" if site.cell else site.file


def confidence(sure: Confidence, *, fixed: bool) -> str:
    """What the agreeing trials allow to say; `fixed` when they ran with the prescription."""
    runs = plural(sure.agreeing_trials, "run")
    agree = "agrees" if sure.agreeing_trials == 1 else "agree"
    level = f"{100 * sure.level:.4g} %"
    which = f"{runs} with the causes pinned" if fixed else runs
    return (
        f"{which} {agree} bit for bit{agreed(sure, fixed=fixed)}; {level} sure that fewer "
        f"than {bound(sure.divergence_probability_bound)} of runs would differ "
        f"({asked(sure)})."
    )


def agreed(sure: Confidence, *, fixed: bool) -> str:
    """What runs with the causes pinned agree in; empty where the summary says that of all runs."""
    return f" in {sure.compared.words}" if fixed and sure.compared is not None else ""


def asked(sure: Confidence) -> str:
    """How rare a difference was not to be missed, in a clause."""
    return f"at most {number(100 * sure.rate, 3)} % was asked for"


def patched(found: Prescription) -> str:
    """What is known of the patch, or of the launch line where that is all, in a sentence."""
    if found.patch_verified:
        runs = plural(len(found.patch_trials), "run")
        what = "of the patched script" if found.patch else "started like this"
        return f"Verified: {runs} {what}, with nothing pinned, agree bit for bit."
    why = found.patch_note or "the patched script was not run"
    return f"Not verified: {why}{'' if why.endswith(('.', '!', '?')) else '.'}"


def wanting(found: Prescription) -> bool:
    """Whether the patched script was run and has not shown that it repeats: that is no fix."""
    return bool(found.patch_trials) and not found.patch_verified


def placing(found: Prescription | Program, script: str, tried: bool = False) -> str:
    """Where the code of the fix belongs, or was `tried`, as the beginning of a sentence."""
    put = "This was put" if tried else "Put this"
    if found.drawing:
        names = enumerated([f"`{name}`" for name in found.drawing], 3)
        draw = "draws while it is" if len(found.drawing) == 1 else "draw while they are"
        return f"{put} near the top of `{script}`, before it imports {names}, which {draw} imported"
    if isinstance(found, Program) or found.top or found.patch is not None:
        return f"{put} near the top of `{script}`, behind its imports and before anything draws"
    return f"Write it like this in `{script}`"


def tops(found: Prescription) -> list[str]:
    """The code of the fix, for each script that gets some."""
    return [found.snippet.strip(), *(program.snippet for program in found.programs)]


def badges(found: Prescription) -> list[tuple[str, str]]:
    """What has been run to prove the fix: texts, and the tones that they are shown in."""
    if found.patch_verified:
        runs = plural(len(found.patch_trials), "run")
        what = "Patched script" if found.patch else "Launch line"
        return [(f"{what} verified by {runs}", "good")]
    if not found.verified:
        return [("Not verified", "warn")]
    told = [(f"Pins verified by {plural(len(found.verified_trials), 'run')}", "good")]
    if found.patch is not None:
        ran = "not verified" if found.patch_trials else "not run"
        told.append((f"Patched script {ran}", "warn"))
    return told


def horizon(found: Horizon) -> str:
    """What a shortened horizon left out, or that it left out nothing."""
    if found.reached:
        return (
            f"Runs were ended at {found.end}. What comes later was not looked at: further "
            "training, evaluation and saving after it, sources that act late."
        )
    only = "epochs of `fit`" if found.unit == "epoch" else "updates of a model's weights"
    return (
        f"No run came to {found.end}, so nothing was cut short: all went on to their own end. "
        f"Only {only} are counted."
    )


def slowdown(found: Slowdown | None) -> str:
    """That a pin may hold the runs together by slowness alone; empty where that is no matter."""
    if found is None or not found.noticeable:
        return ""
    pins = enumerated(found.also, 3)
    return (
        f"With this pin{pins and f' and that of {pins}'} a run takes {found.ratio:.1f} times as "
        f"long ({duration(found.pinned_seconds)} for {duration(found.free_seconds)}). Unless the "
        "machine was busier then, a race may be hidden by slowness alone."
    )


def price(found: Slowdown | None) -> str:
    """What holding a cause costs, as measured, in a sentence."""
    if found is None:
        return "Not measured: no two whole runs, one with its pin and one without, can be compared."
    pins = enumerated(found.also, 3)
    much = f"{found.ratio:.2f} times as long" if found.ratio >= 1.005 else "no longer"
    return (
        f"With this pin{pins and f' and that of {pins}'} a whole run takes "
        f"{duration(found.pinned_seconds)}, without it {duration(found.free_seconds)}: {much}."
    )


def recording(found: Recording) -> str:
    """How finely weights were recorded, and what that took."""
    every = "step" if found.interval == 1 else f"{_ordinal(found.interval)} step"
    percent = 100 * found.share
    took = f"{percent:.1f}" if percent >= 0.1 else "less than 0.1"
    room = f"; {size(found.bytes)} a run" if found.bytes else ""
    return (
        f"Weights of `{found.model}` after every {every}; recording took {took} % of the time of "
        f"training{room}."
    )


def size(count: float) -> str:
    """`count` bytes as people say it: ``812 B``, ``1.2 MB``, ``34 MB``."""
    units = iter(("B", "kB", "MB", "GB", "TB"))
    unit = next(units)
    while count >= 999.5 and unit != "TB":
        count, unit = count / 1000, next(units)
    return f"{count:.1f} {unit}" if count < 9.95 and unit != "B" else f"{count:.0f} {unit}"


def moment(divergence: Divergence) -> str:
    """When two trials part, as an adverbial: ``at the end of epoch 3``."""
    if divergence.checkpoint == "init":
        return "at the start, before the first step"
    if divergence.checkpoint == "epoch":
        return f"at the end of epoch {divergence.epoch}"
    if divergence.checkpoint == "fit":
        return f"after fit {divergence.step} of {divergence.model}"
    if divergence.checkpoint == "end":
        return "after the last recorded step, at the end of the script"
    if divergence.checkpoint == "user":
        return "at a checkpoint of your own"
    # Loops of the user's own have steps and no epochs.
    epoch = f" (epoch {divergence.epoch})" if divergence.epoch else ""
    where = f"step {divergence.step}{epoch}"
    return f"in the batch of {where}" if divergence.checkpoint == "batch" else f"at {where}"


def what(divergence: Divergence) -> str:
    """What differs there; the tensor's name follows it where there is one, else `whole`."""
    # One run has loaded a model that another has trained: no weights of it can be compared.
    apart = divergence.checkpoint == "init" and whole(divergence)
    return "what is trained first, in one run" if apart else _WHAT[divergence.kind]


def whole(divergence: Divergence) -> str:
    """The model whose weights differ, where no tensor of it does: runs part in the moments
    themselves, as where one alone has changed it after training."""
    weights = divergence.kind in ("weights", "initial-weights")
    return divergence.model if weights and not divergence.tensor else ""


def apart(divergence: Divergence) -> str:
    """How far the tensors are apart, or the empty string when that was not measured."""
    parts = []
    if divergence.max_abs is not None:
        parts.append(f"{number(divergence.max_abs, 3)} absolute")
    if divergence.max_rel is not None:
        parts.append(f"{number(divergence.max_rel, 3)} relative")
    # Far apart, the count of floats in between tells nobody anything.
    if divergence.max_ulp is not None and (divergence.max_ulp < 10_000 or not parts):
        parts.append(f"{plural(divergence.max_ulp, 'unit')} in the last place")
    return ", ".join(parts)


def beside(divergence: Divergence) -> str:
    """How the difference lies in the tensor, or the empty string when that was not measured."""
    parts = []
    if divergence.share is not None:
        parts.append(f"{number(100 * divergence.share, 3)} % of its elements differ")
    if divergence.mean_abs is not None:
        parts.append(f"mean difference {number(divergence.mean_abs, 3)} absolute")
    # Of tensors that point the same way, the cosine tells nobody anything.
    if divergence.cosine is not None and divergence.cosine < 0.9995:
        parts.append(f"cosine {number(divergence.cosine, 3)}")
    return ", ".join(parts)


def plan(arms: Mapping[str, Arm]) -> str:
    """A plan in a few words, naming the smaller side: ``all pinned but python-random``."""
    groups = {arm: sorted(f for f, a in arms.items() if a == arm) for arm in set(arms.values())}
    if not groups:
        return "as the script has it"
    if len(groups) == 1:
        return f"all {next(iter(groups))}"
    most = max(groups, key=lambda arm: (len(groups[arm]), arm))
    rest = [f"{enumerated(groups[arm], 5)} {arm}" for arm in sorted(groups) if arm != most]
    return f"{'; '.join(rest)}; rest {most}"


def capital(text: str) -> str:
    """The text with its first letter a capital."""
    return text[:1].upper() + text[1:]


def clause(text: str) -> str:
    """A sentence of the record's as part of another: no full stop, and no capital but a name's."""
    text = text.strip().rstrip(".")
    first = text.split(" ")[0]
    plain = first.isalpha() and first[1:].islower() and first not in ("Python", "Keras")
    return first.lower() + text[len(first) :] if plain else text


def seeding(given: Seeding, factor: str, titles: Mapping[str, str]) -> str:
    """What a seed that the script gives has to do with the cause `factor`, as a sentence."""
    seed = f"{_code(given.call)} at {place(given.site)}"
    if given.fault == "late":
        return f"{seed} comes too late: {_earlier(given)} had drawn before it."
    if given.fault == "varies":
        return f"{seed} is given another seed in every run."
    if given.factor in (factor, ""):
        return f"{seed} is given in time: it is not what breaks the runs."
    other = titles.get(given.factor, given.factor)
    return f"{seed} is given in time, and seeds something else ({other})."


def _earlier(given: Seeding) -> str:
    draws = [
        " ".join(
            filter(
                None,
                (
                    _code(site.detail) if site.detail else "a draw",
                    f"for {site.what}" if site.what else "",
                    f"at {place(site)}",
                ),
            )
        )
        for site in given.before
    ]
    return enumerated(draws, 3) or "something"


def _code(text: str) -> str:
    """In backticks when it is one piece of code, and as it is when it is words."""
    return text if " " in text or "`" in text else f"`{text}`"


def reasons(items: Sequence[NotTested]) -> dict[str, list[NotTested]]:
    """What was not tested by its reason, in the order first told."""
    found: dict[str, list[NotTested]] = {}
    for item in items:
        found.setdefault(item.why, []).append(item)
    return found


def hints(diagnosis: Diagnosis) -> list[str]:
    """What to try when no cause was found, most telling first."""
    found, first = [], diagnosis.first_divergence
    if first is not None and first.checkpoint in ("fit", "end"):
        found.append(_HINTS[first.checkpoint])
    elif first is not None and (first.kind != "weights" or coarse(diagnosis)):
        found.append(_hint(diagnosis, first))
    found.append(
        'Name suspicious values in the script with `nondet.checkpoint("name", value)`: the next '
        "diagnosis then says which of them differs first. Outside a trial the call does nothing."
    )
    if diagnosis.not_tested:
        names = enumerated([item.factor for item in diagnosis.not_tested], 6)
        found.append(f"Test what could not be tested here: {names}.")
    return found


def _hint(diagnosis: Diagnosis, first: Divergence) -> str:
    """What the first difference suggests, which claims no more than what was compared."""
    kind = first.kind
    looks = [z for z in diagnosis.zooms if (z.model, z.pair) == (first.model, first.trials)]
    if kind == "loss" and not any(look.saw_targets for look in looks):
        return _LOSS_ALONE
    seen = {moment.phase for look in looks for moment in look.moments}
    if kind == "gradient" and looks and "loss" not in seen:
        return _GRADIENT_ALONE
    return _HINTS[kind]


def coarse(diagnosis: Diagnosis) -> bool:
    """Whether steps that were not recorded lie before the first difference."""
    first, horizon = diagnosis.first_divergence, diagnosis.horizon
    every = _given(diagnosis, "--granularity") == "step"
    if first is None or every or (horizon is not None and horizon.unit == "step"):
        return False
    thin = any(one.model == first.model and one.interval > 1 for one in diagnosis.recording)
    return first.checkpoint == "epoch" or (first.checkpoint == "step" and first.step > 1 and thin)


def mending(diagnosis: Diagnosis, folder: str) -> tuple[str, str]:
    """What to do about a script that could not be diagnosed, and a command for it; both are empty
    where its error says all."""
    slug = diagnosis.error.slug if diagnosis.error is not None else ""
    if slug == "several-courses":
        return "", ""
    if slug == "nothing-recorded":
        name = "name what is to be compared with `nondet.checkpoint`, then diagnose again"
        return name, again(diagnosis, folder, "--force")
    if slug == "timeout":
        longer = "see how long it takes by itself, then diagnose again with a longer `--timeout`"
        return longer, alone(diagnosis)
    return "see it fail by itself, mend it, then diagnose again", alone(diagnosis)


def again(diagnosis: Diagnosis, folder: str, *options: str) -> str:
    """The command line that diagnoses the same subject in the same way, with `options`. `folder`:
    where the diagnosis lies."""
    subject, horizon = diagnosis.subject, diagnosis.horizon
    words = list(diagnosis.options)
    if not words:  # it was made from Python, or by a nondet that wrote down less
        words += [f"--{horizon.unit}s", str(horizon.count)] if horizon is not None else []
        words += ["--executor", diagnosis.executor] if diagnosis.machines else []
    for name in options:
        if name.startswith("--") and name in words:
            place = words.index(name)
            del words[place : place + 2]
    if folder not in ("", FOLDER):
        words += ["--output", folder]
    return shlex.join(["nondet", "diagnose", *options, *words, *subject.named, *subject.args])


def going_on(diagnosis: Diagnosis, folder: str) -> str:
    """The command line that goes on with a diagnosis; where it has spent the trials that it was
    allowed, with twice as many."""
    given = _given(diagnosis, "--max-trials")
    # The record may be a stranger's.
    most = int(given) if given.isdecimal() and len(given) < 10 else MOST_TRIALS
    more = ["--max-trials", str(2 * most)] if diagnosis.cost.trials >= most else []
    return again(diagnosis, folder, "--resume", *more)


def _given(diagnosis: Diagnosis, name: str) -> str:
    """The value of an option as it was given; empty where it was not."""
    words = diagnosis.options
    return words[words.index(name) + 1] if name in words[:-1] else ""


def fixing(folder: str, *options: str) -> str:
    """The command line that shows the change as a patch, or with ``--apply`` makes it."""
    return shlex.join(["nondet", "fix", *options, folder or "DIR"])


def repeated(diagnosis: Diagnosis, trial: Trial) -> str:
    """The command line that repeats a trial alone; empty where `unrepeatable` says why not."""
    if unrepeatable(diagnosis, trial):
        return ""
    pins = [n for n, arm in trial.plan.items() if arm == "pinned" and n not in OF_THE_HOST]
    held = ["--pin", ",".join(pins)] if pins else []
    off = [name for name, arm in trial.plan.items() if arm == "ablated"]
    held += ["--ablate", ",".join(off)] if off else []
    subject, python = diagnosis.subject, _given(diagnosis, "--python")
    there = ["--python", python] if python else []
    return shlex.join(["nondet", "run", *there, *held, *subject.named, *subject.args])


def unrepeatable(diagnosis: Diagnosis, trial: Trial) -> str:
    """Why no command repeats a trial alone, in a sentence; empty where one does."""
    fix = diagnosis.prescription
    if fix is not None and trial.id in fix.patch_trials:
        return (
            "It ran the patched script, with nothing pinned. Apply the patch with "
            "`nondet fix --apply`, and it is the script itself that repeats this."
        )
    if any(trial.id in zoom.trials for zoom in diagnosis.zooms):
        return "It looked inside the steps, which no command does for a single run."
    if trial.released:
        return (
            "Some operations kept their usual kernels in it, and all others were held, which no "
            "command does for a single run."
        )
    names = [name for name, arm in trial.plan.items() if arm == "varied"]
    if names:
        verb = "was" if len(names) == 1 else "were"
        return f"{enumerated(names, 3)} {verb} provoked in this run, and `nondet run` only holds."
    return ""


def unlike(diagnosis: Diagnosis, trial: Trial) -> str:
    """What sets a trial apart from others of its plan, in a few words; mostly empty."""
    fix = diagnosis.prescription
    if fix is not None and trial.id in fix.patch_trials:
        return "(patched script)"
    if trial.released:
        return f"(usual kernel of {enumerated(list(trial.released), 2)})"
    looked = any(trial.id in zoom.trials for zoom in diagnosis.zooms)
    return "(looked inside steps)" if looked else ""


def alone(diagnosis: Diagnosis) -> str:
    """The command line that runs the subject by itself."""
    subject = diagnosis.subject
    if notebook.is_notebook(subject.script):
        python = ["--python", subject.python] if subject.python else []
        return shlex.join(["nondet", "run", *python, subject.script, *subject.args])
    return shlex.join([subject.python or "python", *subject.named, *subject.args])
