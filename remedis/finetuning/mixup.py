"""MixUp: training on convex combinations of two examples.

Zhang et al. 2018, "mixup: Beyond Empirical Risk Minimization", arXiv 1710.09412.
"""

import tensorflow as tf


def mixup(
    images: tf.Tensor, labels: tf.Tensor, alpha: float, seed: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns every example mixed with its neighbour: share * own + (1 - share) * neighbour's.

    The share is one number per batch, drawn from Beta(alpha, alpha). Examples 2k and 2k + 1 are
    neighbours. The order within an epoch is random, and so is the pair. Both examples come from the
    same part of a batch, so the result does not depend on how the batch is divided among workers
    and micro-batches, as long as each has an even number of rows.

    Args:
      images: [N, H, W, 3] float32.
      labels: [N, L] float32 in [0, 1], or NaN where unknown.
      alpha: of the Beta distribution; 0 for no mixing.
      seed: [2] integers, the same for all parts of a batch and another for each batch.

    Returns:
      The mixed images and labels. A label is NaN where it is unknown for either of the two. The
      last of an odd number of examples is not mixed.
    """
    if alpha == 0:
        return images, labels
    share = _share(alpha, seed)
    rows = tf.range(tf.shape(images)[0])
    neighbours = tf.minimum(tf.bitwise.bitwise_xor(rows, 1), tf.shape(rows)[0] - 1)

    def mixed(values: tf.Tensor) -> tf.Tensor:
        others = tf.gather(values, neighbours)
        # In this form an example mixed with itself keeps every bit.
        return others + tf.cast(share, values.dtype) * (values - others)

    return mixed(images), mixed(labels)


def _share(alpha: float, seed: tf.Tensor) -> tf.Tensor:
    """Returns a draw from Beta(alpha, alpha): one of two Gamma(alpha) draws over their sum."""
    # In float32 both draws would often underflow to 0 for a small alpha. If they still do, the
    # share is 0, which only swaps the neighbours.
    one, other = tf.unstack(tf.random.stateless_gamma([2], seed, alpha, dtype=tf.float64))
    return tf.math.divide_no_nan(one, one + other)
