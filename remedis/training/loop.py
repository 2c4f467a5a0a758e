"""The training loop, whatever is trained: resumable at any step, with the same end."""

import dataclasses
import math
import time
from collections.abc import Callable, Mapping
from typing import Any

import keras
import tensorflow as tf

from remedis.data.pipeline import readable
from remedis.errors import UserError
from remedis.progress import progress
from remedis.training.checkpoints import State
from remedis.training.run_directory import RunDirectory

Batch = Mapping[str, tf.Tensor]


@dataclasses.dataclass(frozen=True)
class Plan:
    """How long to train, and when to look.

    Attributes:
      steps: number of optimizer steps.
      evaluate_every: steps between evaluations; the last step is always evaluated.
      checkpoint_every: steps between checkpoints; every evaluation ends with one too.
      log_every: steps between rows of `metrics.jsonl`.
    """

    steps: int
    evaluate_every: int
    checkpoint_every: int
    log_every: int

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            if (value := getattr(self, field.name)) < 1:
                raise UserError(f"config.{field.name} is {value}; expected at least 1.")

    def _is(self, step: int, every: int) -> bool:
        return step % every == 0 or step == self.steps

    def evaluates(self, step: int) -> bool:
        """Returns whether to evaluate after `step` steps."""
        return self._is(step, self.evaluate_every)

    def checkpoints(self, step: int) -> bool:
        """Returns whether to write a checkpoint after `step` steps."""
        return self._is(step, self.checkpoint_every) or self.evaluates(step)

    def logs(self, step: int) -> bool:
        """Returns whether to log after `step` steps."""
        return self._is(step, self.log_every)


def train(
    run: RunDirectory,
    plan: Plan,
    variables: Mapping[str, keras.Variable],
    optimizer: keras.optimizers.Optimizer,
    loss: Callable[[Batch], tf.Tensor],
    batches: Callable[[int, int], tf.data.Dataset],
    evaluate: Callable[[], tuple[float, dict[str, float | None]]],
) -> State:
    """Trains, and ends with the variables of the best evaluation.

    Args:
      run: where `checkpoints/`, `metrics.jsonl` and TensorBoard's events go. If there is a
        checkpoint, training goes on from it.
      plan: how long, and when to look.
      variables: what is trained, by name.
      optimizer: of these variables.
      loss: of a batch, a scalar.
      batches: from first step (inclusive) and last (exclusive) to batches.
      evaluate: gives a score, higher is better, and values to log by name.

    Returns:
      The state at the end, with the best variables restored.

    Raises:
      UserError: the loss is no longer finite, or an image can no longer be read.
    """
    trained = list(variables.values())
    optimizer.build(trained)
    state = State(run / "checkpoints", variables, optimizer)
    if state.restore():
        print(f"Going on from step {int(state.step)} of {plan.steps}.", flush=True)
    first = int(state.step)
    run.rewrite_metrics(row for row in run.read_metrics() if row["step"] <= first)
    writer = tf.summary.create_file_writer(str(run / "tensorboard"))

    @tf.function
    def step_function(batch: Batch) -> tuple[tf.Tensor, tf.Tensor]:
        rate = tf.identity(optimizer.learning_rate)  # before it moves on to the next step's
        with tf.GradientTape() as tape:
            value = loss(batch)
        gradients = tape.gradient(value, [variable.value for variable in trained])
        optimizer.apply_gradients(zip(gradients, trained, strict=True))
        return value, rate

    def log(step: int, row: dict[str, Any]) -> None:
        run.append_metrics({"step": step, **row})
        with writer.as_default(step=step):
            for name, value in row.items():
                if value is not None:
                    tf.summary.scalar(name, value)

    with progress("Training", plan.steps, first) as report:
        started, status, score_text = time.monotonic(), "", ""
        for step, batch in enumerate(readable(batches(first, plan.steps)), start=first + 1):
            value, rate = step_function(batch)
            state.step.assign(step)
            if plan.logs(step) or plan.checkpoints(step):
                number = float(value)
                if not (math.isfinite(number) and state.finite()):
                    raise UserError(_diverged(run, step, number))
            if plan.logs(step):
                log(step, {"train/loss": number, "train/learning_rate": float(rate)})
                speed = (step - first) / (time.monotonic() - started)
                status = f"loss {number:.3f}, {speed:.2f} steps/s"
            if plan.evaluates(step):
                score, values = evaluate()
                state.offer(score)
                log(step, dict(values))
                score_text = f", validation {score:.3f}, best {float(state.best_score):.3f}"
            if plan.checkpoints(step):
                writer.flush()
                state.save()
            report(step, status + score_text)
    writer.close()
    state.restore_best()
    return state


def _diverged(run: RunDirectory, step: int, loss: float) -> str:
    kept = State.latest(run / "checkpoints")
    where = f"the last good checkpoint is {kept}" if kept else "no checkpoint was written yet"
    return (
        f"The training diverged: after step {step} the loss is {loss:g} or the weights are not "
        f"finite. Lower config.learning_rate; {where}."
    )
