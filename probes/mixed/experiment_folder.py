# probe: an experiment's folder, named by time and uuid, that leaks into the seed
# | causes: clock, hash-seed, os-entropy
import argparse
import json
import uuid
import zlib
from datetime import datetime
from pathlib import Path

import keras
import numpy as np

USERS, DAYS = 160, 5


def new_folder(root):
    """A folder of its own for every run."""
    moment = datetime.now().strftime("%Y%m%d-%H%M%S.%f")  # <- clock
    folder = root / f"{moment}-{uuid.uuid4().hex[:6]}"  # <- os-entropy
    folder.mkdir(parents=True)
    return folder


def seed_of(folder):
    """Derived from the name, so that every experiment can be run again by its folder."""
    return zlib.crc32(folder.name.encode())


def events():
    """Five days of every user: what was clicked, and whether something was bought."""
    rng = np.random.default_rng(99)
    rows = []
    for user in range(USERS):
        taste = rng.normal(size=4)
        for _ in range(DAYS):
            clicks = rng.poisson(np.exp(taste * 0.5))
            bought = int(clicks @ taste + rng.normal() > 0)
            rows.append((f"user-{user:05d}", clicks, bought))
    return rows


def is_test(user, percent=20):
    """All rows of a user on the same side of the split."""
    return hash(user) % 100 < percent  # <- hash-seed


def arrays(rows):
    x = np.log1p(np.array([clicks for _, clicks, _ in rows], dtype="float32"))
    y = np.array([bought for _, _, bought in rows], dtype="float32")
    return x, y


def build(units):
    model = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(units, activation="relu"),
            keras.layers.Dropout(0.2),
            keras.layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile(optimizer="adam", loss="binary_crossentropy", metrics=["auc"])
    return model


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=Path, default=Path("experiments"))
    parser.add_argument("--units", type=int, default=12)
    parser.add_argument("--epochs", type=int, default=3)
    args = parser.parse_args()

    folder = new_folder(args.runs)
    seed = seed_of(folder)
    keras.utils.set_random_seed(seed)
    config = {key: str(value) for key, value in sorted(vars(args).items())}
    (folder / "config.json").write_text(json.dumps(config | {"seed": seed}, indent=2))

    rows = events()
    train = [row for row in rows if not is_test(row[0])]
    test = [row for row in rows if is_test(row[0])]
    print(f"{folder}: {len(train)} rows to train on, {len(test)} to test on")

    model = build(args.units)
    history = model.fit(*arrays(train), epochs=args.epochs, batch_size=32, verbose=0)
    results = model.evaluate(*arrays(test), verbose=0, return_dict=True)
    print({name: round(value, 4) for name, value in results.items()})

    model.save_weights(folder / "model.weights.h5")
    (folder / "history.json").write_text(json.dumps(history.history))


if __name__ == "__main__":
    main()
