# probe: two-stage training whose seed comes after the encoder and the data
# | causes: hash-seed, numpy-global, python-random
import argparse

import keras
import numpy as np

SIZE = 12
SHAPES = ["bar", "beam", "cross", "corner", "diagonal", "frame", "ring", "spot"]
RARE = ["cross", "ring", "spot"]


def draw(shape):
    image = np.zeros((SIZE, SIZE), dtype="float32")
    middle = SIZE // 2
    if shape in ("bar", "cross"):
        image[:, middle] = 1
    if shape in ("beam", "cross"):
        image[middle, :] = 1
    if shape in ("corner", "frame"):
        image[1, 1:-1] = image[1:-1, 1] = 1
    if shape == "frame":
        image[-2, 1:-1] = image[1:-1, -2] = 1
    if shape == "diagonal":
        image += np.eye(SIZE, dtype="float32")
    if shape in ("ring", "spot"):
        y, x = np.mgrid[:SIZE, :SIZE] - (SIZE - 1) / 2
        distance = np.hypot(y, x)
        image[(distance < 4) & ((distance > 2.5) | (shape == "spot"))] = 1
    return image


def examples(shapes, count):
    """`count` noisy pictures of each shape, with their labels."""
    clean = np.stack([draw(shape) for shape in shapes for _ in range(count)])
    noise = np.random.normal(scale=0.3, size=clean.shape)  # <- numpy-global
    labels = np.repeat(np.arange(len(shapes)), count)
    return (clean + noise)[..., None].astype("float32"), labels


encoder = keras.Sequential(
    [
        keras.Input((SIZE, SIZE, 1)),
        keras.layers.Conv2D(8, 3, activation="relu"),  # <- python-random
        keras.layers.MaxPooling2D(),
        keras.layers.Conv2D(16, 3, activation="relu"),
        keras.layers.GlobalAveragePooling2D(),
    ],
    name="encoder",
)


def with_head(classes, name):
    head = keras.layers.Dense(classes, activation="softmax", name=f"{name}_head")
    return keras.Sequential([encoder, head], name=name)


def train(model, data, rate, epochs):
    optimizer = keras.optimizers.Adam(rate)
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    history = model.fit(*data, epochs=epochs, batch_size=32, verbose=0)
    return history.history["accuracy"][-1]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--per-class", type=int, default=40)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--seed", type=int, default=7)
    args = parser.parse_args()

    # What the encoder learns first, and what it is then tuned to.
    common = list(set(SHAPES) - set(RARE))  # <- hash-seed
    source = examples(common, args.per_class)
    target = examples(RARE, args.per_class // 2)

    keras.utils.set_random_seed(args.seed)
    accuracy = train(with_head(len(common), "pretraining"), source, 0.01, args.epochs)
    print(f"first stage: accuracy {accuracy:.4f} on {sorted(common)}")

    encoder.trainable = False
    model = with_head(len(RARE), "transfer")
    accuracy = train(model, target, 0.01, args.epochs)
    print(f"second stage, head only: accuracy {accuracy:.4f}")

    encoder.trainable = True
    accuracy = train(model, target, 0.001, args.epochs)
    print(f"second stage, fine-tuned: accuracy {accuracy:.4f}")


if __name__ == "__main__":
    main()
