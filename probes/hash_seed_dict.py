# probe: labels numbered in the order of a union of sets | causes: hash-seed
import collections

import keras
import numpy as np

keras.utils.set_random_seed(1)

songs = {
    "a": "slow sad piano", "b": "fast glad drums", "c": "slow calm strings", "d": "fast loud horns",
    "e": "calm piano voice", "f": "loud drums voice", "g": "sad strings", "h": "glad horns choir",
}  # fmt: skip
tags = collections.defaultdict(set)
for song, text in songs.items():
    tags[song].update(text.split())

columns = {}
for song in sorted(tags):
    for tag in tags[song]:  # <- hash-seed
        columns.setdefault(tag, len(columns))
x = np.zeros((len(songs), len(columns)), "float32")
for row, song in enumerate(sorted(tags)):
    x[row, [columns[tag] for tag in sorted(tags[song])]] = 1
y = np.array([["fast" in tags[song]] for song in sorted(tags)], "float32")

model = keras.Sequential([keras.Input((len(columns),)), keras.layers.Dense(1, "sigmoid")])
model.compile(optimizer="adam", loss="binary_crossentropy")
model.fit(x, y, epochs=3, verbose=0)
