"""What all jobs ask of their configs before any work is done."""

from collections.abc import Mapping

import ml_collections

from remedis.errors import UserError
from remedis.preprocess import Preprocess, parse


def within(
    config: ml_collections.ConfigDict, bounds: Mapping[str, tuple[float, float | None]]
) -> None:
    """Raises a UserError unless the values of some keys lie between two bounds.

    Args:
      config: values that are none are left out.
      bounds: for each key the least and the largest value; None for no largest.
    """
    for key, (low, high) in bounds.items():
        value = config[key]
        if value is not None and not low <= value <= (value if high is None else high):
            expected = f"at least {low}" if high is None else f"{low} to {high}"
            raise UserError(f"config.{key} is {value}; expected {expected}.")


def operations(config: ml_collections.ConfigDict) -> tuple[Preprocess, Preprocess]:
    """Returns the operations of training and of evaluation, `{size}` filled in.

    Raises:
      UserError: a specification is wrong.
    """
    train = parse(filled(config, "train_preprocess"))
    return train, parse(filled(config, "eval_preprocess"), deterministic=True)


def filled(config: ml_collections.ConfigDict, key: str, part: str = "") -> str:
    """Returns a specification with the size of the images in the place of `{size}`.

    Args:
      config: with the size.
      key: of the specification.
      part: of the config that has the key, such as `probe.`; the config itself if empty.

    Raises:
      UserError: something else is in braces.
    """
    specification = (config[part.rstrip(".")] if part else config)[key]
    try:
        return str(specification.format(size=config.image_size))
    except (KeyError, IndexError, ValueError) as error:
        raise UserError(
            f"config.{part}{key} is {specification!r}; the only thing in braces may be {{size}}."
        ) from error
