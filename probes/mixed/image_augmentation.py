# probe: image classifier with a dataset class and augmentation
# | causes: numpy-generator, third-party-rng | packages: albumentations, scikit-learn
import argparse
import time

import albumentations as A
import keras
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split


def augmentation():
    """Small shifts and changes of contrast, as for any photo of a digit."""
    shift = A.Affine(translate_percent=(-0.1, 0.1), p=0.8)
    contrast = A.RandomBrightnessContrast(brightness_limit=0.2, contrast_limit=0.2, p=0.5)
    return A.Compose([shift, contrast])  # <- third-party-rng


class Digits(keras.utils.PyDataset):
    """Batches of digits, augmented and with some sensor noise while training."""

    def __init__(self, images, labels, batch_size, transform=None, noise=0.0):
        super().__init__()
        self.images = images
        self.labels = labels
        self.batch_size = batch_size
        self.transform = transform
        self.noise = noise
        self.rng = np.random.default_rng()  # <- numpy-generator

    def __len__(self):
        return -(-len(self.images) // self.batch_size)

    def __getitem__(self, index):
        rows = slice(index * self.batch_size, (index + 1) * self.batch_size)
        images = self.images[rows]
        if self.transform is not None:
            images = np.stack([self.transform(image=image)["image"] for image in images])
            images = images + self.rng.normal(0, self.noise, images.shape)
        return images.astype("float32"), self.labels[rows]


def load(limit):
    digits = load_digits()
    images = (digits.images[:limit, ..., None] / 16).astype("float32")
    # A set of the class numbers, sorted: the same in every run.
    classes = sorted(set(digits.target.tolist()))
    labels = np.array([classes.index(label) for label in digits.target[:limit]])
    return images, labels, len(classes)


def build(classes):
    return keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            keras.layers.Conv2D(8, 3, activation="relu", padding="same"),
            keras.layers.MaxPooling2D(),
            keras.layers.Conv2D(16, 3, activation="relu"),
            keras.layers.Flatten(),
            keras.layers.Dropout(0.25),
            keras.layers.Dense(classes, activation="softmax"),
        ]
    )


def main():
    parser = argparse.ArgumentParser(description="Train a small CNN on augmented digits.")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--limit", type=int, default=480)
    parser.add_argument("--seed", type=int, default=42)
    args = parser.parse_args()

    keras.utils.set_random_seed(args.seed)
    started = time.time()

    images, labels, classes = load(args.limit)
    x_train, x_test, y_train, y_test = train_test_split(
        images, labels, test_size=0.2, random_state=args.seed, stratify=labels
    )
    train = Digits(x_train, y_train, args.batch_size, augmentation(), noise=0.05)

    model = build(classes)
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(train, epochs=args.epochs, verbose=2)

    loss, accuracy = model.evaluate(x_test, y_test, verbose=0)
    print(f"test loss {loss:.4f}, accuracy {accuracy:.4f}, {time.time() - started:.1f} s")


if __name__ == "__main__":
    main()
