"""Words for operations and GPUs."""

from __future__ import annotations

from nondet.record import Kernel, OnGpu
from nondet.report.page import operations


def test_how_an_operation_was_found() -> None:
    kernel = Kernel(words="scatter-add", seen=("localised", "warned"), layer="net/embedding")
    assert operations.kernel(kernel) == (
        "Trials part first in what it computes, although all that came before agrees (layer "
        "`net/embedding`). PyTorch has no deterministic kernel for it, and warned of that in these "
        "trials."
    )
    kernel = Kernel(words="median", instead="a sort", cost="the sort")
    assert operations.instead(kernel) == "A sort. It costs the sort."


def test_what_a_gpu_was_like_in_a_line() -> None:
    plain = OnGpu(uuid="GPU-1", name="NVIDIA T4")
    assert operations.on_gpu(plain) == "NVIDIA T4 (GPU-1)"
    told = OnGpu(
        uuid="MIG-2",
        name="NVIDIA H100",
        mig=True,
        used=False,
        memory=3 * 2**20,
        sm_clock=(900, 1980),
        memory_clock=(2619, 2619),
        slowed=("heat", "the hardware"),
        corrected=1,
        uncorrected=2,
        others=1,
        lost=True,
    )
    assert operations.on_gpu(told) == (
        "NVIDIA H100 (MIG-2; an instance of a GPU; not used; up to 3 MiB; processors at 900 to "
        "1980 MHz; memory at 2619 MHz; slowed down by heat and the hardware; 1 corrected memory "
        "error; 2 uncorrected memory errors; beside 1 other process; lost by the driver)"
    )
