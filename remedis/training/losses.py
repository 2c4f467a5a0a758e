"""Losses for labels that may be unknown."""

import tensorflow as tf


def masked_sigmoid_cross_entropy(labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Returns the binary cross-entropy averaged over the labels that are known.

    Args:
      labels: [N, L] float32, 1, 0, or NaN where unknown.
      logits: [N, L] float32.

    Returns:
      Scalar; 0 if no label of the batch is known. Unknown labels have no gradient.
    """
    known = tf.math.is_finite(labels)
    targets = tf.where(known, labels, tf.zeros_like(labels))
    losses = tf.nn.sigmoid_cross_entropy_with_logits(targets, logits)
    known = tf.cast(known, losses.dtype)
    return tf.math.divide_no_nan(tf.reduce_sum(losses * known), tf.reduce_sum(known))
