"""How the report words numbers and names."""

import math
from collections.abc import Callable, Mapping
from typing import Any

from remedis.reporting.notes import RANDOM_WEIGHTS

Study = Mapping[str, Any]  # what summary.json holds
Fields = Mapping[str, Any]  # of an estimate: value, low and high, each a number or null

_MODES = {"probe": "Linear probe", "finetune": "End-to-end fine-tuning"}
NOT_ESTIMABLE = "not estimable"


def mode_name(mode: str) -> str:
    """Returns the words for `probe` or `finetune`, with a capital."""
    return _MODES.get(mode, mode)


def interval(fields: Fields | None, form: Callable[[float], str], beyond: str = "open") -> str:
    """Returns `value [low, high]`, or `not estimable`.

    Args:
      fields: of the estimate; None if there is none.
      form: makes text of one number.
      beyond: stands for an upper end that is null; for a lower one it is `open`.
    """
    if fields is None or fields["value"] is None:
        return NOT_ESTIMABLE
    low = "open" if fields["low"] is None else form(fields["low"])
    high = beyond if fields["high"] is None else form(fields["high"])
    return f"{form(fields['value'])} [{low}, {high}]"


def auroc(fields: Fields | None) -> str:
    """Returns for example `0.812 [0.780, 0.840]`."""
    return interval(fields, "{:.3f}".format)


def difference(fields: Fields | None) -> str:
    """Returns for example `+0.031 [+0.010, +0.052]`."""
    return interval(fields, "{:+.3f}".format)


def share(fields: Fields | None) -> str:
    """Returns for example `45 % [30 %, 61 %]`."""
    return interval(fields, percent)


def percent(value: float) -> str:
    """Returns a share in [0, 1] as for example `5 %`, with a decimal below 1 %."""
    return f"{100 * value:.1f} %" if 0 < abs(value) < 0.0095 else f"{100 * value:.0f} %"


def patients(fields: Fields | None, most: int | None) -> str:
    """Returns for example `20 [12, 41]`, or `200 [90, beyond 310]` where the interval is open.

    Args:
      fields: numbers of patients, as interpolated.
      most: the largest budget measured, beyond which an open interval ends; None if none.
    """
    return interval(fields, whole, "open" if most is None else f"beyond {most:,}")


def whole(patients: float) -> str:
    """Returns a number of patients, rounded up, but not by what a float loses."""
    return f"{math.ceil(round(patients, 6)):,}"


def fold(fields: Fields | None) -> str:
    """Returns for example `15 [7.2, 26]`."""
    return interval(fields, lambda x: f"{x:.1f}" if x < 9.95 else f"{x:,.0f}")


def largest_budget(study: Study) -> int:
    """Returns the patients of the largest budget that was measured."""
    return max((point["patients"] for point in study["points"]), default=0)


def pool(study: Study) -> int:
    """Returns how many OOD patients there are to label: those of the reference."""
    return max((r["patients"] for r in study["reference"]), default=largest_budget(study))


def budgets(study: Study) -> list[int]:
    """Returns the measured budgets in patients, rising, with 0 where zero-shot was measured."""
    return sorted({point["patients"] for point in study["points"]})


def budget_name(patients: int, study: Study) -> str:
    """Returns for example `16 (5 %)`, or `0 (zero-shot)`."""
    if not patients:
        return "0 (zero-shot)"
    return f"{patients:,} ({percent(patients / pool(study))})"


def random_note(study: Study) -> str:
    """Returns the sentence on arms whose weights were drawn at random; empty if none were."""
    names = [name for name, arm in study["arms"].items() if arm["random_weights"]]
    if len(names) == len(study["arms"]):
        return RANDOM_WEIGHTS
    return f"RANDOM WEIGHTS: nothing was pretrained in {', '.join(names)}" if names else ""
