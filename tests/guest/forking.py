"""Runs a script in trials that are forked from a process that has imported what it imports."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from nondet.host.executors.interface import Launch, Start
from nondet.host.executors.local import LocalExecutor
from nondet.host.executors.parents import Parent
from nondet.host.executors.running import LocalRunning
from nondet.host.subject import GUEST
from tests.guest.running import Shown, environment, write_plan
from tests.host.executors.trying import ended, until

SEED = 7
"""That of `write_plan`."""


@dataclasses.dataclass
class Forking:
    """A parent with the executor that starts its trials."""

    folder: Path
    executor: LocalExecutor
    parent: Parent
    environ: dict[str, str]
    count: int = 0
    plan: Path = dataclasses.field(init=False)
    logs: Path = dataclasses.field(init=False)
    """Of the latest trial."""

    def run(self, script: str, *args: str, pinned: Sequence[str] = ()) -> Shown:
        """A forked trial, and what it showed; its events are in order."""
        return self._run(script, args, pinned, "parent")

    def alone(self, script: str, *args: str, pinned: Sequence[str] = ()) -> Shown:
        """The same in a trial that starts by itself."""
        return self._run(script, args, pinned, "")

    def start(
        self,
        script: str,
        args: Sequence[str] = (),
        pinned: Sequence[str] = (),
        parent: str = "parent",
    ) -> LocalRunning:
        """One that runs yet; without a `parent` it starts by itself."""
        self.count += 1
        trial = f"t{self.count:02}"
        self.plan = write_plan(self.folder, script, args, dict.fromkeys(pinned, "pinned"), trial)
        self.logs = self.folder.parent / f"{self.folder.name}-logs-{trial}"
        self.logs.mkdir()
        argv = (sys.executable, str(GUEST), str(self.plan))
        folders = (self.folder,)
        return self.executor.start(
            Launch(trial, argv, self.environ, self.folder, folders, self.logs, parent=parent)
        )

    def _run(self, script: str, args: Sequence[str], pinned: Sequence[str], parent: str) -> Shown:
        code = ended(self.start(script, args, pinned, parent)).exit_code
        assert code is not None
        said = [(self.logs / name).read_text() for name in ("stdout.log", "stderr.log")]
        events = (self.plan.parent / "events.jsonl").read_text().splitlines()
        return Shown(code, said[0], said[1], [json.loads(line) for line in events])


@contextlib.contextmanager
def forking(folder: Path, *imports: str, ready: bool = True) -> Iterator[Forking]:
    """A parent that imports these modules for scripts of this folder, ready unless that is not
    expected."""
    temporary = folder.parent / f"{folder.name}-tmp"
    temporary.mkdir()
    # Where nobody else takes the names that a pin gives.
    environ = environment(TMPDIR=str(temporary))
    output = folder.parent / f"{folder.name}-out"
    with LocalExecutor(output, (folder,), "in-place") as executor:
        start = Start(
            python=sys.executable,
            guest=str(GUEST),
            env=tuple(sorted(environ.items())),
            cwd=folder,
            folder=folder,
            imports=tuple((name, ()) for name in imports),
            seed=SEED,
        )
        parent = executor.parent("parent", start)
        until(lambda: not parent.importing, "the imports")
        if ready:
            assert parent.ready, parent.unfit
        yield Forking(folder, executor, parent, environ)
