"""Checks of the arguments of operations, with messages for the author of a specification."""

import math

# Pixels per side: 600 MB as float32 RGB, as much as the largest image that is read takes.
MAX_SIDE = 7_000


def check(name: str, value: object, low: float, high: float = math.inf) -> None:
    """Raises a ValueError unless `value` is a finite number from `low` to `high`."""
    if not isinstance(value, int | float) or not low <= value <= high or value == math.inf:
        upper = "" if high == math.inf else f" to {high:g}"
        raise ValueError(f"{name} is {value!r}; expected a number from {low:g}{upper}")


def check_size(size: object) -> None:
    """Raises a ValueError unless `size` is a whole number of pixels from 1 to `MAX_SIDE`."""
    if isinstance(size, bool) or not isinstance(size, int) or not 1 <= size <= MAX_SIDE:
        raise ValueError(f"size is {size!r}; expected a number from 1 to {MAX_SIDE}")


def check_range(name: str, bounds: object, low: float, high: float = math.inf) -> None:
    """Raises a ValueError unless `bounds` are two ordered numbers from `low` to `high`."""
    if not isinstance(bounds, tuple | list) or len(bounds) != 2:
        raise ValueError(f"{name} is {bounds!r}; expected two numbers")
    for bound in bounds:
        check(name, bound, low, high)
    if bounds[0] > bounds[1]:
        raise ValueError(f"{name} is {bounds!r}; expected the smaller number first")


def check_probability(probability: object) -> None:
    """Raises a ValueError unless `probability` is a number from 0 to 1."""
    check("probability", probability, 0, 1)
