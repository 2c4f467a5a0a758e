"""RELIC: identify each instance among the others, with equal confidence from either view.

Mitrovic et al. 2021, "Representation Learning via Invariant Causal Mechanisms", arXiv 2010.07922.
"""

import math
from collections.abc import Sequence

import tensorflow as tf

from remedis.pretraining import method_checks
from remedis.pretraining.methods.method import Outcome, normalised
from remedis.pretraining.methods.projection import BIAS, Projection
from remedis.pretraining.methods.siamese import Siamese


def relic(first: tf.Tensor, second: tf.Tensor, temperature: float, alpha: float) -> tf.Tensor:
    """Returns InfoNCE over instances plus alpha times a divergence between the views' predictions.

    Row i of p is the softmax over j of sim(first_i, second_j) / T, and row i of q is the softmax
    over j of sim(second_i, first_j) / T, where sim is the cosine. Each predicts, from one view,
    which image of the batch it is. The loss is the mean over the examples of

        (-log p_ii - log q_ii) / 2 + alpha (KL(p_i, q_i) + KL(q_i, p_i)) / 2

    From the paper: the softmax over the other view of all examples, the divergence and its weight
    alpha, both orders of the views. Ours: cosines, as in SimCLR; means where the paper has sums,
    which leaves alpha unchanged; gradients through both distributions, as the paper's formula has
    no stop-gradient.

    Args:
      first: [N, D], rows of any length.
      second: [N, D]; row i forms a positive pair with row i of `first`.
      temperature: T, above 0.
      alpha: weight of the divergence, 0 or more.

    Returns:
      Scalar float32, at least 0; log N if all projections are equal.
    """
    similarities = tf.matmul(normalised(first), normalised(second), transpose_b=True) / temperature
    log_p = tf.nn.log_softmax(similarities)
    log_q = tf.nn.log_softmax(tf.transpose(similarities))
    log_likelihoods = tf.linalg.diag_part(log_p) + tf.linalg.diag_part(log_q)
    # KL(p, q) + KL(q, p) in a form of which no term is below 0.
    divergence = tf.reduce_sum((tf.exp(log_p) - tf.exp(log_q)) * (log_p - log_q), 1)
    return tf.reduce_mean(alpha * divergence - log_likelihoods) / 2


class RELIC(Siamese):
    """The loss `relic` on a deep head, the paper's critic.

    From the paper: the critic's widths. Ours: one network for both views, where the paper also
    allows a moving average for the second; batch norm on the critic's hidden layers, without which
    five layers in a row hardly train; alpha 1 and temperature 0.1, which are not tuned. The head
    projects both views in one call: its batch norms see the 2 N rows.
    """

    name = "relic"

    def __init__(
        self,
        channels: int,
        seed: int,
        *,
        temperature: float = 0.1,
        alpha: float = 1.0,
        widths: Sequence[int] | None = None,
    ) -> None:
        """Makes the head.

        Args:
          channels: number of channels of the features.
          seed: of the head's initial weights.
          temperature: divisor of the similarities, above 0.
          alpha: weight of the divergence, 0 or more.
          widths: output channels of each layer; (4096, 2048, 1024, 512, 128) in the paper.

        Raises:
          UserError: a value is out of its range.
        """
        self.temperature = method_checks.positive("temperature", temperature)
        self.alpha = method_checks.not_negative("alpha", alpha)
        head = method_checks.widths(widths, (4096, 2048, 1024, 512, 128))
        super().__init__(Projection(channels, head, seed, last=BIAS))

    def constant_loss(self, batch_size: int) -> float:
        """Returns log N."""
        return math.log(batch_size)

    def __call__(self, student: tf.Tensor, teacher: tf.Tensor | None = None) -> Outcome:
        """Returns the loss of features [N, 2, C]."""
        first, second = self.together(student)
        loss = relic(first, second, self.temperature, self.alpha)
        return Outcome(loss, normalised(first), normalised(second))
