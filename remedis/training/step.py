"""One step of training: losses and gradients over parts, replicas and workers, and the update."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

import keras
import tensorflow as tf

if TYPE_CHECKING:
    from remedis.training.averaging import Averages
    from remedis.training.distribution import Distribution
    from remedis.training.loop import Learner

Batch = Mapping[str, tf.Tensor]


class Objective(Protocol):
    """What a training makes small: a sum over examples, divided by what the batch weighs.

    Sum and weight are apart so that a batch can be cut into parts, for the memory's sake or for
    several workers, without changing what is computed.
    """

    def prepare(self, batch: Batch, step: tf.Tensor) -> Batch:
        """Returns a replica's part of the batch as it is trained on; int64 `step` from 1."""

    def weight(self, batch: Batch) -> tf.Tensor:
        """Returns what the batch counts for, a scalar."""

    def total(self, batch: Batch) -> tf.Tensor:
        """Returns the summed loss, a float32 scalar."""


class Step:
    """Does one step of a learner, on all replicas."""

    def __init__(self, learner: Learner, averages: Averages, distribution: Distribution) -> None:
        self._learner, self._averages, self._distribution = learner, averages, distribution
        self._variables = [variable.value for variable in learner.trained.values()]
        # Nothing here is Python control flow over tensors, and looking for it takes seconds.
        self._function = tf.function(self._everywhere, autograph=False)

    def __call__(self, batch: Batch, step: int) -> tuple[tf.Tensor, tf.Tensor]:
        """Moves the variables by a batch.

        Args:
          batch: this worker's part, divisible by its replicas and their parts.
          step: number of the step, from 1.

        Returns:
          The loss of the whole batch and the learning rate it was followed at, scalars.
        """
        loss, rate = self._function(self._distribution.spread(batch), tf.constant(step, tf.int64))
        first = self._distribution.strategy.experimental_local_results
        return first(loss)[0], first(rate)[0]

    def _everywhere(self, batch: Any, step: tf.Tensor) -> Any:
        return self._distribution.strategy.run(self._replica, args=(batch, step))

    def _replica(self, batch: Batch, step: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        learner, replicas = self._learner, self._distribution.replicas
        optimizer = learner.optimizer
        rate = tf.identity(optimizer.learning_rate)  # before it moves on to the next step's
        # Half precision: the loss is scaled up so that small gradients do not vanish.
        scaled = isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
        scale = tf.convert_to_tensor(optimizer.dynamic_scale) if scaled else tf.constant(1.0)

        total, weight, gradients = self._parts(learner.objective.prepare(batch, step), scale)
        if replicas > 1:
            total, weight = self._summed([total, weight])
        gradients = [gradient / weight for gradient in gradients]
        if learner.clip_norm:
            if replicas > 1:
                gradients = self._summed(gradients)
            # Keras sums what the replicas give it; here each already has the sum.
            clipped, _ = tf.clip_by_global_norm(gradients, learner.clip_norm * scale)
            gradients = [gradient / replicas for gradient in clipped]
        optimizer.apply_gradients(zip(gradients, learner.trained.values(), strict=True))
        self._averages.update(step)
        return total / weight, rate

    def _parts(
        self, batch: Batch, scale: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, list[tf.Tensor]]:
        """Returns summed loss, weight (at least a hair above 0) and gradients times `scale`."""
        weight = tf.maximum(tf.cast(self._learner.objective.weight(batch), tf.float32), 1e-12)
        count = self._learner.accumulate
        if count == 1:
            total, gradients = self._gradients(batch, scale)
            return total, weight, gradients
        parts = {
            name: tf.reshape(value, tf.concat([[count, -1], tf.shape(value)[1:]], 0))
            for name, value in batch.items()
        }
        for name, value in batch.items():
            parts[name].set_shape([count, None, *value.shape[1:]])

        def body(i: tf.Tensor, total: tf.Tensor, sums: list[tf.Tensor]) -> tuple[Any, ...]:
            part = {name: value[i] for name, value in parts.items()}
            more, gradients = self._gradients(part, scale)
            return i + 1, total + more, [a + b for a, b in zip(sums, gradients, strict=True)]

        start = (0, tf.constant(0.0), [tf.zeros_like(variable) for variable in self._variables])
        # One part after the other: side by side they would need the memory of all.
        _, total, gradients = tf.while_loop(
            lambda i, *_: i < count, body, start, parallel_iterations=1
        )
        return total, weight, gradients

    def _gradients(self, batch: Batch, scale: tf.Tensor) -> tuple[tf.Tensor, list[tf.Tensor]]:
        with tf.GradientTape() as tape:
            total = self._learner.objective.total(batch)
            scaled = total * scale
        return total, tape.gradient(
            scaled, self._variables, unconnected_gradients=tf.UnconnectedGradients.ZERO
        )

    def _summed(self, values: list[tf.Tensor]) -> list[tf.Tensor]:
        context = tf.distribute.get_replica_context()
        return context.all_reduce(tf.distribute.ReduceOp.SUM, values)
