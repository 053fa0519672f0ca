"""Records TensorFlow's tensors: at once in eager code, and in a graph by operations of its own.

In a graph each tap adds the tensor's digest to a variable of ours, a slot, which is read when the
step is over. That leaves the other operations' bits alone: they are asked for one consumer more,
and nothing is added to what they compute.

A model of 500 layers has some 5,500 taps, so that each must be of few operations. On a CPU the
digest is TensorFlow's own fingerprint, one operation; it has none on a GPU, nor in XLA, where it is
the one of device_digests.
"""

import functools
import sys

from .. import device_digests

READS = ("ReadVariableOp", "Placeholder", "Identity")
"""Operations that compute nothing."""
PROBABILITIES = ("Sigmoid", "Softmax")
"""Operations by which Keras knows, in a graph, that a loss is better computed from what they are
given than from what they give."""
LARGE = 1 << 20
"""Bytes of a tensor from which on a tap does nothing outside of the window. For a smaller one that
would cost more, in operations, than a digest that is not wanted."""


class TensorFlowTaps(object):
    def __init__(self, scene):
        self.scene = scene
        self.slots = []
        self.seen = []
        self.gate = None
        self.adding = None
        self.reading = None
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
            slot = self._variable([0, 0], tf.int64)
            if self.gate is None:
                self.gate = self._variable(self.scene.open, tf.bool)
        self.slots.append([moment, slot, 0, 0])
        self.reading = None
        value = tf.stop_gradient(value)
        if self.mode == "graph" and self.fingerprints and not large(value):
            self.put(slot.handle, fingerprint(tf, value))
        else:
            self.add(self.gate.handle, slot.handle, value)

    @property
    def fingerprints(self):
        """Whether graphs can take fingerprints where the tensors are."""
        return not self.tf.config.list_logical_devices("GPU")

    def put(self, slot, digest):
        """Adds a digest and a 1 to a slot: how often that was done tells whether it was."""
        value = self.tf.concat([digest, [1]], 0)
        self.tf.raw_ops.AssignAddVariableOp(resource=slot, value=value)

    @property
    def add(self):
        """Adds a tensor's digest to a slot, while the gate is open. A function of its own, traced
        once for all tensors of a dtype and a shape."""
        if self.adding is None:
            tf = self.tf

            def add(gate, slot, value):
                def put():
                    xla = compiled(tf.compat.v1.get_default_graph())
                    short = self.fingerprints and not xla
                    self.put(slot, fingerprint(tf, value) if short else joined(tf, value))
                    return tf.constant(0)

                is_open = tf.raw_ops.ReadVariableOp(resource=gate, dtype=tf.bool)
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
        for entry, (total, times) in zip(self.slots, self._totals()):
            moment, _, before, earlier = entry
            if times != earlier:
                both = total - before
                found.append((moment, self._digest((both, both >> 32), moment)))
                entry[2:] = total, times
        return found

    def _totals(self):
        """What every slot holds. By a function, which reads thousands of them at once."""
        if not self.slots:
            return []
        if self.reading is None:
            handles = [slot.handle for _, slot, _, _ in self.slots]
            read = functools.partial(self.tf.raw_ops.ReadVariableOp, dtype=self.tf.int64)
            stack = self.tf.stack
            self.reading = self.tf.function(
                lambda: stack([read(resource=handle) for handle in handles]), autograph=False
            )
        return self.reading().numpy().tolist()

    def _digest(self, lanes, moment):
        return device_digests.finish(lanes, moment.dtype, moment.shape).hex()


def fingerprint(tf, value):
    """An exact digest of a tensor's bits, by one operation of the CPU: int64 [1]."""
    row = tf.reshape(value, [1, -1])
    eight = tf.raw_ops.Fingerprint(data=row, method="farmhash64")
    return tf.bitcast(eight, tf.int64)


def joined(tf, value):
    """Both of a tensor's lanes in one number: int64 [1]."""
    first, second = tf.unstack(device_digests.tensorflow_lanes(value))
    return tf.reshape(first + second * (1 << 32), [1])


def large(value):
    """Whether a tensor is known to be large."""
    size = value.shape.num_elements()
    return size is not None and size * value.dtype.size >= LARGE


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
