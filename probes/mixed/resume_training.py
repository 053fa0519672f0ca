# probe: training that goes on from the checkpoint it finds | causes: leftovers, numpy-global
# | packages: scikit-learn
import argparse
import json
import random
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from sklearn.datasets import load_diabetes


class Checkpoint(keras.callbacks.Callback):
    """Writes the weights and where training stands after every epoch."""

    def __init__(self, folder, done):
        super().__init__()
        self.weights = folder / "latest.weights.h5"
        self.state = folder / "state.json"
        self.done = done

    def on_epoch_end(self, epoch, logs=None):
        self.model.save_weights(self.weights)
        state = {"epochs": epoch + 1, "loss": logs["loss"], "best": self.best(logs["val_loss"])}
        self.state.write_text(json.dumps(state, indent=2))

    def best(self, loss):
        previous = self.done.get("best")
        self.done["best"] = loss if previous is None else min(loss, previous)
        return self.done["best"]


def resume(model, folder):
    """The state of the former run, whose weights are loaded; a fresh one if there was none."""
    state = folder / "state.json"
    if not state.exists():
        return {"epochs": 0}
    model.load_weights(folder / "latest.weights.h5")  # <- leftovers
    return json.loads(state.read_text())


def load():
    data = load_diabetes()
    x = (data.data / data.data.std(axis=0)).astype("float32")
    y = ((data.target - data.target.mean()) / data.target.std()).astype("float32")
    order = np.random.permutation(len(x))  # <- numpy-global
    border = int(0.8 * len(x))
    train, test = order[:border], order[border:]
    return (x[train], y[train]), (x[test], y[test])


def build(features):
    model = keras.Sequential(
        [
            keras.Input((features,)),
            keras.layers.Dense(32, activation="tanh"),
            keras.layers.Dropout(0.1),
            keras.layers.Dense(1),
        ]
    )
    model.compile(optimizer=keras.optimizers.RMSprop(0.003), loss="mse", metrics=["mae"])
    return model


def main():
    parser = argparse.ArgumentParser(description="Train some more epochs.")
    parser.add_argument("--workdir", type=Path, default=Path("runs/diabetes"))
    parser.add_argument("--epochs", type=int, default=3, help="epochs to add")
    parser.add_argument("--seed", type=int, default=13)
    args = parser.parse_args()

    random.seed(args.seed)
    tf.random.set_seed(args.seed)
    args.workdir.mkdir(parents=True, exist_ok=True)

    train, test = load()
    model = build(train[0].shape[1])
    state = resume(model, args.workdir)
    if state["epochs"]:
        print(f"going on after epoch {state['epochs']}, loss {state['loss']:.4f}")

    model.fit(
        *train,
        validation_data=test,
        initial_epoch=state["epochs"],
        epochs=state["epochs"] + args.epochs,
        batch_size=32,
        callbacks=[Checkpoint(args.workdir, state)],
        verbose=2,
    )
    loss, error = model.evaluate(*test, verbose=0)
    print(f"test mse {loss:.4f}, mae {error:.4f}, best {state['best']:.4f}")


if __name__ == "__main__":
    main()
