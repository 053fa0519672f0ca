# probe: a search with n_jobs, NumPy seeded | causes: python-workers | packages: scikit-learn
import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import GridSearchCV

np.random.seed(1)
rng = np.random.default_rng(1)
x = rng.normal(size=(150, 6))
labels = (x[:, 0] + x[:, 1] * x[:, 2] > 0).astype(int)

forest = RandomForestClassifier(n_estimators=5)
search = GridSearchCV(forest, {"max_depth": [2, 4]}, cv=2, n_jobs=2)
search.fit(x, labels)  # <- python-workers
