"""``nondet probe``: runs shipped probes on this machine, to see which sources are live here."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import itertools
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import msgspec

from nondet import __version__, record, stats
from nondet.guest.factors import REGISTRY, by_name
from nondet.host import across, checkup, machine, portable, scratch, shipped
from nondet.host import subject as subjects
from nondet.host.assembling import Assembly
from nondet.host.availability import unavailable, user_environment
from nondet.host.errors import UsageError
from nondet.host.executors.local import LocalExecutor
from nondet.host.laboratory import Laboratory
from nondet.host.placing import placing_trials
from nondet.host.planning import SEED, Settings
from nondet.host.portable import Opened
from nondet.host.shipped import Probe
from nondet.host.subject import Subject
from nondet.host.trials import Trial
from nondet.host.watching import Watcher
from nondet.machines import Checkup, Probed, Probing
from nondet.runs import Comparison, Far
from nondet.search.questions import Answer, BudgetSpent, Finding, Question
from nondet.verdict import Verdict

DEPENDING = ("parallelism", "kernels")
"""Groups of factors that are live on one machine and not on another."""
ALSO = ("addresses", "control_seeded")
"""Probes that tell of the machine beside these; the second must repeat, or nothing else counts."""
PARTING = 3
"""Runs that must differ, so that more is known than that one does."""
AGREEING = 2
"""Comparisons of runs with the sources pinned."""
LEVEL = 0.95
MOST_PAIRS = 6
"""Pairs of whole runs among which two are looked for that differ."""
MODULES = {"scikit-learn": "sklearn"}


@dataclasses.dataclass(frozen=True)
class Wanted:
    """How probes are run."""

    runs: int = 6
    """Runs that must agree before a source is called quiet."""
    jobs: int | None = None
    budget: float | None = None
    """Seconds in all."""
    timeout: float | None = None


def chosen(names: Sequence[str], every: bool) -> list[Probe]:
    """The probes of these names, or those that tell of the machine. A factor's name stands for
    all of its probes. Raises UsageError."""
    known = [probe for probe in shipped.all_probes() if not probe.mixed and not probe.stress]
    if every:
        return known
    if not names:
        return [p for p in known if p.name in ALSO or (p.causes and _depends(p))]
    found: dict[str, Probe] = {}
    for name in names:
        of_name = [p for p in known if name in (p.name, *p.causes)]
        if not of_name:
            raise UsageError(
                "no-such-probe", f"no such probe: {name}; `nondet probe --list` has their names"
            )
        found |= {probe.name: probe for probe in of_name}
    return list(found.values())


def _depends(probe: Probe) -> bool:
    return any(by_name(name).group in DEPENDING for name in probe.causes)


class Machine:
    """Probes one after the other; what is found so far is handed to `keep` after each."""

    def __init__(
        self,
        python: str,
        wanted: Wanted,
        watcher: Watcher,
        keep: Callable[[Probing], None] = lambda found: None,
        look: Callable[[], None] = lambda: None,
    ) -> None:
        """`look` may raise KeyboardInterrupt. Raises UsageError."""
        self.python = python
        self.wanted = wanted
        self.watcher = watcher
        self.keep = keep
        self.look = look
        self.began = time.monotonic()
        self.started = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        self.checkup = checkup.checkup(python, lambda name: watcher.message(f"asking {name}"))

    def run(self, probes: Iterable[Probe], earlier: Probing | None = None) -> Probing:
        """`earlier`: what an interrupted session found; it counts where nothing has changed."""
        known = {}
        if earlier is not None and alike(earlier.checkup, self.checkup):
            known = {p.probe: p for p in earlier.probes if p.state in ("live", "quiet")}
        found: list[Probed] = []
        with contextlib.suppress(KeyboardInterrupt):
            for probe in probes:
                found.append(known.get(probe.name) or self._probe(probe))
                self.keep(self.told(found))
        return self.told(found)

    def told(self, found: Sequence[Probed]) -> Probing:
        return Probing(
            nondet=__version__,
            started=self.started,
            seconds=time.monotonic() - self.began,
            checkup=self.checkup,
            probes=tuple(found),
        )

    def _probe(self, probe: Probe) -> Probed:
        plain = Probed(
            probe=probe.name, title=probe.what, factors=tuple(sorted(probe.causes)), state="skipped"
        )
        began = time.monotonic()
        with _room(probe) as (room, script):
            subject = dataclasses.replace(
                subjects.check(str(script), (), self.python), cwd=script.parent, script=script.name
            )
            if reason := self._missing(probe, subject):
                return msgspec.structs.replace(plain, note=reason)
            self.watcher.message(f"{probe.name}: {probe.what}")
            with self._laboratory(subject, room) as laboratory:
                found = self._asked(probe, laboratory, plain)
        return msgspec.structs.replace(found, seconds=time.monotonic() - began)

    def _missing(self, probe: Probe, subject: Subject) -> str:
        """Why a probe can't run here, or an empty string."""
        packages = {name.lower() for name in subject.description.packages}
        if probe.needs_gpu and not self.checkup.gpus:
            return "needs a GPU"
        for name in probe.packages:
            if name.lower() not in packages and MODULES.get(name, name) not in packages:
                return f"needs {name}, which is not installed"
        reasons = unavailable(subject.description, self._environment(subject))
        told = [reasons[name] for name in sorted(probe.causes) if name in reasons]
        if told:
            return told[0]
        return "" if subject.description.found.get("keras") else "needs keras"

    def _environment(self, subject: Subject) -> record.Environment:
        return machine.environment(subject.description.python, subject.description.packages)

    @contextlib.contextmanager
    def _laboratory(self, subject: Subject, room: Path) -> Iterator[Laboratory]:
        output = room / "output"
        for folder in (output / "trials", output / "values"):
            folder.mkdir(mode=0o700, parents=True)
        settings = Settings(subject, output, user_environment(), SEED, "sha256", granularity="auto")
        reasons = unavailable(subject.description, self._environment(subject))
        budget = self.wanted.budget
        jobs = self.wanted.jobs or machine.default_jobs(len(self.checkup.gpus))
        with LocalExecutor(output, subject.folders) as executor, placing_trials(jobs) as placing:
            yield Laboratory(
                settings,
                executor,
                self.watcher,
                jobs=jobs,
                factors=tuple(f.name for f in REGISTRY if f.name not in reasons),
                timeout=self.wanted.timeout,
                deadline=self.began + budget if budget else None,
                max_trials=3 * self.wanted.runs,
                check=self.look,
                placing=placing,
            )

    def _asked(self, probe: Probe, laboratory: Laboratory, plain: Probed) -> Probed:
        """Let it run free, then with its sources pinned."""
        free = _ask(laboratory, Question("Do its runs differ?", {}, self.wanted.runs - 1))
        if free is not None and free.verdict is Verdict.DIVERGES:
            free = (
                _ask(laboratory, Question("How often?", {}, self.wanted.runs - 1, PARTING)) or free
            )
            # Two runs that part, to their end.
            _ask(laboratory, Question("How far apart?", {}, 1, to_end=True))
        if free is None:
            return msgspec.structs.replace(plain, state="unsure", note="the budget was spent")
        if free.verdict is Verdict.BROKEN:
            return msgspec.structs.replace(plain, state="broken", note=free.broken)
        found = msgspec.structs.replace(plain, runs=sum(free.alike), distinct=len(free.alike))
        if free.verdict is not Verdict.DIVERGES:
            bound = stats.divergence_bound(0, free.comparisons, LEVEL)
            return msgspec.structs.replace(found, state="quiet", bound=bound, level=LEVEL)
        found = msgspec.structs.replace(found, state="live", **self._apart(laboratory))
        pins: dict[str, record.Arm] = dict.fromkeys(sorted(probe.causes), "pinned")
        held = _ask(laboratory, Question("Does pinning hold it?", pins, AGREEING)) if pins else None
        if held is None or held.verdict not in (Verdict.AGREES, Verdict.DIVERGES):
            return found
        holds = held.verdict is Verdict.AGREES
        return msgspec.structs.replace(
            found, held="holds" if holds else "parts", held_runs=held.comparisons + 1
        )

    def _apart(self, laboratory: Laboratory) -> dict[str, object]:
        """Where free runs part first, and how far apart two are at the end."""
        trials = laboratory.counting({})
        first = Assembly(laboratory, Finding()).parting([trial.id for trial in trials])
        told: dict[str, object] = {"first": first}
        ends = [_opened(trial, laboratory) for trial in trials if trial.whole]
        for one, other in itertools.islice(itertools.combinations(ends, 2), MOST_PAIRS):
            found = across.compare(one, other)
            if not found.agree:
                return told | distances(found)
        return told


def _ask(laboratory: Laboratory, question: Question) -> Answer | None:
    try:
        return laboratory.ask(question)
    except BudgetSpent:
        return None


def _opened(trial: Trial, laboratory: Laboratory) -> Opened:
    run = portable.described(trial, laboratory.settings, "")
    return Opened(Path(trial.id), run, trial, laboratory.settings.output / "values")


def distances(found: Comparison) -> dict[str, object]:
    """The largest of each distance at the last moment that both runs have."""
    parting = found.last or found.first
    apart: tuple[Far, ...] = parting.apart if parting is not None else ()
    told: dict[str, object] = {}
    for name in ("max_abs", "max_rel", "max_ulp"):
        values = [value for far in apart if (value := getattr(far, name)) is not None]
        told[name] = max(values, default=None)
    return told


@contextlib.contextmanager
def _room(probe: Probe) -> Iterator[tuple[Path, Path]]:
    """A private folder, and a copy of the probe in a folder of its own in it."""
    with scratch.Private(scratch.temporary()) as room:
        own = room / "probe"
        own.mkdir()
        yield room, Path(shutil.copy(probe.path, own))


def alike(one: Checkup, other: Checkup) -> bool:
    """Whether what one machine showed counts on the other: nothing that it runs with differs."""
    return msgspec.structs.replace(one, remarks=()) == msgspec.structs.replace(other, remarks=())
