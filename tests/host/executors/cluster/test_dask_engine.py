"""What `--executor` takes, and what is said where it can't be had."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from nondet.host.executors.cluster.dask_engine import DaskEngine, engine, parse
from nondet.host.executors.interface import ExecutorError


@pytest.mark.parametrize(
    ("spec", "known"),
    [
        ("local", True),
        ("dask://10.0.0.5:8786", True),
        ("dask://[::1]:8786", True),
        ("dask+tls://head:8786/", True),
        ("slurm", True),
        ("slurm:gpu", True),
        ("dask://head", False),
        ("dask:head:8786", False),
        ("tcp://head:8786", False),
        ("slurm:", False),
        ("slurm:gpu:4", False),
        ("", False),
    ],
)
def test_what_names_an_executor(spec: str, known: bool) -> None:
    assert parse(spec) is known


@pytest.mark.parametrize("spec", ["dask://127.0.0.1:9", "slurm"])
def test_without_the_extra_it_is_named(monkeypatch: pytest.MonkeyPatch, spec: str) -> None:
    for module in ("distributed", "dask_jobqueue"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ExecutorError, match=r"nondet-diagnose\[cluster\]") as error:
        engine(spec, None, Path())
    assert error.value.slug == "executor-missing"


def test_what_names_none_is_said() -> None:
    with pytest.raises(ExecutorError, match="slurm:PARTITION") as error:
        engine("somewhere", None, Path())
    assert error.value.slug == "executor-unknown"


class Client:
    """A client of dask, as far as it is asked for workers."""

    def __init__(self, **pythons: str) -> None:
        self.pythons = pythons
        self.status = "running"

    def nthreads(self) -> dict[str, int]:
        if not self.pythons:
            raise TypeError("the scheduler is gone")
        return dict.fromkeys(self.pythons, 1)

    def get_versions(self) -> dict[str, Any]:
        told = {"workers": {w: {"host": {"python": p}} for w, p in self.pythons.items()}}
        told["workers"].pop("new", None)
        return told


def test_workers_of_another_python_can_not_take_functions() -> None:
    pytest.importorskip("cloudpickle")
    ours = ".".join(map(str, sys.version_info[:2])) + ".99"
    made = DaskEngine(Client(one=ours, two="3.6.1", new=ours), "dask", 1.0)
    # One that came since its version was asked for is there at the next look.
    assert made.workers() == {"one", "two"}
    assert made.unfit("one") == ""
    assert "3.6.1" in made.unfit("two")


def test_whatever_a_client_raises_is_no_answer() -> None:
    pytest.importorskip("cloudpickle")
    with pytest.raises(OSError, match="scheduler is gone"):
        DaskEngine(Client(), "dask", 1.0).workers()
    closed = Client(one="3.11.7")
    closed.status = "closed"
    with pytest.raises(OSError, match="connection was lost"):
        DaskEngine(closed, "dask", 1.0).workers()
