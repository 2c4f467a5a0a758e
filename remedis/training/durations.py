"""Length of a training, and of its warm-up, given in steps, epochs or examples."""

import logging
import math

from remedis.errors import UserError, counted

_LOG = logging.getLogger(__name__)

# More epochs than this are a warning: SimCLR's longest training, Chen et al. 2020,
# arXiv 2002.05709, figure 9. The HyperRule, fitted to the data, has at most 500 with batches that
# repeat no image.
MANY_EPOCHS = 1000
MAX_STEPS = 1_000_000_000  # thirty years at one step per second


def steps(
    steps: int | None,
    epochs: float | None,
    examples: int | None,
    dataset_size: int,
    batch_size: int,
) -> int | None:
    """Returns the number of optimizer steps, at least 1; None if no duration is given.

    0 means "not given", so that a command line can take back a duration that a config sets.

    Args:
      steps: `config.steps`.
      epochs: `config.epochs`, passes through the training set; fractions are allowed.
      examples: `config.examples`, images, counted once per pass.
      dataset_size: images of the training set.
      batch_size: images per step.

    Raises:
      UserError: more than one duration is given, or one is negative.
    """
    given = {
        f"config.{name}": value
        for name, value in (("steps", steps), ("epochs", epochs), ("examples", examples))
        if value
    }
    if len(given) > 1:
        said = " and ".join(f"{key} ({value})" for key, value in given.items())
        raise UserError(f"The duration is given by {said}; set one of them and the others to 0.")
    for key, value in given.items():
        if not 0 < value < math.inf:
            raise UserError(f"{key} is {value}; expected a number above 0, or 0 for none.")
    if epochs:
        examples_seen = epochs * dataset_size
    elif examples:
        examples_seen = examples
    else:
        examples_seen = (steps or 0) * batch_size
    if examples_seen / batch_size > MAX_STEPS:
        key, value = next(iter(given.items()))
        raise UserError(
            f"{key} is {value:g}, which is more than {MAX_STEPS:,} steps of {batch_size:,} images; "
            "set a shorter training."
        )
    if not (epochs or examples):
        return steps or None
    # Rounded first: products such as 0.07 * 100 lie just above the whole number.
    return max(1, math.ceil(round(examples_seen / batch_size, 6)))


def sentence(steps: int, batch_size: int, images: int, evaluate_every: int) -> str:
    """Returns the length of a training in words: steps, epochs, and the interval of evaluation."""
    epochs = steps * batch_size / images
    every = "step" if evaluate_every == 1 else f"{evaluate_every:,} steps"
    interval = f", evaluated every {every}" if evaluate_every < steps else ""
    return (
        f"Length: {counted(steps, 'step')} of {batch_size:,} images = {_number(epochs)} epochs of "
        f"{images:,} training images{interval}."
    )


def warning(steps: int, batch_size: int, images: int) -> str | None:
    """Returns a sentence if a training has very many epochs; None if not."""
    epochs = steps * batch_size / images
    if epochs <= MANY_EPOCHS:
        return None
    return (
        f"The training sees each of the {images:,} images {_number(epochs)} times, which is more "
        f"than {MANY_EPOCHS:,} epochs; a smaller config.steps or config.epochs shortens it."
    )


def fitted_interval(interval: int, steps: int, batch_size: int, evaluated: int) -> int:
    """Returns the steps between evaluations: `interval`, or fewer in a training shorter than that.

    A shorter training is evaluated ten times, but not before it saw as many images as an evaluation
    does: a forward pass is about a third of a step of training.

    Args:
      interval: `config.evaluate_every`.
      steps: of the training.
      batch_size: images per step.
      evaluated: images of an evaluation.
    """
    if interval <= steps:
        return interval
    return min(steps, max(math.ceil(steps / 10), math.ceil(evaluated / batch_size)))


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"


def warmup(
    warmup: int | None,
    warmup_epochs: float | None,
    steps: int,
    dataset_size: int,
    batch_size: int,
) -> int | None:
    """Returns the number of steps of the warm-up; None if it is not given.

    A warm-up in epochs is limited to a tenth of the training: a shortened training, such as a
    rehearsal, may be shorter than the warm-up of the whole.

    Args:
      warmup: `config.warmup`, steps.
      warmup_epochs: `config.warmup_epochs`; 0 or None if the warm-up is not given in epochs.
      steps: of the training.
      dataset_size: images of the training set.
      batch_size: images per step.

    Raises:
      UserError: the warm-up is given in both units, or its epochs are no number of 0 or more.
    """
    if not warmup_epochs:
        return warmup
    if warmup:
        raise UserError(
            f"The warm-up is given by config.warmup ({warmup}) and config.warmup_epochs "
            f"({warmup_epochs}); set one of them to 0."
        )
    if not 0 < warmup_epochs < math.inf:
        raise UserError(f"config.warmup_epochs is {warmup_epochs}; expected a number of 0 or more.")
    requested = math.ceil(round(warmup_epochs * dataset_size / batch_size, 6))
    limited = min(requested, steps // 10)
    if limited < requested:
        _LOG.info(
            f"Warm-up is {counted(limited, 'step')}: it is limited to a tenth of the {steps:,} "
            "steps."
        )
    return limited
