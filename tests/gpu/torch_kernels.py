"""PyTorch's operations again and again on equal input, on a GPU, with their results' digests.

``python -m tests.gpu.torch_kernels REPEATS`` prints JSON (see `tests.gpu.repeating`).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch.nn import functional as F

from tests.gpu import repeating
from tests.gpu.repeating import Kernel

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
MANY, FEW = 200_000, 200


def normal(*shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.randn(shape, device=DEVICE).to(dtype)


def numbers(most: int, *shape: int) -> torch.Tensor:
    return torch.randint(0, most, shape, device=DEVICE)


def backward(function: Callable[..., torch.Tensor], *given: torch.Tensor) -> Callable[[], Any]:
    """The gradients of all floating point inputs, for a fixed gradient of the result."""
    leaves = [g.detach().requires_grad_() if g.is_floating_point() else g for g in given]
    wanted = [leaf for leaf in leaves if leaf.requires_grad]
    with torch.no_grad():
        made = function(*leaves)
    flowing = normal(*made.shape, dtype=made.dtype)
    return lambda: torch.autograd.grad(function(*leaves), wanted, flowing)


def kernels() -> Iterator[Kernel]:
    """Each with what the documentation of `use_deterministic_algorithms` says of it on CUDA."""
    index, rows = numbers(FEW, MANY), normal(MANY, 16)
    table, zeros = normal(FEW, 16), torch.zeros(FEW, 16, device=DEVICE)
    wide = index.unsqueeze(1).expand(-1, 16)
    switch, refused, nothing = "deterministic on request", "refused", "not listed"
    yield Kernel("scatter_add", switch, lambda: zeros.scatter_add(0, wide, rows))
    yield Kernel("index_add", switch, lambda: zeros.index_add(0, index, rows))
    yield Kernel(
        "index_put accumulate", switch, lambda: zeros.index_put((index,), rows, accumulate=True)
    )
    yield Kernel(
        "scatter_reduce prod", refused, lambda: (zeros + 1).scatter_reduce(0, wide, rows, "prod")
    )
    yield Kernel("gather backward", switch, backward(lambda t: t.gather(0, wide), table))
    yield Kernel(
        "index_select backward", switch, backward(lambda t: t.index_select(0, index), table)
    )
    yield Kernel("embedding backward", nothing, backward(lambda t: F.embedding(index, t), table))
    bags = index.reshape(-1, 100)
    yield Kernel(
        "embedding_bag max backward",
        refused,
        backward(lambda t: F.embedding_bag(bags, t, mode="max"), table),
    )
    images = normal(8, 16, 32, 32)
    for mode, status in (("nearest", nothing), ("bilinear", refused), ("bicubic", refused)):
        yield Kernel(
            f"interpolate {mode} backward",
            status,
            backward(lambda x, mode=mode: F.interpolate(x, scale_factor=2, mode=mode), images),
        )
    grid = normal(8, 32, 32, 2).clamp(-1, 1)
    yield Kernel(
        "grid_sample backward",
        refused,
        backward(lambda x, g: F.grid_sample(x, g, align_corners=False), images, grid),
    )
    weights = normal(32, 16, 3, 3)
    yield Kernel("conv2d backward", switch, backward(F.conv2d, images, weights))
    yield Kernel(
        "conv2d depthwise backward",
        switch,
        backward(lambda x, w: F.conv2d(x, w, groups=16), images, normal(32, 1, 5, 5)),
    )
    yield Kernel(
        "conv2d grouped backward",
        switch,
        backward(lambda x, w: F.conv2d(x, w, groups=4), images, normal(32, 4, 3, 3)),
    )
    yield Kernel(
        "conv_transpose2d backward",
        switch,
        backward(F.conv_transpose2d, images, normal(16, 8, 3, 3)),
    )
    yield Kernel(
        "adaptive_avg_pool2d backward",
        refused,
        backward(lambda x: F.adaptive_avg_pool2d(x, 7), images),
    )
    yield Kernel("max_pool2d backward", nothing, backward(lambda x: F.max_pool2d(x, 3, 2), images))
    cubes = normal(4, 8, 16, 16, 16)
    yield Kernel("avg_pool3d backward", refused, backward(lambda x: F.avg_pool3d(x, 3, 2), cubes))
    yield Kernel("max_pool3d backward", switch, backward(lambda x: F.max_pool3d(x, 3, 2), cubes))
    for mode, status in (("reflect", refused), ("replicate", switch)):
        yield Kernel(
            f"pad {mode} backward",
            status,
            backward(lambda x, mode=mode: F.pad(x, (3, 3, 3, 3), mode=mode), images),
        )
    line = normal(4, 500_000)
    yield Kernel("cumsum", refused, lambda: line.cumsum(1))
    yield Kernel("bincount of weights", refused, lambda: torch.bincount(index, rows[:, 0]))
    yield Kernel("histc", refused, lambda: torch.histc(line, 100))
    yield Kernel("median with indices", refused, lambda: tuple(line.median(1)))
    scores = normal(100, 16, 28)
    letters, heard = numbers(27, 16, 30) + 1, torch.full((16,), 100)
    yield Kernel(
        "ctc_loss backward",
        refused,
        backward(
            lambda s: F.ctc_loss(s.log_softmax(2), letters, heard, torch.full((16,), 30)), scores
        ),
    )
    planes, kinds = normal(4, 10, 64, 64), numbers(10, 4, 64, 64)
    yield Kernel("nll_loss of images", refused, lambda: F.nll_loss(planes, kinds))
    heads = [normal(4, 8, 512, 64, dtype=torch.float16) for _ in range(3)]
    yield Kernel(
        "scaled_dot_product_attention backward",
        nothing,
        backward(F.scaled_dot_product_attention, *heads),
    )
    left, right = normal(16, MANY), normal(MANY, 16)
    yield Kernel("matmul, a long sum", "needs a workspace", lambda: left @ right)
    yield Kernel(
        "matmul float16, a long sum",
        "needs a workspace",
        lambda: (left.half() / 500) @ right.half(),
    )
    yield Kernel("batch_norm backward", nothing, backward(normalised, images))
    yield Kernel(
        "layer_norm backward", nothing, backward(lambda x: F.layer_norm(x, (32, 32)), images)
    )
    yield Kernel("dropout, seeded", nothing, seeded_dropout(images))


def normalised(images: torch.Tensor) -> torch.Tensor:
    return F.batch_norm(images, None, None, training=True)


def seeded_dropout(images: torch.Tensor) -> Callable[[], torch.Tensor]:
    def call() -> torch.Tensor:
        torch.manual_seed(5)
        return F.dropout(images, 0.5, training=True)

    return call


def bits(value: Any) -> bytes:
    values = value if isinstance(value, tuple) else (value,)
    return b"".join(
        each.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
        for each in values
    )


def hold(on: bool) -> None:
    torch.use_deterministic_algorithms(on)
    torch.backends.cudnn.deterministic = on


def drift() -> dict[str, float]:
    """The largest relative error of a product of float32, against the CPU's in float64."""
    torch.manual_seed(2)
    one, other = torch.randn(2, 512, 512)
    exact = one.double() @ other.double()
    found = {}
    for name, allowed in (("float32", False), ("TensorFloat-32", True)):
        torch.backends.cuda.matmul.allow_tf32 = allowed
        made = (one.to(DEVICE) @ other.to(DEVICE)).cpu().double()
        found[name] = float((made - exact).abs().max() / exact.abs().max())
    torch.backends.cuda.matmul.allow_tf32 = False
    return found


def main(repeats: int) -> None:
    torch.manual_seed(1)
    told = repeating.told(kernels(), bits, hold, repeats)
    repeating.write("torch", torch.__version__, DEVICE, told, drift=drift())


if __name__ == "__main__":
    main(int(sys.argv[1]))
