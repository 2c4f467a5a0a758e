"""What pretraining asks of a method of self-supervision: the interface of all of them."""

import dataclasses
from collections.abc import Mapping
from typing import Protocol

import keras
import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What a method makes of the features of a batch.

    Attributes:
      loss: float32 scalar, of the batch as the method's paper has it: a mean over examples, or
        a sum over dimensions.
      first: [N, D], one projection of each example, of length 1; for monitoring.
      second: [N, D], the other projection of the same examples: the positive pairs are the rows.
      state: new values of some of the method's `statistics`, by name, to be assigned after the
        step. Batch norms update their averages themselves.
    """

    loss: tf.Tensor
    first: tf.Tensor
    second: tf.Tensor
    state: Mapping[str, tf.Tensor] = dataclasses.field(default_factory=dict)


class Method(Protocol):
    """A loss over two views of each image, and the head it is taken behind.

    Attributes:
      name: as the config names it.
      student_views: which of the two views the trained backbone sees.
      teacher_views: which of them an averaged copy of the backbone sees; none without such a copy.
      momentum: of the copy's average; of no use without a copy.
      partners: whether the second view is of another image of the patient.
      projection: the head, from features to projections.
      teacher_projection: the averaged copy of the head.
    """

    name: str
    student_views: tuple[int, ...]
    teacher_views: tuple[int, ...]
    momentum: float
    partners: bool
    projection: keras.layers.Layer
    teacher_projection: keras.layers.Layer | None

    def check_batch(self, batch_size: int) -> None:
        """Raises a UserError if a batch, over all replicas, is too small for the method."""

    def constant_loss(self, batch_size: int) -> float:
        """Returns the loss if all images of a batch, and of a queue, have the same projection."""

    def trained(self) -> dict[str, keras.Variable]:
        """Returns the variables to optimise by names that are the same in every process.

        They begin with `projection/`.
        """

    def statistics(self) -> dict[str, keras.Variable]:
        """Returns by name the variables that move without gradients, which a checkpoint must keep.

        Averages of batch norms, a queue, the teacher's projection (`teacher/projection/...`).
        """

    def averaged(self) -> list[tuple[keras.Variable, keras.Variable]]:
        """Returns pairs of a variable of the head and its copy in the teacher's; [] without one.

        After a step: copy = momentum * copy + (1 - momentum) * variable.
        """

    def __call__(self, student: tf.Tensor, teacher: tf.Tensor | None = None) -> Outcome:
        """Returns the loss of a whole batch, gathered over all replicas.

        Args:
          student: [N, views, C] float32, pooled features of the `student_views`.
          teacher: [N, views, C] float32, the copy's features of the `teacher_views`, without a
            gradient; None without a copy.
        """


def normalised(z: tf.Tensor) -> tf.Tensor:
    """Returns the rows of z [N, D] at length 1; rows shorter than 1e-6 come out shorter."""
    # By the largest of the sum of squares and 1e-12: a row of zeros has a gradient of zeros.
    return tf.math.l2_normalize(z, axis=1, epsilon=1e-12)
