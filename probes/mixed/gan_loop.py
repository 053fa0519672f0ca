# probe: GAN with a GradientTape loop and two optimizers | causes: numpy-global, tf-seed
# | packages: scikit-learn
import argparse
import random
import time

import keras
import numpy as np
import tensorflow as tf
from sklearn.datasets import load_digits

LATENT = 8


def build_generator():
    return keras.Sequential(
        [
            keras.Input((LATENT,)),
            keras.layers.Dense(32, activation="relu"),
            keras.layers.Dense(64, activation="sigmoid"),
        ],
        name="generator",
    )


def build_discriminator():
    return keras.Sequential(
        [
            keras.Input((64,)),
            keras.layers.Dense(32),
            keras.layers.LeakyReLU(),
            keras.layers.Dropout(0.2),
            keras.layers.Dense(1),
        ],
        name="discriminator",
    )


class Gan:
    def __init__(self):
        self.generator = build_generator()
        self.discriminator = build_discriminator()
        self.generator_optimizer = keras.optimizers.Adam(2e-3, beta_1=0.5)
        self.discriminator_optimizer = keras.optimizers.Adam(1e-3, beta_1=0.5)
        self.entropy = keras.losses.BinaryCrossentropy(from_logits=True)

    @tf.function
    def step(self, real):
        noise = tf.random.normal((tf.shape(real)[0], LATENT))  # <- tf-seed
        with tf.GradientTape() as tape, tf.GradientTape() as other:
            fake = self.generator(noise, training=True)
            on_real = self.discriminator(real, training=True)
            on_fake = self.discriminator(fake, training=True)
            generator_loss = self.entropy(tf.ones_like(on_fake), on_fake)
            discriminator_loss = self.entropy(tf.ones_like(on_real), on_real)
            discriminator_loss += self.entropy(tf.zeros_like(on_fake), on_fake)
        weights = self.generator.trainable_variables
        self.generator_optimizer.apply(tape.gradient(generator_loss, weights), weights)
        weights = self.discriminator.trainable_variables
        self.discriminator_optimizer.apply(other.gradient(discriminator_loss, weights), weights)
        return generator_loss, discriminator_loss


def batches(images, steps, size):
    """Endless training data: each batch is picked from all images."""
    for _ in range(steps):
        yield tf.constant(images[np.random.randint(0, len(images), size)])  # <- numpy-global


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=48)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--digit", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    # Keras takes the seeds of its layers from here.
    random.seed(args.seed)

    digits = load_digits()
    images = (digits.data[digits.target == args.digit] / 16).astype("float32")
    gan = Gan()
    started = time.perf_counter()
    for number, real in enumerate(batches(images, args.steps, args.batch_size), start=1):
        generator_loss, discriminator_loss = gan.step(real)
        if number % 16 == 0:
            seconds = time.perf_counter() - started
            print(
                f"step {number:4d}  generator {float(generator_loss):.4f}  "
                f"discriminator {float(discriminator_loss):.4f}  {seconds:.1f} s"
            )
    sample = gan.generator(np.zeros((1, LATENT), "float32"))
    print("the mean image:", np.round(sample.numpy().reshape(8, 8).mean(axis=1), 3))


if __name__ == "__main__":
    main()
