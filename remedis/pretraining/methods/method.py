"""The interface of all methods of self-supervision."""

import dataclasses
from collections.abc import Mapping
from typing import Protocol

import keras
import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class Outcome:
    """The loss of a batch, and the projections that are monitored.

    Attributes:
      loss: float32 scalar, for the whole batch as in the method's paper: a mean over examples, or a
        sum over dimensions.
      first: [N, D], one projection per example, of length 1; for monitoring.
      second: [N, D], the other projection of each example: row i forms a positive pair with row i
        of `first`.
      state: new values of some of the method's `statistics`, by name, which the training step
        assigns after its update. Batch norms update their moving averages themselves.
    """

    loss: tf.Tensor
    first: tf.Tensor
    second: tf.Tensor
    state: Mapping[str, tf.Tensor] = dataclasses.field(default_factory=dict)


class Method(Protocol):
    """A loss over two views of each image, and the projection head that it is computed on.

    A method may have a teacher: a copy of backbone and head whose weights are exponential moving
    averages of the trained ones (the student's).

    Attributes:
      name: value of `config.method`.
      student_views: indices of the views that the student sees.
      teacher_views: indices of the views that the teacher sees; empty without a teacher.
      momentum: of the teacher's average; unused without a teacher.
      partners: whether the second view is of another image of the same patient.
      projection: the student's head, from features to projections.
      teacher_projection: the teacher's head; None without a teacher.
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
        """Returns the loss of a network that gives all images, and the queue, one projection."""

    def trained(self) -> dict[str, keras.Variable]:
        """Returns the variables that the optimizer updates, by name.

        Names begin with `projection/` and are the same in every process.
        """

    def statistics(self) -> dict[str, keras.Variable]:
        """Returns the variables that change without gradients, by name; checkpoints keep them too.

        They are moving averages of batch norms, a queue, and the teacher's head
        (`teacher/projection/...`).
        """

    def averaged(self) -> list[tuple[keras.Variable, keras.Variable]]:
        """Returns pairs of a variable of the student's head and its copy in the teacher's.

        The list is empty without a teacher. After a step,
        copy = momentum * copy + (1 - momentum) * variable.
        """

    def __call__(self, student: tf.Tensor, teacher: tf.Tensor | None = None) -> Outcome:
        """Returns the loss of a whole batch, gathered over all replicas.

        Args:
          student: [N, views, C] float32, the student's pooled features of the `student_views`.
          teacher: [N, views, C] float32, the teacher's pooled features of the `teacher_views`,
            through which no gradient goes; None without a teacher.
        """


def normalised(z: tf.Tensor) -> tf.Tensor:
    """Returns the rows of z [N, D] at length 1; rows shorter than 1e-6 come out shorter."""
    # Divided by the root of max(sum of squares, 1e-12): a row of zeros has a gradient of zeros.
    return tf.math.l2_normalize(z, axis=1, epsilon=1e-12)
