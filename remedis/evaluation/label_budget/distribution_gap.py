"""The AUROC that an arm loses out of distribution, and the share that labels recover."""

from typing import Any

import numpy as np

from remedis.evaluation.auroc import Floats
from remedis.evaluation.label_budget.learning_curves import LearningCurve
from remedis.evaluation.label_budget.resampling import interval
from remedis.evaluation.label_budget.test_set import ResampledTestSet


def distribution_gap(
    curve: LearningCurve,
    ood_test: ResampledTestSet,
    id_aurocs: Floats,
    id_test: ResampledTestSet,
) -> dict[str, Any]:
    """Returns the gap between the two test sets, and the share recovered at each budget.

    The gap is the in-distribution AUROC minus the zero-shot AUROC, both averaged over the labels
    that are estimable on both test sets. The share recovered at a budget is
    (AUROC at the budget - zero-shot AUROC) / gap. It is not estimable (None) unless the whole
    interval of the gap is above 0.

    Args:
      curve: a curve whose first budget is 0.
      ood_test: the test set of the curve.
      id_aurocs: [1 + B', labels], of the in-distribution model on `id_test`.
      id_test: the in-distribution test set. Its patients are drawn independently.

    Returns:
      arm, mode, id, zero_shot, gap and recovered: one share per budget above 0.
    """
    shared = np.intersect1d(ood_test.estimable, id_test.estimable)
    shared_ood, shared_id = (np.isin(test.estimable, shared) for test in (ood_test, id_test))
    draws = min(ood_test.draws, id_test.draws)
    in_distribution = id_aurocs[:draws, shared_id]
    out_of_distribution = curve.by_label[:draws, :, shared_ood]
    # Without a shared label every mean is undefined.
    count = len(shared) or np.nan
    zero_shot = out_of_distribution[:, 0].sum(axis=1) / count
    lost = in_distribution.sum(axis=1) / count - zero_shot
    gained = out_of_distribution.sum(axis=2) / count - zero_shot[:, None]
    gap = interval(lost)
    estimable = gap.low is not None and gap.low > 0
    return {
        "arm": curve.arm,
        "mode": curve.mode,
        "id": id_test.mean(in_distribution, shared).to_json(),
        "zero_shot": ood_test.mean(out_of_distribution[:, 0], shared).to_json(),
        "gap": gap.to_json(),
        "recovered": [
            {
                "patients": patients,
                "share": interval(_share(gained[:, k], lost)).to_json() if estimable else None,
            }
            for k, patients in enumerate(curve.budgets)
            if patients > 0
        ],
    }


def _share(gained: Floats, lost: Floats) -> Floats:
    """Returns gained / lost; without a loss, infinity with the sign of the gain."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(lost > 0, gained / lost, np.copysign(np.inf, gained))
