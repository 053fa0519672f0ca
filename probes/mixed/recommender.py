# probe: embedding recommender, trained by SGD with sampled negatives
# | causes: numpy-generator, op-determinism | alternatives: cpu-threads
import argparse
import time

import keras
import numpy as np

USERS, ITEMS = 120, 60


def interactions(count):
    """Who took what: users of a group mostly take what the group likes."""
    rng = np.random.default_rng(17)
    users = rng.integers(0, USERS, count)
    liked = (users % 6) * (ITEMS // 6) + rng.integers(0, ITEMS // 6, count)
    others = rng.integers(0, ITEMS, count)
    return users, np.where(rng.random(count) < 0.8, liked, others)


def with_negatives(users, items, per_positive):
    """Adds items that the user was not seen with; few of them are wrong by chance."""
    rng = np.random.default_rng()  # <- numpy-generator
    negatives = rng.integers(0, ITEMS, size=len(items) * per_positive)
    all_users = np.concatenate([users, np.repeat(users, per_positive)])
    all_items = np.concatenate([items, negatives])
    clicked = np.concatenate([np.ones(len(items)), np.zeros(len(negatives))])
    return all_users.astype("int32"), all_items.astype("int32"), clicked.astype("float32")


def build(width):
    user = keras.Input((), dtype="int32", name="user")
    item = keras.Input((), dtype="int32", name="item")
    users = keras.layers.Embedding(USERS, width, name="users")(user)
    items = keras.layers.Embedding(ITEMS, width, name="items")(item)
    bias = keras.layers.Flatten()(keras.layers.Embedding(ITEMS, 1, name="popularity")(item))
    score = keras.layers.Dot(axes=1)([users, items])
    outputs = keras.layers.Activation("sigmoid")(keras.layers.Add()([score, bias]))
    return keras.Model({"user": user, "item": item}, outputs, name="recommender")


def hit_rate(model, users, items, top=10):
    """How often an item that was taken is among the best of its user."""
    everything = np.arange(ITEMS, dtype="int32")
    hits = 0
    for user, item in zip(users.tolist(), items.tolist()):
        inputs = {"user": np.full(ITEMS, user, dtype="int32"), "item": everything}
        scores = model(inputs).numpy().ravel()
        hits += item in np.argsort(-scores, kind="stable")[:top]
    return hits / len(users)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=24_000)
    parser.add_argument("--negatives", type=int, default=4)
    parser.add_argument("--width", type=int, default=16)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--batch-size", type=int, default=24_000)
    parser.add_argument("--seed", type=int, default=21)
    args = parser.parse_args()
    keras.utils.set_random_seed(args.seed)

    users, items = interactions(args.count)
    border = args.count - 50
    all_users, all_items, clicked = with_negatives(users[:border], items[:border], args.negatives)

    model = build(args.width)
    # Plain SGD suits sparse updates: no state is kept for the items that no batch holds.
    optimizer = keras.optimizers.SGD(2.0)
    model.compile(optimizer=optimizer, loss="binary_crossentropy", jit_compile=False)
    started = time.perf_counter()
    model.fit(  # <- op-determinism
        {"user": all_users, "item": all_items},
        clicked,
        epochs=args.epochs,
        batch_size=args.batch_size,
        verbose=2,
    )
    seconds = time.perf_counter() - started
    rate = hit_rate(model, users[border:], items[border:])
    print(f"hit rate at 10: {rate:.2f}, after {seconds:.1f} s")


if __name__ == "__main__":
    main()
