"""Length of a training, given in steps, epochs or examples."""

import math

from remedis.errors import UserError


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
        return steps or None
    # Rounded first: products such as 0.07 * 100 lie just above the whole number.
    return max(1, math.ceil(round(examples_seen / batch_size, 6)))
