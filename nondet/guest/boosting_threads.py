"""Threads of XGBoost and LightGBM, for the factor of threads inside CPU kernels."""

import json

LIGHTGBM_NAMES = ("num_threads", "num_thread", "nthread", "nthreads", "n_jobs")
SHOTGUN = "XGBoost's shotgun updater"
BY_TIME = "LightGBM without deterministic=True"


class BoostingThreads(object):
    """`count` threads for each booster, whatever the script asks for; None: as it asks."""

    def __init__(self, session, factor, count):
        # Factors import this module, so it can't import theirs at its top.
        from .factors.base import replace

        self.replace = replace
        self.session = session
        self.factor = factor
        self.count = count
        self.looked = set()
        """Libraries whose pin has been read back."""

    def install(self):
        self.session.on_import("xgboost.core", self.xgboost)
        self.session.on_import("xgboost.training", lambda m: self.told(m, shotgun))
        self.session.on_import("lightgbm.basic", self.lightgbm)
        self.session.on_import("lightgbm.engine", lambda m: self.told(m, by_time))

    # -- what is exercised

    def told(self, module, races):
        """Note what races, at the line that trains; before it does, since runs may part at once."""

        def make(original):
            def train(*args, **kwargs):
                try:
                    detail = races(args[0] if args else kwargs.get("params") or {})
                    if detail:
                        self.session.saw(self.factor, detail, None)
                except Exception as error:
                    self.session.failed("noting how a booster is trained", error)
                return original(*args, **kwargs)

            return train

        self.replace(module, "train", make)

    # -- the pin

    def xgboost(self, module):
        if self.count is None:
            return

        def make(original):
            def set_param(booster, params, value=None):
                original(booster, params, value)
                original(booster, {"nthread": self.count})

            return set_param

        def update(original):
            def method(booster, *args, **kwargs):
                made = original(booster, *args, **kwargs)
                self.once("xgboost", lambda: self.check_xgboost(booster))
                return made

            return method

        self.replace(module.Booster, "set_param", make)
        self.replace(module.Booster, "update", update)

    def check_xgboost(self, booster):
        config = json.loads(booster.save_config())["learner"]["generic_param"]
        self.session.read_back(self.factor, str(self.count), config["nthread"])

    def lightgbm(self, module):
        if self.count is None:
            return

        def make(original):
            def _param_dict_to_str(data):
                kept = {k: v for k, v in (data or {}).items() if k not in LIGHTGBM_NAMES}
                return original(dict(kept, num_threads=self.count))

            return _param_dict_to_str

        def update(original):
            def method(booster, *args, **kwargs):
                made = original(booster, *args, **kwargs)
                self.once("lightgbm", lambda: self.check_lightgbm(booster))
                return made

            return method

        self.replace(module, "_param_dict_to_str", make)
        self.replace(module.Booster, "update", update)

    def check_lightgbm(self, booster):
        expected = "[num_threads: %d]" % self.count
        lines = [x for x in booster.model_to_string(1).splitlines() if x.startswith("[num_threads")]
        self.session.read_back(self.factor, [expected], lines)

    def once(self, library, check):
        if library not in self.looked:
            self.looked.add(library)
            try:
                check()
            except Exception as error:
                self.session.failed("reading back the threads of " + library, error, lost=True)


def shotgun(parameters):
    """By default XGBoost's linear booster changes all weights side by side, without locks."""
    given = dict(parameters)
    linear = given.get("booster") == "gblinear"
    return SHOTGUN if linear and given.get("updater") in (None, "shotgun") else ""


def by_time(parameters):
    """By default LightGBM measures which of two ways to add up is faster on this machine now."""
    asked = str(dict(parameters).get("deterministic", False)).lower()
    return "" if asked in ("true", "1", "+") else BY_TIME
