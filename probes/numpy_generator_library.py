# probe: SciPy makes a generator of its own | causes: numpy-generator | packages: scikit-learn
import keras
import numpy as np
from scipy.stats import qmc

# Seeds the global generators. A sampler of SciPy's makes one for itself.
keras.utils.set_random_seed(1)

sampler = qmc.Sobol(d=4, scramble=True)  # <- numpy-generator
x = sampler.random_base2(m=6).astype("float32") * 2 - 1
y = np.sin(x).sum(axis=1, keepdims=True)

model = keras.Sequential(
    [keras.Input((4,)), keras.layers.Dense(8, activation="relu"), keras.layers.Dense(1)]
)
model.compile(optimizer="adam", loss="mse")
model.fit(x, y, epochs=3, batch_size=16, verbose=0)
