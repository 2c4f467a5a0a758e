"""Differences of the mean AUROC between arms at each budget."""

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

from remedis.evaluation.intervals import bootstrap_p
from remedis.evaluation.label_budget.learning_curves import LearningCurve
from remedis.evaluation.label_budget.resampling import interval


def arm_differences(
    curves: Mapping[tuple[str, str], LearningCurve], baseline: str
) -> Iterator[dict[str, Any]]:
    """Yields the difference of every pair of arms at each budget, paired by draw.

    The baseline is always the second arm of a pair. Interval and p are those of one budget, without
    a correction for multiple comparisons: of twenty true null hypotheses, one falls below 0.05.

    Args:
      curves: (arm, mode) -> curve.
      baseline: name of an arm.

    Yields:
      mode, patients, arm, against, difference with its interval, and p.
    """
    for mode in dict.fromkeys(mode for _, mode in curves):
        arms = [arm for arm, arm_mode in curves if arm_mode == mode and arm != baseline]
        for first, second in itertools.combinations([*arms, baseline], 2):
            curve, against = curves[first, mode], curves[second, mode]
            differences = curve.mean - against.mean
            for patients, draws in zip(curve.budgets, differences.T, strict=True):
                yield {
                    "mode": mode,
                    "patients": patients,
                    "arm": first,
                    "against": second,
                    "difference": interval(draws).to_json(),
                    "p": bootstrap_p(draws[1:]),
                }
