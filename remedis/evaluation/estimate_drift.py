"""The difference between a metric then and now, with an interval from both intervals.

The interval of a difference d = now - before of independent estimates recovers their variances at
the ends that limit it (MOVER: Zou and Donner, Stat. Med. 27:1693-1702, 2008; for shares Newcombe,
Stat. Med. 17:873-890, 1998):

    low  = d - sqrt((now - low of now)^2 + (high of before - before)^2)
    high = d + sqrt((high of now - now)^2 + (before - low of before)^2)

It needs the recorded intervals alone, and is as asymmetric as they are. Patients in both data sets
make the estimates dependent, mostly alike; the interval then is too wide rather than too narrow.
"""

import math
from collections.abc import Mapping
from typing import Any

from typing_extensions import TypedDict

from remedis.json_records import Real


class DifferenceRecord(TypedDict):
    """The difference of a metric: its value now minus that before.

    Attributes:
      value: of the difference.
      low: lower end of its 95 % interval.
      high: upper end of its 95 % interval.
    """

    value: Real
    low: Real
    high: Real


def estimate_drift(before: Mapping[str, Any], now: Mapping[str, Any]) -> DifferenceRecord | None:
    """Returns the difference of two independent estimates; None if one is not estimable.

    The formula and its source are those of the module.

    Args:
      before: fields of an estimate, of `Estimate.to_json`.
      now: the same of the same metric on other patients.
    """
    if before["value"] is None or now["value"] is None:
        return None
    value = now["value"] - before["value"]
    below = math.hypot(now["value"] - now["low"], before["high"] - before["value"])
    above = math.hypot(now["high"] - now["value"], before["value"] - before["low"])
    return {"value": value, "low": value - below, "high": value + above}
