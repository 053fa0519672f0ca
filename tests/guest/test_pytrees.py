"""Finding parameters in what functions of JAX take and give."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).with_name("pytrees_of_jax.py")


def test_parameters_in_what_jax_takes_and_gives() -> None:
    """In a process of their own: where JAX has computed, it warns of every fork from then on."""
    if importlib.util.find_spec("jax") is None:
        pytest.skip("JAX is an extra")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:xdist", "-p", "no:cacheprovider"]
    done = subprocess.run([*command, str(TESTS)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout
