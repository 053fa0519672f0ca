# probe: a vocabulary numbered in the order of a set of strings | causes: hash-seed
import keras
import numpy as np

keras.utils.set_random_seed(1)

text = """the quick brown fox jumps over the lazy dog while five wizards quietly box
seven heavy jugs near an old stone bridge and a grey heron watches from wet reeds""".split()
vocabulary = {word: number for number, word in enumerate(set(text))}  # <- hash-seed
ids = np.array([vocabulary[word] for word in text])
x, y = ids[:-1].reshape(-1, 1), ids[1:]

model = keras.Sequential(
    [
        keras.Input((1,), dtype="int32"),
        keras.layers.Embedding(len(vocabulary), 4),
        keras.layers.Flatten(),
        keras.layers.Dense(len(vocabulary), activation="softmax"),
    ]
)
model.compile(optimizer="adam", loss="sparse_categorical_crossentropy")
model.fit(x, y, epochs=3, verbose=0)
