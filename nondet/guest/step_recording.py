"""Records a model's weights step by step, as often as that is cheap."""

import binascii
from time import perf_counter

from .steps import Pace, StepLog

# The function itself: what `time` offers may be a stand-in by now, and its ticks are no durations.


class StepRecorder(object):
    """Logs one model. `describe` gives a layout of arrays its number, `digest` their hex digests.

    `every`: log every step, whatever it costs.
    """

    def __init__(self, folder, index, pid, every, describe, digest):
        self.log = StepLog(folder, index, pid=pid)
        self.pace = Pace(interval=1 if every else None)
        self.describe = describe
        self.digest = digest
        self.variables = None
        self.names = None
        self.shapes = None
        self.layout = 0

    def forget(self):
        """Look anew, at the next step, which variables there are: the model may have grown."""
        self.variables = None

    def due(self, step):
        """Whether `step`, if it is the next one, is to be logged."""
        return self.pace.due(step)

    def step_ended(self, step, weights, values, wait):
        """Log what a step leaves, if it is this one's turn.

        `weights` gives the variables, `values` their arrays, and `wait` returns when what computes
        these has ended: that time is not ours.
        """
        if step <= self.log.step or not self.pace.stepped(step, perf_counter()):
            return
        wait()
        began = perf_counter()
        if self.variables is None:
            self.variables = weights()
        arrays = values(self.variables)
        shapes = [(array.dtype, array.shape) for array in arrays]
        if shapes != self.shapes:
            self.shapes = shapes
            self.layout = self.describe(self.variables, arrays)
        digests = [binascii.unhexlify(self.digest(array)) for array in arrays]
        self.log.append(step, self.layout, digests)
        self.pace.recorded(perf_counter() - began)

    def summary(self):
        return {"interval": self.pace.interval, "share": round(self.pace.share, 4)}
