"""The functions that workers run. They are sent as they are, so they use the standard library
alone: nondet need not be installed there."""

from __future__ import annotations

import fcntl
import hashlib
import io
import json
import os
import platform
import subprocess
import sys
import tempfile
import threading
import types
import zipfile
from typing import Any

HOLDER = "_nondet_attendants"
"""Name of a module that keeps what a worker has started, from one errand to the next."""
PROGRAM = os.path.join("nondet", "host", "executors", "cluster", "attendant.py")


class Attending:
    """An attendant's process, asked one thing at a time."""

    def __init__(self, archive: bytes) -> None:
        self.home, self.handle = private_folder()
        with zipfile.ZipFile(io.BytesIO(archive)) as packed:
            packed.extractall(self.home)
        self.lock = threading.Lock()
        self.process = subprocess.Popen(
            # Not isolated: psutil is wherever the worker has it from.
            [sys.executable, "-P", os.path.join(self.home, PROGRAM), self.home],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            start_new_session=True,
        )

    def ask(self, order: dict[str, Any]) -> dict[str, Any]:
        """The answer; one that says `lost` when there is none."""
        with self.lock:
            try:
                if self.process.stdin is not None:
                    self.process.stdin.write(json.dumps(order).encode() + b"\n")
            except (OSError, ValueError):  # gone, or closed here
                return {"lost": self.last_words()}
            line, pipe = b"", self.process.stdout
            while pipe is not None and not line.endswith(b"\n"):
                more = pipe.readline()
                if not more:
                    return {"lost": self.last_words()}
                line += more
            told: dict[str, Any] = json.loads(line)
            return told

    def last_words(self) -> str:
        return f"its attendant ended with exit code {self.process.wait()}"

    def end(self) -> None:
        """Have it end what it runs, and wait for that."""
        if self.process.stdin is not None:
            self.process.stdin.close()
        self.process.wait()
        with self.lock:  # whoever waits for an answer has heard by now that there is none
            if self.process.stdout is not None:
                self.process.stdout.close()
        os.close(self.handle)


def prefix() -> str:
    """As in scratch.py: a later diagnosis on this machine removes such folders where nobody holds
    them. Not a constant, which would be sent as it is on the host."""
    machine = hashlib.sha256(os.fsencode(platform.node())).hexdigest()[:8]
    return f"nondet-scratch-{machine}-"


def private_folder() -> tuple[str, int]:
    """A folder that nobody else can read, and the handle by which it is locked."""
    while True:
        # Another one may sweep it in the moment before it is locked.
        path = tempfile.mkdtemp(prefix=prefix())
        try:
            handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        except FileNotFoundError:
            continue
        fcntl.flock(handle, fcntl.LOCK_EX)
        if os.path.exists(path):
            return path, handle
        os.close(handle)


def attendants() -> dict[str, Attending]:
    holder = sys.modules.setdefault(HOLDER, types.ModuleType(HOLDER))
    found: dict[str, Attending] = holder.__dict__.setdefault("attendants", {})
    return found


def survey(token: str, archive: bytes, sha256: str, settings: dict[str, Any]) -> dict[str, Any]:
    """Start an attendant on this machine, under a name; what it says of the machine."""
    if hashlib.sha256(archive).hexdigest() != sha256:
        return {"error": ["executor-worker", "what was sent to it came damaged"]}
    dismiss(token)  # of before this worker was out of sight
    attending = attendants()[token] = Attending(archive)
    told = attending.ask(settings)
    if "facts" not in told:
        dismiss(token)
    return told


def carry_out(token: str, order: dict[str, Any]) -> dict[str, Any]:
    """Run a trial to its end. Whatever becomes of the trial is a result, and never an error."""
    attending = attendants().get(token)
    if attending is None:  # the worker was started anew
        return {"lost": "the worker was started anew"}
    return attending.ask(order)


def dismiss(token: str) -> None:
    """End the attendant, with all that it runs."""
    attending = attendants().pop(token, None)
    if attending is not None:
        attending.end()
