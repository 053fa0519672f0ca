# probe: bagged ensemble on features that a thread pool computes
# | causes: numpy-generator, python-workers | packages: scikit-learn
import argparse
import logging
from concurrent.futures import ThreadPoolExecutor, as_completed

import keras
import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.metrics import roc_auc_score

log = logging.getLogger("ensemble")


def landmarks(x, count=64):
    """Fixed points that the features measure the distance to."""
    return x[np.random.default_rng(5).choice(len(x), count, replace=False)]


def featurize(part, targets, points, widths):
    """Radial features at several widths. Parts near many points take longer."""
    distances = ((part[:, None, :] - points[None]) ** 2).sum(axis=-1)
    rows = [np.exp(-distances / width).mean(axis=1) for width in widths]
    for _ in range(int(40 * np.mean(rows[-1]))):
        distances = np.minimum(distances, distances.mean(axis=0) * 4)
    return np.column_stack([part, *rows, distances.min(axis=1)]), targets


def featurize_all(x, y, workers, parts=40):
    points, widths = landmarks(x), (5.0, 20.0, 80.0)
    chunks = zip(np.array_split(x, parts), np.array_split(y, parts))
    features, targets = [], []
    with ThreadPoolExecutor(max_workers=workers) as pool:
        waiting = [pool.submit(featurize, *chunk, points, widths) for chunk in chunks]
        for done in as_completed(waiting):  # <- python-workers
            part, labels = done.result()
            features.append(part)
            targets.append(labels)
    return np.concatenate(features).astype("float32"), np.concatenate(targets)


def build(number, features):
    # Each member starts from weights of its own, the same in every run.
    keras.utils.set_random_seed(1000 + number)
    model = keras.Sequential(
        [
            keras.Input((features,)),
            keras.layers.BatchNormalization(),
            keras.layers.Dense(16, activation="relu"),
            keras.layers.Dense(1, activation="sigmoid"),
        ],
        name=f"member_{number}",
    )
    model.compile(keras.optimizers.Adam(0.01), "binary_crossentropy")
    return model


def main():
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s: %(message)s")
    parser = argparse.ArgumentParser()
    parser.add_argument("--members", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--workers", type=int, default=4)
    args = parser.parse_args()

    data = load_breast_cancer()
    scaled = (data.data - data.data.mean(axis=0)) / data.data.std(axis=0)
    order = np.random.default_rng(11).permutation(len(scaled))
    train, test = order[:450], order[450:]
    x, y = featurize_all(scaled[train], data.target[train], args.workers)
    x_test, y_test = featurize_all(scaled[test], data.target[test], workers=1)

    rng = np.random.default_rng()  # <- numpy-generator
    votes = []
    for number in range(args.members):
        rows = rng.integers(0, len(x), size=len(x))
        model = build(number, x.shape[1])
        model.fit(x[rows], y[rows], epochs=args.epochs, batch_size=32, verbose=0)
        votes.append(model.predict(x_test, verbose=0).ravel())
        log.info("member %d: AUC %.4f", number, roc_auc_score(y_test, votes[-1]))
    log.info("ensemble: AUC %.4f", roc_auc_score(y_test, np.mean(votes, axis=0)))


if __name__ == "__main__":
    main()
