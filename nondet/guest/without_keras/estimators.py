"""Estimators of scikit-learn's kind: what each has learnt after a `fit`, and after `partial_fit`s.

Fits inside a fit are a part of it, and so are those that other threads run: only the main thread's
own calls are in an order that is the script's.
"""

import functools
import sys

from . import fitted
from .trainees import constant

FITTING = ("fit", "fit_transform", "fit_predict", "partial_fit")
MARK = "_nondet_listens"
CONDITIONAL = ("sklearn.utils._available_if", "sklearn.utils.metaestimators")
"""Modules, of new and old versions, of the descriptors of methods that are there where a condition
holds."""
ROUNDS = ("max_iter", "n_estimators", "learning_rate")
"""Parameters of what trains round by round, though it predicts nothing, as a topic model does."""


class Estimators(object):
    """Found by the wrapped methods through ``sys.modules``."""

    def __init__(self, session, trainees, guarded):
        self.session = session
        self.trainees = trainees
        self.recorder = trainees.recorder
        self.guarded = guarded
        self.depth = 0

    def listen(self, module):
        """Wrap the methods of every estimator class as it is made."""
        base = module.BaseEstimator
        previous = vars(base).get("__init_subclass__")

        def __init_subclass__(cls, **kwargs):
            if previous is not None:
                previous.__func__(cls, **kwargs)
            else:
                super(base, cls).__init_subclass__(**kwargs)
            listen_to(cls)

        base.__init_subclass__ = classmethod(__init_subclass__)
        # Where the library was imported before.
        made = [base]
        while made:
            cls = made.pop()
            listen_to(cls)
            made.extend(type.__subclasses__(cls))

    # -- called by the wrapped methods

    def begins(self):
        """Whether this call is an outermost one, of the script's main thread."""
        threading = self.recorder.threads
        if threading.current_thread() is not threading.main_thread():
            return False
        self.depth += 1
        return self.depth == 1

    def ends(self, name, estimator, outermost, whole):
        threading = self.recorder.threads
        if threading.current_thread() is threading.main_thread():
            self.depth -= 1
            if outermost and whole:
                self.guarded("a fit ends", self.fitted, name, estimator)

    def fitted(self, name, estimator):
        if self.recorder.elsewhere("%s of %s" % (name, type(estimator).__name__)):
            return
        weights = of(estimator)
        if not weights:
            return
        tracked = self.trainees.of(estimator, of)
        tracked.by_product = prepares(estimator)
        tracked.forget()
        if name == "partial_fit":
            self.recorder.step_ends(tracked, estimator, 1)
        else:
            tracked.fits += 1
            self.recorder.checkpoint("fit", tracked, 0, tracked.fits)


def listen_to(cls):
    """Wrap those of the methods that the class itself defines."""
    for name in FITTING:
        found = vars(cls).get(name)
        if callable(found) and not hasattr(found, MARK):
            setattr(cls, name, wrapped(found, name))
        elif type(found).__module__ in CONDITIONAL and not hasattr(found.fn, MARK):
            conditional = object.__new__(type(found))
            vars(conditional).update(vars(found))
            conditional.fn = wrapped(found.fn, name)
            setattr(cls, name, conditional)


def prepares(estimator):
    """Whether it does no more than prepare data, as a scaler, an encoder and a PCA do.

    It and all that it is made of are scikit-learn's own and transform, predict nothing and are not
    trained in rounds.
    """
    try:
        given = estimator.get_params()
        names = [key.rpartition("__")[2] for key in given]
        parts = [v for v in given.values() if hasattr(v, "fit") and not isinstance(v, type)]
        return not any(name in ROUNDS for name in names) and all(
            type(part).__module__.startswith("sklearn.")
            and hasattr(part, "transform")
            and not hasattr(part, "predict")
            and not hasattr(part, "fit_predict")
            for part in [estimator] + parts
        )
    except Exception:
        # Parameters may be anything of the script's.
        return False


def of(estimator):
    return [constant(path, array) for path, array in fitted.arrays(estimator)]


def wrapped(original, name):
    """A method that tells of its outermost calls.

    A function that knows nothing of ours but by name: classes of ``__main__`` are pickled together
    with it, for processes in which there is no guest.
    """

    @functools.wraps(original)
    def method(self, *args, **kwargs):
        listening = getattr(sys.modules.get("_nondet_guest"), "estimators", None)
        if listening is None:
            return original(self, *args, **kwargs)
        outermost, whole = listening.begins(), False
        try:
            result = original(self, *args, **kwargs)
            whole = True
            return result
        finally:
            listening.ends(name, self, outermost, whole)

    setattr(method, MARK, True)
    return method


def install(session, trainees, guarded):
    sys.modules["_nondet_guest"].estimators = Estimators(session, trainees, guarded)
    listen = sys.modules["_nondet_guest"].estimators.listen
    session.on_import("sklearn.base", listen)
