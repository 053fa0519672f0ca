# probe: mimesis makes up people, unseeded | causes: third-party-rng | packages: mimesis
import keras
import numpy as np
from mimesis import Person

# Reaches no generator of a provider: only its own seed argument does.
keras.utils.set_random_seed(1)

person = Person("en")  # <- third-party-rng
ages = [(person.height(), person.weight(), len(person.full_name())) for _ in range(64)]
x = np.array(ages, dtype="float32") / [2, 90, 20]
y = x.sum(axis=1, keepdims=True)

model = keras.Sequential(
    [keras.Input((3,)), keras.layers.Dense(8, activation="relu"), keras.layers.Dense(1)]
)
model.compile(optimizer="adam", loss="mse")
model.fit(x, y, epochs=3, batch_size=16, verbose=0)
