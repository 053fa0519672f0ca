"""Records TensorFlow's tensors: at once in eager code, and in a graph by operations of its own.

In a graph each tap adds the tensor's digest to a variable of ours, a slot, which is read when the
step is over. That leaves the other operations' bits alone: they are asked for one consumer more,
and nothing is added to what they compute.
"""

import sys

from .. import device_digests

READS = ("ReadVariableOp", "Placeholder", "Identity")
"""Operations that compute nothing."""
PROBABILITIES = ("Sigmoid", "Softmax")
"""Operations by which Keras knows, in a graph, that a loss is better computed from what they are
given than from what they give."""


class TensorFlowTaps(object):
    def __init__(self, scene):
        self.scene = scene
        self.slots = []
        self.seen = []
        self.gate = None
        self.adding = None
        self.mode = "eager"

    def able(self, open_now):
        """A graph is tapped whenever it is traced, and tells only while the gate is open."""
        return open_now or not self.tf.executing_eagerly()

    @property
    def tf(self):
        return sys.modules["tensorflow"]

    def differentiating(self):
        """Whether a tape is recording here."""
        from tensorflow.python.eager import record

        return record.could_possibly_record()

    def usable(self, value):
        import numpy

        ours = isinstance(value, (self.tf.Tensor, numpy.ndarray))
        return ours and value.dtype.name in device_digests.PIECES

    def differentiable(self, value):
        if not isinstance(value, self.tf.Tensor):
            return False
        return value.dtype.is_floating or value.dtype.is_complex

    def value(self, variable):
        """A variable's value here, or the tensor itself."""
        value = getattr(variable, "value", variable)
        return self.tf.convert_to_tensor(value)

    def parts(self, gradient):
        """The tensors that a gradient is made of: a sparse one has two."""
        if isinstance(gradient, self.tf.IndexedSlices):
            return [(" (indices)", gradient.indices), ("", gradient.values)]
        return [("", gradient)]

    def record(self, value, moment):
        tf = self.tf
        value = tf.convert_to_tensor(value)
        known = value.shape.rank is not None
        shape = [-1 if side is None else side for side in value.shape] if known else [-1]
        if tf.executing_eagerly():
            self.mode = "eager"
            moment = moment.of("", value.dtype.name, shape)
            lanes = device_digests.tensorflow_lanes(value).numpy()
            self.seen.append((moment, self._digest(lanes, moment)))
            return
        graph = tf.compat.v1.get_default_graph()
        if in_control_flow(graph):
            return
        self.mode = "xla" if compiled(graph) else "graph"
        op = operation(value)
        op = op if op not in READS else ""
        moment = moment.of(op, value.dtype.name, shape)
        with tf.init_scope():
            slot = self._variable([0, 0, 0], tf.int64)
            if self.gate is None:
                self.gate = self._variable(self.scene.open, tf.bool)
        self.slots.append([moment, slot, (0, 0, 0)])
        self.add(self.gate.handle, slot.handle, tf.stop_gradient(value))

    @property
    def add(self):
        """Adds a tensor's lanes and a 1 to a slot, while the gate is open. A function of its own,
        traced once for all tensors of a dtype and a shape."""
        if self.adding is None:
            tf, ops = self.tf, self.tf.raw_ops

            def add(gate, slot, value):
                def put():
                    lanes = tf.cast(device_digests.tensorflow_lanes(value), tf.int64)
                    lanes = tf.concat([lanes, tf.ones([1], tf.int64)], 0)
                    ops.AssignAddVariableOp(resource=slot, value=lanes)
                    return tf.constant(0)

                is_open = ops.ReadVariableOp(resource=gate, dtype=tf.bool)
                return tf.cond(is_open, put, lambda: tf.constant(0))

            # Not with `_noinline`, which would make the graph of a deep model smaller by far: on a
            # busy machine, models with an embedding then got other weights in a quarter of runs.
            self.adding = tf.function(add, autograph=False)
        return self.adding

    def _variable(self, value, dtype):
        """One that no `tf.function` and no strategy takes for the subject's."""
        from tensorflow.python.ops.resource_variable_ops import ResourceVariable

        return ResourceVariable(value, dtype=dtype, trainable=False)

    def with_gradient(self, value, moment):
        """The same tensor; its gradient is recorded where that is computed."""
        tf, scene = self.tf, self.scene
        if operation(value) in PROBABILITIES:
            return value

        @tf.custom_gradient
        def same(x):
            def gradient(upstream):
                scene.record(upstream, moment)
                return upstream

            return tf.identity(x), gradient

        return same(value)

    def turn(self, inside, model):
        if self.gate is not None:
            self.gate.assign(self.scene.open)

    def gather(self):
        """The moments since the last call with their digests, in the order of execution."""
        found, self.seen = self.seen, []
        for entry in self.slots:
            moment, slot, before = entry
            now = tuple(int(number) for number in slot.numpy())
            if now[2] != before[2]:
                lanes = [one - other for one, other in zip(now[:2], before[:2])]
                found.append((moment, self._digest(lanes, moment)))
                entry[2] = now
        return found

    def _digest(self, lanes, moment):
        return device_digests.finish(lanes, moment.dtype, moment.shape).hex()


def operation(value):
    """The type of the operation that a graph's tensor comes from; empty for an eager one."""
    op = getattr(value, "op", None)
    return op.type if op is not None else ""


def in_control_flow(graph):
    """Whether a graph is the body of a loop or the branch of a condition: no slot of ours could be
    reached there in a gradient."""
    kind = type(graph).__name__
    return "While" in kind or "Cond" in kind


def compiled(graph):
    """Whether XLA compiles the function that this graph is traced for."""
    from tensorflow.python.ops import control_flow_util

    return bool(control_flow_util.GraphOrParentsInXlaContext(graph))
