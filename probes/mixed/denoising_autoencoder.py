# probe: denoising autoencoder with a train_step of its own
# | causes: os-entropy, python-random, tf-seed | packages: scikit-learn
import argparse
import os

import keras
import numpy as np
import tensorflow as tf
from sklearn.datasets import load_digits


class Denoiser(keras.Model):
    """Takes noise out of images; the noise is put in anew in every step."""

    def __init__(self, width, noise, **kwargs):
        super().__init__(**kwargs)
        self.noise = noise
        self.encoder = keras.layers.Dense(width, activation="relu")  # <- python-random
        self.decoder = keras.layers.Dense(64, activation="sigmoid")
        self.tracker = keras.metrics.Mean(name="loss")

    @property
    def metrics(self):
        return [self.tracker]

    def call(self, x):
        return self.decoder(self.encoder(x))

    def corrupt(self, x):
        return x + self.noise * tf.random.normal(tf.shape(x))  # <- tf-seed

    def train_step(self, data):
        x = data
        with tf.GradientTape() as tape:
            restored = self(self.corrupt(x), training=True)
            loss = tf.reduce_mean(tf.square(restored - x))
        gradients = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply_gradients(zip(gradients, self.trainable_variables))
        self.tracker.update_state(loss)
        return {"loss": self.tracker.result()}

    def test_step(self, data):
        self.tracker.update_state(tf.reduce_mean(tf.square(self(data) - data)))
        return {"loss": self.tracker.result()}


def split(images, fraction, seed):
    """A split of its own for every run, so that no test set is ever tuned to."""
    np.random.seed(seed)
    order = np.random.permutation(len(images))
    border = int(fraction * len(images))
    return images[order[:border]], images[order[border:]]


def save_report(path, history, seed):
    with open(path, "w", encoding="utf-8") as file:
        print("seed", seed, file=file)
        for epoch, loss in enumerate(history.history["loss"], start=1):
            print(epoch, f"{loss:.6f}", file=file)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--width", type=int, default=24)
    parser.add_argument("--noise", type=float, default=0.2)
    parser.add_argument("--seed", type=int, default=None, help="of the split; any by default")
    args = parser.parse_args()

    seed = args.seed
    if seed is None:
        seed = int.from_bytes(os.urandom(4), "big")  # <- os-entropy

    images = (load_digits().data[:600] / 16).astype("float32")
    train, test = split(images, 0.8, seed)

    model = Denoiser(args.width, args.noise, name="denoiser")
    model.compile(optimizer=keras.optimizers.Adam(0.005))
    history = model.fit(train, epochs=args.epochs, batch_size=64, verbose=2)
    print("test", model.evaluate(test, batch_size=64, verbose=0))
    save_report("denoiser.txt", history, seed)


if __name__ == "__main__":
    main()
