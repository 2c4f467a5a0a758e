"""What a training makes small: the interface between a loss and the step that follows it."""

import abc
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import tensorflow as tf

Batch = Mapping[str, tf.Tensor]


@dataclasses.dataclass(frozen=True)
class Gradients:
    """What a replica found on its part of a batch.

    Attributes:
      total: the summed loss, a float32 scalar.
      weight: what the part counts for, above 0; the loss of the batch is the sum of all replicas'
        totals over that of their weights.
      gradients: of the total, a tensor a variable.
      monitored: other scalars to log, by name; the same on all replicas.
      state: what `finish` is to keep for the next step, by name; the same on all replicas.
    """

    total: tf.Tensor
    weight: tf.Tensor
    gradients: list[tf.Tensor]
    monitored: Mapping[str, tf.Tensor] = dataclasses.field(default_factory=dict)
    state: Mapping[str, tf.Tensor] = dataclasses.field(default_factory=dict)


class Objective(Protocol):
    """What a training makes small."""

    def gradients(
        self,
        batch: Batch,
        step: tf.Tensor,
        variables: Sequence[tf.Variable],
        parts: int,
        scale: tf.Tensor,
    ) -> Gradients:
        """Returns a replica's share of loss and gradients.

        Args:
          batch: the replica's part.
          step: int64, from 1.
          variables: that are trained.
          parts: to work on one after the other, for the memory's sake; the numbers are the same.
          scale: of the gradients, a scalar.
        """

    def finish(self, found: Gradients) -> None:
        """Moves what follows the variables, after they have moved by what was found."""


def cut(batch: Batch, parts: int) -> dict[str, tf.Tensor]:
    """Returns every tensor [n, ...] of a batch as [parts, n / parts, ...]."""
    found = {
        name: tf.reshape(value, tf.concat([[parts, -1], tf.shape(value)[1:]], 0))
        for name, value in batch.items()
    }
    for name, value in batch.items():
        found[name].set_shape([parts, None, *value.shape[1:]])
    return found


class Summed(abc.ABC):
    """A loss that is a sum over examples, divided by what the batch weighs.

    Sum and weight are apart so that a batch can be cut into parts, for the memory's sake or for
    several workers (see `Objective`).
    """

    @abc.abstractmethod
    def prepare(self, batch: Batch, step: tf.Tensor) -> Batch:
        """Returns a replica's part of the batch as it is trained on; int64 `step` from 1."""

    @abc.abstractmethod
    def weight(self, batch: Batch) -> tf.Tensor:
        """Returns what the batch counts for, a scalar."""

    @abc.abstractmethod
    def total(self, batch: Batch) -> tf.Tensor:
        """Returns the summed loss, a float32 scalar."""

    def gradients(
        self,
        batch: Batch,
        step: tf.Tensor,
        variables: Sequence[tf.Variable],
        parts: int,
        scale: tf.Tensor,
    ) -> Gradients:
        """Returns a replica's share of loss and gradients."""
        batch = self.prepare(batch, step)
        weight = tf.maximum(tf.cast(self.weight(batch), tf.float32), 1e-12)
        if parts == 1:
            total, found = self._of(batch, variables, scale)
            return Gradients(total, weight, found)
        pieces = cut(batch, parts)

        def body(i: tf.Tensor, total: tf.Tensor, sums: list[tf.Tensor]) -> tuple[Any, ...]:
            piece = {name: value[i] for name, value in pieces.items()}
            more, found = self._of(piece, variables, scale)
            return i + 1, total + more, [a + b for a, b in zip(sums, found, strict=True)]

        start = (0, tf.constant(0.0), [tf.zeros_like(variable) for variable in variables])
        # One part after the other: side by side they would need the memory of all.
        _, total, found = tf.while_loop(lambda i, *_: i < parts, body, start, parallel_iterations=1)
        return Gradients(total, weight, found)

    def finish(self, found: Gradients) -> None:
        """Does nothing: nothing follows the variables."""
        del found

    def _of(
        self, batch: Batch, variables: Sequence[tf.Variable], scale: tf.Tensor
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        with tf.GradientTape() as tape:
            total = self.total(batch)
            scaled = total * scale
        return total, tape.gradient(
            scaled, variables, unconnected_gradients=tf.UnconnectedGradients.ZERO
        )
