"""The AUROC with uncertain labels ignored, as negative and as positive, side by side."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from remedis.evaluation import estimates
from remedis.evaluation.auroc import Floats
from remedis.evaluation.estimates import Cases

WAYS = {"ignore": np.nan, "zeros": 0.0, "ones": 1.0}


def three_ways(
    found: Floats,
    labels: Floats,
    scores: Floats,
    names: Sequence[str],
    patient_ids: Iterable[object],
    weighting: str = "images",
) -> dict[str, Any]:
    """Returns the AUROC under each policy for uncertain labels, all else unchanged.

    Where the ranges differ much, the result depends on what uncertain reports mean, more than its
    interval says.

    Args:
      found: [n, L] labels as found: 1, 0, -1 uncertain, NaN.
      labels: [n, L] labels under the policies of the evaluation: 1, 0, NaN.
      scores: [n, L], finite.
      names: names of the L labels.
      patient_ids: [n].
      weighting: of the AUROC, as for `remedis.evaluation.evaluate.evaluate`.

    Returns:
      `labels`: for each label with uncertain values, their number of `images` and `patients`, and
      for each of `WAYS` an estimate as JSON; `mean`: for each way the mean over the `averaged`
      labels, those that are estimable in every way (also labels without uncertain values).
    """
    uncertain = found == -1
    ids = list(patient_ids)
    cases = {
        way: Cases.from_ids(np.where(uncertain, value, labels), ids) for way, value in WAYS.items()
    }
    areas = {way: estimates.auroc(of_way, scores, weighting) for way, of_way in cases.items()}
    estimable = np.all([areas[way].estimable for way in WAYS], axis=0)
    averaged = np.flatnonzero(estimable).tolist()

    def estimated(columns: Sequence[int]) -> dict[str, Any]:
        counted = columns or range(len(names))
        return {way: areas[way].estimate(columns, counted).to_json() for way in WAYS}

    patients = np.count_nonzero(cases["ignore"].images(uncertain), axis=0)
    return {
        "labels": {
            name: {
                "images": int(uncertain[:, i].sum()),
                "patients": int(patients[i]),
                **estimated([i]),
            }
            for i, name in enumerate(names)
            if uncertain[:, i].any()
        },
        "mean": estimated(averaged),
        "averaged": [names[i] for i in averaged],
    }
