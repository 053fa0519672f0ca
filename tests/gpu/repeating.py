"""Runs operations again and again, and tells how many results differ from the first."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any


@dataclasses.dataclass(frozen=True)
class Kernel:
    """An operation on input of its own."""

    name: str
    documented: str
    """What the framework's own documentation says of it on a GPU."""
    call: Callable[[], Any]


@dataclasses.dataclass(frozen=True)
class Told:
    """What an operation did; None where it was not tried."""

    name: str
    documented: str
    first: str
    """Digest of the first result: another process may give another."""
    differing: int | None
    """Of the later results, those that are not the first."""
    distinct: int | None
    held: str
    """The same while held deterministic: ``equal``, ``differs``, or ``refused``."""
    failure: str = ""


def told(
    kernels: Iterable[Kernel],
    bits: Callable[[Any], bytes],
    hold: Callable[[bool], None] | None,
    repeats: int,
) -> Iterator[Told]:
    """`hold` switches deterministic kernels on and off, where a process can do both."""
    for kernel in kernels:
        try:
            found = [digest(bits(kernel.call())) for _ in range(repeats)]
        except Exception as error:
            yield Told(kernel.name, kernel.documented, "", None, None, "", words(error))
            continue
        held = "" if hold is None else while_held(kernel, bits, hold, repeats)
        differing = sum(each != found[0] for each in found)
        yield Told(kernel.name, kernel.documented, found[0], differing, len(set(found)), held)


def while_held(
    kernel: Kernel, bits: Callable[[Any], bytes], hold: Callable[[bool], None], repeats: int
) -> str:
    hold(True)
    try:
        found = {digest(bits(kernel.call())) for _ in range(repeats)}
    except Exception as error:
        refused = "deterministic" in str(error)
        return "refused" if refused else f"fails: {words(error)}"
    finally:
        hold(False)
    return "equal" if len(found) == 1 else "differs"


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


def words(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).splitlines()[0][:120] if str(error) else ''}"


def write(framework: str, version: str, device: str, found: Iterable[Told], **more: Any) -> None:
    rows = [dataclasses.asdict(each) for each in found]
    print(
        json.dumps(
            {"framework": framework, "version": version, "device": device, "kernels": rows} | more
        )
    )
