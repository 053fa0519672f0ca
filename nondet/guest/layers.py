"""Keras layers: where the user made each, and for which of them something is drawn."""

import functools
import os
import sys
import types
import weakref

WALK = 200
SEED_GENERATORS = "/keras/src/random/seed_generator.py"


class Layers(object):
    """Remembers the line at which each layer is made, beside the layer and for as long as it lives.

    What a layer draws, it may draw much later: when it is built, inside `fit`.
    """

    def __init__(self, is_user, ours):
        self.is_user = is_user
        self.ours = ours
        self.base = None
        self.made = {}
        self.classes = weakref.WeakSet()
        self.codes = set()

    def listen(self, module, failed):
        """Note every layer as it is made; `module` is the one that defines `Layer`."""
        self.base = module.Layer
        self.collect(module.Layer)
        original = module.Layer.__new__

        @functools.wraps(original)
        def __new__(cls, *args, **kwargs):
            made = original(cls, *args, **kwargs)
            try:
                self.note(made, sys._getframe(1))
            except Exception as error:
                failed("a new layer", error)
            return made

        module.Layer.__new__ = staticmethod(__new__)

    def note(self, layer, frame):
        kind = type(layer)
        if not self.is_layer(layer):
            return
        if kind not in self.classes:
            self.classes.add(kind)
            for owner in kind.__mro__[: kind.__mro__.index(self.base)]:
                self.collect(owner)
        while frame is not None and self.passes_on(frame.f_code):
            frame = frame.f_back
        direct = frame is not None and self.is_user(frame.f_code.co_filename, frame)
        for _ in range(WALK):
            if frame is None or self.is_user(frame.f_code.co_filename, frame):
                break
            frame = frame.f_back
        key = id(layer)
        self.made[key] = (
            weakref.ref(layer, lambda _: self.made.pop(key, None)),
            site_of(frame),
            direct,
        )

    def passes_on(self, code):
        return code.co_name == "__new__" or code.co_filename.startswith(self.ours)

    def collect(self, owner):
        """The code of a class' own methods, by which their frames are recognised.

        Only in such frames are the local variables looked at: that costs, and it may keep alive
        what a function of the user's has let go of.
        """
        for function in list(vars(owner).values()):
            # Only the innermost: the decorators around it share their code with all of Keras.
            while hasattr(function, "__wrapped__"):
                function = function.__wrapped__
            if isinstance(function, types.FunctionType) and function.__code__.co_argcount:
                self.codes.add(function.__code__)

    def is_layer(self, thing):
        """A layer that is no whole model. (Keras' models are layers too.)"""
        models = sys.modules.get("keras.src.models.model")
        model = getattr(models, "Model", None)
        return isinstance(thing, self.base) and (model is None or not isinstance(thing, model))

    def at(self, frame):
        """The layer of whose methods this frame runs one, or None."""
        if frame.f_code not in self.codes:
            return None
        layer = frame.f_locals.get(frame.f_code.co_varnames[0])
        return layer if self.is_layer(layer) else None

    def is_direct(self, layer):
        known = self.made.get(id(layer))
        return known is not None and known[2]

    def site(self, layer):
        """The user's line at which a layer was made, or None."""
        known = self.made.get(id(layer))
        return known[1] if known is not None else None

    def behind(self, frame):
        """The layer for which this frame draws, and whether what is drawn is the layer's own seed
        or weight, which Keras takes when it makes or builds it.

        Of layers inside layers of a library, the one that the user made. What an initializer of
        the user's draws is drawn for the layer that is being built.
        """
        found, own, callee, asked = None, None, None, False
        for _ in range(WALK):
            if frame is None:
                break
            code = frame.f_code
            if not code.co_filename.startswith(self.ours):
                user = self.is_user(code.co_filename, frame)
                if (user and found is not None) or (asked and not user and not initializes(code)):
                    break
                if user and own is None:
                    own = seeds(callee)
                asked = user
                layer = self.at(frame)
                if layer is not None:
                    found = found or layer
                    if user or self.is_direct(layer):
                        found = layer
                        break
                callee = code
            frame = frame.f_back
        return found, own is not False

    def describe(self, layer, frame):
        """``Dropout `dropout_1```; a layer that is still being made may have no name yet."""
        kind = type(layer).__name__
        name = vars(layer).get("name") or self.name_given(layer, frame)
        return "%s `%s`" % (kind, name) if isinstance(name, str) and name else kind

    def name_given(self, layer, frame):
        """The name among the arguments of the layer's own construction."""
        for _ in range(WALK):
            if frame is None or self.is_user(frame.f_code.co_filename, frame):
                return None
            if frame.f_code.co_name == "__init__" and self.at(frame) is layer:
                values = frame.f_locals
                given = values.get("name") or (values.get("kwargs") or {}).get("name")
                if given:
                    return given
            frame = frame.f_back
        return None


def site_of(frame):
    """A frame's place as it stands in sightings."""
    return (frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name) if frame else None


def initializes(code):
    """Whether this function of Keras gives a variable its first value by an initializer."""
    return "/keras/src/backend/" in code.co_filename.replace(os.sep, "/") and (
        "initializer" in code.co_varnames + code.co_freevars or "_initializer" in code.co_names
    )


def seeds(code):
    """Whether this function makes a seed generator."""
    return (
        code is not None
        and code.co_name == "__init__"
        and code.co_filename.replace(os.sep, "/").endswith(SEED_GENERATORS)
    )
