"""The text of estimates, shares, numbers of patients and p-values of a study."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Fields = Mapping[str, Any]  # of an estimate: value, low and high, each a number or null

NOT_ESTIMABLE = "not estimable"


def interval(fields: Fields | None, form: Callable[[float], str], beyond: str = "open") -> str:
    """Returns `value [low, high]`, or `not estimable`.

    Args:
      fields: the estimate; None if there is none.
      form: formats one number.
      beyond: replaces an upper end that is null. A lower end that is null is `open`.
    """
    if fields is None or fields["value"] is None:
        return NOT_ESTIMABLE
    low = "open" if fields["low"] is None else form(fields["low"])
    high = beyond if fields["high"] is None else form(fields["high"])
    return f"{form(fields['value'])} [{low}, {high}]"


def three_decimals(fields: Fields | None) -> str:
    """Returns for example `0.812 [0.780, 0.840]`."""
    return interval(fields, "{:.3f}".format)


def difference(fields: Fields | None) -> str:
    """Returns for example `+0.031 [+0.010, +0.052]`."""
    return interval(fields, "{:+.3f}".format)


def share(fields: Fields | None) -> str:
    """Returns for example `45 % [30 %, 61 %]`."""
    return interval(fields, percent)


def percent(value: float) -> str:
    """Returns a share as for example `5 %`, with one decimal below 1 % and from 99.5 %."""
    if 0.995 <= value < 1:  # `100 %` would say all
        return f"{min(100 * value, 99.9):.1f} %"
    return f"{100 * value:.1f} %" if 0 < abs(value) < 0.0095 else f"{100 * value:.0f} %"


def patients(fields: Fields | None, largest: int | None) -> str:
    """Returns for example `20 [12, 41]`, or `200 [90, beyond 310]` where the interval is open.

    Args:
      fields: interpolated numbers of patients.
      largest: patients of the largest measured budget, which an open interval exceeds; None if no
        budget bounds the number.
    """
    return interval(fields, whole, "open" if largest is None else f"beyond {largest:,}")


def whole(patients: float) -> str:
    """Returns a number of patients, rounded up except for floating-point error."""
    return f"{math.ceil(round(patients, 6)):,}"


def fold(fields: Fields | None) -> str:
    """Returns for example `15 [7.2, 26]`."""
    return interval(fields, times)


def range_in_words(
    fields: Fields, form: Callable[[float], str], beyond: str = "open", below: str = "open"
) -> str:
    """Returns the ends of an interval as for example `25 to 71`, or `90 to more than 310`.

    Args:
      fields: the estimate.
      form: formats one number.
      beyond: replaces an upper end that is null.
      below: replaces a lower end that is null.
    """
    low = below if fields["low"] is None else form(fields["low"])
    high = beyond if fields["high"] is None else form(fields["high"])
    return f"{low} to {high}"


def times(ratio: float) -> str:
    """Returns a ratio with two digits, as for example `0.42`, `2.2` or `15`."""
    if ratio < 0.995:
        return f"{ratio:.2g}"
    return f"{ratio:.1f}" if ratio < 9.95 else f"{ratio:,.0f}"


def listed(words: Sequence[str], last: str = "and") -> str:
    """Returns `a, b and c`."""
    return f" {last} ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def metric_in_words(fields: Fields | None, name: str) -> str:
    """Returns for example `AUROC 0.812, 0.780 to 0.840`.

    Args:
      fields: the estimate; None if there is none.
      name: of the metric.
    """
    if fields is None or fields["value"] is None:
        return f"{name} {NOT_ESTIMABLE}"
    return f"{name} {fields['value']:.3f}, {range_in_words(fields, '{:.3f}'.format)}"
