"""Barlow Twins: each dimension agrees between the views, and different dimensions do not.

Zbontar et al. 2021, "Barlow Twins: Self-Supervised Learning via Redundancy Reduction", arXiv
2103.03230. There are no negatives: the loss compares dimensions, not examples.
"""

from collections.abc import Sequence

import tensorflow as tf

from remedis.pretraining import method_checks
from remedis.pretraining.methods.method import Outcome, normalised
from remedis.pretraining.methods.projection import BARE, EPSILON, Projection
from remedis.pretraining.methods.siamese import Siamese

# Correlations over fewer examples are mostly chance: for independent dimensions they have a
# standard deviation of 1 / sqrt(N - 1), and over two examples each of them is 1 or -1.
FEWEST = 8


def barlow_twins(first: tf.Tensor, second: tf.Tensor, off_diagonal: float) -> tf.Tensor:
    """Returns the weighted squared distance of the cross-correlation matrix from the identity.

    With c = BN(first)' BN(second) / N, [D, D], it is the sum over i of (c_ii - 1)^2, plus
    off_diagonal times the sum over i != j of c_ij^2: a sum over dimensions, for the whole batch.

    Args:
      first: [N, D], rows of any length and mean.
      second: [N, D]; row i is of the same example as row i of `first`.
      off_diagonal: weight of the off-diagonal correlations, 0 or more.

    Returns:
      Scalar float32, at least 0; D if all rows are equal.
    """
    count = tf.cast(tf.shape(first)[0], first.dtype)
    c = tf.matmul(standardised(first), standardised(second), transpose_a=True) / count
    diagonal = tf.linalg.diag_part(c)
    others = tf.linalg.set_diag(c, tf.zeros_like(diagonal))
    invariance = tf.reduce_sum(tf.square(diagonal - 1))
    return invariance + off_diagonal * tf.reduce_sum(tf.square(others))


def standardised(z: tf.Tensor) -> tf.Tensor:
    """Returns z [N, D] with mean 0 and variance 1 per column: batch norm without variables."""
    mean, variance = tf.nn.moments(z, 0)
    return (z - mean) * tf.math.rsqrt(variance + EPSILON)


class BarlowTwins(Siamese):
    """The loss `barlow_twins` on a head of three wide layers, the last without bias or norm.

    Each view is projected by a call of its own, as in the paper: batch norms see the N rows of one
    view. For monitoring, the projections are standardised as in the loss and then scaled to length
    1.
    """

    name = "barlow_twins"
    fewest = FEWEST

    def __init__(
        self,
        channels: int,
        seed: int,
        *,
        off_diagonal: float = 0.0051,
        widths: Sequence[int] | None = None,
    ) -> None:
        """Makes the head.

        Args:
          channels: number of channels of the features.
          seed: of the head's initial weights.
          off_diagonal: weight of the off-diagonal correlations, 0 or more; 0.0051 in the
            authors' code.
          widths: output channels of each layer; (8192, 8192, 8192) in the paper.

        Raises:
          UserError: a value is out of its range.
        """
        self.off_diagonal = method_checks.not_negative("off_diagonal", off_diagonal)
        self._widths = method_checks.widths(widths, (8192, 8192, 8192))
        super().__init__(Projection(channels, self._widths, seed, last=BARE))

    def constant_loss(self, batch_size: int) -> float:
        """Returns D: without variance every correlation is 0."""
        return float(self._widths[-1])

    def __call__(self, student: tf.Tensor, teacher: tf.Tensor | None = None) -> Outcome:
        """Returns the loss of features [N, 2, C]."""
        first, second = self.apart(student)
        loss = barlow_twins(first, second, self.off_diagonal)
        return Outcome(loss, normalised(standardised(first)), normalised(standardised(second)))
