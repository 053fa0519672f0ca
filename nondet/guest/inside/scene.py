"""What happens inside a step, as a row of moments: batch, layers, loss, gradients, update."""

import threading

NUMBERED = "%s, call %d"


class Moment(object):
    """A tensor that comes into being inside a step.

    `phase`: ``state``, ``batch``, ``forward``, ``loss``, ``gradient`` or ``update``. `layer` is the
    path of a layer, `kind` the class of what computes the tensor, `op` the framework's own name for
    the operation, `shape` has -1 where a side is not known before the step runs.
    """

    __slots__ = ("phase", "layer", "kind", "op", "tensor", "dtype", "shape")

    def __init__(self, phase, tensor, layer="", kind="", op="", dtype="", shape=()):
        self.phase = phase
        self.tensor = tensor
        self.layer = layer
        self.kind = kind
        self.op = op
        self.dtype = dtype
        self.shape = shape

    def of(self, op, dtype, shape):
        """The same one, with what is known of the tensor at hand."""
        return Moment(self.phase, self.tensor, self.layer, self.kind, op, dtype, tuple(shape))

    def fields(self):
        return (
            self.phase, self.layer, self.kind, self.op, self.tensor, self.dtype, list(self.shape)
        )  # fmt: skip


class Scene(object):
    """The window of steps that are looked into, and what was seen in the present one.

    `taps` records tensors in the way of the backend, once that is known.
    """

    def __init__(self, session, first, last):
        self.session = session
        self.first = first
        self.last = last
        self.taps = None
        self.open = first <= 1
        self.inside = {}
        self.layouts = {}
        self.here = threading.local()
        self.known = {}
        self.models = list
        self.compiling = bool
        """Whether a function of the script's own is compiled here, once for all its calls."""

    # -- where we are

    @property
    def stepping(self):
        """How many `train_step`, one in the other, are under way in this thread."""
        return getattr(self.here, "stepping", 0)

    def step_begins(self):
        self.here.stepping = self.stepping + 1
        if self.stepping == 1:
            self.known.clear()

    def step_over(self):
        self.here.stepping = self.stepping - 1

    @property
    def depth(self):
        """How many calls of layers, one in the other, are under way in this thread."""
        return getattr(self.here, "depth", 0)

    @depth.setter
    def depth(self, value):
        self.here.depth = value

    def watching(self):
        """Whether what a layer does here is part of a training step that is looked into."""
        taps = self.taps
        return (
            taps is not None and taps.able(self.open) and (self.stepping or taps.differentiating())
        )

    # -- recording

    def know(self, value):
        """Remember that this very tensor has been recorded. Held, so that its `id` stays its own
        until the step is over."""
        self.known[id(value)] = value

    def knows(self, value):
        return id(value) in self.known

    def record(self, value, moment):
        """Record a tensor as it is here; nothing when it has no bits to speak of."""
        if self.taps.able(self.open) and self.taps.usable(value):
            self.taps.record(value, moment)

    def ended(self, tracked, model, step):
        """A model has ended a step: tell what was seen in it, and see what comes next."""
        if self.taps is None:
            return
        if self.open:
            found = self.taps.gather()
            if self.within(tracked):
                self.tell(tracked, step, found)
        self.known.clear()
        self.look(tracked, model, step)

    def within(self, tracked):
        """Whether the model's next step is in the window: they count on by themselves."""
        return self.inside.get(tracked.index, self.first <= 1)

    def look(self, tracked, model, step):
        """See whether what comes after this step, one or several at once, is in the window."""
        stride = getattr(model, "steps_per_execution", None) or 1
        before, was_open = self.within(tracked), self.open
        inside = step < self.last and step + stride >= self.first
        self.inside[tracked.index] = inside
        self.open = any(self.inside.values())
        if self.taps is None:
            return
        if self.open and not was_open:
            # What is still tapped has gone on between two windows.
            self.taps.gather()
        if inside != before or self.open != was_open:
            self.taps.turn(inside, model)

    def tell(self, tracked, step, found):
        """Emit the moments of the step that has just ended, in the order of execution."""
        rows, digests, calls = [], [], {}
        for moment, digest in found:
            fields = list(moment.fields())
            key = (moment.phase, moment.layer, moment.tensor)
            calls[key] = calls.get(key, 0) + 1
            if calls[key] > 1:
                fields[4] = NUMBERED % (moment.tensor, calls[key])
            rows.append(fields)
            digests.append(digest)
        if not rows:
            return
        key = self.taps.mode, repr(rows)
        layout = self.layouts.get(key)
        if layout is None:
            layout = self.layouts[key] = len(self.layouts) + 1
            self.session.events.emit("inside-layout", id=layout, mode=self.taps.mode, moments=rows)
        self.session.events.emit(
            "inside",
            model=tracked.name,
            index=tracked.index,
            step=step,
            layout=layout,
            digests=digests,
        )
