# probe: a sparse product adds up by atomics on a GPU only | causes: device | needs: gpu
import keras
import numpy as np
import tensorflow as tf

keras.utils.set_random_seed(1)

# Op determinism has no kernel for this product, so only another device helps.
dense = np.random.normal(size=(64, 512)).astype("float32")
dense[np.random.uniform(size=dense.shape) < 0.5] = 0
features = tf.sparse.from_dense(dense)
y = tf.constant(dense.mean(axis=1, keepdims=True))

inner = keras.Variable(np.random.normal(size=(512, 8)).astype("float32") / 16, name="inner")
model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(1)])
optimizer = keras.optimizers.Adam(0.01)

for _ in range(12):
    with tf.GradientTape() as tape:
        hidden = tf.nn.relu(tf.sparse.sparse_dense_matmul(features, inner.value))  # <- device
        loss = tf.reduce_mean((model(hidden) - y) ** 2)
    variables = [inner, *model.trainable_variables]
    gradients = tape.gradient(loss, [variable.value for variable in variables])
    optimizer.apply_gradients(zip(gradients, variables))
print("loss", float(loss))
