# probe: Faker draws from a Random of its own | causes: third-party-rng | packages: faker
import keras
import numpy as np
from faker import Faker

# Does not reach Faker: Faker.seed would.
keras.utils.set_random_seed(1)

fake = Faker()
numbers = [fake.random_int(0, 99) for _ in range(256)]  # <- third-party-rng
x = np.array(numbers, dtype="float32").reshape(64, 4) / 100
y = x.sum(axis=1, keepdims=True)

model = keras.Sequential(
    [keras.Input((4,)), keras.layers.Dense(8, activation="relu"), keras.layers.Dense(1)]
)
model.compile(optimizer="adam", loss="mse")
model.fit(x, y, epochs=3, batch_size=16, verbose=0)
