import numpy as np
from keras.layers import Dense, Dropout
from keras.models import Sequential

x = np.arange(10, dtype="float32").reshape(-1, 1) / 10
y = x + 0.1

model = Sequential()
model.add(Dense(10, input_dim=1))
model.add(Dropout(0.2))
model.add(Dense(1))
model.compile(loss="mean_squared_error", optimizer="adam")
model.fit(x, y, epochs=5, batch_size=5, verbose=0)
