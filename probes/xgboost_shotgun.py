# probe: XGBoost's linear booster updates unlocked | causes: cpu-threads | packages: xgboost-cpu
import numpy as np
import xgboost

rng = np.random.default_rng(1)
x = rng.normal(size=(2000, 200))
labels = (x[:, 0] + x[:, 1] > 0).astype(int)

# Its default updater, shotgun, changes all weights side by side.
model = xgboost.train(  # <- cpu-threads
    {"objective": "binary:logistic", "booster": "gblinear"},
    xgboost.DMatrix(x, labels),
    num_boost_round=10,
)
