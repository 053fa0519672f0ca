"""Parameters in the trees that functions of JAX take and give."""

import sys

STATES = "optax."
"""How the modules' names begin whose objects are states of optimizers: their moments are built as
the parameters are."""
VARIABLES = "keras.src.backend."
"""The same of the modules of Keras' variables."""


def trees():
    return sys.modules["jax"].tree_util


def shape_of(tree):
    """How a tree is built: its structure, and the dtype and shape of each leaf."""
    leaves, structure = trees().tree_flatten(tree)
    return structure, tuple((str(leaf.dtype), tuple(leaf.shape)) for leaf in leaves)


def concrete(tree):
    """Whether all leaves are arrays with values: within a function that is being compiled none
    is."""
    jax, numpy = sys.modules["jax"], sys.modules["numpy"]
    return all(
        isinstance(leaf, (jax.Array, numpy.ndarray)) and not isinstance(leaf, jax.core.Tracer)
        for leaf in trees().tree_leaves(tree)
    )


def readable(leaf):
    """Whether an array has bits that can be read here: keys of generators have none, and parts of
    it may lie at other hosts."""
    dtypes = sys.modules["jax"].dtypes
    here = getattr(leaf, "is_fully_addressable", True)
    return here and not dtypes.issubdtype(leaf.dtype, dtypes.extended)


def parts_of(found):
    return [part for _, part in found]


def deleted(tree):
    """Whether memory of it was given to the result of another call."""
    return any(
        hasattr(leaf, "is_deleted") and leaf.is_deleted() for leaf in trees().tree_leaves(tree)
    )


def find(tree, shapes):
    """Pairs of (path, part) of the parts that are built in one of these ways, in order."""
    wanted = set(shapes)
    structures = {structure for structure, _ in wanted}
    most = max(structure.num_leaves for structure in structures)
    least = min(structure.num_leaves for structure in structures)
    found = []

    def look(path, part):
        structure = trees().tree_structure(part)
        if structure.num_leaves < least or type(part).__module__.startswith(STATES):
            return
        alike = structure.num_leaves <= most and structure in structures
        if alike and arrays_alone(part) and shape_of(part) in wanted:
            found.append((path, arrays(part)))
            return
        if trees().all_leaves([part]):
            return
        below, _ = trees().tree_flatten_with_path(part, is_leaf=lambda each: each is not part)
        for keys, each in below:
            look("%s/%s" % (path, key_name(keys[-1])) if path else key_name(keys[-1]), each)

    look("", tree)
    return found


def key_name(key):
    """A key of a path as it stands in the script: ``kernel``, ``0``."""
    for name in ("key", "name", "idx"):
        if hasattr(key, name):
            return str(getattr(key, name))
    return str(key)


def carried(given, result):
    """Pairs of (path, part) of what a call takes and gives back, built as it was."""
    args, kwargs = given
    taken = [shape_of(part) for part in [*args, *kwargs.values()] if arrays_alone(part)]
    parts = [("", result)] if not isinstance(result, tuple) else enumerate(result)
    return [
        (str(path), part)
        for path, part in parts
        if arrays_alone(part) and trees().tree_leaves(part) and shape_of(part) in taken
    ]


def arrays_alone(tree):
    return all(hasattr(leaf, "dtype") for leaf in trees().tree_leaves(tree))


def arrays(tree):
    """The same with values in the place of Keras' variables, which older versions of JAX take as
    they are."""
    return trees().tree_map(lambda leaf: leaf.value if is_variable(leaf) else leaf, tree)


def is_variable(leaf):
    return type(leaf).__module__.startswith(VARIABLES)


def named_leaves(found, known=lambda part: ()):
    """Pairs of (path, array). What was found alone needs no name of its own, and of several parts
    what their paths have in common says nothing. `known(part)` gives the names of its leaves where
    they have some."""
    paths = [path.split("/") for path, _ in found]
    while all(len(path) > 1 for path in paths) and len({path[0] for path in paths}) == 1:
        paths = [path[1:] for path in paths]
    named = [list(known(part)) for _, part in found]
    flat = [name for each in named for name in each]
    if len(found) == 1 or (all(named) and len(flat) == len(set(flat))):
        paths = [[] for _ in found]
    for path, own, (_, part) in zip(paths, named, found):
        leaves = trees().tree_flatten_with_path(part)[0]
        for number, (keys, leaf) in enumerate(leaves):
            last = [own[number]] if own else [key_name(key) for key in keys]
            yield "/".join(path + last) or "value", leaf


def firsts(found):
    """The first array of each part."""
    return [leaf for _, part in found for leaf in trees().tree_leaves(part)[:1]]


def name_of(given, function):
    """What trains: the class of a Flax module where that is known, else the function's name."""
    if isinstance(given, dict):
        return next(iter(given))
    for part in trees().tree_leaves(given, is_leaf=lambda each: hasattr(each, "apply_fn")):
        model = getattr(getattr(part, "apply_fn", None), "__self__", None)
        if model is not None:
            return type(model).__name__
    return getattr(function, "__name__", "") or "params"


def states_of_modules(args, kwargs):
    """The parameters of Flax' NNX modules among arguments, each as Optax may be given them."""
    nnx = sys.modules["flax.nnx"]
    found = {}
    for part in list(args) + list(kwargs.values()):
        part = vars(part).get("model", part) if hasattr(part, "__dict__") else part
        if isinstance(part, nnx.Module):
            state = nnx.state(part, nnx.Param)
            pure = nnx.as_pure(state) if hasattr(nnx, "as_pure") else state
            found.setdefault(type(part).__name__, pure)
    return found
