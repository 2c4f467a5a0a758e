"""Elastic deformation."""

import math

import tensorflow as tf

from remedis.preprocess.operations.bounds import check, check_probability
from remedis.preprocess.operations.chance import sometimes, split
from remedis.preprocess.registry import channelwise

# How far, in sigmas, the nodes of the displacement field reach beyond the image: a Gaussian further
# away adds less than exp(-16) to the variance.
_MARGIN = 4


@channelwise
def elastic_deformation(
    image: tf.Tensor, alpha: float, sigma: float, probability: float = 0.5, *, seed: tf.Tensor
) -> tf.Tensor:
    """With a probability, moves each pixel by a smooth random field (Simard et al. 2003).

    The field is `alpha` pixels times numbers from [-1, 1], one a pixel and direction, smoothed by a
    Gaussian of `sigma` pixels. Displacements thus have a standard deviation of 0.163 alpha / sigma
    pixels, and neighbouring parts are stretched by about 0.115 alpha / sigma^2: far below 1, or the
    image folds. Sampled bilinearly; beyond its border the image is black, as for `rotate`:
    repeated pixels would show as streaks, and a mirror would double the letters at a film's edge.

    What is drawn is not every pixel's number but normal numbers at nodes `sigma` apart, spread by
    the same Gaussian: the field has the same mean and, to 3 parts in 10,000, the same covariance
    between any two pixels, at a fraction of the cost.
    """
    check("alpha", alpha, 0)
    check("sigma", sigma, 1)
    check_probability(probability)
    if alpha == 0:
        return tf.identity(image)
    decision, draw = split(seed, 2)

    def change() -> tf.Tensor:
        height, width = tf.unstack(tf.shape(image)[:2])
        field = displacements(height, width, float(alpha), float(sigma), draw)
        return displaced(image, field)

    return sometimes(change, image, probability, decision)


def displacements(
    height: tf.Tensor, width: tf.Tensor, alpha: float, sigma: float, seed: tf.Tensor
) -> tf.Tensor:
    """Returns a random smooth field, [2, height, width] in pixels: down and to the right."""
    down, across = _bumps(height, sigma), _bumps(width, sigma)
    draws = tf.random.stateless_normal([2, tf.shape(down)[1], tf.shape(across)[1]], seed)
    # Squared bumps a sigma apart add up to sqrt(pi) along each axis, and uniform numbers of
    # variance 1/3, one a pixel, smoothed by the normalised Gaussian have 1 / (12 pi sigma^2).
    scale = alpha / (math.sqrt(12) * math.pi * sigma)
    return scale * tf.matmul(down, tf.matmul(draws, across, transpose_b=True))


def _bumps(length: tf.Tensor, sigma: float) -> tf.Tensor:
    """Returns how much each pixel, by row, gets of each node, by column."""
    pixels = tf.range(tf.cast(length, tf.float32)) / sigma
    last = tf.math.ceil(tf.cast(length, tf.float32) / sigma)
    nodes = tf.range(-_MARGIN, last + _MARGIN + 1)
    return tf.exp(-0.5 * tf.square(pixels[:, None] - nodes))


def displaced(image: tf.Tensor, field: tf.Tensor) -> tf.Tensor:
    """Returns what stands in `image` the field's displacement away from each pixel, bilinearly.

    Around the image everything is black.
    """
    height, width = tf.unstack(tf.cast(tf.shape(image)[:2], tf.float32))
    # A black rim for the pixels at the border to fade into.
    rimmed = tf.pad(image, [[1, 1], [1, 1], [0, 0]])
    rows = tf.range(1, height + 1)[:, None] + field[0]
    columns = tf.range(1, width + 1) + field[1]
    # In shares of the image, as `crop_and_resize` wants them.
    down = tf.clip_by_value(rows / (height + 1), 0.0, 1.0)
    across = tf.clip_by_value(columns / (width + 1), 0.0, 1.0)
    # Every pixel is a crop of one pixel: faster than gathering its four neighbours.
    boxes = tf.reshape(tf.stack([down, across, down, across], axis=-1), [-1, 4])
    first = tf.zeros([tf.shape(boxes)[0]], tf.int32)
    sampled = tf.image.crop_and_resize(rimmed[None], boxes, first, [1, 1])
    return tf.ensure_shape(tf.reshape(sampled, tf.shape(image)), image.shape)
