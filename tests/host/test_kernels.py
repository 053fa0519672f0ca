"""Which operation it is: from where trials part, from warnings and refusals, and from all three."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec import structs

from nondet import record
from nondet.guest.factors.op_determinism import UNSUPPORTED
from nondet.host import kernels, refusals
from nondet.record import Cause, First, Kernel, Moment, Refusal, Site, Zoom

RACE = Path(__file__).parents[1] / "report" / "records" / "race.json"
CAUSES = (Cause(factor="op-determinism"),)
LINE = Site(file="train.py", line=20, function="<module>")


def layer(path: str, kind: str) -> Moment:
    return Moment(phase="forward", tensor="output", layer=path, kind=kind)


STEP = (
    Moment(phase="batch", tensor="x"),
    layer("net/embedding", "Embedding"),
    layer("net/up", "UpSampling2D"),
    layer("net/conv", "DepthwiseConv2D"),
    layer("net/dense", "Dense"),
    Moment(phase="loss", tensor="loss", kind="CTC"),
)


def zoom(first: Moment, *more: Moment, factors: tuple[str, ...] = ("op-determinism",)) -> Zoom:
    """Two pairs of trials, whose first difference is `first`; of others one more each."""
    firsts = [First(step=3, moment=moment, pairs=1) for moment in (first, *more)]
    return Zoom(
        model="net",
        factors=factors,
        trials=("t07", "t08"),
        first_step=1,
        last_step=9,
        pairs=2,
        firsts=tuple(firsts),
        step=3,
        pair=("t07", "t08"),
        moments=STEP,
    )


def gradient(path: str, kind: str, tensor: str, op: str = "") -> Moment:
    return Moment(phase="gradient", tensor=tensor, layer=path, kind=kind, op=op)


def words(found: Zoom, causes: tuple[Cause, ...] = CAUSES) -> list[str]:
    return [kernel.words for kernel in kernels.of(causes, [found], (), ())]


def test_of_a_real_diagnosis_the_racing_update_is_named() -> None:
    """Made by a script whose SGD adds to the rows of an embedding."""
    diagnosis = record.decode(RACE.read_bytes())
    (found,) = kernels.of(diagnosis.causes, diagnosis.zooms, (), ())
    assert found.words == "scatter-add in the update of `Embedding`"
    assert (found.factor, found.seen) == ("op-determinism", ("localised",))
    assert found.layer == "sequential/embedding"
    assert "one_hot" in found.instead
    assert kernels.behind("op-determinism", (found,)) == found.words
    assert kernels.behind("cudnn", (found,)) == ""


@pytest.mark.parametrize(("target", "known"), [((), []), (("y",), ["`MseLoss` in the loss"])])
def test_a_loss_whose_targets_may_differ_names_no_operation(
    target: tuple[str, ...], known: list[str]
) -> None:
    loss = Moment(phase="loss", tensor="loss", op="MseLoss")
    given = tuple(Moment(phase="batch", tensor=name) for name in ("input", *target))
    looked = structs.replace(zoom(loss, factors=()), moments=(*given, loss))
    assert words(looked, ()) == known
    # With a cause that sits in kernels, trials have shown that it is one of these.
    proven = structs.replace(looked, factors=("op-determinism",))
    assert words(proven) == ["`MseLoss` in the loss"]


@pytest.mark.parametrize(
    ("first", "expected"),
    [
        (
            gradient("net/embedding", "Embedding", "embeddings"),
            "scatter-add in the backward pass of `Embedding`",
        ),
        # Of an output the gradient is computed by what comes after it.
        (
            gradient("net/embedding", "Embedding", "gradient of its output"),
            "interpolation in the backward pass of `UpSampling2D`",
        ),
        (
            gradient("net/conv", "DepthwiseConv2D", "gradient of its input, call 2"),
            "depthwise convolution in the backward pass of `DepthwiseConv2D`",
        ),
        (gradient("net/dense", "Dense", "gradient of its output"), "an operation"),
        (layer("net/dense", "Dense"), "matrix product in the forward pass of `Dense`"),
        (Moment(phase="loss", tensor="loss", kind="CTC"), "CTC loss in the loss"),
        # The framework's own name says more than the layer's.
        (
            gradient("net/own", "OwnLayer", "kernel", "IndexBackward0"),
            "scatter-add in the backward pass of `OwnLayer`",
        ),
        (
            gradient("net/own", "OwnLayer", "kernel", "ErfinvGrad"),
            "`ErfinvGrad` in the backward pass of `OwnLayer`",
        ),
        (
            gradient("net/own", "OwnLayer", "kernel"),
            "an operation in the backward pass of `OwnLayer`",
        ),
    ],
)
def test_where_trials_part_first_names_it(first: Moment, expected: str) -> None:
    assert words(zoom(first)) == [expected]


def test_nothing_is_named_where_trials_do_not_point_at_one_thing() -> None:
    first = gradient("net/dense", "Dense", "kernel")
    assert words(zoom(first, layer("net/up", "UpSampling2D"))) == []
    # A batch that differs is computed by no kernel, and a seed is no kernel's matter.
    assert words(zoom(Moment(phase="batch", tensor="x"))) == []
    assert words(zoom(first, factors=("tf-seed",)), (Cause(factor="tf-seed"),)) == []


def test_what_nothing_holds_is_named_without_a_cause() -> None:
    first = gradient("net/embedding", "Embedding", "embeddings")
    (found,) = kernels.of((), [zoom(first, factors=())], (), ())
    assert (found.words, found.factor) == ("scatter-add in the backward pass of `Embedding`", "")


def test_two_places_are_two_and_one_is_told_once() -> None:
    table = zoom(gradient("net/embedding", "Embedding", "embeddings"))
    update = zoom(Moment(phase="update", tensor="embeddings", layer="net/embedding", kind="SGD"))
    found = kernels.of(CAUSES, [table, update, table], (), ())
    assert [kernel.words for kernel in found] == [
        "scatter-add in the backward pass of `Embedding`",
        "scatter-add in the update of `Embedding`",
    ]


def test_without_a_gpu_nothing_is_advised_that_helps_there_alone() -> None:
    dense = zoom(layer("net/dense", "Dense"))
    assert "CUBLAS" in kernels.of(CAUSES, [dense], (), ())[0].instead
    (found,) = kernels.of(CAUSES, [dense], (), (), gpus=False)
    assert (found.words, found.instead, found.cost) == (
        "matrix product in the forward pass of `Dense`",
        "",
        "",
    )
    table = zoom(gradient("net/embedding", "Embedding", "embeddings"))
    assert kernels.of(CAUSES, [table], (), (), gpus=False)[0].instead


def warned(op: str) -> tuple[str, Site, str]:
    return op + UNSUPPORTED, LINE, "t04"


def test_a_warning_brings_the_name_and_the_line() -> None:
    first = gradient("net/up", "Upsample", "gradient of its input")
    seen = [warned("upsample_bilinear2d_backward_out_cuda"), ("something else", LINE, "t04")]
    (found,) = kernels.of(CAUSES, [zoom(first)], seen, ())
    assert found == Kernel(
        words="interpolation in the backward pass of `Upsample`",
        op="upsample_bilinear2d_backward_out_cuda",
        seen=("localised", "warned"),
        layer="net/up",
        site=LINE,
        factor="op-determinism",
        instead=found.instead,
        cost=found.cost,
        trials=("t07", "t08", "t04"),
    )
    assert "transposed convolution" in found.instead


def test_warnings_alone_are_told_each_once() -> None:
    seen = [warned("put_"), warned("put_"), warned("some_new_kernel")]
    found = kernels.of(CAUSES, (), seen, ())
    assert [(k.words, k.seen) for k in found] == [
        ("scatter-add", ("warned",)),
        ("`some_new_kernel`", ("warned",)),
    ]
    assert found[1].instead == ""
    # Of a script that kernels don't break they are no finding.
    assert kernels.of((Cause(factor="tf-seed"),), (), seen, ()) == ()


def test_a_refusal_counts_where_trials_point_at_it() -> None:
    """The message as TensorFlow 2.7 gave it in tensorflow#47174."""
    refused = refusals.refusal(
        "UnimplementedError",
        "A deterministic GPU implementation of DepthwiseConvBackpropFilter is not currently "
        "available.\n\t [[node gradient_tape/depthwise (defined at train.py:151)\n]]",
        "",
    )
    assert refused is not None
    refusal = Refusal(
        op=refused.op, message=refused.message, advice=refused.advice, trials=("t03",)
    )
    first = gradient("net/conv", "DepthwiseConv2D", "kernel")
    (found,) = kernels.of(CAUSES, [zoom(first)], (), [refusal])
    assert (found.op, found.seen) == ("DepthwiseConvBackpropFilter", ("localised", "refused"))
    assert kernels.of(CAUSES, (), (), [refusal]) == ()


@pytest.mark.parametrize(
    ("op", "expected"),
    [
        # Names of PyTorch 2.13's kernels for CUDA, and of TensorFlow's and XLA's operations.
        ("adaptive_avg_pool2d_backward_cuda", "pooling"),
        ("avg_pool3d_backward_cuda", "pooling"),
        ("max_unpooling2d_forward_out", "pooling"),
        ("upsample_bicubic2d_backward_out_cuda", "interpolation"),
        ("grid_sampler_2d_backward_cuda", "interpolation"),
        ("CropAndResizeBackpropImage", "interpolation"),
        ("ResizeNearestNeighborGrad", "interpolation"),
        ("reflection_pad2d_backward_cuda", "padding by reflection"),
        ("replication_pad1d_backward_cuda", "padding by reflection"),
        ("nll_loss2d_forward_out_cuda_template", "cross-entropy"),
        ("ctc_loss_backward_gpu", "CTC loss"),
        ("embedding_bag_backward_cuda_max", "embedding bag's maximum"),
        ("_bincount_cuda", "counting into bins"),
        ("_histc_cuda", "counting into bins"),
        ("cumsum_cuda_kernel", "running sum"),
        ("median CUDA with indices output", "median"),
        ("scatter_add_cuda_kernel", "scatter-add"),
        ("unsorted segment reduction op", "scatter-add"),
        ("SparseTensorDenseMatmulOp", "sparse product"),
        ("a product by cuBLAS", "matrix product"),
        ("dot_general", "matrix product"),
        ("MaxPool gradient", "pooling"),
        ("FusedBatchNormGrad", None),
    ],
)
def test_names_that_frameworks_give(op: str, expected: str | None) -> None:
    what = kernels.known(op)
    assert (what.words if what else None) == expected


def test_all_that_is_known_says_what_it_costs() -> None:
    for each in kernels.KNOWN:
        assert each.instead
        assert each.cost
        assert not each.cost.endswith(".")
