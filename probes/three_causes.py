# probe: an image classifier seeded in no place | causes: python-random, numpy-generator, tf-seed
import random

import keras
import numpy as np

SIZE = 8
CLASSES = 3
rng = np.random.default_rng()  # <- numpy-generator


def draw(label):
    """A bright bar in one of three directions, on a noisy ground."""
    image = rng.normal(0, 0.2, size=(SIZE, SIZE)).astype("float32")
    place = int(rng.integers(SIZE))
    if label == 0:
        image[place, :] += 1
    elif label == 1:
        image[:, place] += 1
    else:
        image += np.eye(SIZE, k=place - SIZE // 2, dtype="float32")
    return image[..., None]


def augment(image):
    """Mirrors about half of the images; no mirrored bar changes its class."""
    return image[:, ::-1] if random.random() < 0.5 else image  # <- python-random


labels = [number % CLASSES for number in range(96)]
x = np.stack([augment(draw(label)) for label in labels])
y = np.array(labels)

model = keras.Sequential(
    [
        keras.Input((SIZE, SIZE, 1)),
        keras.layers.Conv2D(8, 3, activation="relu"),
        keras.layers.MaxPooling2D(),
        keras.layers.Flatten(),
        keras.layers.Dense(16, activation="relu"),
        keras.layers.Dropout(0.3),
        keras.layers.Dense(CLASSES, activation="softmax"),
    ]
)
model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
# fit shuffles by TensorFlow's generator.
history = model.fit(x[:72], y[:72], epochs=4, batch_size=16, verbose=0)  # <- tf-seed
print("train accuracy", history.history["accuracy"][-1])
print("test", model.evaluate(x[72:], y[72:], verbose=0))
