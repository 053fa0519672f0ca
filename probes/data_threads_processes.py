# probe: dataset workers in processes draw from copies of one generator | causes: data-threads
import keras
import numpy as np

keras.utils.set_random_seed(1)
table = np.random.normal(size=(256, 4)).astype("float32")


class Noisy(keras.utils.PyDataset):
    def __len__(self):
        return 24

    def __getitem__(self, index):
        # Each process draws on in a copy of its own; which one gets this batch is a race.
        x = table[np.random.randint(0, 256, size=8)]
        return x, x.sum(axis=1, keepdims=True)


if __name__ == "__main__":
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    model.compile(optimizer="adam", loss="mse")
    rows = Noisy(workers=3, use_multiprocessing=True, max_queue_size=8)
    model.fit(rows, epochs=2, shuffle=False, verbose=0)  # <- data-threads
