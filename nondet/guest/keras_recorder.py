"""Records the weights of every Keras 3 model that trains: at init, after epochs, after steps.

`fit` is seen through its CallbackList, whatever the user's callbacks are; every other way to train
(`train_on_batch`, a loop over a GradientTape) through the optimizer's update. An update inside a
`tf.function` runs where Python can't see it, so after each outermost compiled call the optimizers'
iteration counters are read.
"""

import functools
import sys
import threading
import weakref

from . import digests
from .events import plain

DENSE_STEPS = 32


def worth_recording(step):
    """Steps kept outside `fit`: all up to 64, then 32 for each doubling.

    A function of the step alone, so that two trials keep the same ones.
    """
    if step <= DENSE_STEPS:
        return True
    return step % (1 << (step.bit_length() - DENSE_STEPS.bit_length())) == 0


class Tracked(object):
    """A model that trains: its place in the order of first training, and how far it is."""

    def __init__(self, index, name, variables):
        self.index = index
        self.name = name
        self.variables = variables
        self.layout = None
        self.steps = 0
        self.recorded = None
        self.fits = 0
        self.epochs = {}
        # Keeps a model alive only while its last steps are unrecorded.
        self.pending = None


class Stepping(object):
    """An optimizer that is applied by hand: its updates so far, and the models they change."""

    def __init__(self, steps):
        self.steps = steps
        self.known = set()
        self.owned = []


class Recorder(object):
    def __init__(self, session):
        plan = session.plan
        self.session = session
        self.digester = digests.Digester(plan["digest"])
        self.values = digests.Values(plan["values"], plan["values_limit"])
        self.every_step = plan["granularity"] == "step"
        self.lock = threading.RLock()
        self.models = weakref.WeakKeyDictionary()
        self.models_made = 0
        self.tracked = []
        self.by_model = weakref.WeakKeyDictionary()
        self.optimizers = weakref.WeakKeyDictionary()
        self.layouts = 0
        self.closed = False

    # -- what is recorded

    def checkpoint(self, kind, tracked, epoch=0, step=0):
        """Digest every variable of a model now. Its order is the order of execution."""
        with self.lock:
            arrays = [read(variable) for variable in tracked.variables()]
            self._emit(kind, tracked, epoch, step, names(tracked.variables()), arrays)
            tracked.recorded = (kind, step)

    def record_user(self, name, count, pairs):
        with self.lock:
            tracked = Tracked(-1, name, lambda: [])
            paths = [path for path, _ in pairs]
            self._emit("user", tracked, 0, count, paths, [array for _, array in pairs])

    def _emit(self, kind, tracked, epoch, step, paths, arrays):
        callbacks, self.session.first_checkpoint[:] = list(self.session.first_checkpoint), []
        for callback in callbacks:
            callback()
        layout = [[p, a.dtype.name, list(a.shape)] for p, a in zip(paths, arrays)]
        if layout != tracked.layout:
            tracked.layout = layout
            self.layouts += 1
            tracked.layout_id = self.layouts
            self.session.events.emit(
                "layout", id=self.layouts, model=tracked.name, index=tracked.index, tensors=layout
            )
        found = []
        for array in arrays:
            digest = self.digester.digest(array)
            self.values.keep(digest, array)
            found.append(digest)
        self.session.events.emit(
            "checkpoint",
            kind=kind,
            model=tracked.name,
            index=tracked.index,
            layout=tracked.layout_id,
            fit=tracked.fits if kind == "epoch" else 0,
            epoch=epoch,
            step=step,
            digests=found,
        )

    # -- which model

    def model_made(self, model):
        """Number models as they are made: names need not differ, and addresses do."""
        self.models_made += 1
        self.models[model] = self.models_made

    def track(self, model):
        """The Tracked of a model, made at its first training."""
        tracked = self.by_model.get(model)
        if tracked is None:
            self.record_pending()
            reference = weakref.ref(model)
            tracked = Tracked(
                len(self.tracked), model.name, lambda: weights_of(reference())
            )  # fmt: skip
            self.tracked.append(tracked)
            self.by_model[model] = tracked
        return tracked

    def begin(self, tracked):
        """Record the initial weights, once, before the first update."""
        if tracked.recorded is None:
            self.checkpoint("init", tracked)

    def owners(self, variables):
        """The Tracked of the fewest outermost models that hold these variables."""
        left = {id(v): v for v in variables}
        found = []
        candidates = sorted(
            ((len(m.trainable_variables), n, m) for m, n in list(self.models.items()) if m.built),
            key=lambda row: (-row[0], row[1]),
        )
        for _, _, model in candidates:
            own = [id(v) for v in model.trainable_variables if id(v) in left]
            for key in own:
                del left[key]
            if own:
                found.append((self.track(model), model))
        if left:
            loose = list(left.values())
            tracked = Tracked(len(self.tracked), "variables", lambda: loose)
            self.tracked.append(tracked)
            found.append((tracked, loose))
        return found

    # -- training by fit

    def fit_begins(self, model):
        tracked = self.track(model)
        self.begin(tracked)
        tracked.fits += 1

    def epoch_ends(self, model, epoch, logs):
        tracked = self.track(model)
        tracked.steps = max(tracked.steps, iterations_of(getattr(model, "optimizer", None)))
        self.checkpoint("epoch", tracked, epoch + 1, tracked.steps)
        metrics = {}
        for name, value in (logs or {}).items():
            try:
                metrics[str(name)] = plain(float(value))
            except (TypeError, ValueError):
                continue
        self.session.events.emit(
            "metric", model=tracked.name, fit=tracked.fits, epoch=epoch + 1, values=metrics
        )

    def fit_step_ends(self, model):
        if not self.every_step:
            return
        tracked = self.track(model)
        # On JAX the weights are elsewhere during an epoch, until they are asked for.
        if hasattr(model, "jax_state_sync"):
            model.jax_state_sync()
        steps = iterations_of(getattr(model, "optimizer", None))
        if steps > tracked.steps:
            tracked.steps = steps
            if worth_recording(steps):
                self.checkpoint("step", tracked, 0, steps)

    # -- training by hand

    def batch_begins(self, model):
        self.begin(self.track(model))

    def batch_ends(self, model):
        tracked = self.track(model)
        done = iterations_of(getattr(model, "optimizer", None)) - tracked.steps
        if done > 0:
            self.step_ends(tracked, model, done)

    def update_begins(self, optimizer, variables):
        """An optimizer is about to be applied, or traced, outside `fit`."""
        state = self.optimizers.get(optimizer)
        if state is None:
            state = self.optimizers[optimizer] = Stepping(iterations_of(optimizer))
        new = [v for v in variables if id(v) not in state.known]
        if not new:
            return
        state.known.update(id(v) for v in new)
        for tracked, model in self.owners(new):
            if all(tracked is not other for other, _ in state.owned):
                # Weakly: the model holds its optimizer, which would then never be let go.
                hold = (
                    weakref.ref(model) if not isinstance(model, list) else lambda held=model: held
                )
                state.owned.append((tracked, hold))
                self.begin(tracked)

    def updates_ended(self):
        """See which optimizers have stepped since the last look, and record their models."""
        for optimizer, state in list(self.optimizers.items()):
            now = iterations_of(optimizer)
            if now > state.steps:
                done, state.steps = now - state.steps, now
                for tracked, model in state.owned:
                    if model() is not None:
                        self.step_ends(tracked, model(), done)

    def step_ends(self, tracked, model, done):
        tracked.steps += done
        crossed = any(worth_recording(tracked.steps - i) for i in range(min(done, DENSE_STEPS)))
        if crossed:
            self.checkpoint("step", tracked, 0, tracked.steps)
            tracked.pending = None
        else:
            tracked.pending = model

    def record_pending(self):
        """Record the last steps that thinning left out, and let go of their models."""
        with self.lock:
            for tracked in self.tracked:
                if tracked.pending is not None:
                    self.checkpoint("step", tracked, 0, tracked.steps)
                    tracked.pending = None

    def close(self):
        """Record what the last steps left, before the interpreter takes the models apart."""
        if self.closed:
            return
        self.closed = True
        try:
            self.record_pending()
            if self.values.omitted:
                self.session.events.emit("values-omitted", tensors=self.values.omitted)
        except Exception as error:
            self.session.failed("recording the last steps", error, lost=True)


def weights_of(model):
    """All weights, without the states of seed generators and metrics: those are no result."""
    return list(model.weights) if model is not None else []


def names(variables):
    """Paths by layer; a repeated one gets its number, since paths need not be unique."""
    seen, found = {}, []
    for variable in variables:
        path = getattr(variable, "path", None) or getattr(variable, "name", "variable")
        seen[path] = seen.get(path, 0) + 1
        found.append(path if seen[path] == 1 else "%s#%d" % (path, seen[path]))
    return found


def read(variable):
    """The variable's value as an array, without a copy where the framework allows."""
    import numpy

    value = getattr(variable, "value", variable)
    value = value() if callable(value) else value
    if hasattr(value, "read_value"):
        value = value.read_value()
    if hasattr(value, "detach"):
        value = value.detach().cpu()
        if str(value.dtype) == "torch.bfloat16":
            # Known to NumPy by no name: its bits are.
            value = value.view(sys.modules["torch"].int16)
    return numpy.asarray(value)


def iterations_of(optimizer):
    """Updates that an optimizer has made; 0 when it can't tell."""
    counter = getattr(optimizer, "iterations", None)
    if counter is None:
        return 0
    return int(read(counter))


def within_fit(code):
    """Whether a `fit` is on the stack: its epochs are then recorded, and not its updates."""
    frame = sys._getframe(2)
    while frame is not None:
        if frame.f_code in code:
            return True
        frame = frame.f_back
    return False


def install(session):
    """Listen to Keras. Nothing happens in a script that never imports it."""
    from . import keras_hooks

    recorder = Recorder(session)
    keras_hooks.install(session, recorder, functools.partial(guarded, session))
    return recorder


def guarded(session, where, call, *args):
    """Run a step of the recorder; its failure is reported and never reaches the subject."""
    try:
        return call(*args)
    except Exception as error:
        session.failed(where, error, lost=True)
        return None
