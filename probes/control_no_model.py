# probe: control, a simulation with no model | causes: none
import numpy as np

import nondet

rng = np.random.default_rng(1)
places = rng.normal(size=(50, 2))
for step in range(20):
    places += 0.1 * rng.normal(size=places.shape)
    nondet.checkpoint("places", places)
nondet.metric("spread", places.std())
