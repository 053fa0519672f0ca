# probe: control, XGBoost with its default seed | causes: none | packages: xgboost-cpu, scikit-learn
import numpy as np
import xgboost
from sklearn.model_selection import cross_val_score

rng = np.random.default_rng(1)
x = rng.normal(size=(500, 8))
labels = (x[:, 0] + x[:, 1] * x[:, 2] > 0).astype(int)

# Rows and columns are sampled by generators that start from 0.
model = xgboost.XGBClassifier(
    n_estimators=10, max_depth=3, subsample=0.5, colsample_bytree=0.5, n_jobs=2
)
cross_val_score(model, x, labels, cv=2)
model.fit(x, labels)
