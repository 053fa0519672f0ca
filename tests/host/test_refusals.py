"""Refusals of deterministic mode are recognised by the frameworks' own words."""

from __future__ import annotations

import pytest

from nondet.host.refusals import Found, refusal

TRACE = """Traceback (most recent call last):
  File "/home/me/train.py", line 31, in <module>
    main()
  File "/home/me/train.py", line 20, in main
    model.fit(x, y)
  File "/env/lib/python3.11/site-packages/keras/src/utils/traceback_utils.py", line 122, in handler
    raise e.with_traceback(filtered_tb) from None
  File "<string>", line 2, in inner
  File "/usr/lib/python3.11/contextlib.py", line 81, in inner
    return func(*args, **kwds)
{kind}: {message}
"""

EAGER = (
    "{{function_node __wrapped__Timestamp_device_/job:localhost/replica:0/task:0/device:CPU:0}} "
    "Timestamp cannot be called when determinism is enabled [Op:Timestamp] name: "
)
GRAPH = """Graph execution error:

Detected at node Timestamp defined at (most recent call last):
  File "/home/me/train.py", line 31, in <module>

  File "/home/me/layers.py", line 7, in call

Timestamp cannot be called when determinism is enabled
\t [[{{node Timestamp}}]] [Op:__inference_step_67]"""
TRACED = """in user code:

    File "/home/me/layers.py", line 7, in call  *
        return x + tf.random.normal(x.shape)

    RuntimeError: Random ops require a seed to be set when determinism is enabled. Please set a \
seed before running the op, e.g. by calling tf.random.set_seed(1).
"""
XLA = (
    "GPU MaxPool gradient ops do not yet have a deterministic XLA implementation.\n"
    "\t [[{{node gradient_tape/MaxPool2d/MaxPoolGrad}}]]\n"
    "\ttf2xla conversion failed while converting __inference_step_102[]. [Op:__inference_step_102]"
)
CUBLAS = (
    "Deterministic behavior was enabled with either `torch.use_deterministic_algorithms(True)` or "
    "`at::Context::setDeterministicAlgorithms(true)`, but this operation is not deterministic "
    "because it uses CuBLAS and you have CUDA >= 10.2. To enable deterministic behavior in this "
    "case, you must set an environment variable before running your PyTorch application: "
    "CUBLAS_WORKSPACE_CONFIG=:4096:8 or CUBLAS_WORKSPACE_CONFIG=:16:8."
)
FORMS = (
    ("FailedPreconditionError", EAGER, "tf.timestamp", "time.perf_counter()"),
    ("FailedPreconditionError", GRAPH, "tf.timestamp", "time.perf_counter()"),
    ("RuntimeError", TRACED, "a random operation without a seed", "set_random_seed"),
    (
        "InvalidArgumentError",
        "When determinism is enabled, random ops must have a seed specified. [Op:RandomUniform]",
        "a random operation without a seed",
        "set_random_seed",
    ),
    (
        "RuntimeError",
        '"from_non_deterministic_state" cannot be called when determinism is enabled.',
        "from_non_deterministic_state",
        "from_seed(42)",
    ),
    (
        "ValueError",
        "tf.nn.fractional_max_pool requires a non-zero seed to be passed in when determinism is "
        'enabled, but got seed=0. Please pass in a non-zero seed, e.g. by passing "seed=1".',
        "tf.nn.fractional_max_pool",
        "seed=42",
    ),
    (
        "UnimplementedError",
        "A deterministic GPU implementation of AdjustContrastv2 is not currently available. "
        "[Op:AdjustContrastv2] name: ",
        "AdjustContrastv2",
        "mean + factor",
    ),
    (
        "UnimplementedError",
        "A deterministic GPU implementation of fused batch-norm backprop, when training is "
        "disabled, is not currently available.",
        "fused batch-norm backprop, when training is disabled",
        "tf.device",
    ),
    (
        "UnimplementedError",
        "Deterministic GPU implementation of CropAndResizeBackpropImage not available.",
        "CropAndResizeBackpropImage",
        "tf.image.resize",
    ),
    (
        "UnimplementedError",
        "Determinism is not yet supported in GPU implementation of Bincount.",
        "Bincount",
        "unsorted_segment_sum",
    ),
    (
        "UnimplementedError",
        "Determinism is not yet supported for DebugNumericSummaryV2 when tensor_debug_mode is "
        "CONCISE_HEALTH.",
        "DebugNumericSummaryV2",
        "enable_check_numerics",
    ),
    (
        "UnimplementedError",
        "The GPU implementation of SoftmaxCrossEntropyWithLogits that would have been executed is "
        "not deterministic. Note that the Python API uses an alternative, deterministic path.",
        "SoftmaxCrossEntropyWithLogits",
        "tf.device",
    ),
    ("UnimplementedError", XLA, "MaxPool gradient", "jit_compile=False"),
    (
        "XlaRuntimeError",
        "UNIMPLEMENTED: HLO instruction %select-and-scatter does not have a deterministic "
        "implementation, but run-to-run determinism is required.",
        "%select-and-scatter",
        "jit_compile=False",
    ),
    ("RuntimeError", CUBLAS, "CuBLAS", "CUBLAS_WORKSPACE_CONFIG=:4096:8"),
    (
        "RuntimeError",
        "put_ does not have a deterministic implementation, but you set "
        "'torch.use_deterministic_algorithms(True)'. You can turn off determinism just for this "
        "operation.",
        "put_",
        "warn_only=True",
    ),
)


def crash(kind: str, message: str) -> Found | None:
    return refusal(kind, message, TRACE.format(kind=kind, message=message))


@pytest.mark.parametrize(("kind", "message", "op", "advice"), FORMS)
def test_every_form_is_recognised_with_its_operation(
    kind: str, message: str, op: str, advice: str
) -> None:
    found = crash(kind, message)
    assert found is not None
    assert found.op == op
    assert advice in found.advice
    assert "\n" not in found.message
    assert "[Op:" not in found.message
    assert not found.message.startswith(("{{", kind))


def test_the_place_is_the_innermost_line_of_the_users_own() -> None:
    found = crash("FailedPreconditionError", EAGER)
    assert found is not None
    assert (found.file, found.line) == ("/home/me/train.py", 20)
    # A graph's error tells where the operation was made, which may be another file.
    for kind, message in (("FailedPreconditionError", GRAPH), ("RuntimeError", TRACED)):
        found = crash(kind, message)
        assert found is not None
        assert (found.file, found.line) == ("/home/me/layers.py", 7)


def test_the_same_refusal_of_two_trials_is_equal() -> None:
    assert crash("FailedPreconditionError", EAGER) == crash("FailedPreconditionError", EAGER)
    assert len({crash("FailedPreconditionError", EAGER), crash("RuntimeError", CUBLAS)}) == 2


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("ValueError", "could not convert string to float: 'deterministic'"),
        ("UnimplementedError", "Cast string to float is not supported"),
        ("RuntimeError", "a deterministic result was expected"),
        ("SystemExit", ""),
    ],
)
def test_other_failures_are_no_refusals(kind: str, message: str) -> None:
    assert crash(kind, message) is None
