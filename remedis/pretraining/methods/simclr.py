"""SimCLR: identify the other view of the same image among all other views in the batch.

Chen et al. 2020, "A Simple Framework for Contrastive Learning of Visual Representations", arXiv
2002.05709.
"""

import math
from collections.abc import Sequence

import tensorflow as tf

from remedis.pretraining import method_checks
from remedis.pretraining.methods.method import Outcome, normalised
from remedis.pretraining.methods.projection import NORM, Projection
from remedis.pretraining.methods.siamese import Siamese


def nt_xent(first: tf.Tensor, second: tf.Tensor, temperature: float) -> tf.Tensor:
    """Returns the normalised, temperature-scaled cross-entropy (equation 1 of the paper).

    Each of the 2 N projections is compared with the 2 N - 1 others, one of which is its positive:
    -log(exp(sim / T) of the positive / sum of exp(sim / T) of all others), where sim is the cosine.
    The result is the mean over the 2 N, as in the paper; the paper's released code has twice that.

    Args:
      first: [N, D], rows of any length.
      second: [N, D]; row i forms a positive pair with row i of `first`.
      temperature: T, above 0.

    Returns:
      Scalar float32, at least 0; log(2 N - 1) if all projections are equal.
    """
    z = normalised(tf.concat([first, second], 0))
    similarities = tf.matmul(z, z, transpose_b=True) / temperature
    rows = tf.shape(z)[0]
    others = tf.linalg.set_diag(similarities, tf.fill([rows], -math.inf))
    positives = tf.roll(tf.range(rows), rows // 2, axis=0)
    return tf.reduce_mean(
        tf.nn.sparse_softmax_cross_entropy_with_logits(labels=positives, logits=others)
    )


class SimCLR(Siamese):
    """NT-Xent on a head of two layers, with the defaults of the code released with REMEDIS.

    The released head: a dense layer with as many outputs as inputs, batch norm, ReLU, a dense layer
    with 128 outputs, batch norm without offset. It projects both views in one call: its batch norms
    see the 2 N rows.
    """

    name = "simclr"

    def __init__(
        self,
        channels: int,
        seed: int,
        *,
        temperature: float = 0.1,
        widths: Sequence[int] | None = None,
        sum_of_views: bool = False,
    ) -> None:
        """Makes the head.

        Args:
          channels: number of channels of the features.
          seed: of the head's initial weights.
          temperature: divisor of the similarities, above 0; 0.1 in the released code.
          widths: output channels of each layer; (channels, 128) in the released code.
          sum_of_views: whether the loss is the sum of the means over the first and over the second
            views, twice equation 1, as in the released code (objective.py:81-85).

        Raises:
          UserError: a value is out of its range.
        """
        self.temperature = method_checks.positive("temperature", temperature)
        head = method_checks.widths(widths, (channels, 128))
        self._factor = 2 if method_checks.true_or_false("sum_of_views", sum_of_views) else 1
        super().__init__(Projection(channels, head, seed, last=NORM))

    def constant_loss(self, batch_size: int) -> float:
        """Returns log(2 N - 1), or twice that for the sum of the views."""
        return self._factor * math.log(2 * batch_size - 1)

    def __call__(self, student: tf.Tensor, teacher: tf.Tensor | None = None) -> Outcome:
        """Returns the loss of features [N, 2, C]."""
        first, second = self.together(student)
        loss = self._factor * nt_xent(first, second, self.temperature)
        return Outcome(loss, normalised(first), normalised(second))
