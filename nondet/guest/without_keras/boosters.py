"""Boosters of XGBoost and LightGBM: the trees of every round as a step, and at the end all."""

import json
import sys

from ..factors.base import replace
from .trainees import constant

XGBOOST = ("split_indices", "split_conditions", "left_children", "right_children", "base_weights")
LIGHTGBM = ("split_feature", "threshold", "left_child", "right_child", "leaf_value", "leaf_const",
            "leaf_coeff")  # fmt: skip


class Boosters(object):
    def __init__(self, session, trainees, guarded):
        self.session = session
        self.trainees = trainees
        self.recorder = trainees.recorder
        self.guarded = guarded
        self.under_way = set()
        """Ids of the boosters that are in a round."""

    def xgboost(self, module):
        for name in ("update", "boost"):
            self.wrap(module.Booster, name, latest_of_xgboost)

    def lightgbm(self, module):
        self.wrap(module.Booster, "update", latest_of_lightgbm)

    def training(self, module, every):
        """`train` of either library: what it returns is whole."""

        def make(original):
            def train(*args, **kwargs):
                booster = original(*args, **kwargs)
                self.guarded("a training ends", self.trained, booster, every)
                return booster

            return train

        replace(module, "train", make)

    def wrap(self, owner, name, latest):
        def make(original):
            def method(booster, *args, **kwargs):
                # With an objective of the script's, one of the methods calls the other.
                if id(booster) in self.under_way:
                    return original(booster, *args, **kwargs)
                self.under_way.add(id(booster))
                try:
                    result = original(booster, *args, **kwargs)
                finally:
                    self.under_way.discard(id(booster))
                self.guarded("a round ends", self.ended, booster, latest)
                return result

            return method

        replace(owner, name, make)

    def sure(self, found):
        """As `found`, or the whole model as one row of bytes where that is put together in a way
        that we don't know."""

        def weights(booster):
            try:
                return found(booster)
            except Exception as error:
                self.session.failed("taking a booster apart", error)
                raw = booster.save_raw() if hasattr(booster, "save_raw") else None
                raw = booster.model_to_string().encode("utf-8") if raw is None else bytes(raw)
                return [constant("model", sys.modules["numpy"].frombuffer(raw, "uint8"))]

        return weights

    def recording(self):
        threading = self.recorder.threads
        if threading.current_thread() is not threading.main_thread():
            return False
        return not self.recorder.elsewhere("training of a booster")

    def trained(self, booster, every):
        tracked = self.trainees.by_object.get(booster)
        if tracked is not None and self.recording():
            tracked.fits += 1
            weights = self.sure(every)(booster)
            self.recorder.checkpoint("fit", tracked, 0, tracked.fits, weights)

    def ended(self, booster, latest):
        if self.recording():
            tracked = self.trainees.of(booster, self.sure(latest))
            tracked.forget()
            self.recorder.step_ends(tracked, booster, 1)


def latest_of_xgboost(booster):
    """The trees of the last round; of a linear model, its weights."""
    rounds = booster.num_boosted_rounds()
    whole = kind_of(booster) == "gblinear" or not rounds
    part = booster if whole else booster[rounds - 1 : rounds]
    return [
        constant("%s/%s" % (tree, name) if tree else name, numbers)
        for tree, fields in trees_of_xgboost(part)
        for name, numbers in fields
    ]


def every_of_xgboost(booster):
    return together(trees_of_xgboost(booster))


def kind_of(booster):
    return json.loads(booster.save_config())["learner"]["gradient_booster"]["name"]


def trees_of_xgboost(booster):
    """(``tree 0``, pairs of (name, numbers)) of each tree; all in one of a linear model."""
    model = json.loads(bytes(booster.save_raw("json")).decode("utf-8"))
    boosted = model["learner"]["gradient_booster"]
    if boosted["name"] == "gblinear":
        return [("", [("coefficients", numbers_of(boosted["model"]["weights"]))])]
    # Those that drop trees hold the usual ones inside, and how much of each is left.
    trees = boosted.get("gbtree", boosted)["model"]["trees"]
    found = [
        ("tree %d" % place, [(name, numbers_of(tree[name])) for name in XGBOOST if name in tree])
        for place, tree in enumerate(trees)
    ]
    if "weight_drop" in boosted:
        found.append(("", [("weight_drop", numbers_of(boosted["weight_drop"]))]))
    return found


def latest_of_lightgbm(booster):
    """The trees of the last round. (Once it can't grow any further, there are none of it.)"""
    rounds = booster.current_iteration()
    text = booster.model_to_string(num_iteration=1, start_iteration=max(rounds - 1, 0))
    return [
        constant("%s/%s" % (tree, name), numbers)
        for tree, fields in trees_of_lightgbm(text)
        for name, numbers in fields
    ]


def every_of_lightgbm(booster):
    return together(trees_of_lightgbm(booster.model_to_string(num_iteration=-1)))


def trees_of_lightgbm(text):
    """As `trees_of_xgboost`, of a model as LightGBM writes it: numbers with all their digits."""
    found = []
    for line in text.split("end of trees")[0].splitlines():
        name, _, value = line.partition("=")
        if name == "Tree":
            found.append(("tree %d" % len(found), []))
        elif found and name in LIGHTGBM:
            found[-1][1].append((name, numbers_of(value.split())))
    return found


def together(trees):
    """One Weight for each field, of all trees in a row."""
    numpy = sys.modules["numpy"]
    fields = {}
    for _, pairs in trees:
        for name, numbers in pairs:
            fields.setdefault(name, []).append(numbers)
    return [constant("all " + name, numpy.concatenate(rows)) for name, rows in fields.items()]


def numbers_of(values):
    return sys.modules["numpy"].asarray(values, dtype="float64")


def install(session, trainees, guarded):
    boosters = Boosters(session, trainees, guarded)
    session.on_import("xgboost.core", boosters.xgboost)
    session.on_import("xgboost.training", lambda m: boosters.training(m, every_of_xgboost))
    session.on_import("lightgbm.basic", boosters.lightgbm)
    session.on_import("lightgbm.engine", lambda m: boosters.training(m, every_of_lightgbm))
