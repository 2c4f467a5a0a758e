"""The training loop, resumable at any step with the same end result."""

import dataclasses
import functools
import logging
import math
import time
from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf

from remedis import writing
from remedis.data.batches.pipeline import readable
from remedis.errors import UserError
from remedis.progress import SECONDS_BETWEEN_LINES, duration, progress
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

    def evaluations(self, first: int) -> int:
        """Returns the number of evaluations after step `first`, without an early end."""
        if first >= self.steps:
            return 0
        return math.ceil(self.steps / self.evaluate_every) - first // self.evaluate_every

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
    evaluation_steps: float = 0.0,
) -> TrainingState:
    """Trains, and ends with the variables of the best evaluation.

    After its second step a process says how long the training will take: the first step traces
    functions, the second is timed. A step that is only timed, and not applied, would be known no
    earlier.

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
      evaluation_steps: the time of an evaluation in steps of training, for the expected time.

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
        for sentence in state.damage:
            _LOG.warning(sentence)
        run.record_damage(state.damage)
        _LOG.info(f"Resuming from step {int(state.step)} of {plan.steps}.")
    first = int(state.step)
    distribution.check_same(first, "step to resume from")
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
        clock, score_text = _Clock(plan, first, evaluation_steps), ""
        # A run killed after its last step has no step left.
        last = first if plan.ends(first, int(state.best_step)) else plan.steps
        for step, batch in enumerate(readable(batches(first, last)), start=first + 1):
            value, rate, monitored = trainer.step(batch, step)
            state.step.assign(step)
            clock.stepped(step, value)
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
            report(step, functools.partial(clock.words, step, value, score_text))
            clock.finished(step)
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


class _Clock:
    """Times the steps of this process."""

    def __init__(self, plan: Plan, first: int, evaluation_steps: float) -> None:
        self._plan, self._first, self._evaluation_steps = plan, first, evaluation_steps
        self._since_first = time.monotonic()

    def stepped(self, step: int, loss: tf.Tensor) -> None:
        """Says the expected time after the second step."""
        if step > self._first + 2:
            return
        float(loss)  # waits for the end of the step
        if step == self._first + 2:
            seconds = time.monotonic() - self._since_first
            left, evaluations = self._plan.steps - step, self._plan.evaluations(step)
            cost = evaluations * self._evaluation_steps
            expected = seconds * (left + cost)
            if expected < SECONDS_BETWEEN_LINES:
                return
            counted = f" and {evaluations:,} evaluations" if cost else ""
            most = " at most" if self._plan.patience else ""
            _LOG.info(
                f"Expected time: about {duration(expected)}{most}, for {left:,} more steps"
                f"{counted}. The second step, which was timed, took {seconds:.2g} s."
            )

    def finished(self, step: int) -> None:
        """Begins to time after the first step and what follows it."""
        if step == self._first + 1:
            self._since_first = time.monotonic()

    def words(self, step: int, loss: tf.Tensor, score: str) -> str:
        """Returns the state of the training in words, with the loss of this step."""
        steps, seconds = step - self._first - 1, time.monotonic() - self._since_first
        speed = f", {steps / seconds:.2g} steps/s" if steps and seconds else ""
        return f"steps, loss {float(loss):.3f}{speed}{score}"


def _diverged(run: RunDirectory, step: int, loss: float) -> str:
    latest = TrainingState.latest(run.shared / "checkpoints")
    where = f"the last good checkpoint is {latest}" if latest else "no checkpoint was written yet"
    return (
        f"The training diverged: after step {step} the loss is {loss:g} or the weights are not "
        f"finite. Lower config.learning_rate; {where}."
    )
