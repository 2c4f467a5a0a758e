"""Numbers that tell how a self-supervised training is doing, beside its loss."""

import math

import numpy as np
import tensorflow as tf

from remedis.pretraining.methods.method import Outcome, normalised

MOST_ROWS = 256  # that the effective rank is taken of: its time grows with their third power


def monitored(outcome: Outcome, features: tf.Tensor) -> dict[str, tf.Tensor]:
    """Returns scalars by name, all float32.

    Args:
      outcome: of a method.
      features: [N, C], the student's, of its first view.

    Returns:
      `alignment`, `uniformity` (of the first projections), `instance_top1`, `embedding_std` (of the
      first projections) and `effective_rank` (of the first 256 features).
    """
    return {
        "alignment": alignment(outcome.first, outcome.second),
        "uniformity": uniformity(outcome.first),
        "instance_top1": instance_top1(outcome.first, outcome.second),
        "embedding_std": spread(outcome.first),
        "effective_rank": effective_rank(features[:MOST_ROWS]),
    }


def alignment(first: tf.Tensor, second: tf.Tensor) -> tf.Tensor:
    """Returns the mean squared distance of positive pairs: 0 for the same, 2 if orthogonal.

    Wang and Isola 2020, "Understanding Contrastive Representation Learning through Alignment and
    Uniformity on the Hypersphere", arXiv 2005.10242, with their exponent 2.

    Args:
      first: [N, D], of length 1.
      second: [N, D], of length 1; rows of the same number are positive pairs.
    """
    return tf.reduce_mean(tf.reduce_sum(tf.math.squared_difference(first, second), 1))


def uniformity(z: tf.Tensor) -> tf.Tensor:
    """Returns log of the mean over pairs of exp(-2 d^2), d their distance; lower is more uniform.

    Wang and Isola 2020, with their t = 2. 0 if all rows are equal, -4 if all are orthogonal; NaN of
    a single row.

    Args:
      z: [N, D], of length 1.
    """
    rows = tf.shape(z)[0]
    distances = 2 - 2 * tf.matmul(z, z, transpose_b=True)
    exponents = tf.linalg.set_diag(-2 * tf.maximum(distances, 0.0), tf.fill([rows], -math.inf))
    pairs = tf.cast(rows, tf.float32) * tf.cast(rows - 1, tf.float32)
    return tf.reduce_logsumexp(exponents) - tf.math.log(pairs)


def instance_top1(first: tf.Tensor, second: tf.Tensor) -> tf.Tensor:
    """Returns the share of examples whose own second row is nearest of all to their first.

    1 / N by chance; also if all rows are equal.

    Args:
      first: [N, D], of length 1.
      second: [N, D], of length 1; rows of the same number are positive pairs.
    """
    nearest = tf.argmax(tf.matmul(first, second, transpose_b=True), 1, tf.int32)
    found = tf.equal(nearest, tf.range(tf.shape(first)[0]))
    return tf.reduce_mean(tf.cast(found, tf.float32))


def spread(z: tf.Tensor) -> tf.Tensor:
    """Returns the mean over dimensions of the standard deviation of unit rows, times sqrt(D).

    About 1 if the rows point evenly in all directions, 0 if all are equal. Rows [N, D] may be of
    any length.
    """
    deviations = tf.math.reduce_std(normalised(z), 0)
    return tf.reduce_mean(deviations) * math.sqrt(z.shape[-1])


def effective_rank(features: tf.Tensor) -> tf.Tensor:
    """Returns exp of the entropy of the singular values of centred features, made to sum to 1.

    Roy and Vetterli 2007, "The effective rank: a measure of effective dimensionality", EUSIPCO: in
    how many directions the rows differ, from 1 to N - 1 or C.

    Args:
      features: [N, C] float32.

    Returns:
      Scalar float32; 1 if all rows are equal but for rounding, NaN if a value is not finite.
    """
    finite = tf.reduce_all(tf.math.is_finite(features))
    # Of what is not finite, the decomposition would raise an exception.
    wide = tf.cast(tf.where(finite, features, tf.zeros_like(features)), tf.float64)
    centred = wide - tf.reduce_mean(wide, 0)
    # The roots of the Gram matrix' eigenvalues: in float64 they have all of float32's digits.
    eigenvalues = tf.linalg.eigvalsh(tf.matmul(centred, centred, transpose_b=True))
    values = tf.sqrt(tf.maximum(eigenvalues, 0.0))
    # Less is the rounding of float32 features, which differs in every direction.
    rounding = np.finfo(np.float32).eps * tf.norm(wide)
    values = tf.where(values > rounding, values, tf.zeros_like(values))
    shares = tf.math.divide_no_nan(values, tf.reduce_sum(values))
    rank = tf.exp(-tf.reduce_sum(tf.math.xlogy(shares, shares)))
    return tf.cast(tf.where(finite, rank, math.nan), tf.float32)
