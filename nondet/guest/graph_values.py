"""Values of variables that lie outside Python: in a session of TensorFlow's, or in Theano.

Nothing is added to the user's graph to read them: a random operation without a seed of its own
takes it from the number of operations before it.
"""

import sys
import weakref

UPDATES = weakref.WeakKeyDictionary()  # type: weakref.WeakKeyDictionary[object, int]
"""Updates that an optimizer has made, counted as they are asked for."""


class Sessions(object):
    """Finds the session that holds a Keras model's variables: that of the backend used last."""

    def __init__(self):
        self.backend = None

    def run(self, variables):
        return self.backend.get_session().run(variables)


SESSIONS = Sessions()


def is_theano(variable):
    """Whether this is a shared variable of Theano's."""
    return "theano" in sys.modules and hasattr(variable, "get_value")


def is_symbolic(variable):
    """Whether the value of a variable is not to be had from the variable itself."""
    if is_theano(variable):
        return True
    if "tensorflow" not in sys.modules:
        return False
    # A variable by reference is always of a graph; one by resource knows whether it is.
    return type(variable).__name__ == "RefVariable" or bool(
        getattr(variable, "_in_graph_mode", False)
    )


def read(variables):
    """Their values as arrays, in that order."""
    if is_theano(variables[0]):
        # The buffer itself where it lies in memory: it is looked at before anything can change it.
        return [variable.get_value(borrow=True) for variable in variables]
    return SESSIONS.run(list(variables))


def updates_of(optimizer):
    """Updates counted so far."""
    return UPDATES.get(optimizer, 0)


def updated(optimizer):
    """Count one more."""
    UPDATES[optimizer] = UPDATES.get(optimizer, 0) + 1
