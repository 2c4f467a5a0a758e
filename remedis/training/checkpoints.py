"""Checkpoints on disk: the last states, to resume from; the best variables, restored at the end.

A state is one checkpoint of TensorFlow, `last/ckpt-STEP`. The two latest are kept, with the best
variables at the time of each, `best/best-STEP`: if the latest is damaged, a training resumes from
the one before.
"""

import contextlib
import glob
import logging
import os
import pathlib
import re
import shutil
from collections.abc import Mapping

import keras
import tensorflow as tf

from remedis import files, writing
from remedis.errors import UserError, first_line
from remedis.zoo import tensors

_LOG = logging.getLogger(__name__)

KEPT = 2  # states
_STATE = re.compile(r"ckpt-(\d+)\.(?:index|data-\d+-of-\d+)")
_OLD_BEST = "best"
_BEST = re.compile(r"(best(?:-\d+)?)\.(?:index|data-\d+-of-\d+)")
# Errors of TensorFlow for a checkpoint of other variables.
_OTHER = (AssertionError, ValueError, tf.errors.OpError)
_AWAITS_EVALUATION = "awaits_evaluation"


class TrainingState:
    """The state that a training needs to resume exactly.

    Values are stored under the names of the variables, so that a checkpoint can be read without
    the objects that wrote it.

    Attributes:
      step: steps done.
      best_step: step of the best score so far, -1 before the first.
      best_score: that score, negative infinity before the first.
      damage: sentences about damaged files that `restore` skipped.
      awaits_evaluation: 1 if a signal ended the training between a step and its evaluation, else 0.
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
        self.awaits_evaluation = tf.Variable(0, dtype=tf.int64, name=_AWAITS_EVALUATION)
        self._directory = pathlib.Path(directory)
        self._last, self._bests = self._directory / "last", self._directory / "best"
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
        # The variables that an evaluation uses: the best ones if the last step was the best.
        self._evaluated = tf.train.Checkpoint(variables=dict(averages or values))
        parts = {
            "variables": values,
            "optimizer": slots,
            "averages": dict(averages or {}),
            "step": self.step,
            "best_step": self.best_step,
            "best_score": self.best_score,
        }
        # Version 0.1 always evaluated before it saved.
        self._state_of_0_1 = tf.train.Checkpoint(**parts)
        self._state = tf.train.Checkpoint(**parts, **{_AWAITS_EVALUATION: self.awaits_evaluation})
        self.damage: list[str] = []
        self._kept: dict[int, int] = {}  # best step of each state that is kept, by its step

    @staticmethod
    def latest(directory: files.Path) -> str | None:
        """Returns the path of the last state, without suffix; None if there is none."""
        last = pathlib.Path(directory, "last")
        steps = _steps(last)
        return os.fspath(_prefix(last, steps[0])) if steps else None

    def finite(self) -> bool:
        """Returns whether every variable is free of NaN and infinity."""
        return all(bool(tf.reduce_all(tf.math.is_finite(value))) for value in self._values)

    def restore(self) -> bool:
        """Restores the latest undamaged state, with the best variables at its time.

        `damage` lists damaged files. TensorFlow's file `checkpoint` is not read: it may name files
        of another directory.

        Returns:
          Whether there is a state.

        Raises:
          UserError: all states are damaged.
        """
        faults: list[str] = []
        for step in _steps(self._last):
            fault = self._restored(step) or self._best_kept(step)
            if fault is None:
                self._kept = {step: int(self.best_step)}
                self.damage += [f"{f}; the training resumes from step {step}." for f in faults]
                return True
            faults.append(fault)
        if not faults:
            return False
        different = "; ".join(dict.fromkeys(faults))
        raise UserError(
            f"{self._directory} has no state to resume from: {different}. Copy these files "
            f"from a backup, or remove {self._directory}: the training then starts over, with "
            "the same final result."
        )

    def save(self) -> None:
        """Writes the state; if a kill or a full disk interrupts it, the previous state remains.

        A state that is on disk already, as after `restore`, is not written again.

        Raises:
          UserError: it cannot be written.
        """
        step = int(self.step)
        if not self._writes or step in self._kept:
            return
        self._state.save_counter.assign_add(1)  # a variable of every state, also of version 0.1
        self._write(self._state, _prefix(self._last, step))
        # For `tf.train.latest_checkpoint`.
        with self._written():
            files.write_text(self._last / "checkpoint", f'model_checkpoint_path: "ckpt-{step}"\n')
        self._kept = dict([*self._kept.items(), (step, int(self.best_step))][-KEPT:])
        self._remove_others()

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
            self._write(self._best, self._bests / f"best-{int(self.step)}")
        return True

    def restore_best(self) -> None:
        """Sets the variables to the best ones.

        Raises:
          UserError: they are damaged since they were written.
        """
        if fault := self._lost_best():
            raise UserError(
                f"{fault}; start the same command again, which resumes from a state before."
            )
        self._best.read(os.fspath(self._best_prefix(int(self.best_step)))).assert_consumed()

    def _restored(self, step: int) -> str | None:
        """Restores a state; returns what is wrong with it if it cannot be."""
        prefix = _prefix(self._last, step)
        # The score is infinite before the first evaluation.
        if reason := tensors.damage(prefix, may_be_infinite="best_score"):
            return f"{prefix} is damaged or unfinished ({reason})"
        self.awaits_evaluation.assign(0)
        try:
            stored = {name for name, _ in tf.train.list_variables(os.fspath(prefix))}
            has_mark = any(name.startswith(f"{_AWAITS_EVALUATION}/") for name in stored)
            state = self._state if has_mark else self._state_of_0_1
            state.restore(os.fspath(prefix)).assert_consumed()
        except _OTHER as error:
            return f"{prefix} is of another training ({first_line(error)})"
        if int(self.step) != step:
            return f"{prefix} is the state of step {int(self.step)}"
        return None

    def _best_kept(self, step: int) -> str | None:
        """Returns what is wrong with the best variables of the state of a step, just restored.

        If this step is the best one, they are in the state as well, and are written again.
        """
        fault = self._lost_best()
        if fault is None or int(self.best_step) != step:
            return fault
        if self._writes:
            self._write(self._evaluated, self._bests / f"best-{step}")
        self.damage.append(f"{fault}; {_prefix(self._last, step)} holds the same weights.")
        return None

    def _lost_best(self) -> str | None:
        """Returns what is wrong with the best variables; None if they are whole, or none yet."""
        if int(self.best_step) < 0:
            return None
        prefix = self._best_prefix(int(self.best_step))
        reason = tensors.damage(prefix)
        return reason and f"{prefix}, the best weights so far, is damaged ({reason})"

    def _best_prefix(self, step: int) -> pathlib.Path:
        """Returns the path of the best variables at a step; version 0.1 had one for all steps."""
        name = f"best-{step}"
        return self._bests / (name if next(self._bests.glob(f"{name}.*"), None) else _OLD_BEST)

    def _remove_others(self) -> None:
        """Removes the files of all states but those that are kept."""
        best = {self._best_prefix(step).name for step in self._kept.values()}
        for folder, pattern, kept in (
            (self._last, _STATE, {str(step) for step in self._kept}),
            (self._bests, _BEST, best),
        ):
            for file in folder.iterdir() if folder.is_dir() else ():
                named = pattern.fullmatch(file.name)
                if named and named[1] not in kept:
                    file.unlink(missing_ok=True)

    def _write(self, checkpoint: tf.train.Checkpoint, prefix: pathlib.Path) -> None:
        with self._written():
            # Existing files are damaged. A pipe among them would make TensorFlow wait forever.
            for file in prefix.parent.glob(f"{prefix.name}.*"):
                file.unlink()
            checkpoint.write(os.fspath(prefix))

    def _written(self) -> contextlib.AbstractContextManager[None]:
        latest = _prefix(self._last, max(self._kept)) if self._kept else None
        where = f"the last good one is {latest}" if latest else "there was none before"
        what = f"The checkpoint of step {int(self.step)} in {self._directory}"
        return writing.written(what, f"; {where}")


def _prefix(folder: pathlib.Path, step: int) -> pathlib.Path:
    return folder / f"ckpt-{step}"


def _steps(folder: pathlib.Path) -> list[int]:
    """Returns the steps of the states in a folder, the last first."""
    names = os.listdir(folder) if folder.is_dir() else []
    found = {int(named[1]) for name in names if (named := _STATE.fullmatch(name))}
    return sorted(found, reverse=True)
