# probe: a random forest without random_state | causes: numpy-global | packages: scikit-learn
import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

rng = np.random.default_rng(1)
x = rng.normal(size=(200, 6))
labels = (x[:, 0] + x[:, 1] * x[:, 2] > 0).astype(int)

forest = RandomForestClassifier(n_estimators=10, n_jobs=2)
model = make_pipeline(StandardScaler(), forest)
model.fit(x, labels)  # <- numpy-global
