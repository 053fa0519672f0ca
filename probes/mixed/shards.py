# probe: data written to shards and read back by a pool of processes
# | causes: python-workers, tf-seed
import argparse
import multiprocessing
import random
import shutil
import time
from pathlib import Path

import keras
import numpy as np

FEATURES = 8


def write_shard(task):
    """Rows of one shard. Its seed comes from its number, whichever process writes it."""
    folder, number, rows = task
    rng = np.random.default_rng([77, number])
    x = rng.normal(size=(rows, FEATURES)).astype("float32")
    y = (np.sin(2 * x[:, 0]) + x[:, 1] * x[:, 2]).astype("float32")
    path = folder / f"shard-{number:03d}.npz"
    np.savez_compressed(path, x=x, y=y)
    return path.name


def read_shard(path):
    """One shard, cleaned; large ones take longer."""
    with np.load(path) as shard:
        x, y = shard["x"], shard["y"]
    for column in range(x.shape[1]):
        low, high = np.quantile(x[:, column], [0.01, 0.99])
        x[:, column] = np.clip(x[:, column], low, high)
    return x, y


def write_all(folder, count, workers):
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    tasks = [(folder, number, 24 + 40 * (number * 7 % 5)) for number in range(count)]
    with multiprocessing.Pool(workers) as pool:
        names = pool.map(write_shard, tasks, chunksize=1)
    print(len(names), "shards written, the last one", max(names))


def read_all(folder, workers):
    # Sorted: the order of a listing is nobody's promise.
    paths = sorted(folder.glob("shard-*.npz"))
    with multiprocessing.Pool(workers) as pool:
        parts = list(pool.imap_unordered(read_shard, paths))  # <- python-workers
    return np.concatenate([x for x, _ in parts]), np.concatenate([y for _, y in parts])


def build():
    model = keras.Sequential(
        [
            keras.Input((FEATURES,)),
            keras.layers.Dense(32, activation="relu"),
            keras.layers.Dense(16, activation="relu"),
            keras.layers.Dense(1),
        ]
    )
    model.compile(optimizer=keras.optimizers.Adam(0.005), loss="mse")
    return model


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=Path, default=Path("shards"))
    parser.add_argument("--shards", type=int, default=32)
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=3)
    args = parser.parse_args()
    random.seed(12)

    started = time.time()
    write_all(args.folder, args.shards, args.workers)
    x, y = read_all(args.folder, args.workers)
    print(f"{len(x)} rows read after {time.time() - started:.2f} s")

    border = int(0.9 * len(x))
    model = build()
    model.fit(  # <- tf-seed
        x[:border],
        y[:border],
        validation_data=(x[border:], y[border:]),
        epochs=args.epochs,
        batch_size=64,
        verbose=2,
    )


if __name__ == "__main__":
    main()
