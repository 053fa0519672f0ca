"""Which trials are forked from a process that has imported the frameworks, and which are not.

Trials of one parent have the order of sets and the addresses of objects in common. So their
agreement proves little and is never counted; their difference proves that something else varies. A
forked trial that equals one which started by itself is one more agreement, and shows that the pins
in force hold in forked trials as well. Only then are such pins relied on.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping

from nondet.guest.factors import by_name
from nondet.host import comparing, planning
from nondet.host.executors.interface import Executor, ImportingProcess, Start
from nondet.host.subject import GUEST
from nondet.host.trials import Trial
from nondet.record import Arm

FRAMEWORKS = (
    "tensorflow", "keras", "tf_keras", "theano", "torch", "jax", "sklearn", "xgboost", "lightgbm",
)  # fmt: skip
SETTINGS = (
    "TF_", "TF2_", "KERAS_", "THEANO_", "XLA_", "JAX_", "TORCH_", "PYTORCH_", "CUDA_", "CUBLAS_",
    "CUDNN_", "NVIDIA_", "NCCL_", "OMP_", "MKL_", "KMP_", "OPENBLAS_", "NUMEXPR_", "DNNL_",
    "ONEDNN_",
)  # fmt: skip
"""The guest's, which tells of these (guest/keras_hooks.py)."""
MOST_PARENTS = 3
"""Processes with a framework in memory, kept at the same time."""
LONGEST_IMPORT = 120.0
"""Seconds after which nobody waits for it any more."""
SHARE = 0.25
"""Part of a whole run's time that importing must take, for forking to be worth anything."""


class Warming:
    """The parents of one diagnosis, and what is known of their trials."""

    def __init__(self, settings: planning.Settings, executor: Executor, wanted: bool) -> None:
        self.settings, self.executor = settings, executor
        self.wanted = wanted
        self.why_not = ""
        """Why no trial is forked (any more), though it was wanted."""
        self.mistaken = False
        """Whether forked trials have turned out to be no evidence."""
        self.parents: dict[Start, tuple[str, ImportingProcess]] = {}
        self.proven: set[str] = set()
        """Factors whose pins have been seen to hold in a forked trial."""
        self.unproven: set[str] = set()
        """Factors of which a pin has been seen not to hold in one."""
        self.imports: tuple[tuple[str, tuple[tuple[str, str | None], ...]], ...] = ()
        self.began: dict[str, float] = {}
        self.count, self.spent = 0, 0.0

    def learn(self, trial: Trial | None) -> None:
        """Take from a trial that started by itself what the subject imports."""
        if self.imports or trial is None:
            return
        self.imports = tuple(importable(trial))

    def worthwhile(self, importing: float, single_run: float) -> bool:
        """Whether importing is a good part of a run; taken for true until that is known. Both in
        seconds."""
        return not single_run or importing >= SHARE * single_run

    def trusts(self, held: Mapping[str, Arm]) -> bool:
        """Whether all pins of a plan are known to hold in forked trials."""
        return held.keys() <= self.proven

    def proves(self, held: Mapping[str, Arm]) -> None:
        """A forked trial under these pins equals those that started by themselves."""
        self.proven |= held.keys()

    def doubts(self, held: Mapping[str, Arm], reason: str) -> None:
        """A forked trial under these pins failed, or is not like those that started by themselves.
        If that can't be a pin's doing, no forked trial is evidence any more."""
        if new := held.keys() - self.proven:
            self.unproven |= new
        else:
            self.give_up(reason)
            self.mistaken = True

    def give_up(self, reason: str) -> None:
        """From now on, trials start by themselves."""
        self.why_not = self.why_not or reason

    @property
    def importing(self) -> int:
        """Parents that are not ready yet."""
        return sum(parent.importing for _, parent in self.parents.values())

    @property
    def seconds(self) -> float:
        """What importing has taken, all in all."""
        return self.spent + sum(parent.seconds for _, parent in self.parents.values())

    def parent(self, held: Mapping[str, Arm]) -> str | None:
        """Name of the process that a trial of this plan can be forked from; None while it imports,
        empty if there is none. Begins to import when nobody has."""
        if not self.wanted or self.why_not or not self.imports or not self._late(held):
            return ""
        start = self._start(held)
        if start not in self.parents:
            self._import(start)
        name, process = self.parents.get(start, ("", None))
        if process is None:
            return ""
        if process.importing:
            if time.monotonic() - self.began[name] < LONGEST_IMPORT:
                return None
            self._end(start)
            self.give_up(f"importing did not end in {LONGEST_IMPORT:g} s")
            return ""
        if process.unfit:
            self.give_up(process.unfit)
            return ""
        return name

    def _late(self, held: Mapping[str, Arm]) -> bool:
        """Whether a plan can be applied once the frameworks are imported."""
        pinned = all(arm != "varied" and by_name(name).late for name, arm in held.items())
        return pinned and not self.unproven & held.keys()

    def _start(self, held: Mapping[str, Arm]) -> Start:
        subject = self.settings.subject
        return Start(
            python=subject.python,
            guest=str(GUEST),
            env=tuple(sorted(planning.environment(self.settings, held, "").items())),
            cwd=subject.cwd,
            folder=subject.first_on_path,
            imports=self.imports,
            seed=self.settings.seed,
            fixed_addresses=planning.fixed_addresses(held),
        )

    def _end(self, start: Start) -> None:
        name, process = self.parents.pop(start)
        self.spent += process.seconds
        self.executor.end_parent(name)

    def _import(self, start: Start) -> None:
        if len(self.parents) >= MOST_PARENTS:
            self._end(next(iter(self.parents)))
        self.count += 1
        # Another name than in an earlier session, whose trials may be used again.
        taken = sum(1 for _ in (self.settings.output / "trials").iterdir())
        name = f"p{taken}-{self.count}"
        try:
            self.parents[start] = (name, self.executor.parent(name, start))
            self.began[name] = time.monotonic()
        except OSError as error:
            self.give_up(str(error))


def importable(trial: Trial) -> Iterator[tuple[str, tuple[tuple[str, str | None], ...]]]:
    """The frameworks that a trial told of, each with the settings to import it under.

    The event file may be a stranger's: nothing else is imported at its word, and no other variable
    is set.
    """
    for name in trial.frameworks:
        if name in FRAMEWORKS:
            told = trial.settings_at_import.get(name, {})
            own = {key: value for key, value in told.items() if key.startswith(SETTINGS)}
            yield name, tuple(sorted(own.items()))


def bridged(forked: Trial, alone: Trial) -> bool:
    """Whether a forked trial and one that started by itself, both whole, are equal."""
    return comparing.parting(forked, alone, ended=True) is None


def by_start(group: list[Trial]) -> list[list[Trial]]:
    """The trials that can be compared with one another: those that started by themselves first,
    then those of each parent."""
    starts: dict[str, list[Trial]] = {"": []}
    for trial in group:
        starts.setdefault(trial.parent, []).append(trial)
    return list(starts.values())
