"""The common part of methods that show both views of an image to one network."""

import keras
import tensorflow as tf

from remedis.pretraining import method_checks


class Siamese:
    """The part of `Method` that does not depend on the loss, for methods without a teacher.

    Attributes:
      fewest: number of examples in the smallest batch that the method can learn from.
    """

    name: str
    student_views: tuple[int, ...] = (0, 1)
    teacher_views: tuple[int, ...] = ()
    momentum: float = 0.0
    partners: bool = False
    teacher_projection: keras.layers.Layer | None = None
    fewest = method_checks.FEWEST

    def __init__(self, projection: keras.layers.Layer) -> None:
        self.projection = projection

    def check_batch(self, batch_size: int) -> None:
        """Raises a UserError if a batch is too small for the method."""
        method_checks.batch(self.name, batch_size, self.fewest)

    def trained(self) -> dict[str, keras.Variable]:
        """Returns the head's weights by name."""
        return {variable.path: variable for variable in self.projection.trainable_variables}

    def statistics(self) -> dict[str, keras.Variable]:
        """Returns the moving averages of the head's batch norms by name."""
        return {variable.path: variable for variable in self.projection.non_trainable_variables}

    def averaged(self) -> list[tuple[keras.Variable, keras.Variable]]:
        """Returns an empty list: there is no teacher."""
        return []

    def together(self, features: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns projections [N, D] of each view of [N, 2, C]; batch norms see the 2 N rows."""
        z = self.projection(tf.reshape(features, [-1, features.shape[-1]]), training=True)
        return tuple(tf.unstack(tf.reshape(z, [-1, 2, z.shape[-1]]), axis=1))

    def apart(self, features: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns projections [N, D] of each view of [N, 2, C]; batch norms see N rows per view."""
        first, second = (
            self.projection(view, training=True) for view in tf.unstack(features, 2, 1)
        )
        return first, second
