"""What a graph of TensorFlow 1 leaves open: writes to a variable that nothing orders against reads.

A session runs an operation as soon as its inputs are there. Where neither a read waits for a write
nor the write for the read, either may come first, in one step so and in the next one otherwise.
"""

import re

BY_REFERENCE = ("VariableV2", "Variable")
VARIABLES = BY_REFERENCE + ("VarHandleOp",)
WRITES = re.compile(r"(Resource)?(Sparse|Strided)?(Assign|Apply|Scatter|SliceAssign)")
FIRST_ONLY = re.compile(r"(Resource)?(Strided)?(Assign|Scatter|SliceAssign)")
"""Those of which only the first input is written; optimizers' own operations write several."""
PASSING = {
    "Identity", "RefIdentity", "IdentityN", "Enter", "RefEnter", "Switch", "RefSwitch", "Reshape",
    "ExpandDims", "Squeeze", "StopGradient",
}  # fmt: skip
"""They hand on the variable's own memory: what comes behind them reads it."""
READS = ("ReadVariableOp", "ResourceGather", "ResourceGatherNd")
"""Of a variable by resource: what they give stays as it is, whatever is written later."""


class Order(object):
    """The operations that run for certain fetches, and what is left open among them."""

    def __init__(self, fetches):
        """`fetches`: operations. Every operation that they need is looked at."""
        self.operations = needed(fetches)
        self.all = set(self.operations)
        self.writers = [op for op in self.operations if written(op)]
        self.writing = set(self.writers)
        self.users_of = {}
        for writer in self.writers:
            for variable in written(writer):
                if variable not in self.users_of:
                    self.users_of[variable] = self.users(variable)
        concerned = dict.fromkeys(self.writers)
        for users in self.users_of.values():
            concerned.update(dict.fromkeys(users))
        self.bits = {op: 1 << place for place, op in enumerate(concerned)}
        self.any_writer = (1 << len(self.writers)) - 1
        self.behind = {}
        """For each operation what it waits for, of the writes and of what uses a variable: a bit
        each."""
        for op in self.operations:
            behind = 0
            for before in waits_for(op):
                behind |= self.behind.get(before, 0) | self.bits.get(before, 0)
            self.behind[op] = behind

    def waits(self, op, other):
        """Whether the first of these waits for the second."""
        return bool(self.behind[op] & self.bits[other])

    def open(self):
        """Pairs of (write, variable, what may read or write it before or after that), in the order
        of their names."""
        found = []
        for writer in self.writers:
            for variable in written(writer):
                for other in self.users_of[variable]:
                    if other is writer or self.waits(writer, other) or self.waits(other, writer):
                        continue
                    # Of two writes, the one that is named first stands for the pair.
                    if other in self.writing and other.name > writer.name:
                        continue
                    found.append((writer, variable, other))
        return sorted(found, key=lambda row: (row[0].name, row[1].name, row[2].name))

    def users(self, variable):
        """What reads or writes a variable, where it can be waited for."""
        found, left, seen = set(), [variable], set()
        while left:
            for tensor in left.pop().outputs:
                for user in tensor.consumers():
                    if user not in self.all or user in seen:
                        continue
                    seen.add(user)
                    if user.type in PASSING:
                        left.append(user)
                    elif (
                        user in self.writing or variable.type in BY_REFERENCE or user.type in READS
                    ):
                        found.update(self.outside(user))
        return found

    def outside(self, op):
        """The operation; of one in a loop or a condition, what comes first behind that: an
        operation of a branch that is not taken never ends."""
        found, left, seen = [], [op], {op}
        while left:
            one = left.pop()
            if context(one) is None:
                found.append(one)
                continue
            for tensor in one.outputs:
                for user in tensor.consumers():
                    if user in self.all and user not in seen:
                        seen.add(user)
                        left.append(user)
        return found

    def close(self):
        """Let every such write wait. Only before a session has seen the graph."""
        for writer, _, other in self.open():
            # What waits for no write can't come to wait for this one: only writes are made to wait.
            free = other not in self.writing and not self.behind[other] & self.any_writer
            if free or (other not in ancestors(writer) and writer not in ancestors(other)):
                writer._add_control_inputs([other])


def context(op):
    """The loop or condition that an operation is in, or None."""
    found = op._get_control_flow_context()
    # That of `tf.distribute` or XLA is neither.
    return found if hasattr(found, "pivot") else None


def waits_for(op):
    return [tensor.op for tensor in op.inputs] + list(op.control_inputs)


def written(op):
    """The variables that an operation writes."""
    if not WRITES.match(op.type):
        return []
    inputs = list(op.inputs)[:1] if FIRST_ONLY.match(op.type) else list(op.inputs)
    found = (holder(tensor.op) for tensor in inputs)
    return [variable for variable in found if variable is not None]


def holder(op):
    """The variable that a reference comes from, or None."""
    while op.type in PASSING and len(op.inputs):
        if not op.type.startswith("Ref") and op.outputs[0].dtype.name != "resource":
            return None
        op = op.inputs[0].op
    return op if op.type in VARIABLES else None


def needed(fetches):
    """All operations that run for these, each behind what it waits for."""
    found, state, left = [], {}, sorted(fetches, key=lambda op: op.name)
    while left:
        op = left[-1]
        if op in state:
            left.pop()
            if not state[op]:
                state[op] = True
                found.append(op)
            continue
        state[op] = False
        left.extend(before for before in waits_for(op) if before not in state)
    return found


def ancestors(op):
    """All that an operation waits for."""
    found, left = set(), [op]
    while left:
        for before in waits_for(left.pop()):
            if before not in found:
                found.add(before)
                left.append(before)
    return found
