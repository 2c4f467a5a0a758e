"""Checks of the settings of methods, `config.method_options`, and of the batch."""

import math
import numbers
from collections.abc import Sequence

from remedis.errors import UserError

FEWEST = 2  # examples: a single one has no other to be compared with


def batch(method: str, batch_size: int, fewest: int) -> None:
    """Raises a UserError if a batch has fewer examples, over all replicas, than a method needs."""
    if batch_size < fewest:
        raise UserError(
            f"config.batch_size is {batch_size}; {method} compares the examples of a batch with "
            f"each other: expected at least {fewest}, better hundreds."
        )


def positive(option: str, value: object) -> float:
    """Returns a number above 0, or raises a UserError that names the option."""
    return _number(option, value, above=True)


def not_negative(option: str, value: object, below: float = math.inf) -> float:
    """Returns a number from 0 to below a bound, or raises a UserError that names the option."""
    return _number(option, value, below=below)


def _number(option: str, value: object, above: bool = False, below: float = math.inf) -> float:
    is_number = isinstance(value, numbers.Real) and not isinstance(value, bool)
    number = float(value) if is_number else math.nan  # type: ignore[arg-type]
    if not (0 <= number < below) or (above and number == 0):
        expected = "a number above 0" if above else "a number, 0 or more"
        raise _wrong(option, value, expected + ("" if below == math.inf else f", below {below:g}"))
    return number


def whole(option: str, value: object) -> int:
    """Returns a whole number of at least 1, or raises a UserError that names the option."""
    if not _is_whole(value):
        raise _wrong(option, value, "a whole number, at least 1")
    return int(value)  # type: ignore[call-overload, no-any-return]


def true_or_false(option: str, value: object) -> bool:
    """Returns True or False, or raises a UserError that names the option."""
    if not isinstance(value, bool):
        raise _wrong(option, value, "True or False")
    return value


def widths(value: Sequence[int] | None, otherwise: tuple[int, ...]) -> tuple[int, ...]:
    """Returns the output channels of each layer of a head.

    Args:
      value: whole numbers of at least 1; None for the method's default.
      otherwise: the method's default.

    Raises:
      UserError: `value` is anything else.
    """
    if value is None:
        return otherwise
    is_list = isinstance(value, Sequence) and not isinstance(value, str)
    if not is_list or not value or not all(map(_is_whole, value)):
        raise _wrong("widths", value, f"whole numbers of at least 1, such as {otherwise}")
    return tuple(map(int, value))


def _is_whole(value: object) -> bool:
    return isinstance(value, numbers.Integral) and not isinstance(value, bool) and int(value) >= 1


def _wrong(option: str, value: object, expected: str) -> UserError:
    return UserError(f"config.method_options.{option} is {value!r}; expected {expected}.")
