"""Tests and measurements on a machine with an NVIDIA GPU: ``sh .ci/do gpu``. They are skipped
elsewhere."""

from __future__ import annotations

import importlib.util

import pytest

from nondet.host import gpus


def without() -> str:
    """Why these tests can't run here; empty where they can."""
    if not gpus.found().devices:
        return "needs a GPU that NVIDIA's management library sees"
    if not any(importlib.util.find_spec(name) for name in ("torch", "jax", "tensorflow")):
        return "needs PyTorch, JAX or TensorFlow"
    return ""


needs_gpu = pytest.mark.skipif(bool(without()), reason=without())


def needs(*modules: str) -> pytest.MarkDecorator:
    """Skips where one of these is not installed, with the reason."""
    absent = [name for name in modules if importlib.util.find_spec(name) is None]
    return pytest.mark.skipif(bool(absent), reason=f"needs {', '.join(absent)}")
