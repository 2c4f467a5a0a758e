"""What an arm loses of the metric out of distribution, and the share that labels recover."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from remedis.evaluation.auroc import Floats
from remedis.evaluation.label_budget.learning_curves import LearningCurve, estimates
from remedis.evaluation.label_budget.resampling import Interval, interval
from remedis.evaluation.label_budget.test_set import TestSet

NOT_SHOWN, UNCHANGED = "gap not shown", "unchanged"


def distribution_gap(
    curve: LearningCurve,
    ood_test: TestSet,
    inside: LearningCurve,
    id_test: TestSet,
    resamples: int,
    seed: int,
) -> dict[str, Any]:
    """Returns the gap between the two test sets, and the share recovered at each budget.

    The gap is the in-distribution metric minus the zero-shot metric, AUROCs averaged over the
    labels that are estimable on both test sets. The share recovered at a budget is
    (metric at the budget - zero-shot metric) / gap. It is not given (None) unless the whole
    interval of the gap is above 0, and if the models of the budget score as the zero-shot model
    does.

    Args:
      curve: a curve whose first budget is 0.
      ood_test: the test set of the curve.
      inside: a curve of one budget, 0: the in-distribution models on their own test set.
      id_test: the in-distribution test set. Its patients are drawn independently.
      resamples: draws of patients and seeds.
      seed: of the draws.

    Returns:
      arm, mode, id, zero_shot, gap and recovered: one share per budget above 0.
    """
    shared = np.intersect1d(ood_test.estimable, id_test.estimable).tolist()
    row: dict[str, Any] = {"arm": curve.arm, "mode": curve.mode}
    if not shared:
        missing = [
            {"patients": patients, "share": None, "missing": NOT_SHOWN}
            for patients in curve.budgets[1:]
        ]
        without = {
            "id": id_test.estimate([]).to_json(),
            "zero_shot": ood_test.estimate([]).to_json(),
        }
        return row | without | {"gap": None, "recovered": missing}
    ood = curve.quantities(np.isin(ood_test.estimable, shared).nonzero()[0])
    within = inside.quantities(np.isin(id_test.estimable, shared).nonzero()[0])
    (gap,), _ = within.minus_independent(ood.at(0)).differences()
    draws = ood.draws(resamples, seed, stream=0)
    # Another seed for other patients; the same trainings are in- and out-of-distribution.
    inside_draws = within.draws(resamples, seed + 1, stream=1, unit_seed=seed)[:, 0]
    lost = inside_draws - draws[:, 0]
    return row | {
        "id": estimates(within, id_test, shared)[0].to_json(),
        "zero_shot": estimates(ood.at(0), ood_test, shared)[0].to_json(),
        "gap": gap.to_json(),
        "recovered": list(_recovered(curve.budgets, draws, lost, gap)),
    }


def _recovered(
    budgets: tuple[int, ...], draws: Floats, lost: Floats, gap: Interval
) -> Iterator[dict[str, Any]]:
    """Yields the shares; `draws` are [1 + B, K], `lost` is [1 + B]."""
    for k, patients in enumerate(budgets[1:], 1):
        gained = draws[:, k] - draws[:, 0]
        missing = None
        if gap.low is None or gap.low <= 0:
            missing = NOT_SHOWN
        elif (np.abs(gained) < 1e-9).all():
            missing = UNCHANGED
        share = None if missing else interval(_share(gained, lost)).to_json()
        yield {"patients": patients, "share": share, "missing": missing}


def _share(gained: Floats, lost: Floats) -> Floats:
    """Returns gained / lost; without a loss, infinity with the sign of the gain."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(lost > 0, gained / lost, np.copysign(np.inf, gained))
