"""What training leaves: models are looked at once more at the end of the script.

Pruning, averaging, restoring the best weights and calibrating come after the last step. Weights
that are not those of the model's last checkpoint are recorded as ``end``.
"""

import functools
import weakref

from . import graph_values
from .device_values import array_of, values_of

HELD = 256 << 20
"""Bytes of weights, of all models together, that are held for the look at the end. They are held
since a model may be gone by then: most scripts train in a function. And whether one in a cycle of
references is gone, only the time of the last collection tells, which differs from trial to trial.
"""
LEAST = 1 << 16
"""Bytes that a model counts for besides: small ones take more than their weights do."""


class Leaving(object):
    """`names` gives the paths of variables; `emit(tracked, paths, values)` records them."""

    def __init__(self, session, digester, names, emit):
        self.session = session
        self.digester = digester
        self.names = names
        self.emit = emit
        self.averaged = []
        """Averages of models, which no step shows: the name of each, the object where it is held,
        a weak reference to it, and the function that gives its weights."""
        self.average_bytes = 0

    def average(self, name, model, size, weights):
        """An average of models was made; `weights(model)` gives its Weights as of now."""
        self.average_bytes += size + LEAST
        held = model if self.average_bytes <= HELD else None
        self.averaged.append((name, held, weakref.ref(model), weights))

    def averages(self):
        """(name, a function that gives the weights) of those that are left."""
        for name, _, reference, weights in self.averaged:
            model = reference()
            if model is not None:
                yield name, functools.partial(weights, model)

    def note(self, tracked, variables, paths, digests, size):
        """Take in what was just recorded, with `size` in bytes; `variables` are None where that
        was not the model's own list."""
        if variables is None:
            tracked.last, tracked.kept = None, None
            return
        tracked.last = (paths, digests)
        # Of what comes with its value, only the value would be held.
        lasting = bool(variables) and all(getattr(v, "lasting", True) for v in variables)
        tracked.kept, tracked.size = (variables if lasting else None), size + LEAST

    def make_room(self, models):
        """Look at the earliest models and let them go, as far as all take more than may be held."""
        held = [tracked for tracked in models if tracked.kept is not None]
        total = sum(tracked.size for tracked in held)
        for tracked in held:
            if total <= HELD:
                break
            self.look(tracked)
            tracked.kept = None
            total -= tracked.size

    def look(self, tracked, known=True):
        """Record a model's weights if they are not those of its last checkpoint; one that is not
        `known` has none. What can't be read any more is told of."""
        if known and tracked.last is None:
            return
        variables = tracked.kept
        try:
            variables = tracked.variables() if variables is None else variables
            # Parts of it may be taken off, as `prune.remove` and `remove_weight_norm` do.
            variables = [v for v in variables if not getattr(v, "gone", False)]
            values = values_of(variables)
            found = [self.digester.digest(array_of(value)) for value in values]
        except Exception as error:
            # A graph's session may have been closed by now, as it should.
            if not (variables and graph_values.is_symbolic(variables[0])):
                self.session.failed("looking at %s at the end" % tracked.name, error)
            return
        paths = self.names(variables)
        before = set(zip(*tracked.last)) if tracked.last is not None else set()
        if not before.issuperset(zip(paths, found)):
            self.emit(tracked, paths, values)
            tracked.last = (paths, found)
