"""What trains without Keras, as the recorder knows it: a name, and tensors by their paths."""

import weakref


class Weight(object):
    """A tensor by its path. `read()` gives what it is now: modules may put another in its place."""

    __slots__ = ("path", "read")
    lasting = True
    """Whether it shows what is changed later on."""

    def __init__(self, path, read):
        self.path = path
        self.read = read

    @property
    def value(self):
        return self.read()

    @property
    def gone(self):
        """Whether nothing is there any more that could be read."""
        return False


class Constant(Weight):
    """One that comes with its value."""

    __slots__ = ()
    lasting = False


def constant(path, value):
    return Constant(path, lambda: value)


class ByObject(object):
    """A dictionary by the identity of objects, which need not be hashable, for as long as they
    live."""

    def __init__(self):
        self.found = {}

    def get(self, owner):
        row = self.found.get(id(owner))
        return row[1] if row is not None else None

    def set(self, owner, value):
        key, found = id(owner), self.found
        found[key] = (weakref.ref(owner, lambda _: found.pop(key, None)), value)
        return value


class Trainees(object):
    """Makes the Tracked of what trains, in the order of first training."""

    def __init__(self, recorder):
        self.recorder = recorder
        self.names = {}
        self.by_object = ByObject()

    def track(self, kind, weights):
        """A new Tracked. Of several of one `kind` (``Net``) the later ones are told apart as Keras
        does it: ``Net_1``. `weights()` gives its Weights as of now; none once it is gone."""
        return self.recorder.track_other(self.name(kind), weights)

    def name(self, kind):
        """The name of the next one of this kind."""
        count = self.names.get(kind, 0)
        self.names[kind] = count + 1
        return "%s_%d" % (kind, count) if count else kind

    def of(self, owner, weights):
        """The Tracked of an object, made when it is first asked for; `weights(owner)` gives its
        Weights as of now."""
        tracked = self.by_object.get(owner)
        if tracked is None:
            reference = weakref.ref(owner)

            def now():
                alive = reference()
                return [] if alive is None else weights(alive)

            tracked = self.by_object.set(owner, self.track(type(owner).__name__, now))
        return tracked
