# probe: tabular data, oversampled, scaled and cross-validated
# | causes: numpy-global, tf-seed, third-party-rng | packages: polars, scikit-learn
import argparse
import random
import statistics

import keras
import numpy as np
import polars as pl
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_wine
from sklearn.metrics import f1_score
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PowerTransformer, StandardScaler

SKEWED = ["malic_acid", "color_intensity", "proline"]


def load():
    wine = load_wine()
    columns = {name: wine.data[:, i] for i, name in enumerate(wine.feature_names)}
    return pl.DataFrame(columns | {"target": wine.target})


def oversample(frame):
    """As many rows of every class as the largest one has, drawn with replacement."""
    counts = {label: frame.filter(pl.col("target") == label).height for label in range(3)}
    largest = max(counts.values())
    parts = [frame]
    for label, count in sorted(counts.items()):
        rows = frame.filter(pl.col("target") == label)
        if count < largest:
            more = largest - count
            parts.append(rows.sample(n=more, with_replacement=True))  # <- third-party-rng
    return pl.concat(parts)


def preprocessing(columns):
    plain = [name for name in columns if name not in SKEWED]
    return ColumnTransformer(
        [
            ("plain", StandardScaler(), [columns.index(name) for name in plain]),
            (
                "skewed",
                make_pipeline(PowerTransformer(), StandardScaler()),
                [columns.index(name) for name in SKEWED],
            ),
        ]
    )


def build(features):
    model = keras.Sequential(
        [
            keras.Input((features,)),
            keras.layers.Dense(24, activation="relu"),
            keras.layers.Dense(3, activation="softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
    return model


def main():
    parser = argparse.ArgumentParser(description="Cross-validate a small network on wine.")
    parser.add_argument("--folds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--seed", type=int, default=7)
    args = parser.parse_args()
    random.seed(args.seed)

    frame = oversample(load())
    columns = [name for name in frame.columns if name != "target"]
    x, y = frame.select(columns).to_numpy(), frame["target"].to_numpy()

    scores = []
    folds = StratifiedKFold(n_splits=args.folds, shuffle=True)
    for fold, (train, test) in enumerate(folds.split(x, y), start=1):  # <- numpy-global
        scaler = preprocessing(columns).fit(x[train])
        model = build(len(columns))
        model.fit(  # <- tf-seed
            scaler.transform(x[train]), y[train], epochs=args.epochs, batch_size=16, verbose=0
        )
        predicted = model.predict(scaler.transform(x[test]), verbose=0).argmax(axis=1)
        scores.append(f1_score(y[test], predicted, average="macro"))
        print(f"fold {fold}: macro F1 {scores[-1]:.4f}")
    mean, deviation = statistics.mean(scores), statistics.stdev(scores)
    print(f"macro F1 {mean:.4f} +- {deviation:.4f} on {np.bincount(y).tolist()}")


if __name__ == "__main__":
    main()
