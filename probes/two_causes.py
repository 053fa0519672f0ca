# probe: a text classifier, its split and its vocabulary | causes: numpy-global, hash-seed
import random

import keras
import numpy as np
import tensorflow as tf

random.seed(1)
tf.random.set_seed(1)

GOOD = """a warm and funny film with a fine cast
the best acting i saw this year
clever tender and never dull
great music great pace and a bold end
i laughed and cried and want to see it again
a quiet story told with real charm""".splitlines()
BAD = """a dull plot and a wooden cast
the worst script i saw this year
slow noisy and never funny
weak music poor pace and a lazy end
i yawned and left before it was over
a loud story told without any charm""".splitlines()
LENGTH = 10


def encode(sentences, vocabulary):
    ids = np.zeros((len(sentences), LENGTH), dtype="int32")
    for row, sentence in enumerate(sentences):
        words = sentence.split()[:LENGTH]
        ids[row, : len(words)] = [vocabulary[word] for word in words]
    return ids


sentences = GOOD + BAD
labels = np.array([1.0] * len(GOOD) + [0.0] * len(BAD), dtype="float32")

# Numbered in the order of a set: another numbering in every process.
words = {word for sentence in sentences for word in sentence.split()}
vocabulary = {word: number for number, word in enumerate(words, start=1)}  # <- hash-seed
x = encode(sentences, vocabulary)

order = np.random.permutation(len(x))  # <- numpy-global
train, test = order[:9], order[9:]

model = keras.Sequential(
    [
        keras.Input((LENGTH,), dtype="int32"),
        keras.layers.Embedding(len(vocabulary) + 1, 8),
        keras.layers.GlobalAveragePooling1D(),
        keras.layers.Dense(1, activation="sigmoid"),
    ]
)
model.compile(optimizer="adam", loss="binary_crossentropy", metrics=["accuracy"])
model.fit(x[train], labels[train], epochs=5, batch_size=4, verbose=0)
print("test", model.evaluate(x[test], labels[test], verbose=0))
