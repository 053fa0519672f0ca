"""The probes that are shipped: small programs with one planted source each, and what each promises.

A probe's first line, which may go on in lines that begin with ``# |``, is a promise ::

    # probe: WHAT | causes: A, B | needs: gpu | packages: P

and a comment ``# <- A, B`` marks a line that must be named for these factors.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent
MARK = re.compile(r"# <- ([a-z0-9-]+(?:, [a-z0-9-]+)*)$")
"""At the end of a line that the report must name for these factors."""


@dataclasses.dataclass(frozen=True)
class Probe:
    """A probe with what its first line promises and its marks say."""

    path: Path
    what: str
    causes: frozenset[str]
    consumers: frozenset[str]
    alternatives: frozenset[str]
    stress: frozenset[str]
    """What comes out as dormant, or as a sensitivity, when it is provoked."""
    verdict: str
    needs_gpu: bool
    packages: tuple[str, ...]
    marks: Mapping[str, frozenset[int]]
    """Lines that must be named, for each factor."""
    place: str = ""
    """What must be the first to differ, phase and path; only where a probe is about that."""

    @property
    def name(self) -> str:
        return self.path.stem

    @property
    def mixed(self) -> bool:
        return self.path.parent.name == "mixed"


def folder() -> Path:
    """Where the probes lie: in an installed package, or in a checkout beside it."""
    installed = PACKAGE / "probes"
    return installed if installed.is_dir() else PACKAGE.parent / "probes"


def all_probes() -> list[Probe]:
    """The probes of one source each, then the mixed scripts."""
    own, mixed = folder(), folder() / "mixed"
    return [read(path) for path in (*sorted(own.glob("*.py")), *sorted(mixed.glob("*.py")))]


def read(path: Path) -> Probe:
    """Parse a probe. Raises ValueError when it is not one."""
    lines = path.read_text(encoding="utf-8").splitlines()
    head, _, rest = lines[0].partition("|") if lines else ("", "", "")
    if not head.startswith("# probe: "):
        raise ValueError(f"{path.name}: the first line must begin with '# probe: '")
    parts = rest.split("|") if rest else []
    for line in lines[1:]:
        if not line.startswith("# |"):
            break
        parts += line.removeprefix("# |").split("|")
    fields = dict(part.split(":", 1) for part in parts)
    known = {key.strip(): value.strip() for key, value in fields.items()}

    def names(key: str) -> tuple[str, ...]:
        value = known.get(key, "none")
        return () if value == "none" else tuple(name.strip() for name in value.split(","))

    causes = names("causes")
    return Probe(
        path=path,
        what=head.removeprefix("# probe: ").strip(),
        causes=frozenset(causes),
        consumers=frozenset(names("consumers")),
        alternatives=frozenset(names("alternatives")),
        stress=frozenset(names("stress")),
        verdict=known.get("verdict", "causes-found" if causes else "reproducible"),
        needs_gpu=known.get("needs") == "gpu",
        packages=names("packages"),
        marks=marks(lines),
        place=known.get("place", ""),
    )


def marks(lines: Iterable[str]) -> dict[str, frozenset[int]]:
    """The marked lines of each factor."""
    found: dict[str, frozenset[int]] = {}
    for number, line in enumerate(lines, start=1):
        if match := MARK.search(line):
            for factor in match[1].split(", "):
                found[factor] = found.get(factor, frozenset()) | {number}
    return found
