"""Records a model's weights step by step, as often as that is cheap."""

import binascii
from time import perf_counter

from . import device_values
from .steps import ON_DEVICE, Pace, StepLog

# The function itself: what `time` offers may be a stand-in by now, and its ticks are no durations.


class StepRecorder(object):
    """Logs one model.

    `describe` gives a layout its number: of variables, and the (dtype, shape) of each. `digest`
    gives the hex digest of an array. `every`: log every step, whatever it costs.
    """

    def __init__(self, folder, index, pid, every, describe, digest):
        self.log = StepLog(folder, index, pid=pid)
        self.pace = Pace(interval=1 if every else None)
        self.describe = describe
        self.digest = digest
        self.variables = None
        self.kinds = None
        self.layout = 0

    def forget(self):
        """Look anew, at the next step, which variables there are: the model may have grown."""
        self.variables = None

    def due(self, step):
        """Whether `step`, if it is the next one, is to be logged."""
        return self.pace.due(step)

    def step_ended(self, step, weights, values):
        """Log what a step leaves, if it is this one's turn.

        `weights` gives the variables, and `values` what holds their values now.
        """
        if step <= self.log.step or not self.pace.stepped(step, perf_counter()):
            return
        began = perf_counter()
        if self.variables is None:
            self.variables = weights()
        found = device_values.values_of(values(self.variables))
        waiting = perf_counter()
        # That time is the step's, not ours.
        device_values.wait(found)
        waited = perf_counter() - waiting
        kinds = [device_values.kind_of(value) for value in found]
        if kinds != self.kinds:
            self.kinds = kinds
            self.layout = self.describe(self.variables, kinds)
        digests = self._digests(found)
        self.log.append(step, self.layout, digests)
        ended = perf_counter()
        self.pace.recorded(ended - began - waited, ended)

    def _digests(self, values):
        """By one method for all of the log, since digests of two can't be compared."""
        if not self.log.step and device_values.away(values):
            try:
                found = device_values.digests(values)
            except Exception:
                # A device that we know too little of: what it holds can still be copied.
                pass
            else:
                self.log.method = ON_DEVICE
                return found
        if self.log.method == ON_DEVICE:
            return device_values.digests(values)
        arrays = [device_values.array_of(value) for value in values]
        return [binascii.unhexlify(self.digest(array)) for array in arrays]

    def summary(self):
        return {"interval": self.pace.interval, "share": round(self.pace.share, 4)}
