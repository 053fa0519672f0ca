"""What the subject's interpreter says of itself."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from nondet.guest import describe


def test_packages_of_a_conda_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the one that a virtual environment stands on as well."""
    plain, below = tmp_path / "venv", tmp_path / "conda"
    monkeypatch.setattr(sys, "prefix", str(plain))
    monkeypatch.setattr(sys, "base_prefix", str(below))
    assert describe.conda() == []
    (below / "conda-meta").mkdir(parents=True)
    for name in ("libcudnn-9.3.0-h62a6f1c_1.json", "history", "python-3.11.7-hab00c5b_1.json"):
        (below / "conda-meta" / name).touch()
    assert describe.conda() == ["libcudnn-9.3.0-h62a6f1c_1", "python-3.11.7-hab00c5b_1"]
