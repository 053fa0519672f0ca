"""Epochs of Lightning's Trainer: which steps are a fit's, and what was logged by an epoch's end."""

from ..events import plain
from ..factors.base import replace
from .torch_steps import unseen

PACKAGES = ("lightning.pytorch", "pytorch_lightning")
"""One library under two names."""


class Fits(object):
    """Fits of Trainers, as far as their models are seen to step."""

    def __init__(self, session, steps, guarded):
        self.session = session
        self.steps = steps
        self.recorder = steps.recorder
        self.guarded = guarded
        self.under_way = []
        """For each, the Tracked whose fit has been told."""

    def trainer(self, module):
        def make(original):
            def fit(trainer, model, *args, **kwargs):
                self.under_way.append([])
                self.steps.fits += 1
                try:
                    return original(trainer, model, *args, **kwargs)
                finally:
                    self.steps.fits -= 1
                    for tracked in self.under_way.pop():
                        self.guarded("fit ends", self.recorder.tell_fit, tracked, True)

            return fit

        replace(module.Trainer, "fit", make)

    def loop(self, module):
        def make(original):
            def on_advance_end(loop):
                epoch = loop.trainer.current_epoch + 1
                result = original(loop)
                self.guarded("an epoch ends", self.epoch_ends, loop.trainer, epoch)
                return result

            return on_advance_end

        replace(module._FitLoop, "on_advance_end", make)

    def begins(self, tracked):
        """Tell the fit that this model's first step in it belongs to."""
        if self.under_way and tracked not in self.under_way[-1]:
            self.under_way[-1].append(tracked)
            tracked.fits += 1
            self.recorder.tell_fit(tracked, False)

    def epoch_ends(self, trainer, epoch):
        if not self.under_way:
            return
        told = self.under_way[-1]
        with unseen():
            for tracked in told:
                tracked.forget()
                self.recorder.checkpoint("epoch", tracked, epoch, tracked.steps)
        values = {}
        for name, value in dict(trainer.callback_metrics).items():
            try:
                values[str(name)] = plain(float(value))
            except (TypeError, ValueError):
                continue
        for tracked in told[:1]:
            self.session.events.emit(
                "metric", model=tracked.name, fit=tracked.fits, epoch=epoch, values=values
            )


def install(session, steps, guarded):
    fits = Fits(session, steps, guarded)
    steps.fit_begins = fits.begins
    for package in PACKAGES:
        session.on_import(package + ".trainer.trainer", fits.trainer)
        session.on_import(package + ".loops.fit_loop", fits.loop)
    return fits
