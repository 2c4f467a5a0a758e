"""The objective of fine-tuning: a classifier's loss, with MixUp where the config sets it."""

import dataclasses

import tensorflow as tf

from remedis.finetuning.losses import SupervisedLoss
from remedis.finetuning.mixup import mixup
from remedis.models.classifier import Classifier
from remedis.training.objective import Batch, SummedObjective


@dataclasses.dataclass(frozen=True)
class SupervisedObjective(SummedObjective):
    """The loss of a classifier on images and labels.

    Attributes:
      classifier: maps images to logits.
      loss: of logits against labels.
      mixup: alpha of MixUp; 0 for none.
      seed: of MixUp's shares.
    """

    classifier: Classifier
    loss: SupervisedLoss
    mixup: float
    seed: int

    def prepare(self, batch: Batch, step: tf.Tensor) -> Batch:
        """Returns images and labels, mixed by the share that seed and step determine."""
        images, labels = batch["image"], batch["label"]
        if self.mixup:
            seed = tf.stack([tf.constant(self.seed, tf.int64), step])
            images, labels = mixup(images, labels, self.mixup, seed)
        return {"image": images, "label": labels}

    def weight(self, batch: Batch) -> tf.Tensor:
        """Returns the number of known labels in the batch."""
        return self.loss.weight(batch["label"])

    def total(self, batch: Batch) -> tf.Tensor:
        """Returns the summed loss of the known labels."""
        return self.loss.total(batch["label"], self.classifier(batch["image"], training=True))
