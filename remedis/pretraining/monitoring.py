"""Measures of a self-supervised training's progress besides its loss."""

import math

import numpy as np
import tensorflow as tf

from remedis.pretraining.methods.method import Outcome, normalised

MAX_ROWS = 256  # for the effective rank: its time grows with the third power of the rows


def monitored(outcome: Outcome, features: tf.Tensor) -> dict[str, tf.Tensor]:
    """Returns the measures of a batch by name, float32 scalars.

    Args:
      outcome: a method's outcome of the batch.
      features: [N, C], the student's features of its first view.

    Returns:
      `alignment`, `uniformity` (of the first projections), `instance_top1`, `embedding_std` (of the
      first projections) and `effective_rank` (of the first 256 features).
    """
    return {
        "alignment": alignment(outcome.first, outcome.second),
        "uniformity": uniformity(outcome.first),
        "instance_top1": instance_top1(outcome.first, outcome.second),
        "embedding_std": spread(outcome.first),
        "effective_rank": effective_rank(features[:MAX_ROWS]),
    }


def alignment(first: tf.Tensor, second: tf.Tensor) -> tf.Tensor:
    """Returns the mean squared distance of positive pairs: 0 if equal, 2 if orthogonal.

    Wang and Isola 2020, "Understanding Contrastive Representation Learning through Alignment and
    Uniformity on the Hypersphere", arXiv 2005.10242, with their exponent 2.

    Args:
      first: [N, D], rows of length 1.
      second: [N, D], rows of length 1; row i forms a positive pair with row i of `first`.
    """
    return tf.reduce_mean(tf.reduce_sum(tf.math.squared_difference(first, second), 1))


def uniformity(z: tf.Tensor) -> tf.Tensor:
    """Returns the log of the mean of exp(-2 d^2) over pairs of rows, where d is their distance.

    Wang and Isola 2020, with their t = 2. Lower is more uniform: 0 if all rows are equal, -4 if all
    are orthogonal; NaN for a single row.

    Args:
      z: [N, D], rows of length 1.
    """
    rows = tf.shape(z)[0]
    distances = 2 - 2 * tf.matmul(z, z, transpose_b=True)
    exponents = tf.linalg.set_diag(-2 * tf.maximum(distances, 0.0), tf.fill([rows], -math.inf))
    pairs = tf.cast(rows, tf.float32) * tf.cast(rows - 1, tf.float32)
    return tf.reduce_logsumexp(exponents) - tf.math.log(pairs)


def instance_top1(first: tf.Tensor, second: tf.Tensor) -> tf.Tensor:
    """Returns the share of examples whose second row is the nearest of all to their first.

    By chance, and if all rows are equal, it is 1 / N.

    Args:
      first: [N, D], rows of length 1.
      second: [N, D], rows of length 1; row i forms a positive pair with row i of `first`.
    """
    nearest = tf.argmax(tf.matmul(first, second, transpose_b=True), 1, tf.int32)
    hits = tf.equal(nearest, tf.range(tf.shape(first)[0]))
    return tf.reduce_mean(tf.cast(hits, tf.float32))


def spread(z: tf.Tensor) -> tf.Tensor:
    """Returns sqrt(D) times the standard deviation of the normalised rows, averaged over columns.

    It is about 1 if the rows point evenly in all directions, and 0 if all are equal.

    Args:
      z: [N, D], rows of any length.
    """
    deviations = tf.math.reduce_std(normalised(z), 0)
    return tf.reduce_mean(deviations) * math.sqrt(z.shape[-1])


def effective_rank(features: tf.Tensor) -> tf.Tensor:
    """Returns the number of directions in which the rows differ, from 1 to min(N - 1, C).

    It is exp of the entropy of the singular values of the centred features, scaled to sum to 1: Roy
    and Vetterli 2007, "The effective rank: a measure of effective dimensionality", EUSIPCO.

    Args:
      features: [N, C] float32.

    Returns:
      Scalar float32; 1 if all rows are equal but for rounding, NaN if a value is not finite.
    """
    finite = tf.reduce_all(tf.math.is_finite(features))
    # The decomposition raises an exception if a value is not finite.
    wide = tf.cast(tf.where(finite, features, tf.zeros_like(features)), tf.float64)
    centred = wide - tf.reduce_mean(wide, 0)
    # Roots of the Gram matrix' eigenvalues: in float64 they have all digits of float32.
    eigenvalues = tf.linalg.eigvalsh(tf.matmul(centred, centred, transpose_b=True))
    values = tf.sqrt(tf.maximum(eigenvalues, 0.0))
    # Smaller values are the rounding of float32 features, which differs in every direction.
    rounding = np.finfo(np.float32).eps * tf.norm(wide)
    values = tf.where(values > rounding, values, tf.zeros_like(values))
    shares = tf.math.divide_no_nan(values, tf.reduce_sum(values))
    rank = tf.exp(-tf.reduce_sum(tf.math.xlogy(shares, shares)))
    return tf.cast(tf.where(finite, rank, math.nan), tf.float32)
