"""The sentences of a diagnosis: its summary, and what each answer showed."""

from __future__ import annotations

from collections.abc import Sequence

from nondet import record
from nondet.guest.factors import by_name
from nondet.search.diagnosing import enumerate_names
from nondet.search.questions import Answer, Finding, Question
from nondet.verdict import Verdict


def place(divergence: record.Divergence | None) -> str:
    """Where runs part, in words a colleague understands."""
    if divergence is None:
        return "Runs part"
    many = divergence.tensors_differing
    tensor = f"`{divergence.tensor}`" if divergence.tensor else f"model `{divergence.model}`"
    also = f" and {many - 1} more" if many > 1 and divergence.tensor else ""
    if divergence.checkpoint == "init":
        return f"Runs part before training: the initial weights of {tensor}{also} differ"
    if divergence.checkpoint == "epoch":
        return f"Runs part in epoch {divergence.epoch}: the weights of {tensor}{also} differ"
    if divergence.checkpoint == "step":
        return f"Runs part by step {divergence.step}: the weights of {tensor}{also} differ"
    return f"Runs part at checkpoint `{divergence.model}`"


def because(cause: record.Cause) -> str:
    """The cause in a clause, with the consumer and the line."""
    text = by_name(cause.factor).because or f"{by_name(cause.factor).title} varies"
    drawn = [name for name in cause.consumers if name != "keras-seed"]
    if cause.factor in ("python-random", "tf-seed") and drawn:
        text += f" ({enumerate_names(drawn)} draw{'s' if len(drawn) == 1 else ''} from it)"
    # Where a hash order enters can only be guessed: the page shows the places to look at.
    if cause.sites and cause.factor != "hash-seed":
        text += f" ({cause.sites[0].file}:{cause.sites[0].line})"
    return text.replace(") (", "; ")


def summary(
    finding: Finding,
    causes: Sequence[record.Cause],
    divergence: record.Divergence | None,
    error: record.Failure | None,
    interrupted: bool,
) -> str:
    """The verdict as one sentence."""
    if error is not None:
        return f"The script could not be diagnosed: {error.message}."
    if finding.verdict == "reproducible":
        return (
            f"{len(finding.verified)} runs in fresh processes gave the same bits "
            "in every weight at every checkpoint."
        )
    if finding.verdict == "causes-found":
        return f"{place(divergence)}, because {enumerate_names(because(c) for c in causes)}."
    if finding.verdict == "unresolved":
        return f"{place(divergence)}, and nothing that nondet can pin holds them together."
    why = "interrupted" if interrupted else finding.note or "the budget was spent"
    if divergence is not None:
        return f"{place(divergence)}; the cause is not proven yet ({why})."
    return f"No difference so far, in too few runs to say more ({why})."


def conclusion(question: Question, answer: Answer, where: record.Divergence | None) -> str:
    """What an answer showed or ruled out, in a few words."""
    held = list(question.held)
    if answer.verdict is Verdict.AGREES:
        count = len(answer.trials)
        if not held:
            return f"{count} trials, no difference"
        return f"{count} trials, no difference: with {enumerate_names(held)} pinned it repeats"
    if answer.verdict is Verdict.DIVERGES:
        at = place(where)
        at = at[0].lower() + at[1:]
        return at if not held else f"{at}: something that is still free varies"
    if answer.verdict is Verdict.BROKEN:
        return f"the trials failed ({answer.broken}): that proves nothing"
    return "not enough trials to say"
