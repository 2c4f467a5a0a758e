"""The training loop, resumable at any step with the same end result."""

import dataclasses
import logging
import math
import time
from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf

from remedis import writing
from remedis.data.batches.pipeline import readable
from remedis.errors import UserError
from remedis.progress import progress
from remedis.training.checkpoints import TrainingState
from remedis.training.run_directory import RunDirectory
from remedis.training.step import Trainer

_LOG = logging.getLogger(__name__)


class Diverged(UserError):
    """A training's loss or weights are no longer finite."""


@dataclasses.dataclass(frozen=True)
class Plan:
    """Length of a training, and the steps at which it is evaluated, saved and logged.

    Attributes:
      steps: number of optimizer steps.
      evaluate_every: steps between evaluations; the last step is always evaluated.
      checkpoint_every: steps between checkpoints; every evaluation is followed by one.
      log_every: steps between rows of `metrics.jsonl`.
      patience: consecutive evaluations without a better score that end training; 0 for no limit.
    """

    steps: int
    evaluate_every: int
    checkpoint_every: int
    log_every: int
    patience: int = 0

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            minimum = 0 if field.name == "patience" else 1
            if (value := getattr(self, field.name)) < minimum:
                raise UserError(f"config.{field.name} is {value}; expected at least {minimum}.")

    def _is(self, step: int, every: int) -> bool:
        return step % every == 0 or step == self.steps

    def evaluates(self, step: int) -> bool:
        """Returns whether to evaluate after `step` steps."""
        return self._is(step, self.evaluate_every)

    def checkpoints(self, step: int) -> bool:
        """Returns whether to write a checkpoint after `step` steps."""
        return self._is(step, self.checkpoint_every) or self.evaluates(step)

    def logs(self, step: int) -> bool:
        """Returns whether to log after `step` steps; the first step is logged, too."""
        return step == 1 or self._is(step, self.log_every)

    def ends(self, step: int, best_step: int) -> bool:
        """Returns whether training ends after `step` steps if `best_step` had the best score."""
        waited = self.patience and step - best_step >= self.patience * self.evaluate_every
        return step >= self.steps or bool(waited and best_step >= 0 and self.evaluates(step))


def train(
    run: RunDirectory,
    plan: Plan,
    trainer: Trainer,
    batches: Callable[[int, int], tf.data.Dataset],
    evaluate: Callable[[], tuple[float, dict[str, float | None]]] | None,
    observe: Callable[[int, Mapping[str, float]], None] | None = None,
) -> TrainingState:
    """Trains, and ends with the variables of the best evaluation.

    Args:
      run: the directory for `checkpoints/`, `metrics.jsonl` and TensorBoard's events. Training
        resumes from its last checkpoint, if there is one.
      plan: length of the training, and when to evaluate, save and log.
      trainer: its variables were made under the distribution's scope and hold the initial values.
      batches: maps first step (inclusive) and last step (exclusive) to this worker's part of each
        batch.
      evaluate: returns a score, higher is better, and values to log by name; the same in all
        workers. With None no step is selected, and the last variables count as the best.
      observe: called at every logged step with its number, the loss and the scalars that the
        objective monitors; raises a UserError to end the training.

    Returns:
      The state at the end, with the best variables restored.

    Raises:
      Diverged: the loss or a weight is no longer finite.
      UserError: an image can no longer be read, or a checkpoint cannot be written.
    """
    learner, averages, distribution = trainer.learner, trainer.averages, trainer.distribution
    variables = {**learner.trained, **learner.statistics}
    trainer.begin()
    state = TrainingState(
        run.shared / "checkpoints",
        variables,
        learner.optimizer,
        averages.variables,
        writes=distribution.chief,
    )
    if state.restore():
        _LOG.info(f"Resuming from step {int(state.step)} of {plan.steps}.")
    first = int(state.step)
    run.rewrite_metrics(row for row in run.read_metrics() if row["step"] <= first)
    writer = tf.summary.create_file_writer(str(run / "tensorboard"))

    def log(step: int, row: dict[str, Any]) -> None:
        with writing.written(run.path):
            run.append_metrics({"step": step, **row})
            with writer.as_default(step=step):
                for name, value in row.items():
                    if value is not None:
                        tf.summary.scalar(name, value)

    with progress("Training", plan.steps, first) as report:
        start, status, score_text = time.monotonic(), "", ""
        # A run killed after its last step has no step left.
        last = first if plan.ends(first, int(state.best_step)) else plan.steps
        for step, batch in enumerate(readable(batches(first, last)), start=first + 1):
            value, rate, monitored = trainer.step(batch, step)
            state.step.assign(step)
            if plan.logs(step) or plan.checkpoints(step):
                number = float(value)
                if not (math.isfinite(number) and state.finite()):
                    raise Diverged(_diverged(run, step, number))
            if plan.logs(step):
                scalars = {"loss": number, **{name: float(v) for name, v in monitored.items()}}
                row = {**scalars, "learning_rate": float(rate)}
                log(step, {f"train/{name}": value for name, value in row.items()})
                if observe is not None:
                    observe(step, scalars)
                speed = (step - first) / (time.monotonic() - start)
                status = f"loss {number:.3f}, {speed:.2f} steps/s"
            if plan.evaluates(step):
                with averages.in_place():
                    score, values = (float(step), {}) if evaluate is None else evaluate()
                    state.offer(score)
                if evaluate is not None:
                    log(step, dict(values))
                    score_text = f", validation {score:.3f}, best {float(state.best_score):.3f}"
            if plan.checkpoints(step):
                with writing.written(run.path):
                    writer.flush()
                state.save()
            report(step, status + score_text)
            if plan.ends(step, int(state.best_step)):
                break
    with writing.written(run.path):
        writer.close()
    if int(state.step) < plan.steps:
        _LOG.info(
            f"Stopped after step {int(state.step)} of {plan.steps}: no better validation score "
            f"than that of step {int(state.best_step)} in {plan.patience} evaluations."
        )
    if distribution.chief:
        state.restore_best()
    return state


def _diverged(run: RunDirectory, step: int, loss: float) -> str:
    latest = TrainingState.latest(run.shared / "checkpoints")
    where = f"the last good checkpoint is {latest}" if latest else "no checkpoint was written yet"
    return (
        f"The training diverged: after step {step} the loss is {loss:g} or the weights are not "
        f"finite. Lower config.learning_rate; {where}."
    )
