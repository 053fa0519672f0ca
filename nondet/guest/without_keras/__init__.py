"""Training without Keras: where the recorder hangs in PyTorch, Lightning, JAX, scikit-learn,
XGBoost and LightGBM. Nothing happens in a script that imports none of them."""

from . import boosters, estimators, jax_steps, lightning_epochs, torch_steps
from .trainees import Trainees


def install(session, recorder, guarded):
    """Listen to each library once it is imported. `guarded(where, call, *args)` makes a call of
    ours whose failure never reaches the subject."""
    trainees = Trainees(recorder)
    stepping = torch_steps.install(session, trainees, guarded)
    lightning_epochs.install(session, stepping, guarded)
    jax_steps.install(session, trainees, guarded)
    estimators.install(session, trainees, guarded)
    boosters.install(session, trainees, guarded)
