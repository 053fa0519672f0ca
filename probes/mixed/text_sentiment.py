# probe: text classifier with a vocabulary of its own | causes: hash-seed, python-random
import argparse
import itertools
import random
import re

import keras
import numpy as np
import tensorflow as tf

PAD, UNKNOWN = 0, 1
STOP_WORDS = {"a", "an", "the", "and", "of", "this", "it", "was", "with"}
GOOD = ["great", "funny", "warm", "clever", "tender", "bold", "fine", "charming"]
BAD = ["dull", "weak", "slow", "noisy", "lazy", "flat", "wooden", "tired"]
THINGS = ["plot", "cast", "music", "script", "pace", "ending", "dialogue", "camera"]
FRAMES = [
    "The {thing} was {word}, and it stayed with me.",
    "A {word} {thing}; the rest of the film followed.",
    "This is a film with a {word} {thing}.",
]


def reviews():
    """Every combination of a frame, a thing and a word, with its label."""
    rows = []
    for frame, thing in itertools.product(FRAMES, THINGS):
        rows += [(frame.format(thing=thing, word=word), 1) for word in GOOD]
        rows += [(frame.format(thing=thing, word=word), 0) for word in BAD]
    return rows


def tokenize(text):
    return [word for word in re.findall(r"[a-z]+", text.lower()) if word not in STOP_WORDS]


def build_vocabulary(texts):
    words = set()
    for text in texts:
        words.update(tokenize(text))
    return {word: number for number, word in enumerate(words, start=2)}  # <- hash-seed


def encode(texts, vocabulary, length):
    ids = np.full((len(texts), length), PAD, dtype="int32")
    for row, text in enumerate(texts):
        numbers = [vocabulary.get(word, UNKNOWN) for word in tokenize(text)][:length]
        ids[row, : len(numbers)] = numbers
    return ids


def build(size, length, width):
    inputs = keras.Input((length,), dtype="int32")
    x = keras.layers.Embedding(size, width, name="words")(inputs)
    x = keras.layers.Conv1D(width, 3, padding="same", activation="relu")(x)
    x = keras.layers.GlobalMaxPooling1D()(x)
    x = keras.layers.Dropout(0.3)(x)
    outputs = keras.layers.Dense(1, activation="sigmoid")(x)
    return keras.Model(inputs, outputs, name="sentiment")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--length", type=int, default=10)
    parser.add_argument("--width", type=int, default=16)
    args = parser.parse_args()

    np.random.seed(0)
    tf.random.set_seed(0)

    rows = reviews()
    random.shuffle(rows)  # <- python-random
    texts = [text for text, _ in rows]
    labels = np.array([label for _, label in rows], dtype="float32")

    vocabulary = build_vocabulary(texts)
    x = encode(texts, vocabulary, args.length)
    split = int(0.8 * len(x))

    model = build(len(vocabulary) + 2, args.length, args.width)
    model.compile(optimizer="adam", loss="binary_crossentropy", metrics=["accuracy"])
    model.fit(
        x[:split],
        labels[:split],
        validation_data=(x[split:], labels[split:]),
        epochs=args.epochs,
        batch_size=32,
        verbose=2,
    )

    example = encode(["A funny film with a flat ending"], vocabulary, args.length)
    print("words in the vocabulary:", len(vocabulary))
    print("an example:", float(model.predict(example, verbose=0)[0, 0]))


if __name__ == "__main__":
    main()
