"""Exact fingerprints of arrays, and the store of the values behind them."""

from .kept import hashlib, os
from .plain_values import Plain


def contiguous(array):
    """The same values in C order, of the same shape (`ascontiguousarray` would lose 0-d)."""
    return array if array.flags["C_CONTIGUOUS"] else array.copy(order="C")


def raw_bytes(array):
    """The array's bits as a flat buffer of bytes, without a copy where it is in C order.

    Through uint8, since the buffer protocol knows no bfloat16 and no float8.
    """
    if isinstance(array, Plain):
        return array.data
    import numpy

    flat = contiguous(array).reshape(-1)
    if not flat.nbytes:
        return b""
    data = flat.view(numpy.uint8)
    if array.dtype.names or array.dtype.char in LONG:
        holds = held(array.dtype, numpy)
        if not all(holds):
            # Whatever lay in memory: it is no part of any value.
            data = data.reshape(-1, len(holds)) * numpy.array(holds, numpy.uint8)
            data = data.reshape(-1)
    return data


LONG = "gG"
"""Codes of the dtypes whose numbers may be narrower than the place that they take."""
X87 = 10
"""Bytes of an extended number of x86, which takes 12 or 16."""


def held(dtype, numpy):
    """Of each byte of an element, whether it belongs to a value."""
    if dtype.subdtype is not None:
        base = held(dtype.subdtype[0], numpy)
        return base * (dtype.itemsize // max(1, len(base)))
    if dtype.names:
        holds = [False] * dtype.itemsize
        for name in dtype.names:
            inner, start = dtype.fields[name][:2]
            for place, one in enumerate(held(inner, numpy), start):
                holds[place] = holds[place] or one
        return holds
    if dtype.char not in LONG or numpy.finfo(numpy.longdouble).nmant != 63:
        return [True] * dtype.itemsize
    parts = 2 if dtype.kind == "c" else 1
    part = [place < X87 for place in range(dtype.itemsize // parts)]
    return parts * (part if dtype.isnative else part[::-1])


class Digester(object):
    """Digests of shape, dtype and bits with one algorithm: ``sha256`` or ``xxh3_128``."""

    def __init__(self, algorithm):
        self.algorithm = algorithm
        if algorithm == "xxh3_128":
            import xxhash

            self.new = xxhash.xxh3_128
        elif algorithm == "sha256":
            self.new = hashlib.sha256
        else:
            raise ValueError("digest %r: expected sha256 or xxh3_128" % algorithm)

    def digest(self, array):
        """Hex digest. Raises TypeError for object arrays, whose bits are addresses."""
        if array.dtype.hasobject:
            raise TypeError("an array of Python objects has no bits to compare")
        head = "%s|%s|%s|" % (array.dtype.name, array.dtype.byteorder, array.shape)
        state = self.new(head.encode("ascii"))
        state.update(raw_bytes(array))
        return state.hexdigest()


class Values(object):
    """Content-addressed store: one file of raw bytes a digest, shared by all trials.

    `limit` bounds the bytes that this trial adds; what comes later is counted, not kept.
    """

    def __init__(self, folder, limit):
        self.folder = folder
        self.left = limit
        self.omitted = 0

    def keep(self, digest, array):
        path = os.path.join(self.folder, digest)
        if os.path.exists(path):
            return
        if array.nbytes > self.left:
            self.omitted += 1
            return
        self.left -= array.nbytes
        # Written beside and renamed: a trial may be killed at any moment, and another may be
        # writing the same digest, under the same number where it runs on another machine.
        beside = "%s.%d.%s" % (path, os.getpid(), os.urandom(8).hex())
        try:
            descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            os.fchmod(descriptor, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(raw_bytes(array))
            os.replace(beside, path)
        except OSError:
            self.omitted += 1
            self.left = 0
