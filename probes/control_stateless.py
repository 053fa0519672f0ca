# probe: control, stateless operations, seeded | causes: none | verdict: reproducible
import keras
import tensorflow as tf

# No global seed is set: nothing here needs one.
x = tf.random.stateless_normal((64, 4), seed=(1, 1))
y = tf.reduce_sum(x, axis=1, keepdims=True)


def augment(number, row):
    features, target = row
    return features + tf.random.stateless_normal((4,), seed=(2, number), stddev=0.1), target


rows = tf.data.Dataset.from_tensor_slices((x, y)).enumerate()
rows = rows.map(augment, num_parallel_calls=4).shuffle(64, seed=3).batch(16)

init = keras.initializers.GlorotUniform
model = keras.Sequential(
    [
        keras.Input((4,)),
        keras.layers.Dense(8, activation="relu", kernel_initializer=init(seed=4)),
        keras.layers.Dense(1, kernel_initializer=init(seed=5)),
    ]
)
model.compile(optimizer="adam", loss="mse")
model.fit(rows, epochs=3, verbose=0)
