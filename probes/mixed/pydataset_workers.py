# probe: segmentation fed by a PyDataset with four workers
# | causes: data-threads, process-identity
import argparse
import os
import socket
import time

import keras
import numpy as np

SIZE = 16


def background(count):
    """Grounds for the pictures; no two jobs of the cluster get the same ones."""
    rng = np.random.default_rng(os.getpid())  # <- process-identity
    coarse = rng.normal(0, 0.2, size=(count, SIZE // 4, SIZE // 4))
    return coarse.repeat(4, axis=1).repeat(4, axis=2)


class Blobs(keras.utils.PyDataset):
    """Pictures of bright blobs and the masks of them, drawn as they are asked for."""

    def __init__(self, batches, batch_size, grounds, **kwargs):
        super().__init__(**kwargs)
        self.batches = batches
        self.batch_size = batch_size
        self.grounds = grounds
        self.y, self.x = np.mgrid[:SIZE, :SIZE]

    def __len__(self):
        return self.batches

    def blob(self):
        y, x = np.random.uniform(3, SIZE - 3, size=2)
        radius = np.random.uniform(1.5, 4)
        return np.hypot(self.y - y, self.x - x) < radius

    def __getitem__(self, index):
        images, masks = [], []
        for number in range(self.batch_size):
            mask = self.blob() | self.blob()
            ground = self.grounds[(index * self.batch_size + number) % len(self.grounds)]
            images.append(ground + mask + np.random.normal(0, 0.1, mask.shape))
            masks.append(mask)
            # Stands for the scanner's slow file server.
            time.sleep(0.0005 * (index * 5 % 7))
        images, masks = np.array(images, "float32"), np.array(masks, "float32")
        return images[..., None], masks[..., None]


def build(width):
    inputs = keras.Input((SIZE, SIZE, 1))
    fine = keras.layers.Conv2D(width, 3, padding="same", activation="relu")(inputs)
    x = keras.layers.MaxPooling2D()(fine)
    x = keras.layers.Conv2D(2 * width, 3, padding="same", activation="relu")(x)
    x = keras.layers.Conv2DTranspose(width, 2, strides=2, activation="relu")(x)
    x = keras.layers.Concatenate()([fine, x])
    outputs = keras.layers.Conv2D(1, 1, activation="sigmoid")(x)
    return keras.Model(inputs, outputs, name="unet")


def iou(mask, predicted):
    mask, predicted = mask > 0.5, predicted > 0.5
    return (mask & predicted).sum() / max(1, (mask | predicted).sum())


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--batches", type=int, default=20)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--width", type=int, default=6)
    args = parser.parse_args()
    keras.utils.set_random_seed(33)
    print("training on", socket.gethostname())

    grounds = background(64)
    data = Blobs(args.batches, args.batch_size, grounds, workers=args.workers, max_queue_size=8)
    model = build(args.width)
    model.compile(optimizer=keras.optimizers.Adam(0.01), loss="binary_crossentropy")
    model.fit(data, epochs=args.epochs, verbose=2)  # <- data-threads

    images, masks = Blobs(1, 64, grounds)[0]
    print("IoU", round(float(iou(masks, model.predict(images, verbose=0))), 4))


if __name__ == "__main__":
    main()
