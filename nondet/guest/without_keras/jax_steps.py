"""Training steps in JAX, recognised by the updates of Optax, and so by those of Flax, and by those
of Keras' optimizers in a loop of the script's own.

Outside compiled functions `optax.apply_updates` is a step. Inside one it is only traced: each
compiled function on the way is then a step whenever it is the outermost that is called, and the
parameters are what in its result is built like those that were updated. So what the script gets
from `jax.jit` is a stand-in, which passes everything on and looks at what comes back.
"""

import functools
import sys
import types
import weakref

from ..factors.base import replace
from . import keras_updates, pytrees
from .keras_updates import NAMELESS
from .trainees import ByObject, constant


class Compiled(object):
    """Stands for a compiled function of the script's."""

    def __init__(self, original, steps):
        functools.update_wrapper(self, original)
        # The function that was compiled, as it is.
        self.__wrapped__ = getattr(original, "__wrapped__", original)
        self._nondet = original, steps

    def __call__(self, *args, **kwargs):
        original, steps = self._nondet
        return steps.call(self, original, args, kwargs)

    def __get__(self, owner, kind=None):
        return self if owner is None else types.MethodType(self, owner)

    def __getattr__(self, name):
        return getattr(self.__dict__["_nondet"][0], name)

    def __reduce__(self):
        return self._nondet[0].__reduce__()

    def __repr__(self):
        return repr(self._nondet[0])

    # Whether a function is a compiled one, JAX sees by what its class has.

    def lower(self, *args, **kwargs):
        return self._nondet[0].lower(*args, **kwargs)

    def trace(self, *args, **kwargs):
        return self._nondet[0].trace(*args, **kwargs)

    def eval_shape(self, *args, **kwargs):
        return self._nondet[0].eval_shape(*args, **kwargs)


class Parameters(object):
    """Those that a step leaves. Held by us only while they are still to be recorded."""

    def __init__(self, found):
        self.found = found


class Learner(object):
    """A training: its Tracked, and a weak hold on its latest parameters."""

    def __init__(self, names):
        self.names = names
        self.tracked = None
        self.latest = lambda: None
        self.keys = []
        self.chained = False
        """Whether a step was seen to start from the very result of the one before."""

    def weights(self):
        latest = self.latest()
        if latest is None or pytrees.deleted(pytrees.parts_of(latest.found)):
            return []
        leaves = pytrees.named_leaves(latest.found, self.paths)
        return [constant(path, leaf) for path, leaf in leaves if pytrees.readable(leaf)]

    def paths(self, part):
        return self.names.get(pytrees.shape_of(part), NAMELESS).paths


class Step(object):
    """What is known of a compiled function that trains."""

    def __init__(self):
        self.shapes = []
        """How the parameters are built that its calls update."""
        self.carries = False
        """Whether nothing in its arguments is built so: then all that it gives back counts."""
        self.learner = None
        self.names = {}
        """The Names of parameters by how they are built."""

    def knows(self, shapes, names):
        """Take these into account; returns whether some are new."""
        new = [shape for shape in shapes if shape not in self.shapes]
        self.shapes += new
        for shape in shapes:
            if self.names.setdefault(shape, names).paths != names.paths:
                # Two models are built alike: which is which, only their place tells.
                self.names[shape] = NAMELESS
        return bool(new)

    def name(self, given, function):
        models = {names.model for names in self.names.values()}
        return (models.pop() if len(models) == 1 else "") or pytrees.name_of(given, function)


class JaxSteps(object):
    def __init__(self, session, trainees, guarded):
        self.session = session
        self.trainees = trainees
        self.recorder = trainees.recorder
        self.guarded = guarded
        self.here = self.recorder.threads.local()
        self.steps = ByObject()
        self.by_leaf = {}
        """By the id of an array of a learner's latest parameters: the array, weakly, and it."""

    @property
    def stack(self):
        """Calls of compiled functions under way in this thread, one in the other: each the
        function, and what gives its arguments."""
        if not hasattr(self.here, "stack"):
            self.here.stack = []
        return self.here.stack

    # -- listening

    def jax(self, module):
        def make(original):
            def jit(*args, **kwargs):
                made = original(*args, **kwargs)
                kind = self.session.asker(sys._getframe(1))[1]
                return self.standing(made) if kind == "user" else made

            return jit

        replace(module, "jit", make)

    def standing(self, made):
        """The stand-in of a compiled function, or of what is still to be given a function."""
        if type(made).__name__ == "PjitFunction":
            return Compiled(made, self)
        if callable(made) and not hasattr(made, "lower"):
            return lambda function: self.standing(made(function))
        return made

    def optax(self, module):
        def make(original):
            def apply_updates(params, updates):
                new = original(params, updates)
                self.guarded("an update", self.updated, params, new)
                return new

            return apply_updates

        replace(module, "apply_updates", make)

    def flax(self, module):
        """What `nnx.jit` makes changes the modules that it is given where they stand."""

        def make(original):
            def __call__(function, *args, **kwargs):
                given = functools.partial(pytrees.states_of_modules, args, kwargs)
                run = functools.partial(original, function, *args, **kwargs)
                return self.run(function, given, run, lambda result: given())

            return __call__

        for name in ("JitWrapped", "SimpleJitWrapped", "TreeJitWrapped"):
            if hasattr(module, name):
                replace(getattr(module, name), "__call__", make)

    # -- steps

    def call(self, function, original, args, kwargs):
        run = functools.partial(original, *args, **kwargs)
        return self.run(function, lambda: (args, kwargs), run, lambda result: result)

    def run(self, function, given, run, left):
        """Run a compiled function. `given` tells what it starts from, `left` what it leaves."""
        stack, outermost = self.stack, not self.stack
        step = self.steps.get(function)
        if outermost and step is not None:
            self.guarded("a step begins", self.begins, step, function, given)
        stack.append((function, given))
        try:
            result = run()
        finally:
            stack.pop()
        step = self.steps.get(function) if outermost else None
        if step is not None:
            self.guarded("a step ends", self.ends, step, function, given, left, result)
        return result

    def updated(self, params, new, names=NAMELESS, alike=()):
        """Parameters were updated: a step by itself, or a part of what is being compiled. `alike`:
        the same, put together in other ways."""
        shapes = [pytrees.shape_of(each) for each in (new,) + tuple(alike)]
        if not shapes[0][1] or not self.recording():
            return
        if not pytrees.concrete(new):
            for function, given in self.stack:
                step = self.steps.get(function) or self.steps.set(function, Step())
                if step.knows(shapes, names) and function is self.stack[0][0]:
                    self.begins(step, function, given)
        elif all(self.steps.get(function) is None for function, _ in self.stack):
            # Also within functions that JAX was told not to compile.
            known = pytrees.concrete(params)
            first = [("", params if known else new)]
            step = Step()
            step.knows(shapes, names)
            name = names.model or "params"
            learner = self.learner(first, None, name, step.names, begun=not known)
            self.stepped(learner, [("", new)])

    def begins(self, step, function, given):
        """Find what a step starts from, before its memory may be given away."""
        found = pytrees.find(given(), step.shapes)
        if found and pytrees.concrete(pytrees.parts_of(found)) and self.recording():
            name = step.name(given(), function)
            step.learner = self.learner(found, step.learner, name, step.names)

    def ends(self, step, function, given, left, result):
        if not self.recording():
            return
        result = left(result)
        found = pytrees.find(result, step.shapes)
        if not found and step.learner is None or step.carries:
            # Put together in another way than they were updated.
            found, step.carries = pytrees.carried(given(), result), True
        if found and pytrees.concrete(pytrees.parts_of(found)):
            if step.learner is None:
                name = step.name(given(), function)
                step.learner = self.learner(found, None, name, step.names, begun=True)
            self.stepped(step.learner, found)

    def stepped(self, learner, found):
        parameters = self.hold(learner, found)
        learner.tracked.forget()
        self.recorder.step_ends(learner.tracked, parameters, 1)

    def learner(self, found, latest, name, names, begun=False):
        """The training that these parameters belong to: one whose step has left them, or a new one.

        `latest`: that of the function's last call. A loop that copies its parameters between steps
        goes on with it; where steps were seen to start from the very result of the one before,
        other parameters are another training. `begun`: they are the result of a step already.
        """
        for leaf in pytrees.firsts(found):
            known = self.by_leaf.get(id(leaf))
            if known is not None and known[0]() is leaf:
                known[1].chained = True
                return known[1]
        if latest is not None and not latest.chained:
            return latest
        learner = Learner(names)
        learner.tracked = self.trainees.track(name, learner.weights)
        parameters = self.hold(learner, found)
        if not begun:
            self.recorder.begin(learner.tracked)
        del parameters
        return learner

    def hold(self, learner, found):
        """Take these as a learner's latest parameters; they stay as long as the result is held."""
        parameters = Parameters(found)
        learner.latest = weakref.ref(parameters)
        for key in learner.keys:
            # Another learner may have taken over from it.
            if self.by_leaf.get(key, (None, None))[1] is learner:
                del self.by_leaf[key]
        learner.keys = [id(leaf) for leaf in pytrees.firsts(found)]
        self.by_leaf.update(
            (id(leaf), (weakref.ref(leaf), learner)) for leaf in pytrees.firsts(found)
        )
        return parameters

    def recording(self):
        return not self.recorder.elsewhere("training in JAX")


def install(session, trainees, guarded):
    steps = JaxSteps(session, trainees, guarded)
    if trainees.recorder.scene is not None:
        trainees.recorder.scene.compiling = lambda: bool(steps.stack)
    session.on_import("jax", steps.jax)
    # Before `optax` takes it over from there.
    session.on_import("optax._src.update", steps.optax)
    session.on_import("flax.nnx.transforms.compilation", steps.flax)
    keras_updates.install(session, trainees.recorder, steps.updated, guarded)
