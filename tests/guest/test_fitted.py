"""What estimators have learnt, as arrays; without a process of their own."""

from __future__ import annotations

import importlib
import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from nondet.guest.without_keras import estimators, fitted


class Estimator:
    """As scikit-learn's: parameters by `get_params`, what is learnt with an underscore behind."""

    def __init__(self, **held: Any) -> None:
        vars(self).update(held)

    def get_params(self) -> dict[str, Any]:
        return {}


def paths(**held: Any) -> list[str]:
    return [path for path, _ in fitted.arrays(Estimator(**held))]


def test_attributes_with_an_underscore_behind_are_learnt() -> None:
    assert paths(depth=3, _cache=np.ones(1), coef_=np.ones(2), _hidden_=1, n_=2) == ["coef_", "n_"]


def test_parts_lists_and_estimators_inside_are_followed() -> None:
    inner = Estimator(coef_=np.ones(1))
    assert paths(
        steps=[("scale", inner)], trees_=[inner, inner], best_={"b": 1, "a": [1.5, 2]}
    ) == [
        "steps/0/0",
        "steps/0/1/coef_",
        "best_/a",
        "best_/b",
        "trees_/0/coef_",
        "trees_/1/coef_",
    ]
    assert paths(grid_=np.array([[inner], [None]], dtype=object)) == ["grid_/0/0/coef_"]


def test_durations_and_what_has_no_bits_are_left_out() -> None:
    results = {"mean_fit_time": np.ones(2), "mean_test_score": np.ones(2)}
    held = {"cv_results_": results, "refit_time_": 0.1, "loss_": SimpleNamespace(a=1), "f_": len}
    assert paths(**held, when_=np.array(["2020-01-01"], "datetime64[D]"), huge_=2**80) == [
        "cv_results_/mean_test_score"
    ]
    assert paths(n_times_=3, timesteps_=2) == ["n_times_", "timesteps_"]


def test_values_are_kept_to_the_bit() -> None:
    found = dict(fitted.arrays(Estimator(a_=-0.0, b_="é", c_=np.float32(1.5), d_=True)))
    assert math.copysign(1, found["a_"]) == -1
    assert found["b_"].tolist() == list("é".encode())
    assert found["c_"].dtype == np.float32
    assert found["d_"].dtype == bool


def test_structured_arrays_are_taken_field_by_field() -> None:
    # What lies between the fields was never written to.
    kind = np.dtype({"names": ["x", "y"], "formats": ["u1", "f8"], "offsets": [0, 8]})
    found = dict(fitted.arrays(Estimator(nodes_=np.zeros(3, kind))))
    assert {path: array.dtype.name for path, array in found.items()} == {
        "nodes_/x": "uint8",
        "nodes_/y": "float64",
    }


def test_what_holds_itself_comes_to_an_end() -> None:
    endless = Estimator(a_=1)
    endless.self_ = endless  # type: ignore[attr-defined]
    assert len(paths(**vars(endless))) < 20


def test_trees_and_sparse_matrices_are_taken_apart() -> None:
    trees = pytest.importorskip("sklearn.tree")
    from scipy import sparse

    x = np.arange(8.0).reshape(4, 2)
    tree = trees.DecisionTreeClassifier(random_state=0).fit(x, [0, 0, 1, 1])
    found = [path for path, _ in fitted.arrays(tree)]
    assert [path for path in found if path.startswith("tree_/")] == [
        f"tree_/{name}" for name in fitted.TREE
    ]
    assert paths(coef_=sparse.csr_matrix(x)) == ["coef_/data", "coef_/indices", "coef_/indptr"]


def test_what_only_prepares_data_is_told_from_what_trains() -> None:
    pytest.importorskip("sklearn")
    cluster, compose, decomposition, ensemble, linear_model, manifold, pipeline = (
        importlib.import_module(f"sklearn.{name}")
        for name in ("cluster", "compose", "decomposition", "ensemble", "linear_model")
        + ("manifold", "pipeline")
    )
    preprocessing: Any = importlib.import_module("sklearn.preprocessing")
    selection: Any = importlib.import_module("sklearn.feature_selection")
    scaler = preprocessing.StandardScaler
    Mine: Any = type("Mine", (scaler,), {"__module__": "train"})

    by_products = [
        scaler(),
        preprocessing.LabelBinarizer(),
        preprocessing.OneHotEncoder(),
        decomposition.PCA(2, random_state=0),
        pipeline.make_pipeline(scaler(), decomposition.PCA()),
        compose.ColumnTransformer([("scaled", scaler(), [0]), ("same", "passthrough", [1])]),
    ]
    results = [
        linear_model.LinearRegression(),
        cluster.KMeans(2),
        cluster.DBSCAN(),
        manifold.TSNE(2),
        decomposition.NMF(2),
        decomposition.LatentDirichletAllocation(2),
        pipeline.make_pipeline(scaler(), linear_model.Lasso()),
        pipeline.make_pipeline(scaler(), decomposition.NMF(2)),
        pipeline.make_pipeline(scaler(), Mine()),
        selection.SelectFromModel(ensemble.RandomForestClassifier()),
        Mine(),
        Estimator(coef_=1),
    ]
    assert [estimators.prepares(one) for one in by_products] == [True] * len(by_products)
    assert [estimators.prepares(one) for one in results] == [False] * len(results)


def test_parameters_that_fail_are_no_by_products() -> None:
    class Failing(Estimator):
        def get_params(self) -> dict[str, Any]:
            raise ValueError("no")

    assert not estimators.prepares(Failing())
