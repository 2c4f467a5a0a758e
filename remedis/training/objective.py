"""The interface between a loss and the training step, and losses that are sums over examples."""

import abc
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import tensorflow as tf

Batch = Mapping[str, tf.Tensor]


@dataclasses.dataclass(frozen=True)
class Gradients:
    """Loss and gradients of one replica on its part of a batch.

    Attributes:
      total: the summed loss, a float32 scalar.
      weight: the divisor of the sum, above 0. The loss of the batch is the sum of the totals of
        all replicas divided by the sum of their weights.
      gradients: of the total, one tensor per variable.
      monitored: other scalars to log, by name; the same on all replicas.
      state: tensors that `finish` stores for the next step, by name; the same on all replicas.
    """

    total: tf.Tensor
    weight: tf.Tensor
    gradients: list[tf.Tensor]
    monitored: Mapping[str, tf.Tensor] = dataclasses.field(default_factory=dict)
    state: Mapping[str, tf.Tensor] = dataclasses.field(default_factory=dict)


class Objective(Protocol):
    """A loss that a training minimises."""

    def gradients(
        self,
        batch: Batch,
        step: tf.Tensor,
        variables: Sequence[tf.Variable],
        micro_batches: int,
        scale: tf.Tensor,
    ) -> Gradients:
        """Returns a replica's share of loss and gradients.

        Args:
          batch: the replica's part.
          step: int64, from 1.
          variables: the trained ones.
          micro_batches: number of equal parts that are computed one after the other to save
            memory; it does not change the result.
          scale: factor of the gradients, a scalar.
        """

    def finish(self, gradients: Gradients) -> None:
        """Updates variables without gradients, such as moving averages, after each step."""


class SummedObjective(abc.ABC):
    """A loss that is a sum over examples, divided by the weight of the batch.

    Sum and weight are separate so that a batch can be divided into micro-batches, or among several
    workers, without a change of the result.
    """

    @abc.abstractmethod
    def prepare(self, batch: Batch, step: tf.Tensor) -> Batch:
        """Returns a replica's part of the batch as it is trained on; int64 `step` from 1."""

    @abc.abstractmethod
    def weight(self, batch: Batch) -> tf.Tensor:
        """Returns the weight of the batch, a scalar."""

    @abc.abstractmethod
    def total(self, batch: Batch) -> tf.Tensor:
        """Returns the summed loss, a float32 scalar."""

    def gradients(
        self,
        batch: Batch,
        step: tf.Tensor,
        variables: Sequence[tf.Variable],
        micro_batches: int,
        scale: tf.Tensor,
    ) -> Gradients:
        """Returns a replica's share of loss and gradients; see `Objective.gradients`."""
        batch = self.prepare(batch, step)
        weight = tf.maximum(tf.cast(self.weight(batch), tf.float32), 1e-12)
        if micro_batches == 1:
            total, gradients = self._total_and_gradients(batch, variables, scale)
            return Gradients(total, weight, gradients)
        pieces = divide(batch, micro_batches)

        def body(i: tf.Tensor, total: tf.Tensor, sums: list[tf.Tensor]) -> tuple[Any, ...]:
            piece = {name: value[i] for name, value in pieces.items()}
            more, gradients = self._total_and_gradients(piece, variables, scale)
            return i + 1, total + more, [a + b for a, b in zip(sums, gradients, strict=True)]

        start = (0, tf.constant(0.0), [tf.zeros_like(variable) for variable in variables])
        # One after the other: in parallel they would need the memory of the whole batch.
        _, total, sums = tf.while_loop(
            lambda i, *_: i < micro_batches, body, start, parallel_iterations=1
        )
        return Gradients(total, weight, sums)

    def finish(self, gradients: Gradients) -> None:
        """Does nothing: the loss has no moving averages or other state to update."""
        del gradients

    def _total_and_gradients(
        self, batch: Batch, variables: Sequence[tf.Variable], scale: tf.Tensor
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        with tf.GradientTape() as tape:
            total = self.total(batch)
            scaled = total * scale
        return total, tape.gradient(
            scaled, variables, unconnected_gradients=tf.UnconnectedGradients.ZERO
        )


def divide(batch: Batch, micro_batches: int) -> dict[str, tf.Tensor]:
    """Returns every tensor [n, ...] of a batch as [micro_batches, n / micro_batches, ...]."""
    pieces = {
        name: tf.reshape(value, tf.concat([[micro_batches, -1], tf.shape(value)[1:]], 0))
        for name, value in batch.items()
    }
    for name, value in batch.items():
        pieces[name].set_shape([micro_batches, None, *value.shape[1:]])
    return pieces
