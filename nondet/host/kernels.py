"""Which operation it is that gives other bits from run to run, and what does the same repeatably.

Four witnesses are joined: where trials that were looked into part first (the zoom), what makes them
part when it is released alone, what PyTorch warned of while it was held deterministic, and what a
framework refused. What is known of operations comes from the frameworks' own lists: PyTorch's
`use_deterministic_algorithms`, TensorFlow's RFC on determinism and NVIDIA's table of operations
(framework-reproducibility), cuBLAS' documentation.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from nondet import record
from nondet.guest.factors import by_name
from nondet.guest.factors.op_determinism import UNSUPPORTED
from nondet.host.releasing import Needed
from nondet.host.sites import Sites
from nondet.host.trials import Trial
from nondet.record import Kernel, Moment

BACKWARD = ("gradient",)
EITHER = ("forward", "gradient")
PASSES = {"forward": "forward pass", "gradient": "backward pass", "update": "update"}
ITS = "gradient of its "
CALL = re.compile(r", call \d+$")


@dataclasses.dataclass(frozen=True)
class Known:
    """A kind of operation."""

    words: str
    ops: str
    """Matches the names that frameworks give it, in whatever case."""
    instead: str
    cost: str
    layers: tuple[str, ...] = ()
    """How the names of Keras' and PyTorch's layers begin that use it."""
    phases: tuple[str, ...] = BACKWARD
    """When these use it."""
    on_gpu: bool = False
    """Whether what does the same is a matter of GPUs."""
    switched: bool = True
    """Whether asking for deterministic kernels chooses another one."""


KNOWN = (
    Known(
        "embedding bag's maximum",
        r"embedding_bag",
        "an embedding, and the maximum along each bag",
        "memory for every row of a bag",
        ("EmbeddingBag",),
    ),
    Known(
        "sparse product",
        r"sparse.*mat_?mul|spmm|sparse_dense",
        "a dense product",
        "memory for the zeros",
    ),
    Known(
        "scatter-add",
        r"scatter|index_add|index_put|^put_|IndexBackward|IndexSelect|EmbeddingBackward"
        r"|embedding_dense|segment",
        "a product with one-hot rows, `one_hot(ids, size) @ table`",
        "memory and work that grow with the table's rows",
        ("Embedding",),
        ("gradient", "update"),
    ),
    Known(
        "interpolation",
        r"upsample|resize|grid_sampl|crop_?and|interpolat",
        "nearest neighbours by `repeat` along each side, or a transposed convolution with fixed "
        "weights",
        "none to speak of for the first, a convolution for the second",
        ("UpSampling", "Upsample", "Resizing", "RandomZoom", "RandomRotation"),
    ),
    Known(
        "pooling",
        r"adaptive_(?:avg|max)_pool|avg_pool3d|fractional_max_pool|max_unpool|MaxPool.*grad"
        r"|max_pool3d",
        "a pooling of fixed size, or `reshape` and a mean or maximum",
        "none to speak of where the sides divide evenly",
        ("Adaptive", "MaxUnpool", "FractionalMaxPool", "AveragePooling3D", "AvgPool3d"),
    ),
    Known(
        "padding by reflection",
        r"reflection_pad|replication_pad|mirror_?pad",
        "padding with zeros, or flipped slices joined together",
        "a copy of the padded tensor",
        ("ReflectionPad", "ReplicationPad"),
    ),
    Known(
        "running sum",
        r"cumsum|cumprod|cumulative",
        "a product with a triangular matrix of ones",
        "work that grows with the square of the length",
    ),
    Known(
        "counting into bins",
        r"bincount|histc|histogram",
        "a sum over one-hot rows",
        "memory for as many columns as bins",
    ),
    Known(
        "CTC loss",
        r"ctc",
        "the loss on the CPU",
        "a copy of the scores to the host in every step",
        ("CTCLoss", "CTC"),
        ("gradient", "loss"),
        on_gpu=True,
    ),
    Known(
        "cross-entropy",
        r"nll_loss|Softmax_?Cross_?Entropy",
        "`log_softmax`, and the class picked by a product with one-hot targets",
        "memory for the one-hot targets",
        ("NLLLoss",),
        ("gradient", "loss", "forward"),
    ),
    Known(
        "median",
        r"median|kthvalue",
        "a sort, and the element in the middle",
        "the sort",
    ),
    Known(
        "fused attention",
        r"flash|efficient_attention|scaled_dot_product",
        "the plain kernel: `torch.nn.attention.sdpa_kernel(SDPBackend.MATH)`, "
        "`jax.nn.dot_product_attention(implementation='xla')`",
        "memory that grows with the square of the length",
        ("MultiHeadAttention", "GroupedQueryAttention", "MultiheadAttention"),
    ),
    Known(
        "depthwise convolution",
        r"depthwise",
        "cuDNN's deterministic algorithm (the factor `cudnn`)",
        "a slower algorithm for some shapes",
        ("DepthwiseConv", "SeparableConv"),
        EITHER,
        on_gpu=True,
    ),
    Known(
        "convolution",
        r"conv",
        "cuDNN's deterministic algorithm (the factor `cudnn`)",
        "a slower algorithm for some shapes",
        ("Conv",),
        EITHER,
        on_gpu=True,
    ),
    Known(
        "matrix product",
        r"cublas|mat_?mul|addmm|\bbmm\b|dot_general",
        "`CUBLAS_WORKSPACE_CONFIG=:4096:8` in the environment",
        "about 24 MiB of the GPU's memory",
        ("Dense", "EinsumDense", "Linear"),
        EITHER,
        on_gpu=True,
        switched=False,
    ),
)
"""The more specific one comes first."""


def known(op: str, kind: str = "", phase: str = "") -> Known | None:
    """What is known of an operation, by its name, or else by its layer's class and the phase."""
    for each in KNOWN:
        if op and re.search(each.ops, op, re.IGNORECASE):
            return each
    for each in KNOWN:
        if phase in each.phases and kind.startswith(each.layers or "-"):
            return each
    return None


def of(
    causes: Sequence[record.Cause],
    zooms: Sequence[record.Zoom],
    warned: Iterable[tuple[str, record.Site | None, str]],
    refusals: Sequence[record.Refusal],
    gpus: bool = True,
    needed: Iterable[Needed] = (),
) -> tuple[Kernel, ...]:
    """The operations behind these causes, those that the trials point at first; none where no
    cause sits in kernels. Without any cause, those behind what nothing holds. `warned`: see below.

    What was refused is told here where the trials point at it as well: alone it stands among the
    refusals. Without `gpus`, what only helps there is left out.
    """
    if causes and not any(computes(cause.factor) for cause in causes):
        return ()
    found = [kernel for zoom in zooms if (kernel := localised(zoom, causes)) is not None]
    for detail, site, trial in warned:
        if detail.endswith(UNSUPPORTED):
            found.append(named(detail.removesuffix(UNSUPPORTED), "warned", site, (trial,)))
    found += [named(each.op, "refused", each.site, each.trials) for each in refusals]
    found += [named(each.op, "released", each.site, each.trials) for each in needed]
    told = [kernel for kernel in joined(found) if kernel.seen != ("refused",)]
    if any("released" in kernel.seen for kernel in told):
        # A surer witness than the class of a layer, which does not compute all that it is given.
        told = [k for k in told if k.factor != "op-determinism" or k.seen != ("localised",)]
    return tuple(told) if gpus else tuple(map(without_gpu, told))


def switched(gpus: bool) -> tuple[str, ...]:
    """Patterns of the operations for which a deterministic kernel can be asked for; without `gpus`,
    of those for which that changes anything on a CPU."""
    return tuple(each.ops for each in KNOWN if each.switched and (gpus or not each.on_gpu))


def without_gpu(kernel: Kernel) -> Kernel:
    """Without what does the same on a GPU alone."""
    if any(each.on_gpu and each.instead == kernel.instead for each in KNOWN):
        return msgspec.structs.replace(kernel, instead="", cost="")
    return kernel


def warned(trials: Iterable[Trial], sites: Sites) -> Iterator[tuple[str, record.Site | None, str]]:
    """What was seen of deterministic kernels in trials that were held to them, for `of`."""
    for trial in trials:
        for s in trial.sightings.values():
            if s.factor == "op-determinism" and s.factor in trial.held:
                site = sites.site(s.site, s.detail, s.count) if s.site is not None else None
                yield s.detail, site, trial.id


def localised(zoom: record.Zoom, causes: Sequence[record.Cause]) -> Kernel | None:
    """The operation whose output is the first to differ although its inputs agree, where each pair
    of trials says the same and a cause is at work that sits in kernels."""
    factors = [name for name in zoom.factors if computes(name)]
    if len(zoom.firsts) != 1 or (causes and not factors):
        return None
    first = zoom.firsts[0].moment
    kind = computed_by(first, zoom.moments)
    if first.phase not in (*PASSES, "loss"):
        return None
    if first.phase == "loss" and not causes and not zoom.saw_targets:
        # Its inputs may differ as well.
        return None
    what = known(first.op, kind, first.phase)
    if first.phase == "update" and sparse(first, zoom.moments):
        what = known("scatter")
    operation = what.words if what else f"`{first.op}`" if first.op else "an operation"
    where = f"the {PASSES[first.phase]} of `{kind}`" if first.phase != "loss" else "the loss"
    return Kernel(
        words=f"{operation} in {where}" if kind or first.phase == "loss" else operation,
        op=first.op,
        seen=("localised",),
        layer=first.layer,
        factor=factors[0] if factors else "",
        instead=what.instead if what else "",
        cost=what.cost if what else "",
        trials=zoom.pair or (),
    )


def behind(factor: str, found: Sequence[Kernel]) -> str:
    """The operation that trials with this factor free point at; empty where there is none."""
    told = (k.words for k in found if k.factor == factor and {"localised", "released"} & {*k.seen})
    return next(told, "")


def computes(factor: str) -> bool:
    """Whether a factor is one of how operations are computed."""
    return by_name(factor).group == "kernels" or factor in ("cpu-threads", "cuda-streams")


def computed_by(first: Moment, moments: Sequence[Moment]) -> str:
    """The class of the layer in whose pass a tensor comes into being.

    The gradient of a layer's output is computed by what comes after it. An update is the
    optimizer's, of a weight that is some layer's.
    """
    forward = [m for m in moments if m.phase == "forward" and m.layer]
    name = CALL.sub("", first.tensor)
    if first.phase == "gradient" and name == ITS + "output":
        own = [n for n, m in enumerate(forward) if m.layer == first.layer]
        after = [m for m in forward[own[-1] :] if m.layer != first.layer] if own else []
        return after[0].kind if after else ""
    if first.phase == "update":
        return next((m.kind for m in forward if m.layer == first.layer), first.kind)
    return first.kind


def sparse(first: Moment, moments: Sequence[Moment]) -> bool:
    """Whether a weight's gradient came as rows with their indices."""
    name = f"{first.tensor} (indices)"
    return any(m.layer == first.layer and m.tensor == name for m in moments)


def named(op: str, how: str, site: record.Site | None, trials: tuple[str, ...]) -> Kernel:
    """An operation by the name that its framework gives it."""
    what = known(op)
    side = "the backward pass" if "backward" in op.lower() or "grad" in op.lower() else ""
    words = f"{what.words} in {side}" if what and side else what.words if what else f"`{op}`"
    if how == "released" and what and not side:
        words = f"{what.words} by `{op}`"
    return Kernel(
        words=words,
        op=op,
        seen=(how,),  # type: ignore[arg-type]
        site=site,
        factor="op-determinism",
        instead=what.instead if what else "",
        cost=what.cost if what else "",
        trials=trials,
    )


def joined(found: Sequence[Kernel]) -> tuple[Kernel, ...]:
    """Those of one kind told once: what the trials point at, with the name and the line that the
    framework gives."""
    kept: list[Kernel] = []
    for kernel in found:
        place = next((n for n, other in enumerate(kept) if same(kernel, other)), None)
        if place is None:
            kept.append(kernel)
            continue
        other = kept[place]
        kept[place] = msgspec.structs.replace(
            other,
            op=kernel.op if "localised" in other.seen else other.op,
            seen=tuple(dict.fromkeys((*other.seen, *kernel.seen))),
            site=other.site or kernel.site,
            trials=tuple(dict.fromkeys((*other.trials, *kernel.trials))),
        )
    return tuple(kept)


def same(one: Kernel, other: Kernel) -> bool:
    """Whether two tell of the same: by name at one line, or by kind where one has no line. Two
    places at which trials part are two, unless they read alike."""
    if "localised" in one.seen and "localised" in other.seen:
        return one.words == other.words and one.factor == other.factor
    if one.op == other.op and one.site == other.site:
        return True
    if "released" in one.seen and "released" in other.seen:
        return False
    kind = one.instead and one.instead == other.instead
    return bool(kind) and (one.site is None or other.site is None)
