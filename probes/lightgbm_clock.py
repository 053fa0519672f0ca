# probe: LightGBM, with a seed from the clock | causes: clock | packages: lightgbm
import time

import lightgbm
import numpy as np

rng = np.random.default_rng(1)
x = rng.normal(size=(500, 8))
labels = (x[:, 0] + x[:, 1] * x[:, 2] > 0).astype(int)

parameters = {
    "objective": "binary",
    "bagging_fraction": 0.5,
    "bagging_freq": 1,
    "feature_fraction": 0.5,
    "seed": time.time_ns() % 2**31,  # <- clock
    "verbose": -1,
}
lightgbm.train(parameters, lightgbm.Dataset(x, labels), num_boost_round=10)
