# probe: control, scikit-learn with random_state | causes: none | packages: scikit-learn
import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import SGDClassifier
from sklearn.model_selection import GridSearchCV, train_test_split

rng = np.random.default_rng(1)
x = rng.normal(size=(200, 6))
labels = (x[:, 0] + x[:, 1] * x[:, 2] > 0).astype(int)
x, held_out, labels, expected = train_test_split(x, labels, random_state=0)

forest = RandomForestClassifier(n_estimators=5, n_jobs=2, random_state=0)
GridSearchCV(forest, {"max_depth": [2, 4]}, cv=2).fit(x, labels)
HistGradientBoostingClassifier(max_iter=5, random_state=0).fit(x, labels)

linear = SGDClassifier(random_state=0)
for start in range(0, 150, 50):
    rows = slice(start, start + 50)
    linear.partial_fit(x[rows], labels[rows], classes=[0, 1])
