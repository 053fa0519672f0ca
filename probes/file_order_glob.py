# probe: texts read as glob lists them | causes: none | verdict: reproducible | stress: file-order
import glob
import os

import keras
import numpy as np

keras.utils.set_random_seed(1)

# One folder for each class, as image and text collections come.
for label in ("calm", "glad", "tense"):
    os.makedirs(f"texts/{label}", exist_ok=True)
    for number in range(8):
        words = f"{label} text number {number} with {number * number} more words"
        with open(f"texts/{label}/{number}.txt", "w") as file:
            file.write(words)

labels = {}
x, y = [], []
for path in glob.glob("texts/*/*.txt"):  # <- file-order
    label = os.path.basename(os.path.dirname(path))
    labels.setdefault(label, len(labels))
    with open(path) as file:
        text = file.read()
    x.append([len(text), text.count("e"), text.count("t")])
    y.append(labels[label])

model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(3, activation="softmax")])
model.compile(optimizer="adam", loss="sparse_categorical_crossentropy")
model.fit(np.array(x, "float32"), np.array(y), epochs=2, batch_size=8, verbose=0)
