"""One training step: loss and gradients over micro-batches, replicas and workers, and update."""

import dataclasses
import re
import weakref
from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf

from remedis import compat
from remedis.errors import UserError
from remedis.training import optimizers
from remedis.training.distribution import Distribution
from remedis.training.ema import Averages
from remedis.training.objective import Batch, Objective


@dataclasses.dataclass(frozen=True)
class Learner:
    """The variables to train, with optimizer and objective.

    Attributes:
      trained: variables that the optimizer updates, by name.
      statistics: variables that change without gradients, such as the averages of batch norms.
      optimizer: of the trained variables.
      objective: the loss to minimise.
      accumulate: micro-batches that a replica computes one after the other.
      clip_norm: largest norm of all gradients together; 0 for no limit.
      ema: decay of the averaged weights that are evaluated and exported; 0 for no averages.
    """

    trained: Mapping[str, keras.Variable]
    statistics: Mapping[str, keras.Variable]
    optimizer: keras.optimizers.Optimizer
    objective: Objective
    accumulate: int = 1
    clip_norm: float = 0.0
    ema: float = 0.0


class Trainer:
    """Trains a learner, once or several times from different weights.

    Building and tracing take longer than many trainings, so they are done once.

    Attributes:
      learner: variables, optimizer and objective.
      averages: exponential moving averages of the learner's variables.
      distribution: the replicas and workers that share each batch.
    """

    def __init__(self, learner: Learner, distribution: Distribution) -> None:
        self.learner, self.distribution = learner, distribution
        with distribution.strategy.scope():
            learner.optimizer.build(list(learner.trained.values()))
            self.averages = Averages({**learner.trained, **learner.statistics}, learner.ema)
        self._scalars = {v.path: v.numpy() for v in learner.optimizer.variables if not v.shape}
        self._variables = [variable.value for variable in learner.trained.values()]
        # AutoGraph is off: the step has no Python control flow over tensors, and the search for it
        # takes seconds.
        self._function = tf.function(self._on_all_replicas, autograph=False)
        # A study makes hundreds of trainers: their graphs would stay, with 80 MB each for a 50x0.5.
        self._gradients: set[str] = set()
        weakref.finalize(self, compat.forget_gradients, self._gradients)

    def begin(self) -> None:
        """Starts a training from the current values of the variables."""
        for variable in self.learner.optimizer.variables:
            # Slots of a weight start at 0, scalar counters at their initial value.
            initial = self._scalars.get(variable.path)
            variable.assign(tf.zeros_like(variable.value) if initial is None else initial)
        optimizers.begin(self.learner.optimizer, self.learner.trained.values())
        self.averages.begin()

    def step(self, batch: Batch, number: int) -> tuple[tf.Tensor, tf.Tensor, dict[str, tf.Tensor]]:
        """Updates the variables on one batch.

        Args:
          batch: this worker's part; its size is divisible by replicas times micro-batches.
          number: of the step, from 1.

        Returns:
          The loss of the whole batch, the learning rate of this step, and the other scalars that
          the objective monitors.

        Raises:
          UserError: the memory is not enough.
        """
        try:
            with compat.noting_gradients(self._gradients):
                per_replica = self._function(
                    self.distribution.spread(batch), tf.constant(number, tf.int64)
                )
        except tf.errors.ResourceExhaustedError as error:
            raise UserError(_out_of_memory(error)) from error
        local = self.distribution.strategy.experimental_local_results
        loss, rate, monitored = tf.nest.map_structure(lambda value: local(value)[0], per_replica)
        return loss, rate, monitored

    def _on_all_replicas(self, batch: Any, number: tf.Tensor) -> Any:
        return self.distribution.strategy.run(self._on_replica, args=(batch, number))

    def _on_replica(
        self, batch: Batch, number: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, dict[str, tf.Tensor]]:
        learner, replicas = self.learner, self.distribution.replicas
        optimizer = learner.optimizer
        rate = tf.identity(optimizer.learning_rate)  # read before the update advances the schedule
        # In half precision the loss is scaled up, or small gradients would underflow to 0.
        scales = isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
        scale = tf.convert_to_tensor(optimizer.dynamic_scale) if scales else tf.constant(1.0)

        own = learner.objective.gradients(batch, number, self._variables, learner.accumulate, scale)
        total, weight = own.total, own.weight
        if replicas > 1:
            total, weight = _sum_over_replicas([total, weight])
        gradients = [gradient / weight for gradient in own.gradients]
        if learner.clip_norm:
            if replicas > 1:
                gradients = _sum_over_replicas(gradients)
            # Keras sums the gradients of the replicas; here each already holds the sum.
            clipped, _ = tf.clip_by_global_norm(gradients, learner.clip_norm * scale)
            gradients = [gradient / replicas for gradient in clipped]
        optimizer.apply_gradients(zip(gradients, learner.trained.values(), strict=True))
        learner.objective.finish(own)
        self.averages.update(number)
        return total / weight, rate, dict(own.monitored)


def _sum_over_replicas(values: list[tf.Tensor]) -> list[tf.Tensor]:
    context = tf.distribute.get_replica_context()
    return context.all_reduce(tf.distribute.ReduceOp.SUM, values)


def _out_of_memory(error: tf.errors.ResourceExhaustedError) -> str:
    """Returns the sentence for a step that does not fit into memory."""
    asked = re.search(r"shape\[[\d,]*\]", error.message)
    tensor = f" (it failed at a tensor of {asked[0]})" if asked else ""
    return (
        f"A step of training needs more memory than there is{tensor}; lower batch_size, or keep it "
        "and raise accumulate, which divides a batch, or set gradient_checkpointing=True or "
        "precision=bfloat16."
    )
