"""Labelled patients that an arm needs to reach a level, and the x-fold reduction.

Every draw of patients and seeds is treated alike: its curves are made monotone, the level (if it
comes from the baseline) is taken from the same draw, and the budgets are where the curves of both
arms cross the level. A draw that does not reach the level counts as beyond the largest budget.
Because the curves of the draws never fall, the interval is the range of budgets at which the 95 %
interval of the difference between curve and level contains 0.

The ratio of both arms' budgets is always an estimate. It is a multiple that may be stated (`fold`)
only if its interval excludes 1 and the question can be answered at all; otherwise `fold_missing`
has the reason.
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from remedis.evaluation.auroc import Floats
from remedis.evaluation.label_budget import power_law
from remedis.evaluation.label_budget.crossing import crossing, monotone
from remedis.evaluation.label_budget.learning_curves import Curve
from remedis.evaluation.label_budget.levels import (
    LEVEL_AT_CHANCE,
    NO_GAIN,
    REFERENCE,
    Level,
    absolute,
    reference,
    share_of_gain,
)
from remedis.evaluation.label_budget.resampling import Interval, interval
from remedis.evaluation.label_budget.study_metric import AUROC, StudyMetric

REACHED, NOT_REACHED, BELOW = "reached", "not reached", "below the first budget"
ARM_AT_CHANCE = "arm not above chance"
# All values of `status` of an answer.
STATUSES = (REACHED, NOT_REACHED, BELOW, LEVEL_AT_CHANCE, NO_GAIN, ARM_AT_CHANCE)
IS_BASELINE, ONE_SIDED, TOO_FEW_SEEDS = "baseline", "one-sided", "too few seeds"
BASELINE_MISSES, CONTAINS_ONE = "baseline does not reach it", "interval contains 1"
BASELINE_BELOW = "baseline below the first budget"
# All values of `fold_missing` but None.
REASONS = (
    *(IS_BASELINE, LEVEL_AT_CHANCE, NO_GAIN, ARM_AT_CHANCE, ONE_SIDED, TOO_FEW_SEEDS),
    *(NOT_REACHED, BELOW, BASELINE_MISSES, BASELINE_BELOW, CONTAINS_ONE),
)
_SAME = 1e-6  # budgets whose quotient differs from 1 by less are the same; the rest is rounding


@dataclasses.dataclass(frozen=True)
class Cost:
    """Cost of labelling one patient: all images and labels of the patient together.

    Attributes:
      minutes: working time of an expert; None if not given.
      price: in any currency; None if not given.
    """

    minutes: float | None = None
    price: float | None = None

    def for_patients(self, patients: float | None) -> dict[str, float | None] | None:
        """Returns minutes and price of that many patients, rounded up to whole patients.

        None if `patients` is None, or if neither minutes nor price are known.
        """
        if patients is None or (self.minutes is None and self.price is None):
            return None
        whole = math.ceil(patients - 1e-9)
        return {
            "minutes": None if self.minutes is None else self.minutes * whole,
            "price": None if self.price is None else self.price * whole,
        }


@dataclasses.dataclass(frozen=True)
class Questions:
    """What is asked of the curves.

    Attributes:
      shares: levels as shares of the baseline's gain; the first is the headline.
      values: values of the metric that are further levels.
      cost: cost of labelling one patient.
      extrapolate: whether a power law is used for an arm that does not reach a level.
      too_few_seeds: modes with too few seeds for any multiple.
      metric: of the curves.
    """

    shares: Sequence[float] = ()
    values: Sequence[float] = ()
    cost: Cost = Cost()
    extrapolate: bool = False
    too_few_seeds: Sequence[str] = ()
    metric: StudyMetric = AUROC

    def levels(self, base: Curve, arm: Curve) -> list[Level]:
        """Returns the levels for an arm, from its curve and that of the baseline in one mode."""
        return [
            *(share_of_gain(base, arm, share, k == 0) for k, share in enumerate(self.shares)),
            reference(base),
            *(absolute(base, value, self.metric) for value in self.values),
        ]


def required_patients(
    curves: Mapping[tuple[str, str], Curve], baseline: str, questions: Questions
) -> list[dict[str, Any]]:
    """Returns one answer per arm, mode and level, in the form of `summary.json`.

    Args:
      curves: (arm, mode) -> curve.
      baseline: the arm that the others are compared with. It has no answer for the level
        `reference`, its own value at its largest budget.
      questions: the levels and what else is asked.

    Returns:
      arm, mode, target, share_of_gain, headline, level, level_lowered, arm_above_chance,
      baseline_above_chance, extrapolation and cost, and:
      `status`, one of `STATUSES`. If the question cannot be answered (the last three), all numbers
      but the level are None.
      `patients` with its interval. It is None if the level is not reached; an upper end of None
      means beyond the largest budget.
      `at_least`, the lower end if `patients` is None.
      `share_reached`, the share of the draws that reach the level.
      `baseline_patients`, the same for the baseline; for `reference`, its largest budget.
      `ratio`, `baseline_patients` divided by `patients`, whether or not it shows anything. Its
      lower end is None if the arm may need more patients than were measured; its upper end is None
      if the baseline may, or if the arm may need no patients.
      `fold`, the ratio if its interval excludes 1 and a multiple may be stated; else None, and
      `fold_missing` is the first of `REASONS` that applies.
    """
    answers = []
    for (arm, mode), curve in curves.items():
        base = curves[baseline, mode]
        for level in questions.levels(base, curve):
            if (arm, level.target) != (baseline, REFERENCE):
                answers.append(_answer(curve, base, level, questions))
    return answers


def crossings(curve: Curve, base: Curve, level: Level) -> tuple[Floats, Floats]:
    """Returns the patients [1 + B] that an arm and the baseline need for a level, in all draws."""
    patients = crossing(curve.budgets, monotone(curve.draws), level.draws)
    if level.target == REFERENCE:
        return patients, np.full(len(patients), float(base.budgets[-1]))
    return patients, crossing(base.budgets, monotone(base.draws), level.draws)


def quotient(of_baseline: Floats, patients: Floats) -> Floats:
    """Returns [1 + B] quotients: -inf if only the baseline reaches the level, NaN if neither."""
    with np.errstate(divide="ignore", invalid="ignore"):
        result = of_baseline / patients
        result = np.where(np.abs(result - 1) < _SAME, 1.0, result)
    result[of_baseline == patients] = 1.0
    result[np.isinf(patients)] = -np.inf
    result[np.isinf(patients) & np.isinf(of_baseline)] = np.nan
    return result


def intervals(
    curve: Curve, base: Curve, patients: Floats, of_baseline: Floats
) -> tuple[Interval, Interval, Interval]:
    """Returns the intervals of the patients of an arm, of the baseline, and of their ratio.

    Between zero-shot and the smallest budget above it, nothing was measured and the axis has no
    scale: a curve that saturates early crosses there by interpolation alone. Ends of intervals are
    moved to 0 or to that budget.

    Args:
      curve: of the arm.
      base: of the baseline.
      patients: [1 + B] that the arm needs.
      of_baseline: [1 + B] that the baseline needs.
    """
    fewest, most = _measured(curve, patients)
    base_fewest, base_most = _measured(base, of_baseline)
    return (
        Interval(interval(patients).value, interval(fewest).low, interval(most).high),
        Interval(interval(of_baseline).value, interval(base_fewest).low, interval(base_most).high),
        Interval(
            interval(quotient(of_baseline, patients)).value,
            interval(quotient(base_fewest, most)).low,
            interval(quotient(base_most, fewest)).high,
        ),
    )


def _measured(curve: Curve, patients: Floats) -> tuple[Floats, Floats]:
    """Returns the fewest and most patients, where a crossing is below the smallest real budget."""
    if curve.budgets[0] > 0 or len(curve.budgets) == 1:
        return patients, patients
    first = float(curve.budgets[1])
    below = (patients > 0) & (patients < first)
    return np.where(below, 0.0, patients), np.where(below, first, patients)


def excludes_one(ratio: Interval) -> bool:
    """Returns whether the whole interval of a ratio is on one side of 1."""
    above = ratio.low is not None and ratio.low > 1
    return above or (ratio.high is not None and ratio.high < 1)


def _answer(curve: Curve, base: Curve, level: Level, questions: Questions) -> dict[str, Any]:
    """Returns one answer."""
    patients, of_baseline = crossings(curve, base, level)
    status = _status(curve, level, patients[0])
    answer = {
        "arm": curve.arm,
        "mode": curve.mode,
        "target": level.target,
        "share_of_gain": level.share,
        "headline": level.headline,
        "level": float(level.draws[0]),
        "level_lowered": level.lowered,
        "status": status,
        "arm_above_chance": curve.above_chance,
        "baseline_above_chance": base.above_chance,
        "patients": None,
        "at_least": None,
        "share_reached": None,
        "baseline_patients": None,
        "ratio": None,
        "fold": None,
        "fold_missing": status,
        "extrapolation": None,
        "cost": None,
    }
    is_baseline = curve.arm == base.arm
    if is_baseline:
        answer["fold_missing"] = IS_BASELINE
    if status not in (REACHED, NOT_REACHED, BELOW):
        return answer
    estimate, needed, ratio = intervals(curve, base, patients, of_baseline)
    if is_baseline:
        missing: str | None = IS_BASELINE
    elif level.target == REFERENCE:
        missing = ONE_SIDED
    elif curve.mode in questions.too_few_seeds:
        missing = TOO_FEW_SEEDS
    elif status != REACHED:
        missing = status
    elif needed.value is None:
        missing = BASELINE_MISSES
    elif needed.value == base.budgets[0]:  # or fewer: the quotient is 0 or an upper bound
        missing = BASELINE_BELOW
    else:
        missing = None if excludes_one(ratio) else CONTAINS_ONE
    fields = dataclasses.asdict(ratio)
    extrapolated = questions.extrapolate and status == NOT_REACHED
    return answer | {
        "patients": estimate.to_json(),
        "at_least": estimate.low if estimate.value is None else None,
        "share_reached": float(np.isfinite(patients[1:]).mean()),
        "baseline_patients": needed.to_json(),
        "ratio": fields if any(end is not None for end in fields.values()) else None,
        "fold": fields if missing is None else None,
        "fold_missing": missing,
        "extrapolation": _extrapolation(curve, level, patients) if extrapolated else None,
        "cost": questions.cost.for_patients(estimate.value),
    }


def _status(curve: Curve, level: Level, patients: float) -> str:
    """Returns the status of an arm that needs `patients`, infinity if the level is not reached."""
    if level.missing is not None:
        return level.missing
    if not np.isfinite(patients):
        return NOT_REACHED
    if not curve.above_chance:
        return ARM_AT_CHANCE
    return BELOW if patients == curve.budgets[0] else REACHED


def _extrapolation(curve: Curve, level: Level, patients: Floats) -> dict[str, Any]:
    """Returns the patients by the power law, for the draws in which the curve misses the level."""
    if not power_law.has_enough_budgets(curve.budgets):
        return {"patients": None, "missing": power_law.TOO_FEW_BUDGETS}
    by_law = power_law.patients_at(curve.budgets, curve.draws, level.draws)
    beyond = np.maximum(by_law, curve.budgets[-1])
    estimate = interval(np.where(np.isfinite(patients), patients, beyond))
    missing = power_law.missing(estimate)
    return {"patients": None if missing else estimate.to_json(), "missing": missing}
