# probe: control, LightGBM, deterministic | causes: none | packages: lightgbm, scikit-learn
import lightgbm
import numpy as np

rng = np.random.default_rng(1)
x = rng.normal(size=(500, 8))
labels = (x[:, 0] + x[:, 1] * x[:, 2] > 0).astype(int)

model = lightgbm.LGBMClassifier(
    n_estimators=10,
    subsample=0.5,
    subsample_freq=1,
    deterministic=True,
    force_row_wise=True,
    n_jobs=2,
    verbose=-1,
)
model.fit(x, labels)
