"""Group normalisation followed by ReLU, in a form that is fast on a CPU.

Wu and He 2018, "Group Normalization", arXiv 1803.08494.
"""

import contextlib
import contextvars
from collections.abc import Callable, Iterator

import keras
import tensorflow as tf

from remedis.models.architectures import GROUPS

EPSILON = 1e-5  # of the released BiT networks

_of_operations = contextvars.ContextVar("of_operations", default=False)


@contextlib.contextmanager
def gradients_of_operations() -> Iterator[None]:
    """Lets norms that are traced in the block have the gradients of their single operations.

    They are the same and slower. A SavedModel has a function more for every gradient of our own,
    which makes it slower to load.
    """
    token = _of_operations.set(True)
    try:
        yield
    finally:
        _of_operations.reset(token)


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
    grouped, by_channel = [-1, groups, channels // groups], [-1, 1, 1, channels]

    def normalize(
        x: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor
    ) -> tuple[tf.Tensor, Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor, tf.Tensor]]]:
        wide = tf.cast(x, tf.float32)
        mean = _over_space(tf.reduce_mean, wide)
        around = tf.reshape(mean, by_channel)
        variance = _over_space(tf.reduce_mean, tf.math.squared_difference(wide, around))

        mean = tf.reshape(mean, grouped)
        group_mean = tf.reduce_mean(mean, -1, keepdims=True)
        between = tf.math.squared_difference(mean, group_mean)
        group_variance = tf.reduce_mean(tf.reshape(variance, grouped) + between, -1, keepdims=True)

        inverse = tf.math.rsqrt(group_variance + EPSILON)
        weight = tf.reshape(tf.cast(gamma, tf.float32), grouped[1:])
        scale = inverse * weight
        shift = tf.cast(beta, tf.float32) - tf.reshape(group_mean * scale, [-1, channels])
        scale = tf.reshape(scale, by_channel)
        # The rounding of one multiply-add is of the order of that in `x`, |mean| / deviation.
        normalised = tf.nn.relu(wide * scale + tf.reshape(shift, by_channel))

        def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
            # With z the normalised values and g the derivative by z, the derivative by x is
            # inverse * (g - mean(g) - z * mean(g * z)), means per group. It is written as
            # behind * scale + x * slope + offset, which passes over the large tensor fewer times
            # than the gradients of the operations above.
            behind = tf.raw_ops.ReluGrad(
                gradients=tf.cast(upstream, tf.float32), features=normalised
            )
            by_shift = tf.reshape(_over_space(tf.reduce_sum, behind), grouped)
            product = tf.reshape(_over_space(tf.reduce_sum, behind * wide), grouped)
            by_scale = (product - group_mean * by_shift) * inverse
            count = tf.cast(tf.shape(x)[1] * tf.shape(x)[2] * grouped[2], tf.float32)
            common = tf.reduce_sum(weight * by_shift, -1, keepdims=True) / count
            slope = -(inverse**2) * tf.reduce_sum(weight * by_scale, -1, keepdims=True) / count
            offset = -inverse * common - slope * group_mean
            slope, offset = (
                tf.reshape(tf.repeat(value, grouped[2], -1), by_channel)
                for value in (slope, offset)
            )
            by_x = behind * scale + (wide * slope + offset)
            by_gamma, by_beta = (
                tf.cast(tf.reshape(tf.reduce_sum(value, 0), [channels]), gamma.dtype)
                for value in (by_scale, by_shift)
            )
            return tf.cast(by_x, x.dtype), by_gamma, by_beta

        return tf.cast(normalised, x.dtype), gradient

    if _of_operations.get():
        return normalize(x, gamma, beta)[0]
    return tf.custom_gradient(normalize)(x, gamma, beta)


def _over_space(reduce: Callable[..., tf.Tensor], x: tf.Tensor) -> tf.Tensor:
    """Reduces [N, H, W, C] to [N, C], one axis after the other: faster than both at once."""
    return reduce(reduce(x, 1), 1)


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
