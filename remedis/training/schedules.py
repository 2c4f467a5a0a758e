"""Learning-rate schedules."""

import dataclasses
import math
from collections.abc import Sequence

import keras
import tensorflow as tf

from remedis.errors import UserError, unknown_choice
from remedis.training import durations

HYPERRULE, COSINE, STEP, CONSTANT = KINDS = ("hyperrule", "cosine", "step", "constant")
HYPERRULE_DROPS = (0.3, 0.6, 0.9)  # the paper's; the authors' code has others for 500 steps
HYPERRULE_BATCH = 512  # batch size of the paper's numbers of steps


def hyperrule_steps(examples: int, batch_size: int, fit_to_data: bool = False) -> int:
    """Returns the number of steps of the HyperRule for a training set (see `Schedule`).

    Args:
      examples: size of the training set, images.
      batch_size: images per step.
      fit_to_data: whether a step of the rule has at most as many images as the training set.
    """
    steps = 500 if examples < 20_000 else 10_000 if examples < 500_000 else 20_000
    images = HYPERRULE_BATCH
    if fit_to_data:
        images, batch_size = min(images, examples), min(batch_size, examples)
    return math.ceil(steps * images / batch_size)


def hyperrule_mixup(examples: int) -> float:
    """Returns the alpha of the HyperRule's MixUp for a training set; 0 for no MixUp."""
    return 0.1 if examples >= 20_000 else 0.0


@dataclasses.dataclass(frozen=True)
class Schedule:
    """A learning rate as a function of the step; every kind starts with a linear warm-up from 0.

    `hyperrule` is BiT's rule for fine-tuning: all settings but the resolution follow from the size
    of the data. Kolesnikov et al. 2020, arXiv 1912.11370, section 3.3: 500 steps below 20,000
    examples, 10,000 below 500,000, else 20,000; a tenth of the rate after 30, 60 and 90 % of the
    steps; MixUp from 20,000 examples up. The authors warm up for 100 of 500 steps and for 500 steps
    of the longer schedules; here the warm-up is at most a fifth of the steps. A step has 512
    images. A smaller batch has proportionally more steps, each at a proportionally smaller rate, so
    that the number of images stays the same.

    The rule's batch from fewer than 512 images repeats them: its gradient is that of the whole set.
    With `fit_to_data` a step of the rule therefore has at most as many images as the training set.
    38 images in batches of 32 have 500 * 38 / 32 = 594 steps at 32 / 38 of the rule's rate, not
    8,000 at a sixteenth of it: 500 epochs, and the same sum of the rates.

    `cosine` falls by half a cosine from the end of the warm-up to 0 at the step after the last one:
    Loshchilov and Hutter 2017, arXiv 1608.03983, equation 5, one cycle. `step` falls to a tenth
    after each of `drops`. `constant` does not fall.

    The code released with REMEDIS has the same cosine, one step later in its warm-up: the rate of
    step t, from 0, is t / warmup there and (t + 1) / warmup here, so that its first step changes
    nothing (model_util.py:43-61). Its warm-up is rounded down to whole steps, and ours up. Its
    training has one step more than ours where the epochs are a whole number of batches
    (model_util.py:37-40).

    Attributes:
      kind: `hyperrule`, `cosine`, `step` or `constant`.
      steps: length of the training.
      warmup: steps of the warm-up.
      learning_rate: after the warm-up.
      drops: shares of the steps after which the rate falls to a tenth.
    """

    kind: str
    steps: int
    warmup: int
    learning_rate: float
    drops: tuple[float, ...] = ()

    @classmethod
    def from_settings(
        cls,
        kind: str,
        examples: int,
        batch_size: int,
        steps: int | None,
        learning_rate: float,
        learning_rate_batch: int,
        warmup: int | None,
        drops: Sequence[float],
        fit_to_data: bool = False,
    ) -> "Schedule":
        """Returns the schedule of a config.

        Args:
          kind: `config.schedule`.
          examples: size of the training set, images.
          batch_size: images per step.
          steps: length of the training; None for the HyperRule's.
          learning_rate: at a batch of `learning_rate_batch`; it scales with the batch.
          learning_rate_batch: 0 for a rate that does not scale.
          warmup: steps; None for the HyperRule's or 5 % of the steps of the other kinds.
          drops: shares of the steps, for the kind `step`.
          fit_to_data: where the HyperRule sets the length, whether its batch, and that of the
            rate, has at most as many images as the training set.

        Raises:
          UserError: the kind is unknown, a kind other than `hyperrule` has no `steps`, or a number
            is out of bounds.
        """
        if kind not in KINDS:
            raise unknown_choice("value of config.schedule", kind, KINDS)
        for name, value in (("batch_size", batch_size), ("learning_rate", learning_rate)):
            if not 0 < value < math.inf:
                raise UserError(f"config.{name} is {value}; expected a number above 0.")
        if learning_rate_batch < 0:
            raise UserError(
                f"config.learning_rate_batch is {learning_rate_batch}; expected a number of "
                "images, or 0 to take config.learning_rate as it is."
            )
        rate_batch = batch_size
        if steps is None:
            if kind != HYPERRULE:
                raise UserError(
                    f"config.schedule is {kind}, which has no length of its own; set one of "
                    "config.steps, config.epochs and config.examples."
                )
            steps = hyperrule_steps(examples, batch_size, fit_to_data)
            if fit_to_data:
                learning_rate_batch = min(learning_rate_batch, examples)
                rate_batch = min(batch_size, examples)
        if steps < 1:
            raise UserError(f"config.steps is {steps}; expected at least 1.")
        return cls(
            kind,
            steps,
            _warmup(kind, steps, warmup, batch_size),
            scaled(learning_rate, learning_rate_batch, rate_batch),
            _drops(kind, drops),
        )


_MANY = 10**9  # images and steps, for a check before the data are read


@dataclasses.dataclass(frozen=True, kw_only=True)
class ScheduleSettings:
    """The length of a training and its learning rate, under the names of a config's keys."""

    steps: int | None
    epochs: float | None
    examples: int | None
    batch_size: int
    schedule: str
    learning_rate: float
    learning_rate_batch: int
    warmup: int | None
    warmup_epochs: float | None = None
    drops: tuple[float, ...] = ()
    fit_to_data: bool = False  # as in a config of an earlier version

    def for_images(self, images: int) -> Schedule:
        """Returns the schedule of a training on so many images.

        Raises:
          UserError: length, warm-up or learning rate are not as expected.
        """
        steps = self._steps(images)
        length = steps or hyperrule_steps(images, self.batch_size, self.fit_to_data)
        warmup = durations.warmup(self.warmup, self.warmup_epochs, length, images, self.batch_size)
        return self._schedule(images, steps, warmup)

    def check(self) -> Schedule:
        """Returns the schedule of a training on very many images, as long as one on a single image.

        Raises:
          UserError: `for_images` would raise it for any number of images.
        """
        durations.warmup(self.warmup, self.warmup_epochs, _MANY, 1, self.batch_size)
        return self._schedule(_MANY, self._steps(1), self.warmup if self.steps else None)

    def _steps(self, images: int) -> int | None:
        return durations.steps(self.steps, self.epochs, self.examples, images, self.batch_size)

    def _schedule(self, images: int, steps: int | None, warmup: int | None) -> Schedule:
        return Schedule.from_settings(
            self.schedule,
            images,
            self.batch_size,
            steps,
            self.learning_rate,
            self.learning_rate_batch,
            warmup,
            self.drops,
            self.fit_to_data,
        )


def scaled(learning_rate: float, learning_rate_batch: int, batch_size: int) -> float:
    """Returns the rate of a step of `batch_size` images.

    It is proportional to the batch, as in Goyal et al. 2017, arXiv 1706.02677, section 2.1, and in
    BiT's HyperRule.

    Args:
      learning_rate: at a batch of `learning_rate_batch`.
      learning_rate_batch: 0 for a rate that does not scale.
      batch_size: images per step.
    """
    return learning_rate * (batch_size / learning_rate_batch if learning_rate_batch else 1)


def _warmup(kind: str, steps: int, warmup: int | None, batch_size: int) -> int:
    if warmup is None:
        if kind == HYPERRULE:
            longest = 100 if steps * batch_size <= 500 * HYPERRULE_BATCH else 500
            return min(round(longest * HYPERRULE_BATCH / batch_size), steps // 5)
        return steps // 20
    if not 0 <= warmup < steps:
        raise UserError(
            f"config.warmup is {warmup}; expected 0 or more and fewer than the {steps} steps of "
            "the training, or none for the schedule's own."
        )
    return warmup


def _drops(kind: str, drops: Sequence[float]) -> tuple[float, ...]:
    if kind == HYPERRULE:
        return HYPERRULE_DROPS
    if kind != STEP:
        return ()
    for share in drops:
        if not 0 < share < 1:
            raise UserError(f"config.drops has {share}; expected shares of the steps, 0 to 1.")
    return tuple(drops)


class Rate(keras.optimizers.schedules.LearningRateSchedule):
    """The learning rate of a `Schedule` at each step.

    The rate after the warm-up is a variable, so that a traced step can train at several rates.
    """

    def __init__(self, schedule: Schedule) -> None:
        self.schedule = schedule
        self._after_warmup = tf.Variable(schedule.learning_rate, trainable=False, dtype=tf.float32)

    def set(self, learning_rate: float) -> None:
        """Changes the rate after the warm-up."""
        self.schedule = dataclasses.replace(self.schedule, learning_rate=learning_rate)
        self._after_warmup.assign(learning_rate)

    def __call__(self, step: tf.Tensor) -> tf.Tensor:
        """Returns the learning rate, scalar float32, of step `step`, counted from 0."""
        schedule = self.schedule
        step = tf.cast(step, tf.float32)
        # Starts at 1 / warmup: a step at a rate of 0 would be lost.
        rate = self._after_warmup * tf.minimum(1.0, (step + 1) / max(1, schedule.warmup))
        for share in schedule.drops:
            rate *= tf.where(step >= share * schedule.steps, 0.1, 1.0)
        if schedule.kind == COSINE:
            done = (step - schedule.warmup) / (schedule.steps - schedule.warmup)
            rate *= (1 + tf.cos(math.pi * tf.clip_by_value(done, 0.0, 1.0))) / 2
        return rate

    def get_config(self) -> dict[str, object]:
        """Returns the arguments that make the same schedule."""
        return {"schedule": self.schedule}
