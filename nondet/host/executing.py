"""Where the trials of a diagnosis run: here, or on the workers of a cluster."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import msgspec

from nondet import record
from nondet.host.executors.cluster.dask_engine import engine
from nondet.host.executors.cluster.executor import ClusterExecutor, Sharing
from nondet.host.executors.interface import Executor, Machine
from nondet.host.executors.local import LocalExecutor
from nondet.host.planning import Settings
from nondet.host.subject import GUEST, Description, Subject

LOCAL = "local"
CERTIFICATES = ".dask-jobqueue.*"
"""Names of the files that dask-jobqueue makes, and removes in the end."""
MOST_JOBS = 64
"""Trials side by side on a cluster, however many workers it has, unless ``--jobs`` says how many:
the host opens files of each some thirty times a second (docs/scaling.md)."""
ONE_MACHINE = "trials run on this machine alone: see --executor"
ALIKE = "all workers have the same hardware and software"
KEPT = "trials were kept on one kind of machine: --factors machine or --stress compares them"
LATE = (
    "machines of another kind came after the first trials, and got none: --factors machine or "
    "--stress compares them once they are there"
)
FRESH = "trials run on the machines of a cluster, and each starts from a fresh folder"
Opened = LocalExecutor | ClusterExecutor


@dataclasses.dataclass(frozen=True)
class Surroundings:
    """What trials find on the machines of a cluster."""

    subject: Subject
    """As the interpreter describes it there."""
    environment: record.Environment
    fixed_addresses: bool
    kind: str
    """Names the kind of machine."""
    mixture: str
    """What other kinds there are, in words; empty when there are none."""


def opened(
    spec: str,
    settings: Settings,
    jobs: int | None,
    check: Callable[[], None],
    tell: Callable[[str], None],
) -> Opened:
    """Where that text says. `check` may raise KeyboardInterrupt; `tell`: a line for people. Raises
    ExecutorError."""
    subject = settings.subject
    if spec == LOCAL:
        return LocalExecutor(settings.output, subject.folders)
    sharing = Sharing(
        output=settings.output,
        folders=subject.folders,
        cwd=subject.cwd,
        python=subject.python,
        guest=str(GUEST),
        script=("-m", subject.module) if subject.module else (subject.script,),
        same=(subject.path, *(plugin.path.resolve() for plugin in settings.plugins)),
        environ=settings.environ,
    )
    for old in settings.output.glob(CERTIFICATES):  # of a diagnosis that was killed
        old.unlink(missing_ok=True)
    found = engine(spec, jobs, settings.output)
    return ClusterExecutor(found, sharing, check=check, tell=tell)


def surroundings(executor: ClusterExecutor, subject: Subject) -> Surroundings:
    """Those of the machines that trials are kept on; of the others the record tells."""
    told = executor.chosen
    kinds = {one.kind: one for one in executor.machines}
    main = kinds[executor.kind]
    description = msgspec.convert(told["described"], type=Description)
    return Surroundings(
        subject=dataclasses.replace(subject, description=description),
        environment=environment(main),
        fixed_addresses=told["facts"]["fixed_addresses"],
        kind=executor.kind,
        mixture=mixture(executor, main),
    )


def digest(executor: ClusterExecutor, elsewhere: bool) -> str:
    """The algorithm that all trials can compute digests by, wherever they run: `elsewhere`, on
    other kinds of machines as well. From then on none runs where it can't."""
    return "xxh3_128" if executor.insist("xxhash", elsewhere) else "sha256"


def mixture(executor: ClusterExecutor, main: Machine) -> str:
    """What there is beside the largest kind of machine; empty when nothing is."""
    count = len(executor.kinds)
    if count < 2:
        return ""
    return (
        f"the workers have {count} kinds of hardware and software, most of them "
        f"({executor.slots}) {described(main)}"
    )


def late(executor: Executor) -> str:
    """What came beside the kind that trials are kept on; empty when nothing did."""
    if not isinstance(executor, ClusterExecutor):
        return ""
    others = {one.kind: one for one in executor.machines if one.kind != executor.kind}
    if not others:
        return ""
    found = "; ".join(described(one) for one in others.values())
    return f"workers of another kind came after the first trials, and got none: {found}"


def described(one: Machine) -> str:
    """In a few words."""
    gpus = "".join(f", {name}" for name in one.gpus)
    return f"{one.cpu}, {one.cores} core{'s' if one.cores > 1 else ''}{gpus}, Python {one.python}"


def environment(one: Machine) -> record.Environment:
    return record.Environment(
        python=one.python,
        platform=one.platform,
        cpu=one.cpu,
        cores=one.cores,
        gpus=one.gpus,
        driver=one.driver,
        packages=dict(one.packages),
    )


def machines(executor: Executor) -> tuple[record.Machine, ...]:
    """Those of a cluster for the record; none where trials run here."""
    return tuple(
        record.Machine(
            host=one.host,
            kind=one.kind,
            platform=one.platform,
            libc=one.libc,
            cpu=one.cpu,
            features=one.features,
            cores=one.cores,
            gpus=one.gpus,
            driver=one.driver,
            python=one.python,
            packages=dict(one.packages),
            isolation=one.isolation,
        )
        for one in executor.machines
    )
