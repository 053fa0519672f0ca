"""The sentences of a diagnosis: its summary, and what each answer showed."""

from __future__ import annotations

import math
from collections.abc import Sequence

from nondet import record
from nondet.guest.factors import by_name
from nondet.naming import enumerated
from nondet.search.questions import Answer, Finding, Question
from nondet.verdict import Verdict

_INSIDE = {
    "state": "the state of {}",
    "batch": "the batch {}",
    "forward": "{}",
    "loss": "the loss",
    "gradient": "the gradient of {}",
    "update": "the update of {}",
}


def place(divergence: record.Divergence | None) -> str:
    """Where runs part, in words a colleague understands."""
    if divergence is None:
        return "Runs part"
    many = divergence.tensors_differing
    tensor = f"`{divergence.tensor}`" if divergence.tensor else f"model `{divergence.model}`"
    also = f" and {many - 1} more" if many > 1 and divergence.tensor else ""
    if divergence.checkpoint == "init" and not divergence.tensor:
        return f"Runs part before training: what is trained first differs: in one run, {tensor}"
    if divergence.checkpoint == "init":
        return f"Runs part before training: the initial weights of {tensor}{also} differ"
    if divergence.checkpoint == "epoch":
        return f"Runs part in epoch {divergence.epoch}: the weights of {tensor}{also} differ"
    if divergence.checkpoint == "fit":
        fit = f"fit {divergence.step} of `{divergence.model}`"
        return f"Runs part in {fit}: {tensor}{also} differ{'' if also else 's'}"
    if divergence.checkpoint == "end":
        return f"Runs part after the last recorded step: the final weights of {tensor}{also} differ"
    if divergence.kind in _INSIDE:
        what = _INSIDE[divergence.kind].format(f"`{divergence.tensor}`")
        return f"Runs part in step {divergence.step}: {what} differs"
    if divergence.checkpoint == "step":
        return f"Runs part by step {divergence.step}: the weights of {tensor}{also} differ"
    return f"Runs part at checkpoint `{divergence.model}`"


def because(cause: record.Cause, brief: bool = False) -> str:
    """The cause in a clause, with the consumer and the line; `brief` beside others."""
    text = reason(cause)
    late = [s for s in cause.seedings if s.fault == "late"]
    if late:
        why = f" ({at(late[0].site)})" if brief else earlier(late[0])
        return f"{generator(cause.factor)} is seeded too late{why}"
    notes = []
    drawn = [name for name in cause.consumers if name != "keras-seed"]
    if by_name(cause.factor).group == "generators" and drawn:
        notes.append(f"{enumerated(drawn)} draw{'s' if len(drawn) == 1 else ''} from it")
    varies = [s for s in cause.seedings if s.fault == "varies"]
    if varies and by_name(cause.factor).group != "generators":
        notes.append(f"the seed of {varies[0].call} is taken from it")
    if cause.operation:
        notes.append(cause.operation)
    if cause.sites:
        notes.append(at(cause.sites[0]))
    return text + (f" ({'; '.join(notes)})" if notes else "")


def reason(cause: record.Cause) -> str:
    """What varies, by what was seen at the line that is named first."""
    factor = by_name(cause.factor)
    told = dict(factor.reasons).get(cause.sites[0].detail) if cause.sites else None
    return told or factor.because or f"{factor.title} varies"


def earlier(late: record.Seeding) -> str:
    """What drew before a seed that comes too late."""
    if not late.before:
        return f" ({at(late.site)})"
    first = late.before[0]
    return f": {first.detail} ({at(first)}) draws before {late.call} ({at(late.site)})"


def at(site: record.Site) -> str:
    """``train.py:31``."""
    return site.place


def generator(factor: str) -> str:
    """A generator as the subject of a sentence."""
    title = by_name(factor).title.partition(" (")[0]
    # PyTorch has several, one for each device, which are seeded together.
    title = title.removesuffix("s") if title.endswith("generators") else title
    return title[0].upper() + title[1:]


def summary(
    finding: Finding,
    causes: Sequence[record.Cause],
    divergence: record.Divergence | None,
    error: record.Failure | None,
    interrupted: bool,
    horizon: record.Horizon | None = None,
    compared: record.Compared | None = None,
) -> str:
    """The verdict as one sentence; a second one says how far trials were followed. `compared`: what
    agreeing runs agree in."""
    if error is not None:
        return failed("diagnosed", error.message)
    end = horizon.end if horizon is not None and horizon.reached else ""
    if finding.verdict == "reproducible":
        where = compared.words if compared is not None else "all that was recorded"
        return (
            f"{len(finding.verified)} runs in fresh processes agree bit for bit in {where}"
            f"{end and f', up to {end}'}."
        )
    found = _found(finding, causes, divergence, interrupted)
    return f"{found} Runs were followed up to {end}." if end else found


def failed(done: str, message: str) -> str:
    """That the script could not be ``diagnosed``, and why. `message`: as it is, mostly that of an
    exception, which may end in a full stop of its own."""
    stop = "" if message.rstrip().endswith((".", "!", "?")) else "."
    return f"The script could not be {done}: {message}{stop}"


def _found(
    finding: Finding,
    causes: Sequence[record.Cause],
    divergence: record.Divergence | None,
    interrupted: bool,
) -> str:
    """The sentence of every verdict under which runs part, or may."""
    if finding.verdict == "causes-found":
        reasons = (because(cause, brief=len(causes) > 1) for cause in causes)
        return f"{place(divergence)}, because {enumerated(reasons)}."
    if finding.verdict == "unresolved":
        return f"{place(divergence)}, and nothing that nondet can pin holds them together."
    why = "interrupted" if interrupted else finding.note or "the budget was spent"
    if divergence is not None:
        return f"{place(divergence)}; the cause is not proven yet ({why})."
    return f"No difference so far, in too few runs to say more ({why})."


def provoked(question: Question, answer: Answer, where: record.Divergence | None) -> str:
    """What provoking showed."""
    names = [name for name, arm in question.held.items() if arm == "varied"]
    if answer.verdict is Verdict.AGREES:
        return f"no difference to the runs as they are: {enumerated(names)} did nothing"
    if answer.verdict is Verdict.DIVERGES:
        at_ = place(where)
        who = names[0] if len(names) == 1 else f"one of {len(names)} factors"
        return f"{at_[0].lower() + at_[1:]}, once {who} is provoked"
    if answer.verdict is Verdict.BROKEN:
        return f"the trials failed ({answer.broken}): that proves nothing"
    return "not enough trials to say"


def beside(answer: Answer) -> str:
    """What a comparison with the trials of another plan showed, which agree."""
    if answer.verdict is Verdict.AGREES:
        return "no difference to a trial with more pinned: what was let go did nothing"
    if answer.verdict is Verdict.DIVERGES:
        return "another result than with more pinned: it varies, or a pin shifts it"
    if answer.verdict is Verdict.BROKEN:
        return f"the trials failed ({answer.broken}): that proves nothing"
    return "not enough trials to say"


def conclusion(
    question: Question,
    answer: Answer,
    where: record.Divergence | None,
    bound: float | None = None,
) -> str:
    """What an answer showed or ruled out, in a few words; with the bound that agreement allows."""
    held = [name for name, arm in question.held.items() if arm != "varied"]
    if "varied" in question.held.values():
        return provoked(question, answer, where)
    if question.reference is not None:
        return beside(answer)
    if answer.verdict is Verdict.AGREES:
        count = answer.comparisons
        agreed = f"no difference in {count} comparison{'' if count == 1 else 's'}"
        agreed = f"{len(answer.trials)} trials, {agreed}"
        if bound is not None:
            agreed += f" (fewer than {math.ceil(100 * bound - 1e-9)} % of runs would differ)"
        if question.released:
            return f"{agreed} with the usual kernel of {question.released}"
        if not held:
            return agreed
        return f"{agreed}: with {enumerated(held)} pinned it repeats"
    if answer.verdict is Verdict.DIVERGES:
        at = place(where)
        at = at[0].lower() + at[1:]
        if question.released:
            return f"{at} with the usual kernel of {question.released}, and all others held"
        return at if not held else f"{at}: something that is still free varies"
    if answer.verdict is Verdict.BROKEN:
        return f"the trials failed ({answer.broken}): that proves nothing"
    return "not enough trials to say"
