"""Masking of a rectangle (cut-out)."""

import tensorflow as tf

from remedis.preprocess.operations.bounds import check, check_probability
from remedis.preprocess.operations.chance import sometimes, split
from remedis.preprocess.registry import channelwise


@channelwise
def cut_out(
    image: tf.Tensor,
    fraction: float = 0.5,
    value: float = 0.5,
    probability: float = 1.0,
    *,
    seed: tf.Tensor,
) -> tf.Tensor:
    """With a probability, fills a rectangle, `fraction` of height and width, with `value`.

    The centre is uniform over the pixels of the image, so that a part of the rectangle may lie
    outside (DeVries and Taylor 2017, arXiv 1708.04552).

    Args:
      image: [H, W, C] float32 in [0, 1].
      fraction: height and width of the rectangle, as a share of the image's, 0 to 1.
      value: grey level of the rectangle, 0 to 1.
      probability: of the change, 0 to 1.
      seed: [2] int32.
    """
    check("fraction", fraction, 0, 1)
    check("value", value, 0, 1)
    check_probability(probability)
    decision, draw = split(seed, 2)

    def change() -> tf.Tensor:
        shape = tf.cast(tf.shape(image)[:2], tf.float32)
        sides = tf.round(shape * fraction)
        centre = tf.floor(tf.random.stateless_uniform([2], draw) * shape)
        start = centre - tf.floor(sides / 2)
        covered = [
            (position >= start[axis]) & (position < start[axis] + sides[axis])
            for axis, position in enumerate((tf.range(shape[0]), tf.range(shape[1])))
        ]
        inside = covered[0][:, None, None] & covered[1][None, :, None]
        return tf.where(inside, tf.constant(float(value)), image)

    return sometimes(change, image, probability, decision)
