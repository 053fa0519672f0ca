"""Exact digests of tensors, computed where they lie: in eager code, in a graph, on a device.

The digest of a tensor is two lanes of 32 bits, the same whatever computes them, with the dtype and
the shape folded in by `finish`. The lanes see the tensor as words of 32 bits in C order: an element
of 1 or 2 bytes is one word, one of 8 bytes two (the low one first), a complex number is its real
part, then its imaginary part, and a bool is 0 or 1. Lane j is ::

    sum over i of mix(word[i] ^ mix(i * ODD[j] + SALT[j]))    modulo 2 ** 32

A sum modulo 2 ** 32 is the same in any order, so that no kernel's scheduling shows in it. `mix` is
not linear, and must not be: in a sum of words times weights, the sign bits of two words would
cancel when both flip. The position is mixed too: what changes two words by the difference of their
positions' masks goes unseen, and with simple masks that would be a common difference. Bits are
reinterpreted, never converted: NaN payloads and the sign of zero count.

Nothing here draws a random number, makes a variable or takes part in a gradient. Temporary arrays
are bounded: a compiler fuses the work into the sum, else it goes by blocks.
"""

import functools
import hashlib

from .digests import contiguous

ODD = (0x9E3779B1, 0x85EBCA77)
SALT = (0x243F6A88, 0xB7E15162)
FACTORS = (0x21F0AAAD, 0xD35A2D97)
ALL = 0xFFFFFFFF

BLOCK = 1 << 16
"""Words that NumPy works on at a time: so few that they stay in a core's cache."""

DEVICE_BLOCK = 1 << 20
"""Words for one run of a device's kernels: so many that starting them costs little."""

PIECES = {
    "bool": 1,
    "int8": 1,
    "uint8": 1,
    "float8_e4m3fn": 1,
    "float8_e5m2": 1,
    "int16": 2,
    "uint16": 2,
    "float16": 2,
    "bfloat16": 2,
    "int32": 4,
    "uint32": 4,
    "float32": 4,
    "int64": 4,
    "uint64": 4,
    "float64": 4,
    "complex64": 4,
    "complex128": 4,
}
"""Bytes of a tensor that make one word, by the dtype's name in NumPy."""


def piece(dtype_name):
    """Bytes for a word. Raises TypeError for what has no such bits, like strings and int4."""
    try:
        return PIECES[dtype_name]
    except KeyError:
        expected = ", ".join(PIECES)
        raise TypeError("no digest of dtype %s: expected %s" % (dtype_name, expected)) from None


def finish(lanes, dtype_name, shape):
    """The digest, 8 bytes. Of tensors of one dtype and shape, equal just when their lanes are.

    `lanes` is any pair of integers modulo 2 ** 32, the dtype's name is NumPy's.
    """
    label = "%s|%s" % (dtype_name, ",".join(str(int(side)) for side in shape))
    head = hashlib.sha256(label.encode("ascii")).digest()[:8]
    first, second = (int(lane) & ALL for lane in lanes)
    return (int.from_bytes(head, "little") ^ first ^ second << 32).to_bytes(8, "little")


class Arithmetic(object):
    """The definition in one framework's integers of 32 bits, which have to wrap around.

    `constant` makes an operand of a number, or of a nested list; `shifted(words, places)` is the
    logical shift to the right.
    """

    def __init__(self, constant, shifted):
        self.constant = constant
        self.shifted = shifted

    def mix(self, words):
        """A bijection in which every bit decides about every other; may overwrite `words`.

        Its constants were found by a search for the least bias:
        https://github.com/skeeto/hash-prospector/issues/19.
        """
        first, second = FACTORS
        words ^= self.shifted(words, 16)
        words *= self.constant(first)
        words ^= self.shifted(words, 15)
        words *= self.constant(second)
        words ^= self.shifted(words, 15)
        return words

    def terms(self, odd, salt, words, positions):
        masked = self.mix(positions * self.constant(odd) + self.constant(salt))
        masked ^= words
        return self.mix(masked)

    def stacked(self, words, positions):
        """What each word adds to each lane, as [2, words]: for the fewest runs of a kernel."""
        return self.terms([[odd] for odd in ODD], [[salt] for salt in SALT], words, positions)

    def separate(self, words, positions):
        """The same as two arrays of [words]: for a compiler, which sums both in one pass."""
        return [self.terms(ODD[lane], SALT[lane], words, positions) for lane in (0, 1)]


# -- NumPy


@functools.lru_cache(maxsize=None)
def unsigned():
    """Arithmetic of NumPy's uint32, which JAX' arrays follow."""
    import numpy

    return Arithmetic(
        lambda value: numpy.asarray(value, numpy.uint32),
        lambda words, places: words >> numpy.uint32(places),
    )


def numpy_lanes(array):
    """The lanes of an array, those of ml_dtypes among them: uint32 [2].

    Raises TypeError for a dtype that isn't in PIECES.
    """
    import numpy

    size = piece(array.dtype.name)
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    words = contiguous(array).reshape(-1).view("u%d" % size)
    lanes = numpy.zeros(2, numpy.uint32)
    within = numpy.arange(min(words.size, BLOCK), dtype=numpy.uint32)
    for start in range(0, words.size, BLOCK):
        block = words[start : start + BLOCK]
        positions = within[: block.size] + numpy.uint32(start & ALL)
        lanes += unsigned().stacked(block, positions).sum(axis=1, dtype=numpy.uint32)
    return lanes


# -- TensorFlow


def unconverted(function):
    """Marks it for AutoGraph as one to be left alone: our source would be converted otherwise."""
    function.autograph_info__ = {}
    return function


@unconverted
def tensorflow_lanes(tensor):
    """The lanes of a dense tensor or variable, eagerly or in a graph: int64 [2], from 0 to ALL.

    Compiled by XLA in one pass. By kernels, each step has one on a GPU: sums in int64, which alone
    has that, all else in uint32, since int32 is kept in the host's memory.

    Raises TypeError for a dtype that isn't in PIECES, and for IndexedSlices, which would be summed
    by a kernel that may not be deterministic. In a graph, the NaNs of one sign in float8_e5m2 count
    as one, and a tensor of unknown shape fails when it has 2 ** 31 elements or more.
    """
    import tensorflow as tf

    if isinstance(tensor, tf.IndexedSlices):
        raise TypeError("no digest of IndexedSlices: expected their values and their indices")
    tensor = tf.convert_to_tensor(tensor)
    if not tf.executing_eagerly():
        with tf.name_scope("nondet_lanes"):
            return tensorflow_sum(tf, tensor)
    with tf.device(tensor.backing_device):
        if "CPU" in tensor.backing_device:
            # Reads the tensor's own memory, and spends a tenth of the time that the kernels take.
            import numpy

            return tf.constant(numpy_lanes(numpy.asarray(tf.reshape(tensor, [-1]))), tf.int64)
        return tensorflow_sum(tf, tensor)


def tensorflow_sum(tf, tensor):
    from tensorflow.python.ops import control_flow_util

    words = tensorflow_words(tf, tensor)
    graph = tf.compat.v1.get_default_graph()
    if not tf.executing_eagerly() and control_flow_util.GraphOrParentsInXlaContext(graph):
        return tensorflow_fused(tf, words)
    size = words.shape[0]
    if size is not None and size <= DEVICE_BLOCK:
        total = tensorflow_block(tf, words, 0)
    else:
        # Counted in int32, which is the host's own on a GPU: no step waits for the device. Where
        # it overflows, positions wrap around as they should.
        rows = (tf.size(words) if size is None else size) // DEVICE_BLOCK
        blocks = tf.reshape(words[: rows * DEVICE_BLOCK], [rows, DEVICE_BLOCK])

        def add(row, total):
            return row + 1, total + tensorflow_block(tf, blocks[row], row * DEVICE_BLOCK)

        rest = tensorflow_block(tf, words[rows * DEVICE_BLOCK :], rows * DEVICE_BLOCK)
        _, total = tf.while_loop(
            lambda row, total: row < rows, add, (0, rest), parallel_iterations=1
        )
    return tf.bitwise.bitwise_and(total, tf.constant(ALL, tf.int64))


def tensorflow_arithmetic(tf):
    return Arithmetic(
        lambda value: tf.constant(value, tf.uint32),
        lambda words, places: tf.bitwise.right_shift(words, tf.constant(places, tf.uint32)),
    )


def tensorflow_positions(tf, words):
    return tf.cast(tf.range(tf.size(words, tf.int64)), tf.uint32)


def tensorflow_block(tf, words, start):
    """What words from a position on add to the lanes: int64 [2]."""
    positions = tensorflow_positions(tf, words) + tf.cast(start, tf.uint32)
    terms = tensorflow_arithmetic(tf).stacked(tf.cast(words, tf.uint32), positions)
    return tf.reduce_sum(tf.cast(terms, tf.int64), axis=1)


def tensorflow_fused(tf, words):
    """The lanes by XLA, which fuses all of the work into one sum of two numbers at a time.

    Into two sums it doesn't, on a CPU: it would write the terms to memory.
    """
    from tensorflow.compiler.tf2xla.ops import gen_xla_ops

    zero = tf.constant(0, tf.uint32)
    number = tf.TensorSpec([], tf.uint32)
    add = tf.function(lambda a, b, c, d: (a + c, b + d), autograph=False)
    terms = tensorflow_arithmetic(tf).separate(
        tf.cast(words, tf.uint32), tensorflow_positions(tf, words)
    )
    lanes = gen_xla_ops.xla_variadic_reduce_v2(
        terms, [zero, zero], [0], add.get_concrete_function(number, number, number, number)
    )
    return tf.cast(tf.stack(lanes), tf.int64)


def tensorflow_words(tf, tensor):
    """Its words, not widened yet: flat, unsigned or bool."""
    dtype = tensor.dtype
    size = piece(dtype.name)
    if dtype.name.startswith("float8"):
        words = tensorflow_float8(tf, tensor)
    elif dtype == tf.bool:
        words = tensor
    else:
        if dtype.is_complex:
            # XLA doesn't reinterpret complex numbers.
            tensor = tf.stack([tf.math.real(tensor), tf.math.imag(tensor)], axis=-1)
        if tensor.dtype.is_floating:
            tensor = tf.stop_gradient(tensor)
        words = tf.bitcast(tensor, {1: tf.uint8, 2: tf.uint16, 4: tf.uint32}[size])
    return tf.reshape(words, [-1])


def tensorflow_float8(tf, tensor):
    """The bits of float8, which Bitcast refuses: float16 holds its values, in 9 of its bits."""
    import numpy

    dtype = tensor.dtype.as_numpy_dtype
    halves = numpy.arange(256, dtype=numpy.uint8).view(dtype).astype(numpy.float16)
    table = numpy.zeros(512, numpy.int64)
    table[halves.view(numpy.uint16) >> 7] = halves.astype(dtype).view(numpy.uint8)
    bits = tf.bitcast(tf.stop_gradient(tf.cast(tensor, tf.float16)), tf.uint16)
    places = tf.bitwise.right_shift(bits, tf.constant(7, tf.uint16))
    return tf.gather(tf.constant(table), tf.cast(places, tf.int64))


# -- JAX


def jax_lanes(array):
    """The lanes of an array or a tracer, with and without x64: uint32 [2].

    Compiled for each dtype and shape, as part of what is being traced or on its own. Raises
    TypeError for a dtype that isn't in PIECES.
    """
    return jax_compiled()(array)


@functools.lru_cache(maxsize=None)
def jax_compiled():
    import jax
    import numpy

    def nondet_lanes(array):
        words = jax_words(jax, array)
        terms = unsigned().separate(words, jax.lax.iota("uint32", words.size))
        zero = numpy.uint32(0)
        # One sum of two numbers at a time, into which XLA fuses all of the work.
        lanes = jax.lax.reduce(
            tuple(terms),
            (zero, zero),
            lambda one, other: (one[0] + other[0], one[1] + other[1]),
            [0],
        )
        return jax.numpy.stack(lanes)

    return jax.jit(nondet_lanes)


def jax_words(jax, array):
    size = piece(array.dtype.name)
    array = jax.lax.stop_gradient(array)
    if array.dtype.kind == "c":
        array = jax.numpy.stack([jax.lax.real(array), jax.lax.imag(array)], axis=-1)
    if array.dtype.kind != "b":
        array = jax.lax.bitcast_convert_type(array, "uint%d" % (8 * size))
    return array.reshape(-1).astype("uint32")


# -- PyTorch


def torch_lanes(tensor):
    """The lanes of a dense tensor: int64 [2] on its device, from 0 to ALL.

    Eagerly, or in what `torch.compile` traces. Raises TypeError for a dtype that isn't in PIECES.
    """
    import torch

    words = torch_words(torch, tensor)
    if words.device.type == "cpu" and not torch_compiles(torch):
        # Reads the tensor's own memory, and spends a fifth of the time that the kernels take.
        return torch.from_numpy(numpy_lanes(words.numpy()).astype("int64"))
    return torch_sum(torch, words)


def torch_sum(torch, words):
    def signed(value):
        return torch.tensor(value, device=words.device).to(torch.int32)

    # int32, since not every device multiplies uint32; its own shift would repeat the sign.
    arithmetic = Arithmetic(signed, lambda words, places: (words >> places) & (ALL >> places))
    total = signed([0, 0]).long()
    for start in range(0, words.shape[0], DEVICE_BLOCK):
        block = words[start : start + DEVICE_BLOCK].to(torch.int32)
        if words.dtype == torch.int16:
            block = block & 0xFFFF
        within = torch.arange(block.shape[0], dtype=torch.int32, device=words.device)
        # The sum of int32 is of int64: it doesn't overflow.
        total = total + arithmetic.stacked(block, within + signed(start)).sum(dim=1)
    return total & ALL


def torch_words(torch, tensor):
    """Its words, not widened yet: flat, signed where they are of 2 or 4 bytes."""
    size = piece(str(tensor.dtype).partition(".")[2])
    tensor = tensor.detach().resolve_conj().resolve_neg()
    if tensor.is_complex():
        tensor = torch.view_as_real(tensor)
    # An axis of one element may have any stride in PyTorch, but not where bits are reinterpreted.
    flat = tensor.contiguous().reshape(-1).unsqueeze(-1)
    return flat.view({1: torch.uint8, 2: torch.int16, 4: torch.int32}[size]).reshape(-1)


def torch_compiles(torch):
    """Whether `torch.compile` is tracing, which memory must not be read behind."""
    compiler = getattr(torch, "compiler", None)
    return hasattr(compiler, "is_compiling") and compiler.is_compiling()
