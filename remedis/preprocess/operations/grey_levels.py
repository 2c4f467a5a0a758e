"""Histogram equalisation."""

import tensorflow as tf

from remedis.preprocess.operations.bounds import check_probability
from remedis.preprocess.operations.chance import sometimes
from remedis.preprocess.operations.colour import luminance
from remedis.preprocess.registry import channelwise

_BINS = 256


@channelwise
def histogram_equalisation(
    image: tf.Tensor, probability: float = 0.5, *, seed: tf.Tensor
) -> tf.Tensor:
    """With a probability, spreads the grey levels so that all are about equally frequent.

    A level becomes the share of pixels up to it, in 256 bins of the grey image. The shares are
    scaled so that the darkest level present becomes 0 and the brightest 1, as in OpenCV and Pillow;
    the formula of Gonzalez and Woods would raise a black background by its share of the image. The
    result is grey. An image with a single level does not change.

    Args:
      image: [H, W, C] float32 in [0, 1].
      probability: of the change, 0 to 1.
      seed: [2] int32.
    """
    check_probability(probability)
    return sometimes(lambda: equalised(image), image, probability, seed)


def equalised(image: tf.Tensor) -> tf.Tensor:
    """Returns the grey image with an even histogram, with as many channels as `image`."""
    # Bin k of an 8-bit image holds exactly the level k / 255.
    bins = tf.cast(tf.minimum(luminance(image) * _BINS, _BINS - 1), tf.int32)
    up_to = tf.cumsum(tf.math.bincount(bins, minlength=_BINS, maxlength=_BINS))
    total = up_to[-1]
    darkest = tf.reduce_min(tf.where(up_to > 0, up_to, total))
    spread = tf.cast((up_to - darkest) / tf.maximum(total - darkest, 1), tf.float32)
    unchanged = tf.range(_BINS, dtype=tf.float32) / (_BINS - 1)
    curve = tf.where(total > darkest, tf.maximum(spread, 0.0), unchanged)
    # The table has one value per level and channel, so that one look-up gives all channels.
    return tf.ensure_shape(
        tf.gather(tf.repeat(curve[:, None], tf.shape(image)[-1], axis=1), bins), image.shape
    )
