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
    """With a probability, blurs with a Gaussian whose `sigma` in pixels is uniform in the range.

    The kernel is a tenth of the image's height wide, as in SimCLR (Chen et al. 2020, arXiv
    2002.05709, appendix A). At the border, the part of the kernel inside the image is renormalised.
    SimCLR pads with zeros, which darkens the border.

    Args:
      image: [H, W, C] float32 in [0, 1].
      probability: of the change, 0 to 1.
      sigma: smallest and largest width of the Gaussian in pixels, each 0.01 to 1000.
      seed: [2] int32.
    """
    check_probability(probability)
    check_range("sigma", sigma, 0.01, 1000)
    decision, draw = split(seed, 2)

    def change() -> tf.Tensor:
        return blurred(image, tf.random.stateless_uniform([], draw, *map(float, sigma)))

    return sometimes(change, image, probability, decision)


def blurred(
    image: tf.Tensor,
    sigma: tf.Tensor,
    zeros_outside: bool = False,
    radius: tf.Tensor | None = None,
) -> tf.Tensor:
    """Returns the blurred image; one matrix product per axis, fast up to about 500 pixels.

    Args:
      image: [H, W, C] float32 in [0, 1].
      sigma: of the Gaussian in pixels, scalar.
      zeros_outside: take zeros for pixels outside the image; otherwise, the part of the kernel
        inside the image is renormalised.
      radius: largest distance in pixels that the kernel reaches, scalar int32; a twentieth of the
        height if None.
    """
    height, width = tf.unstack(tf.shape(image)[:2])
    if radius is None:
        radius = height // 10 // 2
    planes = tf.transpose(image, [2, 0, 1])
    planes = tf.matmul(planes, _weights(width, radius, sigma, zeros_outside), transpose_b=True)
    planes = tf.matmul(_weights(height, radius, sigma, zeros_outside), planes)
    # The weights add up to one only within rounding.
    clipped = tf.clip_by_value(tf.transpose(planes, [1, 2, 0]), 0.0, 1.0)
    return tf.ensure_shape(clipped, image.shape)


def _weights(
    length: tf.Tensor, radius: tf.Tensor, sigma: tf.Tensor, zeros_outside: bool
) -> tf.Tensor:
    """Returns the weights [length, length] of each output pixel (row) for each input pixel."""
    position = tf.range(length)
    distance = position[:, None] - position
    bell = tf.where(tf.abs(distance) <= radius, _bell(distance, sigma), 0.0)
    if zeros_outside:
        return bell / tf.reduce_sum(_bell(tf.range(-radius, radius + 1), sigma))
    return bell / tf.reduce_sum(bell, axis=1, keepdims=True)


def _bell(distance: tf.Tensor, sigma: tf.Tensor) -> tf.Tensor:
    return tf.exp(-0.5 * tf.square(tf.cast(distance, tf.float32) / sigma))
