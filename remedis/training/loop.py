"""The training loop, resumable at any step with the same end result."""

import contextlib
import dataclasses
import functools
import logging
import math
import time
from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf

from remedis import interruption, writing
from remedis.data.batches.pipeline import readable
from remedis.data.batches.used_images import UsedImages
from remedis.errors import UserError
from remedis.progress import SECONDS_BETWEEN_LINES, duration, progress
from remedis.training.checkpoints import TrainingState
from remedis.training.distribution import WorkerLost
from remedis.training.run_directory import RunDirectory
from remedis.training.step import Trainer
from remedis.visible_text import visible

_LOG = logging.getLogger(__name__)
# A cluster tells all workers to stop, but not in the same moment.
_SECONDS_BETWEEN_SIGNALS = 5.0
_TRAIN = "train/"


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
    images: UsedImages | None = None,
) -> TrainingState:
    """Trains, and ends with the variables of the best evaluation.

    After its second step a process says how long the training will take: the first step traces
    functions, the second is timed. A step that is only timed, and not applied, would be known no
    earlier.

    A signal that `interruption` handles stops the training after the current step, with a
    checkpoint. An unfinished evaluation is dropped, and repeated when the training resumes. Several
    workers stop after the same step, whichever of them got the signal, and finish an evaluation,
    since they wait for each other in it.

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
      images: collects the field `index` of each batch, and checks before each checkpoint that these
        images are unchanged; None for batches without this field.

    Returns:
      The state at the end, with the best variables restored.

    Raises:
      Diverged: the loss or a weight is no longer finite.
      Interrupted: a signal stopped the training.
      UserError: an image can no longer be read or has changed, or a checkpoint cannot be written.
      WorkerLost: a signal stopped another worker.
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
    last_row = first + 1, False
    if int(state.awaits_evaluation):
        last_row = first, True  # its evaluation is repeated, and logged once more
    run.rewrite_metrics(
        row for row in run.read_metrics() if (row["step"], not _is_of_training(row)) < last_row
    )
    writer = tf.summary.create_file_writer(str(run / "tensorboard"))

    def log(step: int, row: dict[str, Any]) -> None:
        with writing.written(run.path):
            run.append_metrics({"step": step, **row})
            with writer.as_default(step=step):
                for name, value in row.items():
                    if value is not None:
                        tf.summary.scalar(visible(name), value)

    def evaluated(step: int) -> str:
        """Evaluates the current weights; returns the score in words."""
        state.awaits_evaluation.assign(1)
        score, values = float(step), dict[str, float | None]()
        with averages.in_place():
            if evaluate is not None:
                # Another worker would wait for this one's part of the evaluation.
                alone = distribution.workers == 1
                with end.at_once() if alone else contextlib.nullcontext():
                    score, values = evaluate()
            state.offer(score)
        state.awaits_evaluation.assign(0)
        if evaluate is None:
            return ""
        log(step, values)
        return f", validation {score:.3f}, best {float(state.best_score):.3f}"

    def save() -> None:
        if images is not None:
            images.check()
        with writing.written(run.path):
            writer.flush()
        state.save()

    with progress("Training", plan.steps, first) as report, interruption.deferred() as end:
        clock, score_text = _Clock(plan, first, evaluation_steps), ""
        if int(state.awaits_evaluation):
            score_text = evaluated(first)
        # A run killed after its last step has no step left.
        last = first if plan.ends(first, int(state.best_step)) else plan.steps
        for step, batch in enumerate(readable(batches(first, last)), start=first + 1):
            value, rate, monitored = trainer.step(batch, step)
            state.step.assign(step)
            if images is not None:
                images.add(batch["index"])
            clock.stepped(step, value)
            stops = distribution.any(end.number is not None)
            if plan.logs(step) or plan.checkpoints(step) or stops:
                number = float(value)
                if not (math.isfinite(number) and state.finite()):
                    raise Diverged(_diverged(run, step, number))
            if plan.logs(step):
                scalars = {"loss": number, **{name: float(v) for name, v in monitored.items()}}
                row = {**scalars, "learning_rate": float(rate)}
                log(step, {f"{_TRAIN}{name}": value for name, value in row.items()})
                if observe is not None:
                    observe(step, scalars)
            if plan.evaluates(step):
                state.awaits_evaluation.assign(1)
                if not stops:
                    try:
                        score_text = evaluated(step)
                    except interruption.Interrupted:
                        stops = True
                    stops = distribution.any(stops or end.number is not None)
            if plan.checkpoints(step) or stops:
                save()
            if stops:
                with writing.written(run.path):
                    writer.close()
                distribution.wait()  # the end of one worker breaks the work of others
                raise _stopped(end, f"after step {step:,} of {plan.steps:,}")
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


def _is_of_training(row: Mapping[str, Any]) -> bool:
    """Returns whether a row of `metrics.jsonl` is of a step, not of an evaluation."""
    return any(name.startswith(_TRAIN) for name in row)


def _stopped(end: interruption.Deferral, where: str) -> BaseException:
    """Returns the error for a signal to this worker, or to another one."""
    until = time.monotonic() + _SECONDS_BETWEEN_SIGNALS
    while end.number is None and time.monotonic() < until:
        time.sleep(0.1)
    if end.number is not None:
        return interruption.Interrupted(end.number, where)
    return WorkerLost(
        f"Another worker was stopped by a signal {where}; all resume from the checkpoint of this "
        "step once it is started again."
    )


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
