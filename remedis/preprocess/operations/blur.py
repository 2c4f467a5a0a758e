"""Gaussian blur."""

import tensorflow as tf

from remedis.preprocess.operations.bounds import check_probability, check_range
from remedis.preprocess.operations.chance import sometimes, split
from remedis.preprocess.registry import channelwise


@channelwise
def gaussian_blur(
    image: tf.Tensor,
    probability: float = 0.5,
    sigma: tuple[float, float] = (0.1, 2.0),
    *,
    seed: tf.Tensor,
) -> tf.Tensor:
    """With a probability, blurs by a Gaussian whose `sigma` in pixels is uniform in the range.

    The kernel reaches over a tenth of the image's height, as in SimCLR (Chen et al. 2020, arXiv
    2002.05709, appendix A). At the border only the part of it inside the image counts, so that the
    rim does not darken as it does with SimCLR's zeros.
    """
    check_probability(probability)
    check_range("sigma", sigma, 0.01)
    decision, draw = split(seed, 2)

    def change() -> tf.Tensor:
        return blurred(image, tf.random.stateless_uniform([], draw, *map(float, sigma)))

    return sometimes(change, image, probability, decision)


def blurred(image: tf.Tensor, sigma: tf.Tensor) -> tf.Tensor:
    """Returns the image blurred; each axis by one matrix product, fast up to some 500 pixels."""
    height, width = tf.unstack(tf.shape(image)[:2])
    radius = height // 10 // 2
    planes = tf.transpose(image, [2, 0, 1])
    planes = tf.matmul(planes, _weights(width, radius, sigma), transpose_b=True)
    planes = tf.matmul(_weights(height, radius, sigma), planes)
    # Weights that add up to one within rounding.
    blurry = tf.clip_by_value(tf.transpose(planes, [1, 2, 0]), 0.0, 1.0)
    return tf.ensure_shape(blurry, image.shape)


def _weights(length: tf.Tensor, radius: tf.Tensor, sigma: tf.Tensor) -> tf.Tensor:
    """Returns what each of `length` pixels, by row, takes from each, by column."""
    position = tf.range(length)
    distance = position[:, None] - position
    bell = tf.exp(-0.5 * tf.square(tf.cast(distance, tf.float32) / sigma))
    bell = tf.where(tf.abs(distance) <= radius, bell, 0.0)
    return bell / tf.reduce_sum(bell, axis=1, keepdims=True)
