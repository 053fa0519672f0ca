"""What a fitted estimator of scikit-learn's kind has learnt, as arrays by path."""

import sys

LEARNT = ("_predictors", "_baseline_prediction", "_fit_X")
"""Attributes without the underscore at their end that hold what was learnt: the trees of histogram
boosting, and what neighbours are looked for in."""
PARTS = ("steps", "transformer_list", "transformers")
"""Parameters that hold estimators which are fitted where they stand: of pipelines and unions."""
TREE = ("children_left", "children_right", "feature", "threshold", "value")
SPARSE = ("data", "indices", "indptr", "row", "col", "offsets")
DEPTH = 12


def arrays(estimator):
    """Pairs of (path, array) in the order of the attributes' names."""
    return list(attributes("", estimator, DEPTH))


def attributes(path, estimator, depth):
    held = vars(estimator)
    parts = [name for name in PARTS if name in held]
    learnt = [n for n in held if n in LEARNT or (n.endswith("_") and not n.startswith("_"))]
    for name in parts + sorted(learnt):
        for pair in values(joined(path, name), held[name], depth - 1):
            yield pair


def values(path, value, depth):
    """Pairs of what a value holds; nothing for what has no bits to compare, and for durations."""
    if depth < 0 or path.rstrip("_").endswith("time"):
        return
    numpy = sys.modules["numpy"]
    if isinstance(value, numpy.ndarray) and value.dtype.hasobject:
        value = value.tolist()
    if isinstance(value, numpy.ndarray) and value.dtype.names:
        # Field by field: between them lies what was never written to.
        for name in value.dtype.names:
            for pair in values(joined(path, name), value[name], depth - 1):
                yield pair
    elif isinstance(value, (numpy.ndarray, numpy.generic)):
        if value.dtype.kind not in "MmV":
            yield path, numpy.asarray(value)
    elif isinstance(value, (bool, int, float, complex)):
        array = numpy.asarray(value)
        if not array.dtype.hasobject:
            yield path, array
    elif isinstance(value, (str, bytes)):
        data = value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value
        yield path, numpy.frombuffer(data, dtype=numpy.uint8)
    elif isinstance(value, dict):
        for key in sorted(value, key=str):
            for pair in values(joined(path, str(key)), value[key], depth - 1):
                yield pair
    elif isinstance(value, (list, tuple)):
        if value and all(isinstance(item, (bool, int, float)) for item in value):
            yield path, numpy.asarray(value)
            return
        for place, item in enumerate(value):
            for pair in values(joined(path, str(place)), item, depth - 1):
                yield pair
    else:
        for pair in objects(path, value, depth):
            yield pair


def objects(path, value, depth):
    kind = type(value)
    name = kind.__name__
    if name == "Tree" and kind.__module__.startswith("sklearn."):
        for field in TREE:
            yield joined(path, field), getattr(value, field)
    elif name == "TreePredictor" and hasattr(value, "nodes"):
        for pair in values(path, value.nodes, depth - 1):
            yield pair
    elif kind.__module__.startswith("scipy.sparse"):
        for field in SPARSE:
            array = getattr(value, field, None)
            if array is not None:
                for pair in values(joined(path, field), array, depth - 1):
                    yield pair
    elif (
        hasattr(value, "get_params") and hasattr(value, "__dict__") and not isinstance(value, type)
    ):
        for pair in attributes(path, value, depth):
            yield pair


def joined(path, name):
    return "%s/%s" % (path, name) if path else name
