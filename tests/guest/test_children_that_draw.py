"""What is drawn in a script's child processes: held, or told where it can't be."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from tests.command.running import QUICK, Project
from tests.guest.running import Shown, guided

POOL = """
import multiprocessing
import random
import nondet

def draw(_):
    return random.random()

if __name__ == "__main__":
    with multiprocessing.get_context("{method}").Pool(1) as pool:
        nondet.checkpoint("drawn", pool.map(draw, [0]))
"""
LINE = 10
"""Of the pool."""


def digests(shown: Shown) -> list[object]:
    assert (shown.code, shown.of("guest-error")) == (0, []), shown.err
    found = [one["digests"] for one in shown.of("checkpoint")]
    assert found
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "subject"
    made.mkdir()
    return made


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_a_pool_that_draws_is_held_or_told(method: str, folder: Path) -> None:
    (folder / "train.py").write_text(POOL.format(method=method))
    free = guided(folder, "train.py")
    one, other = (guided(folder, "train.py", pinned=("python-random",)) for _ in range(2))
    assert digests(free) != digests(one)
    leads = {(e["factor"], e["detail"]) for e in free.of("exercised") if e["site"]["line"] == LINE}
    if method == "fork":
        assert digests(one) == digests(other)
        assert ("python-random", "a forked process, where `random` is seeded anew") in leads
    else:
        # A Python of its own, in which nobody listens: it draws on as it did.
        assert digests(one) != digests(other)
        assert ("unknown", "a child process, in which nothing is seen") in leads


@pytest.mark.long
def test_what_a_spawned_pool_draws_is_a_suspect(tmp_path: Path) -> None:
    project = Project(tmp_path / "project")
    project.write(POOL.format(method="spawn"))
    ran = project.diagnose(*QUICK, "train.py")
    assert ran.code == 3, ran.out + ran.err
    assert [one.site and one.site.line for one in ran.diagnosis.suspects] == [LINE]


LOADER = """
import random
import nondet
import torch

class Rows(torch.utils.data.Dataset):
    def __len__(self):
        return 4

    def __getitem__(self, place):
        return torch.rand(1) + random.random()

if __name__ == "__main__":
    loader = torch.utils.data.DataLoader(Rows(), num_workers=2, multiprocessing_context="{method}")
    nondet.checkpoint("drawn", [rows.numpy() for rows in loader])
"""


@pytest.mark.long
@pytest.mark.subject
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_workers_of_a_data_loader_draw_by_the_seed_of_pytorch(method: str, folder: Path) -> None:
    pytest.importorskip("torch")
    (folder / "train.py").write_text(textwrap.dedent(LOADER.format(method=method)))
    free = guided(folder, "train.py")
    one, other = (guided(folder, "train.py", pinned=("torch-seed",)) for _ in range(2))
    assert digests(one) == digests(other) != digests(free)
    leads = {(e["factor"], e["detail"], e["unseeded"]) for e in free.of("exercised")}
    assert ("torch-seed", "the seed of DataLoader's workers", True) in leads
