"""Levels of the metric whose price in labelled patients is asked for.

The headline level is a share of what the baseline gains from labels: its value at the first budget
plus, say, 80 % of the gain up to its largest budget. If the arm ends below the baseline, the gain
counts only up to where the arm ends. So both arms cross the level, and neither is favoured. With
two equal arms on a flat curve, a level from the baseline alone is missed in one study of five,
always by the arm; the median ratio of the others is 1.5 instead of 1 (`80 %, base alone` in
`benchmarks/label_budget.py --null`). The value of the baseline with all patients, the `reference`,
favours the arm: the baseline counts with its whole pool even where its curve is flat.
"""

import dataclasses
from typing import Any

import numpy as np

from remedis.evaluation.auroc import Floats
from remedis.evaluation.label_budget.crossing import monotone
from remedis.evaluation.label_budget.learning_curves import Curve
from remedis.evaluation.label_budget.resampling import interval
from remedis.evaluation.label_budget.study_metric import AUROC, StudyMetric

SHARES = (0.8, 0.5, 0.9)  # of the baseline's gain; the first is the headline
REFERENCE = "reference"
LEVEL_AT_CHANCE, NO_GAIN = "level not above chance", "no gain shown"


@dataclasses.dataclass(frozen=True)
class Level:
    """A level to reach.

    Attributes:
      target: its name.
      draws: [1 + B].
      share: of the baseline's gain; None for a level of another kind.
      headline: whether the headline answers are those for this level.
      lowered: whether the arm ends below the baseline, which lowers the level.
      missing: the reason why no answer is given for it; None if answers are given.
    """

    target: str
    draws: Floats
    share: float | None = None
    headline: bool = False
    lowered: bool = False
    missing: str | None = None


def share_of_gain(base: Curve, arm: Curve, share: float, headline: bool) -> Level:
    """Returns the level at a share of the baseline's gain, as far as the arm gets, too.

    It has no answers (`missing`) unless the interval of the level, that of the baseline at its
    largest budget, and that of the gain show that there is something to reach: a curve of noise
    crosses every level within the noise somewhere.
    """
    fitted, last = monotone(base.draws), monotone(arm.draws)[:, -1]
    first, common = fitted[:, 0], np.minimum(fitted[:, -1], last)
    draws = first + share * np.maximum(common - first, 0.0)
    low = interval(first + share * (fitted[:, -1] - first)).low
    missing = None
    if not base.above_chance or not base.beats_chance(low):
        missing = LEVEL_AT_CHANCE
    elif not gains(base):
        missing = NO_GAIN
    return Level(
        f"{100 * share:g} % of the gain",
        draws,
        share,
        headline,
        bool(last[0] < fitted[0, -1]),
        missing,
    )


def reference(base: Curve) -> Level:
    """Returns the metric of the baseline at its largest budget."""
    missing = None if base.above_chance else LEVEL_AT_CHANCE
    return Level(REFERENCE, base.draws[:, -1], missing=missing)


def absolute(base: Curve, value: float, metric: StudyMetric = AUROC) -> Level:
    """Returns a given value of the metric."""
    return Level(f"{metric.name} {value:g}", np.full(len(base.draws), value))


def gains(base: Curve) -> bool:
    """Returns whether the interval of the gain from the first to the largest budget is above 0."""
    low = interval(base.draws[:, -1] - base.draws[:, 0]).low
    return low is not None and low > 0


def level_row(base: Curve, level: Level) -> dict[str, Any]:
    """Returns a level that is a share of the gain, in the form of `summary.json`."""
    ends = interval(level.draws)
    return {
        "mode": base.mode,
        "arm": base.arm,
        "share_of_gain": level.share,
        "headline": level.headline,
        "level": ends.to_json(),
        "gain": interval(base.draws[:, -1] - base.draws[:, 0]).to_json(),
        "above_chance": base.above_chance and base.beats_chance(ends.low),
        "gains": gains(base),
    }
