"""What is sent to a worker: the parts of nondet that run trials, as one archive."""

from __future__ import annotations

import hashlib
import io
import zipfile
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[3]
PARTS = (
    "__init__.py",
    "guest",
    "host/__init__.py",
    "host/errors.py",
    "host/executors",
    "host/processor.py",
    "host/scratch.py",
)
"""Files and folders of the package. None of them needs more than the standard library and psutil,
which every worker of dask has."""
EPOCH = (1980, 1, 1, 0, 0, 0)


def archive() -> tuple[bytes, str]:
    """The archive, and the SHA-256 by which its bytes are checked."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        for path in files():
            name = str(Path("nondet") / path.relative_to(PACKAGE))
            file.writestr(zipfile.ZipInfo(name, EPOCH), path.read_bytes(), zipfile.ZIP_DEFLATED)
    data = packed.getvalue()
    return data, hashlib.sha256(data).hexdigest()


def files() -> list[Path]:
    found = []
    for part in PARTS:
        path = PACKAGE / part
        found += [path] if path.is_file() else [p for p in path.rglob("*") if p.is_file()]
    return sorted(path for path in found if "__pycache__" not in path.parts)
