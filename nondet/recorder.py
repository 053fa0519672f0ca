"""A Keras callback for code that wants to take part: `nondet.Recorder`.

Apart from ``nondet`` itself, since it imports Keras.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import keras

import nondet


class Recorder(keras.callbacks.Callback):  # type: ignore[misc]
    """Has values that are computed from a model compared while it trains in `fit`.

    `values`: by name, functions that take the model and return what `nondet.checkpoint` takes, such
    as predictions on a fixed batch. They are called at the end of each epoch, or after each `every`
    batches of a `fit`. Outside a trial they are not called, so they must change nothing and draw
    nothing. Raises TypeError for other values, ValueError when `every` is below 1.
    """

    def __init__(
        self, values: Mapping[str, Callable[[Any], object]], *, every: int | None = None
    ) -> None:
        super().__init__()
        if not isinstance(values, Mapping) or not all(map(callable, values.values())):
            raise TypeError(f"expected functions of the model by their names, not {values!r}")
        if every is not None and every < 1:
            raise ValueError(f"expected 1 or more batches, not every={every!r}")
        self.values = dict(values)
        self.every = every
        self.before, self.batches = 0, 0
        """Batches of this `fit`: of the epochs before, and all."""

    def on_train_begin(self, logs: object = None) -> None:
        self.batches = 0

    def on_epoch_begin(self, epoch: int, logs: object = None) -> None:
        self.before = self.batches

    def on_train_batch_end(self, batch: int, logs: object = None) -> None:
        earlier, self.batches = self.batches, self.before + int(batch) + 1
        # With `steps_per_execution`, several batches end at once.
        if self.every is not None and self.batches // self.every > earlier // self.every:
            self._tell()

    def on_epoch_end(self, epoch: int, logs: object = None) -> None:
        if self.every is None:
            self._tell()

    def _tell(self) -> None:
        if not nondet._trial():
            return
        for name, function in self.values.items():
            nondet.checkpoint(name, function(self.model))
