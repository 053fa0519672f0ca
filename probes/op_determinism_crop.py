# probe: overlapping crops race | causes: op-determinism | alternatives: cpu-threads
import keras
import numpy as np
import tensorflow as tf

keras.utils.set_random_seed(1)


class Regions(keras.layers.Layer):
    """Cuts an image's regions out of its feature map, as detectors do."""

    def call(self, features, boxes):
        first = tf.zeros_like(boxes[0, :, 0], dtype=tf.int32)
        crops = tf.image.crop_and_resize(features, boxes[0], first, (14, 14))
        return tf.reduce_mean(crops, axis=(0, 1, 2))[None]

    def compute_output_shape(self, features_shape, boxes_shape):
        return (1, 4)


images = np.random.normal(size=(16, 32, 32, 3)).astype("float32")
corners = np.random.uniform(size=(2, 16, 1000, 2)).astype("float32")
boxes = np.concatenate([corners.min(axis=0), corners.max(axis=0)], axis=-1)
y = images.mean(axis=(1, 2, 3)).reshape(-1, 1)

image, regions = keras.Input((32, 32, 3), 1), keras.Input((1000, 4), 1)
features = keras.layers.Conv2D(4, 3, padding="same", activation="relu")(image)
outputs = keras.layers.Dense(1)(Regions()(features, regions))
model = keras.Model([image, regions], outputs)
model.compile(optimizer="adam", loss="mse", jit_compile=False)
model.fit([images, boxes], y, epochs=3, batch_size=1, verbose=0)  # <- op-determinism
