"""One step of training: losses and gradients over parts, replicas and workers, and the update."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import keras
import tensorflow as tf

from remedis.errors import UserError
from remedis.training.objective import Batch

if TYPE_CHECKING:
    from remedis.training.averaging import Averages
    from remedis.training.distribution import Distribution
    from remedis.training.loop import Learner


class Step:
    """Does one step of a learner, on all replicas."""

    def __init__(self, learner: Learner, averages: Averages, distribution: Distribution) -> None:
        self._learner, self._averages, self._distribution = learner, averages, distribution
        self._variables = [variable.value for variable in learner.trained.values()]
        # Nothing here is Python control flow over tensors, and looking for it takes seconds.
        self._function = tf.function(self._everywhere, autograph=False)

    def __call__(
        self, batch: Batch, step: int
    ) -> tuple[tf.Tensor, tf.Tensor, dict[str, tf.Tensor]]:
        """Moves the variables by a batch.

        Args:
          batch: this worker's part, divisible by its replicas and their parts.
          step: number of the step, from 1.

        Returns:
          The loss of the whole batch, the learning rate it was followed at, and what else the
          objective watches, scalars.

        Raises:
          UserError: the memory is not enough.
        """
        try:
            found = self._function(self._distribution.spread(batch), tf.constant(step, tf.int64))
        except tf.errors.ResourceExhaustedError as error:
            raise UserError(_too_little(error)) from error
        first = self._distribution.strategy.experimental_local_results
        loss, rate, watched = tf.nest.map_structure(lambda value: first(value)[0], found)
        return loss, rate, watched

    def _everywhere(self, batch: Any, step: tf.Tensor) -> Any:
        return self._distribution.strategy.run(self._replica, args=(batch, step))

    def _replica(
        self, batch: Batch, step: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, dict[str, tf.Tensor]]:
        learner, replicas = self._learner, self._distribution.replicas
        optimizer = learner.optimizer
        rate = tf.identity(optimizer.learning_rate)  # before it moves on to the next step's
        # Half precision: the loss is scaled up so that small gradients do not vanish.
        scaled = isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
        scale = tf.convert_to_tensor(optimizer.dynamic_scale) if scaled else tf.constant(1.0)

        found = learner.objective.gradients(batch, step, self._variables, learner.accumulate, scale)
        total, weight = found.total, found.weight
        if replicas > 1:
            total, weight = self._summed([total, weight])
        gradients = [gradient / weight for gradient in found.gradients]
        if learner.clip_norm:
            if replicas > 1:
                gradients = self._summed(gradients)
            # Keras sums what the replicas give it; here each already has the sum.
            clipped, _ = tf.clip_by_global_norm(gradients, learner.clip_norm * scale)
            gradients = [gradient / replicas for gradient in clipped]
        optimizer.apply_gradients(zip(gradients, learner.trained.values(), strict=True))
        learner.objective.finish(found)
        self._averages.update(step)
        return total / weight, rate, dict(found.watched)

    def _summed(self, values: list[tf.Tensor]) -> list[tf.Tensor]:
        context = tf.distribute.get_replica_context()
        return context.all_reduce(tf.distribute.ReduceOp.SUM, values)


def _too_little(error: tf.errors.ResourceExhaustedError) -> str:
    """Returns what to do where the memory is not enough."""
    asked = re.search(r"shape\[[\d,]*\]", error.message)
    tensor = f" (it failed at a tensor of {asked[0]})" if asked else ""
    return (
        f"A step of training needs more memory than there is{tensor}; lower batch_size, or keep it "
        "and raise accumulate, which divides a batch, or set rematerialise=True or "
        "precision=bfloat16."
    )
