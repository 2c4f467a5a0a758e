"""What a training makes small: the interface between a loss and the step that follows it."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Protocol

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
      watched: other scalars worth a look, by name; the same on all replicas.
      state: what `finish` is to keep for the next step, by name; the same on all replicas.
    """

    total: tf.Tensor
    weight: tf.Tensor
    gradients: list[tf.Tensor]
    watched: Mapping[str, tf.Tensor] = dataclasses.field(default_factory=dict)
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
