"""Differences of the top-k accuracies of two models of exclusive classes, on the same images.

An accuracy is a proportion of images; both have influences by patient, widened as in label-budget
studies (`remedis.evaluation.label_budget.test_set.TopTestSet`), and the difference has the
difference of the influences. Its coverage is in `remedis.evaluation.label_budget`.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from remedis.evaluation.auroc_difference import Difference, matched_rows
from remedis.evaluation.delong import low_at_one
from remedis.evaluation.evaluate import top_name
from remedis.evaluation.label_budget.quantities import Quantities, floors
from remedis.evaluation.label_budget.study_metric import StudyMetric
from remedis.evaluation.label_budget.test_set import (
    LabelledTestSet,
    TopTestSet,
    top_accuracy,
)
from remedis.evaluation.ranking import ranking_of
from remedis.models.tasks import MULTI_CLASS


def accuracy_differences(
    first: pd.DataFrame, second: pd.DataFrame, split: str, top_k: Sequence[int]
) -> dict[str, Difference]:
    """Returns the top-k accuracies of the second model minus those of the first.

    Args:
      first: table of predictions, as for `auroc_difference.compare_tables`.
      second: table with the same columns.
      split: the split to compare.
      top_k: numbers k; those from the number of classes on are left out.

    Returns:
      `accuracy` (k = 1) and `top_3_accuracy` and so on, without resamples.

    Raises:
      UserError: label names, images, patients or labels are not the same in both tables.
    """
    names, *rows = matched_rows(first, second, split)
    labels = rows[0][[f"label/{name}" for name in names]].to_numpy(np.float64)
    ids = rows[0]["patient_id"].to_numpy(dtype=object)
    scores = [ranking_of(of, names, MULTI_CLASS).values for of in rows]
    result = {}
    for k in sorted(k for k in {1, *top_k} if k < len(names)):
        labelled = LabelledTestSet(names, labels, ids, MULTI_CLASS, StudyMetric(k))
        result[top_name(k)] = _difference(labelled, scores, k)
    return result


def _difference(labelled: LabelledTestSet, scores: Sequence[np.ndarray], k: int) -> Difference:
    cases = labelled.cases()
    fields = cases.fields(range(len(labelled.names)))
    found = top_accuracy(cases, scores[0], k)
    fields["effective"] = round(float(found.effective[0]), 6)
    if found.reason:
        return Difference(**fields, reason=found.reason)
    test = TopTestSet(labelled, "test")
    one, other = (
        Quantities(
            areas.values,
            areas.influence,
            floors(areas.values, test.pairs),
            areas.values[:, None],
            np.atleast_1d(low_at_one(test.pairs[0])),
        )
        for areas in map(test.areas, scores)
    )
    difference = other.minus(one)
    (interval,), (p,) = difference.differences()
    return Difference(
        **fields,
        first=float(one.values[0]),
        second=float(other.values[0]),
        difference=interval.value,
        low=interval.low,
        high=interval.high,
        p=p if difference.patient_variance[0] > 0 else None,
    )
