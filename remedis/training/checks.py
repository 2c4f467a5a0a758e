"""Checks of settings that all jobs share, made before any work is done."""

import math
from collections.abc import Collection, Mapping

from remedis.errors import UserError, unknown_choice
from remedis.preprocess import Preprocess, parse
from remedis.specifications import with_size


def within(settings: object, bounds: Mapping[str, tuple[float, float | None]]) -> None:
    """Raises a UserError unless the values of some settings lie between two bounds.

    Args:
      settings: an object with the settings as attributes, named as the config's keys; values that
        are None are left out.
      bounds: for each name the smallest and the largest value; None for any finite one.
    """
    for name, (low, high) in bounds.items():
        value = getattr(settings, name)
        if value is not None and not (low <= value < math.inf and (high is None or value <= high)):
            expected = f"at least {low}" if high is None else f"{low} to {high}"
            raise UserError(f"config.{name} is {value}; expected {expected}.")


def known(settings: object, choices: Mapping[str, Collection[str]], where: str = "config") -> None:
    """Raises a UserError unless the values of some settings are among their choices.

    Args:
      settings: an object with the settings as attributes, named as the config's keys.
      choices: for each name the values that it may have.
      where: the part of the config that has the keys, for messages.
    """
    for name, values in choices.items():
        value = getattr(settings, name)
        if value not in values:
            raise unknown_choice(f"value of {where}.{name}", value, values)


def operations(
    specification: str, image_size: int, key: str, deterministic: bool = False
) -> Preprocess:
    """Returns the operations of a specification, with the image size in place of `{size}`.

    Args:
      specification: as the config has it.
      image_size: height and width, pixels.
      key: the config's key of the specification, for messages.
      deterministic: whether random operations are refused.

    Raises:
      UserError: the specification is wrong, or has something else in braces.
    """
    filled = with_size(specification, image_size, f"config.{key}")
    return parse(filled, deterministic=deterministic)
