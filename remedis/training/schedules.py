"""Learning rates and durations."""

import dataclasses
import math

import keras
import tensorflow as tf

from remedis.errors import UserError


@dataclasses.dataclass(frozen=True)
class HyperRule:
    """BiT's rule for fine-tuning: everything but the resolution follows from the data's size.

    Kolesnikov et al. 2020, arXiv 1912.11370, section 3.3: 500 steps below 20,000 examples, 10,000
    below 500,000, else 20,000; learning rate 0.003 at batch 512, in proportion to the batch;
    linear warm-up; a tenth of it after 30, 60 and 90 % of the steps (the paper's shares; the
    authors' code has 40, 60 and 80 % for the schedule of 500). The warm-up is their 100 steps of
    500 and 500 of the longer schedules; of a schedule cut to other lengths it is at most a fifth.
    The rule's MixUp, from 20,000 examples up, is not part of this.

    Attributes:
      steps: length of the training.
      warmup: steps of linear warm-up from 0.
      learning_rate: after the warm-up.
    """

    steps: int
    warmup: int
    learning_rate: float

    @classmethod
    def of(
        cls, examples: int, batch_size: int, steps: int | None = None, base_rate: float = 0.003
    ) -> "HyperRule":
        """Returns the rule's values.

        Args:
          examples: size of the training set, images.
          batch_size: images a step.
          steps: overrides the rule's length.
          base_rate: learning rate at batch 512.

        Raises:
          UserError: a number is not positive.
        """
        for what, value in (("batch_size", batch_size), ("learning_rate", base_rate)):
            if not 0 < value < math.inf:
                raise UserError(f"config.{what} is {value}; expected a number above 0.")
        rule = 500 if examples < 20_000 else 10_000 if examples < 500_000 else 20_000
        if steps is not None and steps < 1:
            raise UserError(f"config.steps is {steps}; expected at least 1, or none for the rule.")
        length = rule if steps is None else steps
        warmup = min(100 if length <= 500 else 500, length // 5)
        return cls(length, warmup, base_rate * batch_size / 512)


class WarmupSteps(keras.optimizers.schedules.LearningRateSchedule):
    """The learning rate of a `HyperRule` at each step."""

    def __init__(self, rule: HyperRule) -> None:
        self.rule = rule

    def __call__(self, step: tf.Tensor) -> tf.Tensor:
        """Returns the learning rate of step `step`, counted from 0."""
        step = tf.cast(step, tf.float32)
        warm = tf.minimum(1.0, (step + 1) / max(1, self.rule.warmup))
        drops = sum(
            tf.cast(step >= share * self.rule.steps, tf.float32) for share in (0.3, 0.6, 0.9)
        )
        return self.rule.learning_rate * warm * tf.pow(0.1, drops)

    def get_config(self) -> dict[str, object]:
        """Returns what Keras needs to make another."""
        return {"rule": self.rule}
