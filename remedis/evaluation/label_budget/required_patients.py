"""Labelled patients that an arm needs to reach a level, and the x-fold reduction.

Every draw of patients and seeds is treated alike: its curve is made monotone, the level (if it is
the AUROC of the baseline) is taken from the same draw, and the budget is where curve and level
cross. A draw that does not reach the level counts as beyond the largest budget. Because the curves
of the draws never fall, the interval is the range of budgets at which the 95 % interval of the
difference between curve and level contains 0.
"""

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from remedis.evaluation.auroc import Floats
from remedis.evaluation.label_budget import power_law
from remedis.evaluation.label_budget.crossing import crossing, monotone
from remedis.evaluation.label_budget.learning_curves import LearningCurve
from remedis.evaluation.label_budget.resampling import interval

REFERENCE = "reference"
REACHED, NOT_REACHED, BELOW = "reached", "not reached", "below the first budget"


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


def required_patients(
    curves: Mapping[tuple[str, str], LearningCurve],
    baseline: str,
    levels: Sequence[float],
    cost: Cost,
    extrapolate: bool,
) -> Iterator[dict[str, Any]]:
    """Yields one answer per arm, mode and target, in the form of `summary.json`.

    Args:
      curves: (arm, mode) -> curve.
      baseline: the arm whose AUROC at its largest budget is the target `reference`; it gets no
        answer for this target. The x-fold reduction is that budget divided by the budget of the
        arm.
      levels: mean AUROCs that are further targets, for all arms. The x-fold reduction is the budget
        of the baseline for the level divided by the budget of the arm.
      cost: cost of labelling one patient.
      extrapolate: whether a power law is used for an arm that does not reach a target within its
        budgets. Its status stays `not reached`; `extrapolated` says that the numbers come from the
        power law.

    Yields:
      arm, mode, target, level, status, extrapolated and cost, and:
      `patients` with its interval. It is None if the target is not reached; an upper end of None
      means beyond the largest budget.
      `at_least`, the lower end if `patients` is None.
      `share_reached`, the share of the draws that reach the target.
      `fold`, the x-fold reduction with its interval. It is None if it is undefined. Its lower end
      is None if the arm may need more patients than were measured; its upper end is None if the
      baseline may, or if the arm may need no patients.
    """
    for (arm, mode), curve in curves.items():
        base = curves[baseline, mode]
        if arm != baseline:
            level = base.mean[:, -1]
            needed = np.full(len(level), float(base.budgets[-1]))
            yield _answer(curve, REFERENCE, level, needed, cost, extrapolate)
        for target in levels:
            level = np.full(len(curve.mean), target)
            needed = crossing(base.budgets, monotone(base.mean), level)
            yield _answer(curve, f"AUROC {target:g}", level, needed, cost, extrapolate)


def _answer(
    curve: LearningCurve,
    target: str,
    level: Floats,
    baseline_patients: Floats,
    cost: Cost,
    extrapolate: bool,
) -> dict[str, Any]:
    """Returns one answer; `level` and `baseline_patients` are [1 + B]."""
    patients = crossing(curve.budgets, monotone(curve.mean), level)
    reached = np.isfinite(patients)
    status = BELOW if patients[0] == curve.budgets[0] else REACHED
    if not reached[0]:
        status = NOT_REACHED
    extrapolated = False
    if extrapolate and not reached[0] and power_law.has_enough_budgets(curve.budgets):
        by_law = power_law.patients_at(curve.budgets, curve.mean, level)
        extrapolated = bool(np.isfinite(by_law[0]))
        if extrapolated:
            patients = np.where(reached, patients, np.maximum(by_law, curve.budgets[-1]))
    estimate = interval(patients)
    return {
        "arm": curve.arm,
        "mode": curve.mode,
        "target": target,
        "level": float(level[0]),
        "patients": estimate.to_json(),
        "at_least": estimate.low if estimate.value is None else None,
        "status": status,
        "share_reached": float(reached[1:].mean()),
        "fold": interval(_fold(baseline_patients, patients)).to_json(),
        "extrapolated": extrapolated,
        "cost": cost.for_patients(estimate.value),
    }


def _fold(baseline_patients: Floats, patients: Floats) -> Floats:
    """Returns [1 + B] quotients: -inf if only the baseline reaches the level, NaN if neither."""
    with np.errstate(divide="ignore", invalid="ignore"):
        fold = np.where(baseline_patients == patients, 1.0, baseline_patients / patients)
    fold[np.isinf(patients)] = -np.inf
    fold[np.isinf(patients) & np.isinf(baseline_patients)] = np.nan
    return fold
