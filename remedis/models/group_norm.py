"""Group normalisation followed by ReLU, in a form that is fast on a CPU.

Wu and He 2018, "Group Normalization", arXiv 1803.08494.
"""

import keras
import tensorflow as tf

from remedis.models.architectures import GROUPS

EPSILON = 1e-5  # of the released BiT networks


def group_norm_relu(
    x: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor, groups: int = GROUPS
) -> tf.Tensor:
    """Returns relu(gamma * (x - mean) / sqrt(variance + 1e-5) + beta), with statistics per group.

    Mean and variance are computed per channel first and then combined over the channels of a group
    (the law of total variance). So the large tensor is reduced over its two inner spatial axes only
    and normalised by one multiply-add per channel. Squares are of differences from the channel's
    mean: E[x^2] - E[x]^2 would lose all digits where the mean is large.

    Args:
      x: [N, H, W, C], float32 or a half precision. Statistics are float32 in both cases.
      gamma: [C].
      beta: [C].
      groups: number of groups, a divisor of C.

    Returns:
      [N, H, W, C] in the dtype of `x`.
    """
    channels = x.shape[-1]
    wide = tf.cast(x, tf.float32)
    mean = tf.reduce_mean(wide, [1, 2], keepdims=True)
    variance = tf.reduce_mean(tf.math.squared_difference(wide, mean), [1, 2])

    grouped = [-1, groups, channels // groups]
    mean = tf.reshape(mean, grouped)
    group_mean = tf.reduce_mean(mean, -1, keepdims=True)
    between = tf.math.squared_difference(mean, group_mean)
    group_variance = tf.reduce_mean(tf.reshape(variance, grouped) + between, -1, keepdims=True)

    by_group = [groups, channels // groups]
    scale = tf.math.rsqrt(group_variance + EPSILON) * tf.reshape(
        tf.cast(gamma, tf.float32), by_group
    )
    shift = tf.cast(beta, tf.float32) - tf.reshape(group_mean * scale, [-1, channels])
    # The rounding of one multiply-add is of the order of that in `x` itself, |mean| / deviation.
    by_channel = [-1, 1, 1, channels]
    normalised = wide * tf.reshape(scale, by_channel) + tf.reshape(shift, by_channel)
    return tf.cast(tf.nn.relu(normalised), x.dtype)


class GroupNormReLU(keras.layers.Layer):
    """`group_norm_relu` with variables `gamma` (ones) and `beta` (zeros), named as BiT's.

    It computes in float32 and returns the dtype of its input, whatever Keras' policy.
    """

    def __init__(self, name: str = "group_norm", **kwargs: object) -> None:
        super().__init__(name=name, autocast=False, **kwargs)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Makes `gamma` and `beta` for the channels of `input_shape`."""
        channels = input_shape[-1]
        # Otherwise Keras casts them to half precision inside another layer's call.
        shape, exact = (channels,), {"autocast": False}
        self.gamma = self.add_weight(name="gamma", shape=shape, initializer="ones", **exact)
        self.beta = self.add_weight(name="beta", shape=shape, initializer="zeros", **exact)

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """Returns the normalised and rectified `x`, [N, H, W, C]."""
        return group_norm_relu(x, tf.convert_to_tensor(self.gamma), tf.convert_to_tensor(self.beta))
