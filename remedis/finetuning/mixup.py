"""MixUp: training on the lines between examples.

Zhang et al. 2018, "mixup: Beyond Empirical Risk Minimization", arXiv 1710.09412.
"""

import tensorflow as tf


def mixup(
    images: tf.Tensor, labels: tf.Tensor, alpha: float, seed: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns every example mixed with its neighbour: share * own + (1 - share) * neighbour's.

    The share is one number a batch, drawn from Beta(alpha, alpha). Examples 2k and 2k + 1 are each
    other's neighbours. As the order within an epoch is random, so is the pair; and as both come
    from the same part of a batch, the result does not depend on how the batch is divided among
    workers and parts, as long as each has an even number of rows.

    Args:
      images: [N, H, W, 3] float32.
      labels: [N, L] float32 in [0, 1], or NaN where unknown.
      alpha: of the Beta distribution; 0 for no mixing.
      seed: [2] integers, the same for all parts of a batch and another for each batch.

    Returns:
      The mixed images and labels. A label that either of the two does not know is NaN. The last of
      an odd number of examples is as it was.
    """
    if alpha == 0:
        return images, labels
    share = _share(alpha, seed)
    rows = tf.range(tf.shape(images)[0])
    neighbours = tf.minimum(tf.bitwise.bitwise_xor(rows, 1), tf.shape(rows)[0] - 1)

    def mixed(values: tf.Tensor) -> tf.Tensor:
        others = tf.gather(values, neighbours)
        # In this form what is mixed with itself stays the same to the bit.
        return others + tf.cast(share, values.dtype) * (values - others)

    return mixed(images), mixed(labels)


def _share(alpha: float, seed: tf.Tensor) -> tf.Tensor:
    """Beta(alpha, alpha) as the share of one of two draws from Gamma(alpha) in their sum."""
    # In float32 both would be 0 all too often for a small alpha. Where they still are, 0 is the
    # share: it only swaps neighbours.
    one, other = tf.unstack(tf.random.stateless_gamma([2], seed, alpha, dtype=tf.float64))
    return tf.math.divide_no_nan(one, one + other)
