"""Batch normalization whose training step is one operation of TensorFlow, not a dozen.

Keras computes means, variances and the normalized values one after the other, in float32, each
going through the whole array; in a network of small convolutions that takes a quarter as long as
all the rest.
"""

from __future__ import annotations

import math
from typing import Any

import keras

IMAGE_DIMENSIONS = 4


class BatchNormalization(keras.layers.BatchNormalization):  # type: ignore[misc]
    """Keras's layer (Ioffe and Szegedy 2015); images are normalized in one go while it learns.

    Reading, and what is no image, goes the way of Keras; so does all where Keras does not run on
    TensorFlow. Means and variances are taken in float32, whatever the precision. It has the name of
    Keras's class, since weight files go by that.
    """

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """Normalize.

        Args:
            inputs: float (N, ...), channels last.
            training: whether by means and variances of this batch, which the moving ones then
                follow, or by the moving ones.
            mask: as in Keras.

        Returns:
            Of the same shape, in the layer's compute dtype.
        """
        images = len(inputs.shape) == IMAGE_DIMENSIONS and mask is None
        learning = training and self.trainable and self.scale and self.center
        if not (images and learning and keras.backend.backend() == "tensorflow"):
            return super().call(inputs, training=training, mask=mask)
        import tensorflow as tf

        values = tf.cast(inputs, self.compute_dtype)
        normalized, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=values,
            scale=self.gamma.value,
            offset=self.beta.value,
            mean=tf.zeros(0),
            variance=tf.zeros(0),
            epsilon=self.epsilon,
            is_training=True,
        )
        # The operation divides by one less than the number of values, Keras by their number.
        count = tf.cast(tf.shape(values)[0] * math.prod(values.shape[1:3]), variance.dtype)
        self._follow(self.moving_mean, mean)
        self._follow(self.moving_variance, variance * (count - 1) / count)
        return normalized

    def _follow(self, moving: keras.Variable, latest: Any) -> None:
        moving.assign(moving * self.momentum + latest * (1.0 - self.momentum))
