# probe: albumentations seeds itself | causes: third-party-rng | packages: albumentations
import albumentations as A
import keras
import numpy as np

# Reaches no generator of a Compose: only its own seed argument does.
keras.utils.set_random_seed(1)

images = np.random.uniform(size=(32, 8, 8, 1)).astype("float32")
y = images.mean(axis=(1, 2, 3), keepdims=True).reshape(-1, 1)
steps = [A.HorizontalFlip(p=0.5), A.RandomBrightnessContrast(p=0.5)]
augment = A.Compose(steps)  # <- third-party-rng
x = np.stack([augment(image=image)["image"] for image in images])

model = keras.Sequential(
    [
        keras.Input((8, 8, 1)),
        keras.layers.Conv2D(4, 3, activation="relu"),
        keras.layers.Flatten(),
        keras.layers.Dense(1),
    ]
)
model.compile(optimizer="adam", loss="mse")
model.fit(x, y, epochs=3, batch_size=16, verbose=0)
