"""``nondet run``: the script once, in its own folder and terminal, with pins and no edit."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import FrameType

from nondet.guest.factors import by_name
from nondet.host import availability, compared, interrupting, output, planning, scratch
from nondet.host.availability import user_environment
from nondet.host.errors import UsageError
from nondet.host.executors.interface import Ended
from nondet.host.executors.supervisor import fix_addresses
from nondet.host.subject import Subject
from nondet.host.trials import Trial
from nondet.record import Arm, Compared, Diagnosis

NAME = "t01"
PASSED_ON = tuple(
    getattr(signal, name)
    for name in ("SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2")
    if hasattr(signal, name)
)
"""Signals that are sent to us alone and meant for the script."""
FROM_TERMINAL = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGQUIT") if hasattr(signal, name)
)
"""Signals that a terminal sends to the script as well."""


SIGNALLED = 128
"""What is added to a signal's number where that ends the script."""
SAME = "the same in every run that repeats this one"


@dataclasses.dataclass(frozen=True)
class Here:
    """The user's own folders, and a private one for the plan and the events."""

    runtime: Path
    temporary: Path | None = None
    """What the script makes is the user's, and stays."""

    def map_path(self, trial: str, path: Path) -> Path:
        return path


@dataclasses.dataclass(frozen=True)
class Ran:
    """How the run ended."""

    code: int
    """The script's exit code; 128 and the signal's number where a signal ended it."""
    broken: dict[str, str]
    """Pins that did not take, by factor, with the reason."""
    used: frozenset[str]
    """Factors that the script was seen to use, or to draw for."""
    taken: frozenset[str]
    """Factors whose pins were seen to act."""
    result: str
    """Names the weights and values that were recorded, bit for bit; empty when none were."""
    began: bool
    """Whether the script was reached at all."""
    recorded: Compared | None = None
    """What that was; None where the run did not come to its end."""


def prescribed(diagnosis: Diagnosis) -> tuple[dict[str, Arm], tuple[str, ...]]:
    """The arms under which the diagnosis saw runs agree, and the factors of these that a single run
    in the script's own folder can't hold. Raises UsageError when nothing is left to hold."""
    if diagnosis.prescription is None:
        raise UsageError(
            "nothing-prescribed",
            f"the diagnosis prescribes no pins (its verdict is {diagnosis.verdict}): "
            "name some with --pin",
        )
    off = {c.factor for c in diagnosis.causes if c.pin == "ablating" and by_name(c.factor).off}
    pins = diagnosis.prescription.pins
    beyond = tuple(name for name in pins if by_name(name).acts == "host")
    if beyond == pins:
        raise UsageError(
            "nothing-prescribed",
            f"the diagnosis prescribes {' and '.join(pins)} alone, which no single run can hold: "
            "name something with --pin",
        )
    held = [name for name in pins if name not in beyond]
    return {name: "ablated" if name in off else "pinned" for name in held}, beyond


def told(ran: Ran, held: Mapping[str, Arm]) -> list[str]:
    """What the user wants to know of a run, in lines."""
    lines = []
    if held and ran.began and not ran.broken:
        taken = [name for name in held if name in ran.taken]
        if taken:
            # One that is not due is read back where it is used.
            seen = [name for name in taken if by_name(name).observable and by_name(name).due]
            unused = [name for name in seen if name not in ran.used]
            rest = f" (not used: {', '.join(unused)})" if unused else ""
            lines.append(f"held {', '.join(taken)}{rest}")
        if idle := [name for name in held if name not in ran.taken]:
            lines.append(f"not seen to act: {', '.join(idle)}")
    if ran.result:
        of = f" ({ran.recorded.words})" if ran.recorded is not None else ""
        # Where a signal has ended it, as Ctrl-C, the next one may come further.
        same = "up to where it was ended" if ran.code > SIGNALLED else SAME
        lines.append(f"recorded {ran.result}{of}, {same}")
        if ran.recorded is not None and (unseen := compared.unseen(ran.recorded)):
            lines.append(unseen)
    return lines


def refuse(subject: Subject, held: Mapping[str, Arm]) -> None:
    """Raises UsageError for a pin that can't act here."""
    reasons = availability.of(subject)
    for name, arm in held.items():
        factor = by_name(name)
        reason = reasons.get(name, "")
        if factor.acts == "host":
            reason = "it is held by a fresh folder, and this runs in the script's own"
        if arm == "ablated" and not factor.off:
            raise UsageError("cannot-ablate", f"{name} can't be switched off: pin it with --pin")
        if reason:
            raise UsageError("cannot-pin", f"{name} can't be pinned here: {reason}; leave it out")


def run(
    subject: Subject,
    held: Mapping[str, Arm],
    seed: int,
    *,
    granularity: str = "epoch",
    values: int = 0,
    keep: Callable[[Trial, planning.Settings], None] = lambda trial, settings: None,
) -> Ran:
    """Run the script to its end, on our own terminal. Raises UsageError.

    `values`: bytes of tensor values that are kept. `keep` is called while all that was recorded
    still lies in the trial's folder and the values' one, and may raise UsageError.
    """
    refuse(subject, held)
    with scratch.Private(scratch.temporary()) as runtime:
        folder = runtime / "trials" / NAME
        for needed in (folder, runtime / "values"):
            needed.mkdir(parents=True)
        settings = planning.Settings(
            subject, runtime, user_environment(), seed, "sha256", granularity
        )
        plan = planning.plan_file(settings, held, NAME, Here(runtime)) | {"values_limit": values}
        output.write_whole(folder / "plan.json", json.dumps(plan).encode())
        trial = Trial(NAME, dict(held), plan["hash"], "", folder)
        began = time.monotonic()
        code = _wait(settings, held)
        trial.ended(Ended(code, time.monotonic() - began, None, ()), timed_out=False)
        keep(trial, settings)
    return Ran(
        code=code,
        broken=trial.unheld,
        used=frozenset(
            name for s in trial.sightings.values() for name in (s.factor, s.consumer) if name
        ),
        taken=frozenset(pin.factor for pin in trial.pins),
        result=_result(trial),
        began=trial.began,
        recorded=compared.of([trial]),
    )


def _wait(settings: planning.Settings, held: Mapping[str, Arm]) -> int:
    """Start the process, hand it the signals that are its, and wait."""
    command = planning.command(settings, NAME, settings.output)
    environ = planning.environment(settings, held, NAME)
    fixed = fix_addresses if planning.fixed_addresses(held) else None
    started: list[subprocess.Popen[bytes]] = []
    with _signals(started) as early:
        process = subprocess.Popen(command, env=environ, cwd=settings.subject.cwd, preexec_fn=fixed)
        started.append(process)
        for number in early:
            process.send_signal(number)
        code = process.wait()
    return SIGNALLED - code if code < 0 else code


@contextlib.contextmanager
def _signals(started: list[subprocess.Popen[bytes]]) -> Iterator[list[int]]:
    """The script decides what a signal does; we end when it has ended. Gives those that come before
    it has started."""
    early: list[int] = []
    if threading.current_thread() is not threading.main_thread():  # no other one gets signals
        yield early
        return

    def pass_on(number: int, frame: FrameType | None) -> None:
        if not started:
            early.append(number)
        for process in started:
            process.send_signal(number)

    def leave(number: int, frame: FrameType | None) -> None:
        """The script has it from the terminal. Not SIG_IGN, which it would inherit."""

    ours = dict.fromkeys(PASSED_ON, pass_on) | dict.fromkeys(FROM_TERMINAL, leave)
    before = {
        number: signal.signal(number, handler)
        for number, handler in ours.items()
        # What nohup or a shell's background has us ignore, the script inherits as it would.
        if signal.getsignal(number) is not signal.SIG_IGN
    }
    try:
        with interrupting.ends_heard():
            yield early
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _result(trial: Trial) -> str:
    """All that was recorded, in its order, as one short name."""
    if not trial.checkpoints:
        return ""
    recorded = [[*checkpoint.key, *checkpoint.tensors] for checkpoint in trial.checkpoints]
    return hashlib.sha256(json.dumps(recorded).encode()).hexdigest()[:16]
