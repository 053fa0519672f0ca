"""Records the weights of every Keras model that trains: at init, after epochs, after steps.

`fit` is seen through its CallbackList, whatever the user's callbacks are; every other way to train
(`train_on_batch`, a loop over a GradientTape) through the optimizer's update. An update inside a
`tf.function` runs where Python can't see it, so after each outermost compiled call the optimizers'
iteration counters are read.
"""

import functools
import sys
import weakref

from . import digests, graph_values, user_values
from .device_values import array_of, kind_of, value_of, values_of
from .events import plain
from .inside.scene import Scene
from .kept import os, threading
from .leaving import Leaving
from .step_recording import StepRecorder
from .steps import DENSE_STEPS, log_files, worth_recording


class Tracked(object):
    """A model that trains: its place in the order of first training, and how far it is."""

    def __init__(self, index, name, variables):
        self.index = index
        self.name = name
        self.variables = variables
        self.layout = None
        self.steps = 0
        # Steps before its present optimizer's first one.
        self.base = 0
        self.optimizer = None
        self.recorded = None
        self.log = None
        self.fits = 0
        # Whether each batch of this fit has been one update so far; None before its first.
        self.even = None
        self.epochs = {}
        # Variables whose values are logged, and where a trainer's state holds them.
        self.logged = None
        self.held = None
        # Keeps a model alive only while its last steps are unrecorded.
        self.pending = None
        # Whether it only prepares data for what is trained.
        self.by_product = False
        # For the look at the end (leaving.py): paths and digests of its last checkpoint, the
        # variables, and their bytes.
        self.last = None
        self.kept = None
        self.size = 0

    def forget(self):
        """Let go of the model's variables; those of the next step are looked up."""
        self.logged = self.held = None
        if self.log is not None:
            self.log.forget()


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
        self.logs_steps = plan["granularity"] != "epoch"
        self.folder = os.path.dirname(plan["events"])
        self.pid = os.getpid()
        window = plan.get("zoom")
        self.scene = Scene(session, window["first"], window["last"]) if window else None
        self.threads = threading
        self.lock = threading.RLock()
        self.models = weakref.WeakKeyDictionary()
        self.models_made = 0
        self.tracked = []
        self.by_model = weakref.WeakKeyDictionary()
        self.optimizers = weakref.WeakKeyDictionary()
        self.layouts = 0
        self.leaving = Leaving(session, self.digester, names, self._left)
        self.closed = False
        self.told_elsewhere = False

    # -- what is recorded

    def elsewhere(self, what):
        """Whether this is a forked child, in which nothing is recorded. Each tells so once."""
        if os.getpid() == self.pid:
            return False
        if not self.told_elsewhere:
            self.told_elsewhere = True
            self.session.events.emit_in_child("elsewhere", what=what)
        return True

    def checkpoint(self, kind, tracked, epoch=0, step=0, variables=None, **more):
        """Digest every variable of a model now, or these. Its order is the order of execution.
        `more`: further fields of the event."""
        if self.elsewhere("training of %s" % tracked.name):
            return
        with self.lock:
            own = tracked.variables() if variables is None else None
            variables = own if variables is None else variables
            values, paths = values_of(variables), names(variables)
            found, size = self._emit(kind, tracked, epoch, step, paths, values, **more)
            tracked.recorded = (kind, step)
            self.leaving.note(tracked, own, paths, found, size)

    def _left(self, tracked, paths, values):
        self._emit("end", tracked, 0, tracked.steps, paths, values)

    def record_user(self, name, count, value):
        # Before the lock: another thread may have held it when this process was forked.
        if self.elsewhere("nondet.checkpoint(%r)" % name):
            return
        pairs = list(user_values.flatten("", value))
        with self.lock:
            tracked = Tracked(-1, name, lambda: [])
            paths = [path for path, _ in pairs]
            self._emit("user", tracked, 0, count, paths, [array for _, array in pairs])

    def _emit(self, kind, tracked, epoch, step, paths, values, **more):
        """Returns the digests, and how many bytes the tensors have."""
        callbacks, self.session.first_checkpoint[:] = list(self.session.first_checkpoint), []
        for callback in callbacks:
            callback()
        for callback in self.session.each_checkpoint:
            self.session.attempt("telling what was seen", callback)
        self.describe(tracked, paths, [kind_of(value) for value in values])
        found, size = [], 0
        for value in values:
            array = array_of(value)
            digest = self.digester.digest(array)
            self.values.keep(digest, array)
            found.append(digest)
            size += array.nbytes
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
            **more,
        )
        return found, size

    def describe(self, tracked, paths, kinds):
        """The number of the layout of tensors, each of a (dtype, shape); told once."""
        layout = [[path, dtype, list(shape)] for path, (dtype, shape) in zip(paths, kinds)]
        if layout != tracked.layout:
            tracked.layout = layout
            self.layouts += 1
            tracked.layout_id = self.layouts
            told = {"by_product": True} if tracked.by_product else {}
            self.session.events.emit(
                "layout",
                id=self.layouts,
                model=tracked.name,
                index=tracked.index,
                tensors=layout,
                **told,
            )
        return tracked.layout_id

    def log(self, tracked, model):
        """Log the weights that a step has left, if it is this step's turn."""
        if not self.logs_steps or self.elsewhere("training of %s" % tracked.name):
            return
        with self.lock:
            if tracked.log is None:
                tracked.log = StepRecorder(
                    self.folder,
                    tracked.index,
                    self.pid,
                    self.every_step,
                    lambda variables, kinds: self.describe(tracked, names(variables), kinds),
                    self.digester.digest,
                )
            tracked.log.step_ended(
                tracked.steps,
                tracked.variables,
                lambda variables: self._holders(tracked, model, variables),
            )

    def _holders(self, tracked, model, variables):
        """What holds the variables' values: during an epoch on JAX that is the trainer's state."""
        state = getattr(model, "_jax_state", None)
        if not state or getattr(model, "_jax_state_synced", True):
            return variables
        if tracked.logged is not variables:
            tracked.logged, tracked.held = variables, places_in(model, variables)
        return [
            variable if place is None else state[place[0]][place[1]]
            for variable, place in zip(variables, tracked.held)
        ]

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
            self.let_go()
            reference = weakref.ref(model)
            tracked = Tracked(
                len(self.tracked), model.name, lambda: weights_of(reference())
            )  # fmt: skip
            self.tracked.append(tracked)
            self.by_model[model] = tracked
        return tracked

    def track_other(self, name, variables):
        """The Tracked of what trains without Keras (without_keras); `variables` as for Tracked."""
        self.record_pending()
        self.let_go()
        tracked = Tracked(len(self.tracked), name, variables)
        self._take_away(tracked.index)
        self.tracked.append(tracked)
        return tracked

    def begin(self, tracked):
        """Record the initial weights, once, before the first update."""
        if tracked.recorded is None:
            self._take_away(tracked.index)
            self.checkpoint("init", tracked)

    def _take_away(self, index):
        """Take away what this script has logged of a model before it started itself again: from the
        first checkpoint on, the host takes the log for the present process's."""
        if os.getpid() == self.pid:
            for path in log_files(self.folder, index):
                if os.path.exists(path):
                    os.unlink(path)

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

    def fit_begins(self, model, ready=True):
        """`ready`: whether the model's weights can be read already."""
        tracked = self.track(model)
        if ready:
            self.begin(tracked)
        self.count_from(tracked, model)
        tracked.fits += 1
        self.tell_fit(tracked, over=False)
        if tracked.even:
            tracked.even = None
        if self.scene is not None:
            self.scene.look(tracked, model, tracked.steps)

    def fit_ends(self, model):
        self.tell_fit(self.track(model), over=True)

    def tell_fit(self, tracked, over):
        """Tell which steps belong to a fit."""
        self.session.events.emit(
            "fit",
            model=tracked.name,
            index=tracked.index,
            fit=tracked.fits,
            step=tracked.steps,
            over=over,
        )

    def count_from(self, tracked, model):
        """See which optimizer is about to be used: a new one counts its updates from 0 again."""
        optimizer = getattr(model, "optimizer", None)
        known = tracked.optimizer() if tracked.optimizer is not None else None
        if optimizer is None or optimizer is known:
            return
        if tracked.optimizer is not None:
            tracked.base = tracked.steps - iterations_of(optimizer)
        tracked.optimizer = weakref.ref(optimizer)

    def epoch_ends(self, model, epoch, logs):
        tracked = self.track(model)
        steps = tracked.base + updates_of(model)
        # In an even fit the steps since the last look were not counted but taken for granted.
        tracked.steps = steps if tracked.even else max(tracked.steps, steps)
        tracked.forget()
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
        tracked = self.track(model)
        steps = self.steps_now(tracked, model)
        if steps <= tracked.steps:
            return
        tracked.steps = steps
        # A model that got its weights in this step has shown no initial ones.
        late = tracked.recorded is None
        if self.scene is not None:
            self.scene.ended(tracked, model, steps)
        self.log(tracked, model)
        if late or (self.every_step and worth_recording(steps)):
            # On JAX the weights are elsewhere during an epoch, until they are asked for.
            if hasattr(model, "jax_state_sync"):
                model.jax_state_sync()
            self.checkpoint("step", tracked, 0, steps)

    def steps_now(self, tracked, model):
        """The steps of a model that is in `fit`, at the end of a batch.

        To read the optimizer's counter takes a while, and waits for the step itself where that is
        computed while Python goes on. So it is read when the step is to be recorded, and otherwise
        only if a batch need not be one update.
        """
        expected = tracked.steps + 1
        if tracked.even and self.scene is None and not tracked.log.due(expected):
            return expected
        steps = tracked.base + updates_of(model)
        tracked.even = tracked.even is not False and steps == expected
        return steps

    def step_in_fit_ends(self, tracked, model):
        """A step of a fit that is not Keras': its epochs are recorded."""
        tracked.steps += 1
        if self.scene is not None:
            self.scene.ended(tracked, model, tracked.steps)
        self.log(tracked, model)
        if self.every_step and worth_recording(tracked.steps):
            self.checkpoint("step", tracked, 0, tracked.steps)

    # -- training by hand

    def batch_begins(self, model, ready=True):
        tracked = self.track(model)
        if ready:
            self.begin(tracked)
        self.count_from(tracked, model)
        if self.scene is not None:
            self.scene.look(tracked, model, tracked.steps)

    def batch_ends(self, model):
        tracked = self.track(model)
        done = tracked.base + iterations_of(getattr(model, "optimizer", None)) - tracked.steps
        if done > 0:
            self.step_ends(tracked, model, done)

    def update_begins(self, optimizer, variables, ready=True):
        """An optimizer is about to be applied, or traced, outside `fit`. `ready`: whether these
        variables can be read."""
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
                if ready:
                    self.begin(tracked)
                if self.scene is not None and not isinstance(model, list):
                    self.scene.look(tracked, model, tracked.steps)

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
        if not isinstance(model, list):
            if self.scene is not None:
                self.scene.ended(tracked, model, tracked.steps)
            self.log(tracked, model)
        crossed = any(worth_recording(tracked.steps - i) for i in range(min(done, DENSE_STEPS)))
        if crossed:
            self.checkpoint("step", tracked, 0, tracked.steps)
            tracked.pending = None
        else:
            tracked.pending = model

    def record_pending(self):
        """Record the last steps that thinning left out, and let go of their models. What a forked
        child has been left is for the trial's own process to record."""
        if os.getpid() != self.pid:
            return
        with self.lock:
            for tracked in self.unrecorded():
                # The model may have been changed since that step.
                self.checkpoint("step", tracked, 0, tracked.steps, late=True)
                tracked.pending = None

    def unrecorded(self):
        """The models whose last step was left out."""
        return [tracked for tracked in self.tracked if tracked.pending is not None]

    def let_go(self):
        """Hold few variables of models that are done, as in cross validation: they take memory."""
        for tracked in self.tracked:
            tracked.forget()
        if os.getpid() == self.pid:
            with self.lock:
                self.leaving.make_room(self.tracked)

    def look_again(self, fresh):
        """Record the weights that were changed since they were last recorded; those of `fresh`
        models were just now."""
        with self.lock:
            for model in list(self.by_model):
                # Where the script ends in the middle of an epoch on JAX.
                if getattr(model, "_jax_state", None) and not model._jax_state_synced:
                    self.session.attempt("looking at a trainer's state", model.jax_state_sync)
            for tracked in self.tracked:
                if tracked not in fresh:
                    self.leaving.look(tracked)
            for name, weights in self.leaving.averages():
                tracked = Tracked(len(self.tracked), name, weights)
                self.tracked.append(tracked)
                self.leaving.look(tracked, known=False)

    def close(self):
        """Record what the last steps left, before the interpreter takes the models apart."""
        if self.closed or os.getpid() != self.pid:
            return
        self.closed = True
        try:
            fresh = self.unrecorded()
            self.record_pending()
            self.look_again(fresh)
            for tracked in self.tracked:
                if tracked.log is not None:
                    self.session.events.emit(
                        "pace", model=tracked.name, index=tracked.index, **tracked.log.summary()
                    )
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
        path = getattr(variable, "path", None) or getattr(variable, "name", None) or "variable"
        # TensorFlow's own variables bear the name of an operation's output.
        path = path[:-2] if path.endswith(":0") else path
        seen[path] = seen.get(path, 0) + 1
        found.append(path if seen[path] == 1 else "%s#%d" % (path, seen[path]))
    return found


def places_in(model, variables):
    """Where the state of a trainer on JAX holds these variables: (name, number), or None. It is
    found once, since to list a model's variables takes longer than to read them."""
    held = {}
    for name in ("trainable_variables", "non_trainable_variables"):
        held.update((id(v), (name, i)) for i, v in enumerate(getattr(model, name)))
    return [held.get(id(variable)) for variable in variables]


def updates_of(model):
    """Updates that a model's optimizer has made, also in the middle of an epoch."""
    optimizer = getattr(model, "optimizer", None)
    state = getattr(model, "_jax_state", None)
    if not state or getattr(model, "_jax_state_synced", True):
        return iterations_of(optimizer)
    # One that scales the loss leaves the counting to the one that it holds.
    inner = getattr(optimizer, "inner_optimizer", optimizer)
    values = zip(optimizer.variables, state["optimizer_variables"])
    counter = next(value for variable, value in values if variable is inner._iterations)
    return int(array_of(value_of(counter))) // (inner.gradient_accumulation_steps or 1)


def iterations_of(optimizer):
    """Updates that an optimizer has made; 0 when it can't tell."""
    # In Keras 2 the property would make the counter where there is none yet.
    made = getattr(optimizer, "_iterations", optimizer)
    counter = getattr(optimizer, "iterations", None) if made is not None else None
    if counter is None:
        return 0
    if graph_values.is_symbolic(counter):
        return graph_values.updates_of(optimizer)
    return int(array_of(value_of(counter)))


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
    from . import keras_hooks, without_keras

    recorder = Recorder(session)
    guard = functools.partial(guarded, session)
    keras_hooks.install(session, recorder, guard)
    without_keras.install(session, recorder, guard)
    return recorder


def guarded(session, where, call, *args):
    """Run a step of the recorder; its failure is reported and never reaches the subject."""
    try:
        return call(*args)
    except Exception as error:
        session.failed(where, error, lost=True)
        return None
