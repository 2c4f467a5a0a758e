"""Losses of supervised training, for labels that may be unknown or soft."""

import dataclasses
import math

import numpy as np
import tensorflow as tf

from remedis.errors import UserError, unknown_choice
from remedis.models.tasks import MULTI_CLASS, MULTI_LABEL, TASKS

CLASS_WEIGHTS = ("none", "balanced")

# Smallest 1 - p of the focal factor, near the spacing of float32 at 1. The derivative of a power
# below 1 is infinite at 0.
SMALLEST_MISS = 1e-7


@dataclasses.dataclass(frozen=True)
class SupervisedLoss:
    """Cross-entropy or focal loss, as a sum and its divisor.

    Sum and divisor are separate because a batch may be divided into micro-batches or among workers:
    both are added up over the parts, so the mean does not depend on the division.

    With p the probability of a positive (`multi_label`, a sigmoid) or of a class (`multi_class`, a
    softmax), y the label and w the positive weight, an entry's loss is

        multi_label:  -w y (1 - p)^gamma log(p) - (1 - y) p^gamma log(1 - p)
        multi_class:  -w y (1 - p)^gamma log(p)

    For gamma = 0 it is the cross-entropy. For y of 0 or 1 and w = 1 it is the focal loss of Lin et
    al. 2017, arXiv 1708.02002, equation 4. For a soft y it is the expected loss of a label that
    is 1 with probability y; the cross-entropy of a soft label has the same meaning.

    Attributes:
      task: `multi_label`, or `multi_class` for labels of which exactly one is 1.
      positive_weights: one weight per label or class for its positives; negatives of `multi_label`
        weigh 1. None: all weigh 1.
      focal_gamma: focusing parameter; larger values give well-classified examples less weight, 0
        gives the cross-entropy.
    """

    task: str
    positive_weights: tuple[float, ...] | None = None
    focal_gamma: float = 0.0

    def __post_init__(self) -> None:
        if self.task not in TASKS:
            raise unknown_choice("value of config.task", self.task, TASKS)
        if not 0 <= self.focal_gamma < math.inf:
            raise UserError(f"config.focal_gamma is {self.focal_gamma}; expected 0 or more.")

    @classmethod
    def from_targets(
        cls, task: str, targets: np.ndarray, class_weights: str, focal_gamma: float
    ) -> "SupervisedLoss":
        """Returns the loss with weights that follow from the training set.

        Args:
          task: `multi_label` or `multi_class`.
          targets: [rows, L] labels of the training set: 1, 0, or NaN where unknown.
          class_weights: `none`, or `balanced`: negatives / positives for each label of
            `multi_label`, rows / (classes * rows of the class) for each class of `multi_class`. A
            label that lacks either kind weighs 1.
          focal_gamma: of the focal loss, >= 0; 0 for the cross-entropy.

        Raises:
          UserError: an unknown name, or a negative gamma.
        """
        if class_weights not in CLASS_WEIGHTS:
            raise unknown_choice("value of config.class_weights", class_weights, CLASS_WEIGHTS)
        unweighted = cls(task, None, focal_gamma)
        if class_weights == "none":
            return unweighted
        if task == MULTI_CLASS:
            targets = targets[np.isfinite(targets).all(axis=1)]
        positives = (targets == 1).sum(axis=0)
        counts = (targets == 0).sum(axis=0)
        divisors = positives
        if task == MULTI_CLASS:
            counts, divisors = positives + counts, positives * targets.shape[1]
        weights = np.where((counts > 0) & (positives > 0), counts / np.maximum(divisors, 1), 1.0)
        return dataclasses.replace(unweighted, positive_weights=tuple(weights.tolist()))

    def weight(self, labels: tf.Tensor) -> tf.Tensor:
        """Returns the number of terms that `total` sums.

        Args:
          labels: [N, L] float32, NaN where unknown.

        Returns:
          Scalar float32: the known entries (`multi_label`), or the rows of which every label is
          known (`multi_class`).
        """
        known = self._known(labels)
        if self.task == MULTI_CLASS:
            known = known[:, :1]
        return tf.reduce_sum(tf.cast(known, tf.float32))

    def total(self, labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        """Returns the sum of the losses.

        Args:
          labels: [N, L] float32 in [0, 1], NaN where unknown: no loss and no gradient there.
          logits: [N, L], float32 or a half precision.

        Returns:
          Scalar float32, 0 if no label is known.
        """
        known = self._known(labels)
        labels = tf.where(known, labels, 0.0)
        # Masked before and after the loss: 0 times the gradient of an infinite loss is NaN.
        logits = tf.where(known, tf.cast(logits, tf.float32), 0.0)
        losses = self._multi_label if self.task == MULTI_LABEL else self._multi_class
        return tf.reduce_sum(tf.where(known, losses(labels, logits), 0.0))

    def _known(self, labels: tf.Tensor) -> tf.Tensor:
        """Returns the entries that have a loss, [N, L] bool."""
        known = tf.math.is_finite(labels)
        if self.task == MULTI_LABEL:
            return known
        whole = tf.reduce_all(known, axis=1, keepdims=True)
        return tf.logical_and(known, whole)

    def _weights(self) -> tf.Tensor:
        return tf.constant(self.positive_weights or 1.0, tf.float32)

    def _multi_label(self, labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        missed, alarmed = tf.nn.softplus(-logits), tf.nn.softplus(logits)
        positive, negative = labels * self._weights() * missed, (1 - labels) * alarmed
        if self.focal_gamma:
            # (1 - p)^gamma and p^gamma; both and their gradients are finite for every logit.
            positive *= tf.exp(-self.focal_gamma * alarmed)
            negative *= tf.exp(-self.focal_gamma * missed)
        return positive + negative

    def _multi_class(self, labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        logs = tf.nn.log_softmax(logits)
        losses = -labels * self._weights() * logs
        if self.focal_gamma:
            losses *= tf.pow(tf.maximum(1 - tf.exp(logs), SMALLEST_MISS), self.focal_gamma)
        return losses
