"""Operations on the colours of pixels: brightness, contrast, saturation, hue, grey, negative."""

import tensorflow as tf

from remedis.preprocess.operations.bounds import check, check_probability
from remedis.preprocess.operations.chance import sometimes, split
from remedis.preprocess.registry import channelwise, operation


@channelwise
def brightness(image: tf.Tensor, strength: float, *, seed: tf.Tensor) -> tf.Tensor:
    """Multiplies by a factor uniform in [1 - strength, 1 + strength], then clips.

    Args:
      image: [H, W, C] float32 in [0, 1].
      strength: largest change of the factor, 0 to 1.
      seed: [2] int32.
    """
    check("strength", strength, 0, 1)
    factor = tf.random.stateless_uniform([], seed, 1 - strength, 1 + strength)
    return tf.clip_by_value(image * factor, 0.0, 1.0)


@channelwise
def contrast(image: tf.Tensor, strength: float, *, seed: tf.Tensor) -> tf.Tensor:
    """Scales differences from the mean of each channel, then clips.

    The factor is uniform in [1 - strength, 1 + strength].

    Args:
      image: [H, W, C] float32 in [0, 1].
      strength: largest change of the factor, 0 to 1.
      seed: [2] int32.
    """
    check("strength", strength, 0, 1)
    factor = tf.random.stateless_uniform([], seed, 1 - strength, 1 + strength)
    mean = tf.reduce_mean(image, [0, 1], keepdims=True)
    return tf.clip_by_value((image - mean) * factor + mean, 0.0, 1.0)


@operation
def saturation(image: tf.Tensor, strength: float, *, seed: tf.Tensor) -> tf.Tensor:
    """Multiplies the saturation of HSV by a factor uniform in [1 - strength, 1 + strength].

    Saturations above 1 become 1. Grey images do not change.

    Args:
      image: [H, W, 3] float32 in [0, 1].
      strength: largest change of the factor, 0 to 1.
      seed: [2] int32.
    """
    check("strength", strength, 0, 1)
    factor = tf.random.stateless_uniform([], seed, 1 - strength, 1 + strength)
    return tf.clip_by_value(tf.image.adjust_saturation(image, factor), 0.0, 1.0)


@operation
def hue(image: tf.Tensor, strength: float, *, seed: tf.Tensor) -> tf.Tensor:
    """Shifts the hue of HSV by a share of the colour circle uniform in [-strength, strength].

    A strength of 0.5 reaches every hue. Grey images do not change.

    Args:
      image: [H, W, 3] float32 in [0, 1].
      strength: largest shift as a share of the colour circle, 0 to 0.5.
      seed: [2] int32.
    """
    check("strength", strength, 0, 0.5)
    shift = tf.random.stateless_uniform([], seed, -strength, strength)
    return tf.clip_by_value(tf.image.adjust_hue(image, shift), 0.0, 1.0)


@operation
def colour_distortion(
    image: tf.Tensor, strength: float = 1.0, probability: float = 0.8, *, seed: tf.Tensor
) -> tf.Tensor:
    """With a probability, changes brightness, contrast, saturation and hue in a random order.

    Their strengths are 0.8, 0.8, 0.8 and 0.2 times `strength`; each clips to [0, 1]. This is the
    colour jitter of SimCLR (Chen et al. 2020, arXiv 2002.05709, appendix A) and of the code
    released with REMEDIS (data_util.py:155-212), where `grey` follows it.

    Args:
      image: [H, W, 3] float32 in [0, 1].
      strength: scale of all four changes, 0 to 1.25.
      probability: of the change, 0 to 1.
      seed: [2] int32.
    """
    check("strength", strength, 0, 1.25)
    check_probability(probability)
    decision, order, *seeds = split(seed, 6)

    def distorted() -> tf.Tensor:
        shuffled = tf.random.experimental.stateless_shuffle(tf.range(4), order)

        def apply_next(position: tf.Tensor, pixels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            changes = [
                lambda: brightness(pixels, 0.8 * strength, seed=seeds[0]),
                lambda: contrast(pixels, 0.8 * strength, seed=seeds[1]),
                lambda: saturation(pixels, 0.8 * strength, seed=seeds[2]),
                lambda: hue(pixels, 0.2 * strength, seed=seeds[3]),
            ]
            changed = tf.switch_case(shuffled[position], changes)
            return position + 1, tf.ensure_shape(changed, image.shape)

        return tf.while_loop(lambda position, _: position < 4, apply_next, (0, image))[1]

    return sometimes(distorted, image, probability, decision)


@operation
def grey(image: tf.Tensor, probability: float = 0.2, *, seed: tf.Tensor) -> tf.Tensor:
    """With a probability, replaces each colour by its luminance.

    Args:
      image: [H, W, 3] float32 in [0, 1].
      probability: of the change, 0 to 1.
      seed: [2] int32.
    """
    check_probability(probability)
    return sometimes(
        lambda: tf.repeat(luminance(image)[..., None], 3, axis=-1), image, probability, seed
    )


def luminance(image: tf.Tensor) -> tf.Tensor:
    """Returns the luminance, [H, W]: 0.299 red + 0.587 green + 0.114 blue (BT.601)."""
    # The single channel of a grey image is red, green and blue.
    last = tf.shape(image)[-1] - 1
    red, green, blue = (image[..., tf.minimum(channel, last)] for channel in range(3))
    return 0.299 * red + 0.587 * green + 0.114 * blue


@channelwise
def solarise(
    image: tf.Tensor, threshold: float = 0.5, probability: float = 0.2, *, seed: tf.Tensor
) -> tf.Tensor:
    """With a probability, replaces values of `threshold` and above by their negative, 1 - value.

    BYOL (Grill et al. 2020, arXiv 2006.07733) and Barlow Twins have this augmentation.

    Args:
      image: [H, W, C] float32 in [0, 1].
      threshold: smallest value that is replaced, 0 to 1.
      probability: of the change, 0 to 1.
      seed: [2] int32.
    """
    check("threshold", threshold, 0, 1)
    check_probability(probability)
    return sometimes(
        lambda: tf.where(image < threshold, image, 1 - image), image, probability, seed
    )
