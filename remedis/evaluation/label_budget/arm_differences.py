"""Differences of the metric between arms: one stated beforehand, and all others."""

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from remedis.errors import UserError, unknown_choice
from remedis.evaluation.label_budget.learning_curves import LearningCurve
from remedis.evaluation.label_budget.quantities import holm
from remedis.evaluation.label_budget.test_set import TestSet

ADJUSTMENT = "Holm"


@dataclasses.dataclass(frozen=True)
class Primary:
    """The comparison with the baseline that a study states before its results are known.

    Attributes:
      arm: name of an arm that is not the baseline.
      mode: method of adaptation.
      patients: budget.
      labels: names; empty for all that are estimable.
    """

    arm: str
    mode: str
    patients: int
    labels: tuple[str, ...] = ()


def arm_differences(
    curves: Mapping[tuple[str, str], LearningCurve], baseline: str, primary: Primary | None = None
) -> list[dict[str, Any]]:
    """Returns the difference of every pair of arms at each budget, paired by patient and seed.

    The baseline is always the second arm of a pair. The p-value of the primary comparison stands
    alone. Those of all others are adjusted together by Holm's method, which needs no assumption on
    their dependence and no draws.

    Args:
      curves: (arm, mode) -> curve.
      baseline: name of an arm.
      primary: the comparison that is stated beforehand.

    Returns:
      mode, patients, arm, against, difference with its interval, p, p_adjusted and primary.
    """
    rows: list[dict[str, Any]] = []
    for mode in dict.fromkeys(mode for _, mode in curves):
        arms = [arm for arm, arm_mode in curves if arm_mode == mode and arm != baseline]
        for first, second in itertools.combinations([*arms, baseline], 2):
            curve, against = curves[first, mode], curves[second, mode]
            difference = curve.quantities().minus(against.quantities())
            for patients, interval, p in zip(curve.budgets, *difference.differences(), strict=True):
                stated = (
                    primary is not None
                    and second == baseline
                    and (first, mode, patients) == (primary.arm, primary.mode, primary.patients)
                )
                rows.append(
                    {
                        "mode": mode,
                        "patients": patients,
                        "arm": first,
                        "against": second,
                        "difference": interval.to_json(),
                        "p": p,
                        "p_adjusted": p,
                        "primary": stated,
                    }
                )
    others = [row for row in rows if not row["primary"]]
    for row, p in zip(others, holm([row["p"] for row in others]).tolist(), strict=True):
        row["p_adjusted"] = p
    return rows


def primary_difference(
    curves: Mapping[tuple[str, str], LearningCurve],
    baseline: str,
    primary: Primary,
    test: TestSet,
) -> dict[str, Any]:
    """Returns the primary comparison, over its own labels, in the form of `summary.json`.

    Args:
      curves: (arm, mode) -> curve.
      baseline: name of an arm.
      primary: a comparison that the study has, see `check_primary`.
      test: the test set, which knows the labels.
    """
    curve, against = curves[primary.arm, primary.mode], curves[baseline, primary.mode]
    columns = np.arange(len(test.estimable))
    names: list[str] = []  # the top-k accuracy is one number, not of labels
    if primary.labels:
        columns = test.columns(primary.labels)
    place = curve.budgets.index(primary.patients)
    difference = curve.quantities(columns).at(place).minus(against.quantities(columns).at(place))
    (interval,), (p,) = difference.differences()
    if test.names:
        names = [test.names[i] for i in test.estimable[columns]]
    return {
        "arm": primary.arm,
        "against": baseline,
        "mode": primary.mode,
        "patients": primary.patients,
        "labels": names,
        "difference": interval.to_json(),
        "p": p,
    }


def check_primary(
    primary: Primary, curves: Mapping[tuple[str, str], LearningCurve], baseline: str
) -> None:
    """Raises a UserError if there is no such comparison in the study."""
    arms = [arm for arm in dict.fromkeys(arm for arm, _ in curves) if arm != baseline]
    if primary.arm not in arms:
        raise unknown_choice("arm in config.primary", primary.arm, arms)
    modes: Sequence[str] = list(dict.fromkeys(mode for _, mode in curves))
    if primary.mode not in modes:
        raise unknown_choice("mode in config.primary", primary.mode, modes)
    budgets = curves[primary.arm, primary.mode].budgets
    if primary.patients not in budgets:
        raise UserError(
            f"config.primary names a budget of {primary.patients} patients, which the study does "
            f"not have; name one of {', '.join(map(str, budgets))}."
        )
