# probe: the gradient of nearest upsampling by TensorFlow on a GPU | causes: device
# | needs: gpu | packages: tensorflow
import keras
import numpy as np
import tensorflow as tf

keras.utils.set_random_seed(1)

x = np.random.normal(size=(32, 16, 16, 3)).astype("float32")
y = x.mean(axis=(1, 2, 3)).reshape(-1, 1)


class Enlarge(keras.layers.Layer):
    def call(self, images):
        # Keras' own layer repeats rows and columns, which has no such gradient.
        return tf.image.resize(images, (48, 48), method="nearest")


model = keras.Sequential(
    [
        keras.Input((16, 16, 3)),
        keras.layers.Conv2D(8, 3, activation="relu"),
        Enlarge(),
        keras.layers.GlobalAveragePooling2D(),
        keras.layers.Dense(1),
    ]
)
model.compile(optimizer="sgd", loss="mse", jit_compile=False)
model.fit(x, y, epochs=4, batch_size=16, verbose=0)  # <- device
