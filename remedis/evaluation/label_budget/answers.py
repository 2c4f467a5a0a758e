"""How many labelled patients an arm needs to reach a level, and how many fewer that is.

In every draw of patients and seeds anew: the curve is made monotone, the level (if it is the
baseline's) is read off the same draw, and the budget is where the two cross. A draw that does not
reach the level counts as beyond the largest budget. As draws of curves never fall, the ends of the
interval are the budgets at which the 95 % interval of curve minus level begins and ends to hold 0.
"""

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from remedis.evaluation.auroc import Floats
from remedis.evaluation.label_budget import power_law
from remedis.evaluation.label_budget.crossing import crossing, monotone
from remedis.evaluation.label_budget.curves import Curve
from remedis.evaluation.label_budget.resampling import interval

REFERENCE = "reference"
REACHED, NOT_REACHED, BELOW = "reached", "not reached", "below the first budget"


@dataclasses.dataclass(frozen=True)
class Cost:
    """What labelling costs, per patient: all of the patient's images and labels together.

    Attributes:
      minutes: of an expert; None if not given.
      price: in any currency; None if not given.
    """

    minutes: float | None = None
    price: float | None = None

    def of(self, patients: float | None) -> dict[str, float | None] | None:
        """Returns the minutes and the price of that many patients, rounded up to whole ones.

        None without patients, or if nothing is known of the cost.
        """
        if patients is None or (self.minutes is None and self.price is None):
            return None
        whole = math.ceil(patients - 1e-9)
        return {
            "minutes": None if self.minutes is None else self.minutes * whole,
            "price": None if self.price is None else self.price * whole,
        }


def answers(
    curves: Mapping[tuple[str, str], Curve],
    baseline: str,
    levels: Sequence[float],
    cost: Cost,
    extrapolate: bool,
) -> Iterator[dict[str, Any]]:
    """Yields an answer for every arm, mode and target, as `summary.json` has it.

    Args:
      curves: by arm and mode.
      baseline: the arm whose largest budget is the target `reference`; it gets no answer there. The
        x-fold reduction is this budget divided by that of the arm.
      levels: mean AUROCs that are targets too, for all arms. The x-fold reduction is the budget at
        which the baseline reaches it divided by that of the arm.
      cost: of a patient.
      extrapolate: whether an arm that does not reach a target within its budgets is asked where it
        would by a power law. Its status stays `not reached`; `extrapolated` says that its numbers
        are the law's.

    Yields:
      arm, mode, target, level and status; `patients` with its interval, None if not reached, an
      upper end of None beyond the largest budget; `at_least`, the lower end if there is no value;
      `share_reached` of the draws; `fold`, None if it is not a number, its lower end None if the
      arm may need more than was measured, its upper one None if the baseline may, or if the arm
      may need no patient; extrapolated; cost.
    """
    for (arm, mode), curve in curves.items():
        base = curves[baseline, mode]
        if arm != baseline:
            level = base.mean[:, -1]
            needed = np.full(len(level), float(base.budgets[-1]))
            yield _answer(curve, REFERENCE, level, needed, cost, extrapolate)
        for aim in levels:
            level = np.full(len(curve.mean), aim)
            needed = crossing(base.budgets, monotone(base.mean), level)
            yield _answer(curve, f"AUROC {aim:g}", level, needed, cost, extrapolate)


def _answer(
    curve: Curve, target: str, level: Floats, needed: Floats, cost: Cost, extrapolate: bool
) -> dict[str, Any]:
    """Returns one answer; `level` and the patients `needed` by the baseline are [1 + B]."""
    patients = crossing(curve.budgets, monotone(curve.mean), level)
    reached = np.isfinite(patients)
    status = BELOW if patients[0] == curve.budgets[0] else REACHED
    if not reached[0]:
        status = NOT_REACHED
    extrapolated = False
    if extrapolate and not reached[0] and power_law.enough(curve.budgets):
        law = power_law.patients_at(curve.budgets, curve.mean, level)
        extrapolated = bool(np.isfinite(law[0]))
        if extrapolated:
            patients = np.where(reached, patients, np.maximum(law, curve.budgets[-1]))
    found = interval(patients)
    return {
        "arm": curve.arm,
        "mode": curve.mode,
        "target": target,
        "level": float(level[0]),
        "patients": found.to_json(),
        "at_least": found.low if found.value is None else None,
        "status": status,
        "share_reached": float(reached[1:].mean()),
        "fold": interval(_fold(needed, patients)).to_json(),
        "extrapolated": extrapolated,
        "cost": cost.of(found.value),
    }


def _fold(needed: Floats, patients: Floats) -> Floats:
    """Returns [1 + B] quotients: -inf if only the arm does not reach, NaN if neither does."""
    with np.errstate(divide="ignore", invalid="ignore"):
        fold = np.where(needed == patients, 1.0, needed / patients)
    fold[np.isinf(patients)] = -np.inf
    fold[np.isinf(patients) & np.isinf(needed)] = np.nan
    return fold
