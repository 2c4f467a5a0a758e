"""Operations on stained sections."""

import numpy as np
import tensorflow as tf

from remedis.preprocess.operations.bounds import check, check_probability
from remedis.preprocess.operations.chance import sometimes, split
from remedis.preprocess.registry import operation

# Optical densities for red, green and blue of haematoxylin, eosin and diaminobenzidine (Ruifrok and
# Johnston, Anal. Quant. Cytol. Histol. 23:291-299, 2001). Without the third stain, its amount is
# the residual of the first two.
STAINS = ((0.65, 0.70, 0.29), (0.07, 0.99, 0.11), (0.27, 0.57, 0.78))

# The darkest value of an 8-bit image above 0, whose density would be infinite.
_DARKEST = 1 / 255


@operation
def stain_jitter(
    image: tf.Tensor,
    scale: float = 0.05,
    shift: float = 0.05,
    probability: float = 1.0,
    *,
    seed: tf.Tensor,
) -> tf.Tensor:
    """With a probability, changes the amount of each stain of an H&E section.

    Colour deconvolution gives the amounts of the stains (`STAINS`) in units of optical density
    (base 10). Each amount is multiplied by a factor uniform in [1 - scale, 1 + scale], and a number
    uniform in [-shift, shift] is added; both are drawn per stain. The method is that of Tellez et
    al. 2018 (IEEE Trans. Med. Imaging 37:2126-2136); the values are ours, and 0.2 is strong. Unlike
    there, negative amounts are kept, so that strength 0 changes nothing. Values below 1/255 count
    as 1/255.

    Args:
      image: [H, W, 3] float32 in [0, 1].
      scale: largest change of the factor of an amount, 0 to 1.
      shift: largest number added to an amount, in optical density, 0 to 1.
      probability: of the change, 0 to 1.
      seed: [2] int32.
    """
    check("scale", scale, 0, 1)
    check("shift", shift, 0, 1)
    check_probability(probability)
    decision, first, second = split(seed, 3)

    def change() -> tf.Tensor:
        factors = tf.random.stateless_uniform([3], first, 1.0 - scale, 1.0 + scale)
        amounts = tf.random.stateless_uniform([3], second, -shift, shift)
        return restained(image, factors, amounts)

    return sometimes(change, image, probability, decision)


def restained(image: tf.Tensor, factors: tf.Tensor, amounts: tf.Tensor) -> tf.Tensor:
    """Returns the image after the amount of each stain is multiplied and shifted.

    Unmixing, change and mixing are linear in the density: together they are a matrix and an offset.

    Args:
      image: [H, W, 3] float32 in [0, 1].
      factors: [3] float32, one per stain of `STAINS`.
      amounts: [3] float32 in optical density (base 10), added per stain.
    """
    stains = tf.constant(STAINS)
    unmixing = tf.constant(np.linalg.inv(np.array(STAINS)), tf.float32)
    matrix = tf.matmul(unmixing, factors[:, None] * stains)
    offset = -np.log(10.0).astype(np.float32) * tf.linalg.matvec(stains, amounts, transpose_a=True)
    light = tf.reshape(tf.math.log(tf.maximum(image, _DARKEST)), [-1, 3])
    changed = tf.exp(tf.matmul(light, matrix) + offset)
    return tf.reshape(tf.minimum(changed, 1.0), tf.shape(image))
