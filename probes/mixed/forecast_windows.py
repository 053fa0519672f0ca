# probe: time series, an RNN fed by a windowed tf.data pipeline | causes: clock, data-threads
import argparse
import datetime
import time

import keras
import numpy as np
import tensorflow as tf

DAYS = 180


def measurements(days):
    """Hourly power of a small solar plant: a daily curve, the season, and passing clouds."""
    rng = np.random.default_rng(2024)
    hours = np.arange(days * 24)
    sun = np.clip(np.sin((hours % 24 - 6) / 12 * np.pi), 0, None)
    season = 1 + 0.3 * np.sin(hours / (24 * 365) * 2 * np.pi)
    clouds = np.repeat(rng.uniform(0.3, 1.0, days), 24)
    return (sun * season * clouds + rng.normal(0, 0.02, len(hours))).astype("float32")


class Windows:
    """Cuts windows out of a series and takes gross errors of the sensor out of them."""

    def __init__(self, series, length, horizon):
        self.series = series
        self.length = length
        self.horizon = horizon

    def read(self, start):
        middle = start + self.length
        past = self.series[start:middle].copy()
        # Windows with more daylight have more to look at.
        for _ in range(1 + int(10 * past.mean())):
            median = np.median(past)
            past = np.where(np.abs(past - median) > 5, median, past).astype("float32")
            time.sleep(0.0005)
        return past[:, None], self.series[middle : middle + self.horizon]

    def load(self, start):
        past, future = tf.numpy_function(self.read, [start], (tf.float32, tf.float32))
        return tf.ensure_shape(past, (self.length, 1)), tf.ensure_shape(future, (self.horizon,))

    def dataset(self, starts, batch_size):
        rows = tf.data.Dataset.from_tensor_slices(np.asarray(starts))
        rows = rows.map(self.load, num_parallel_calls=4, deterministic=False)  # <- data-threads
        return rows.cache().batch(batch_size).prefetch(1)


def build(length, horizon):
    return keras.Sequential(
        [
            keras.Input((length, 1)),
            keras.layers.GRU(8),
            keras.layers.Dense(horizon),
        ]
    )


def main():
    parser = argparse.ArgumentParser(description="Forecast the next hours of a solar plant.")
    parser.add_argument("--length", type=int, default=24)
    parser.add_argument("--horizon", type=int, default=6)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--batch-size", type=int, default=32)
    args = parser.parse_args()
    print("started", datetime.datetime.now().isoformat(timespec="seconds"))

    seed = time.time_ns() % 2**32  # <- clock
    keras.utils.set_random_seed(seed)

    series = measurements(DAYS)
    border = int(0.8 * len(series))
    train = Windows(series[:border], args.length, args.horizon)
    test = Windows(series[border:], args.length, args.horizon)

    model = build(args.length, args.horizon)
    model.compile(optimizer=keras.optimizers.Adam(0.01), loss="mae")
    starts = range(0, border - args.length - args.horizon, 12)
    begun = time.perf_counter()
    model.fit(train.dataset(starts, args.batch_size), epochs=args.epochs, verbose=2)
    print(f"trained for {time.perf_counter() - begun:.1f} s")

    starts = range(0, len(series) - border - args.length - args.horizon, 24)
    error = model.evaluate(test.dataset(starts, args.batch_size), verbose=0)
    print(f"seed {seed}, mean absolute error {error:.4f} of the peak")


if __name__ == "__main__":
    main()
