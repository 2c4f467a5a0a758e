"""Training state on disk: the last one to go on from, and the best one to end with."""

import os
from collections.abc import Mapping

import keras
import tensorflow as tf

from remedis import files


class State:
    """Everything a training needs to go on exactly where it was.

    Values are stored under the names of the variables, so that a checkpoint can be read without
    the objects that wrote it.

    Attributes:
      step: steps done.
      best_step: step of the best score so far, -1 before the first.
      best_score: that score, negative infinity before the first.
    """

    def __init__(
        self,
        directory: files.Path,
        variables: Mapping[str, keras.Variable],
        optimizer: keras.optimizers.Optimizer,
    ) -> None:
        """Takes the variables that are trained and the optimizer, which must be built."""
        self.step = tf.Variable(0, dtype=tf.int64, name="step")
        self.best_step = tf.Variable(-1, dtype=tf.int64, name="best_step")
        self.best_score = tf.Variable(float("-inf"), dtype=tf.float64, name="best_score")
        self._best_prefix = os.path.join(directory, "best", "best")
        trained = {name: variable.value for name, variable in variables.items()}
        self._trained = list(trained.values())
        # Keras numbers the optimizers of a process; where a run goes on, the number may be another.
        slots = {
            variable.path.removeprefix(f"{optimizer.name}/"): variable.value
            for variable in optimizer.variables
        }
        self._best = tf.train.Checkpoint(variables=trained)
        self._manager = tf.train.CheckpointManager(
            tf.train.Checkpoint(
                variables=trained,
                optimizer=slots,
                step=self.step,
                best_step=self.best_step,
                best_score=self.best_score,
            ),
            os.path.join(directory, "last"),
            max_to_keep=2,
        )

    @staticmethod
    def latest(directory: files.Path) -> str | None:
        """Returns the path, without suffix, of the last state in a directory; None before any."""
        return tf.train.latest_checkpoint(os.path.join(directory, "last"))

    def finite(self) -> bool:
        """Returns whether every variable that is trained is free of NaN and infinity."""
        return all(bool(tf.reduce_all(tf.math.is_finite(value))) for value in self._trained)

    def restore(self) -> bool:
        """Goes back to the last state on disk; returns whether there is one."""
        latest = self._manager.latest_checkpoint
        if latest is None:
            return False
        self._manager.checkpoint.restore(latest).assert_consumed()
        return True

    def save(self) -> None:
        """Writes the state; a kill while it writes leaves the one before."""
        self._manager.save(checkpoint_number=int(self.step))

    def offer(self, score: float) -> bool:
        """Keeps the current variables as the best ones if `score` is higher than any before.

        A kill between this and `save` costs nothing: the run goes on from the state before, comes
        to the same score and writes the same variables again.
        """
        if score <= float(self.best_score):
            return False
        self.best_score.assign(score)
        self.best_step.assign(self.step)
        self._best.write(self._best_prefix)
        return True

    def restore_best(self) -> None:
        """Sets the variables to the best ones."""
        self._best.read(self._best_prefix).assert_consumed()
