# probe: control, whatever has no order of its own is sorted | causes: none | verdict: reproducible
import os
from concurrent.futures import ThreadPoolExecutor, as_completed

import keras
import numpy as np

keras.utils.set_random_seed(1)

os.makedirs("texts", exist_ok=True)
for number in range(12):
    with open(f"texts/{number}.txt", "w") as file:
        file.write(" ".join(f"word-{number * i % 17}" for i in range(9)))


def read(name):
    with open(os.path.join("texts", name)) as file:
        return name, file.read().split()


with ThreadPoolExecutor(max_workers=4) as pool:
    futures = {pool.submit(read, name) for name in os.listdir("texts")}
    texts = sorted(future.result() for future in as_completed(futures))
words = sorted({word for _, text in texts for word in text})
number = {word: place for place, word in enumerate(words)}
x = np.array([[number[word] for word in text] for _, text in texts])
y = x.sum(axis=1, keepdims=True) / 100

model = keras.Sequential(
    [keras.Input((9,)), keras.layers.Embedding(len(words), 4), keras.layers.Flatten()]
)
model.add(keras.layers.Dense(1))
model.compile(optimizer="adam", loss="mse")
model.fit(x, y, epochs=2, batch_size=4, verbose=0)
