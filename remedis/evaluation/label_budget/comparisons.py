"""Arm against arm at each budget, and the gap between the two hospitals that labels close."""

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from remedis.evaluation.auroc import Floats
from remedis.evaluation.label_budget.curves import Curve
from remedis.evaluation.label_budget.resampling import interval, two_sided_p
from remedis.evaluation.label_budget.test_set import TestSet


def paired(curves: Mapping[tuple[str, str], Curve], baseline: str) -> Iterator[dict[str, Any]]:
    """Yields the difference of every two arms at each budget, in the same draws.

    The baseline is always the one that is compared against. Intervals and p hold for one budget at
    a time: of twenty true nulls one falls below 0.05.
    """
    for mode in dict.fromkeys(mode for _, mode in curves):
        arms = [arm for arm, of in curves if of == mode and arm != baseline] + [baseline]
        for first, second in itertools.combinations(arms, 2):
            one, two = curves[first, mode], curves[second, mode]
            for patients, draws in zip(one.budgets, (one.mean - two.mean).T, strict=True):
                yield {
                    "mode": mode,
                    "patients": patients,
                    "arm": first,
                    "against": second,
                    "difference": interval(draws).to_json(),
                    "p": two_sided_p(draws),
                }


def gap(curve: Curve, ood: TestSet, areas: Floats, id_test: TestSet) -> dict[str, Any]:
    """Returns what an arm loses out of distribution, and the share labels bring back.

    The gap is in-distribution minus zero-shot AUROC, both the mean over the labels that are
    estimable on both test sets. The share recovered at a budget is (curve - zero-shot) / gap. It is
    not estimable (None) unless the whole interval of the gap is above 0.

    Args:
      curve: whose first budget is 0.
      ood: its test set.
      areas: [1 + B', labels], of the in-distribution model on its own test set.
      id_test: that test set. Its patients are drawn independently.
    """
    shared = np.intersect1d(ood.estimable, id_test.estimable)
    on_ood, on_id = (np.isin(test.estimable, shared) for test in (ood, id_test))
    draws = min(ood.draws, id_test.draws)
    inside, outside = areas[:draws, on_id], curve.labels[:draws, :, on_ood]
    # No label in common leaves nothing that is defined.
    count = len(shared) or np.nan
    zero_shot = outside[:, 0].sum(axis=1) / count
    lost = inside.sum(axis=1) / count - zero_shot
    gained = outside.sum(axis=2) / count - zero_shot[:, None]
    found = interval(lost)
    estimable = found.low is not None and found.low > 0
    return {
        "arm": curve.arm,
        "mode": curve.mode,
        "id": id_test.mean(inside, shared).to_json(),
        "zero_shot": ood.mean(outside[:, 0], shared).to_json(),
        "gap": found.to_json(),
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
    """Returns gained / lost; where nothing is lost, infinite with the sign of what is gained."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(lost > 0, gained / lost, np.copysign(np.inf, gained))
