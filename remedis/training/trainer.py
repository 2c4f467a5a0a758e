"""A learner with all that is built and traced for it, which takes longer than many a training."""

from __future__ import annotations

from typing import TYPE_CHECKING

import tensorflow as tf

from remedis.training.averaging import Averages
from remedis.training.distribution import Distribution
from remedis.training.step import Step

if TYPE_CHECKING:
    from remedis.training.loop import Learner


class Trainer:
    """Trains a learner, once or again and again from other weights.

    Attributes:
      learner: what is trained.
      averages: of its variables.
      advance: does a step.
      distribution: of the work.
    """

    def __init__(self, learner: Learner, distribution: Distribution) -> None:
        self.learner, self.distribution = learner, distribution
        with distribution.strategy.scope():
            learner.optimizer.build(list(learner.trained.values()))
            self.averages = Averages({**learner.trained, **learner.statistics}, learner.ema)
        self.advance = Step(learner, self.averages, distribution)
        self._scalars = {v.path: v.numpy() for v in learner.optimizer.variables if not v.shape}

    def begin(self) -> None:
        """Makes the variables, as they are now, those a training begins with."""
        for variable in self.learner.optimizer.variables:
            # What an optimizer keeps of each weight begins with 0, its counters with their own.
            fresh = self._scalars.get(variable.path)
            variable.assign(tf.zeros_like(variable.value) if fresh is None else fresh)
        self.averages.begin()
