"""Checkpoints on disk: the last state, to resume from; the best variables, restored at the end."""

import contextlib
import glob
import os
import shutil
from collections.abc import Mapping

import keras
import tensorflow as tf

from remedis import files, writing


class TrainingState:
    """The state that a training needs to resume exactly.

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
        averages: Mapping[str, tf.Variable] | None = None,
        writes: bool = True,
    ) -> None:
        """Prepares the folders, and removes files that a kill left unfinished.

        Args:
          directory: holds two folders, `last` and `best`.
          variables: all variables that training changes, by name.
          optimizer: built.
          averages: averaged weights by name, if the training has them.
          writes: whether this process writes; the other workers only read.
        """
        self.step = tf.Variable(0, dtype=tf.int64, name="step")
        self.best_step = tf.Variable(-1, dtype=tf.int64, name="best_step")
        self.best_score = tf.Variable(float("-inf"), dtype=tf.float64, name="best_score")
        self._best_prefix = os.path.join(directory, "best", "best")
        self._writes = writes
        if writes:
            for unfinished in glob.glob(os.path.join(glob.escape(str(directory)), "*", "*_temp")):
                shutil.rmtree(unfinished, ignore_errors=True)
        values = {name: variable.value for name, variable in variables.items()}
        self._values = list(values.values())
        # Keras numbers the optimizers of a process, and the number may differ when a run resumes.
        slots = {
            variable.path.removeprefix(f"{optimizer.name}/"): variable.value
            for variable in optimizer.variables
        }
        self._best = tf.train.Checkpoint(variables=values)
        self._manager = tf.train.CheckpointManager(
            tf.train.Checkpoint(
                variables=values,
                optimizer=slots,
                averages=dict(averages or {}),
                step=self.step,
                best_step=self.best_step,
                best_score=self.best_score,
            ),
            os.path.join(directory, "last"),
            max_to_keep=2,
        )

    @staticmethod
    def latest(directory: files.Path) -> str | None:
        """Returns the path of the last state, without suffix; None if there is none."""
        return tf.train.latest_checkpoint(os.path.join(directory, "last"))

    def finite(self) -> bool:
        """Returns whether every variable is free of NaN and infinity."""
        return all(bool(tf.reduce_all(tf.math.is_finite(value))) for value in self._values)

    def restore(self) -> bool:
        """Restores the last state on disk; returns whether there is one."""
        latest = self._manager.latest_checkpoint
        if latest is None:
            return False
        self._manager.checkpoint.restore(latest).assert_consumed()
        return True

    def save(self) -> None:
        """Writes the state; if a kill or a full disk interrupts it, the previous state remains.

        Raises:
          UserError: it cannot be written.
        """
        if self._writes:
            with self._written():
                self._manager.save(checkpoint_number=int(self.step))

    def offer(self, score: float) -> bool:
        """Stores the current variables as the best ones if `score` is higher than any before.

        A kill between this and `save` costs nothing: the run resumes from the state before, reaches
        the same score and writes the same variables again.

        Raises:
          UserError: they cannot be written.
        """
        if score <= float(self.best_score):
            return False
        self.best_score.assign(score)
        self.best_step.assign(self.step)
        if self._writes:
            with self._written():
                self._best.write(self._best_prefix)
        return True

    def restore_best(self) -> None:
        """Sets the variables to the best ones."""
        self._best.read(self._best_prefix).assert_consumed()

    def _written(self) -> contextlib.AbstractContextManager[None]:
        latest = self._manager.latest_checkpoint
        where = f"the last good one is {latest}" if latest else "there was none before"
        folder = os.path.dirname(self._manager.directory)
        return writing.written(f"The checkpoint of step {int(self.step)} in {folder}", f"; {where}")
