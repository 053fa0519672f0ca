# probe: seeded, and let go again by a helper's np.random.seed(None) | causes: numpy-global
import keras
import numpy as np

keras.utils.set_random_seed(1)


def split(count, seed=None):
    np.random.seed(seed)  # <- numpy-global
    order = np.random.permutation(count)
    return order[: count * 3 // 4], order[count * 3 // 4 :]


x = np.random.normal(size=(80, 4)).astype("float32")
y = x.sum(axis=1, keepdims=True)
train, test = split(len(x))

model = keras.Sequential(
    [keras.Input((4,)), keras.layers.Dense(8, activation="relu"), keras.layers.Dense(1)]
)
model.compile(optimizer="adam", loss="mse")
model.fit(x[train], y[train], epochs=3, batch_size=16, verbose=0)
print("test", model.evaluate(x[test], y[test], verbose=0))
