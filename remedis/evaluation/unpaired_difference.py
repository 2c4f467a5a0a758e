"""Difference of the AUROCs of two models whose images are not the same.

Each AUROC has one influence per patient (`remedis.evaluation.delong.Areas`), which the root of its
`spread_ratio` widens. The variance of the difference is the sum over all patients of the squared
difference of both influences,

    sum_g (c2_g - c1_g)^2,   c_g = 0 for a patient whom a model has not scored.

Without a patient in common it is the sum of both variances, as for independent samples. Patients in
both lower it as far as both models find them equally hard; if all are, it is the paired variance of
`remedis.evaluation.auroc_difference` but for the factor of its mixed term. The interval is that of
Student's t. Its degrees of freedom are Satterthwaite's for two independent variances (Biometrics
Bulletin 2:110-114, 1946), or without independence those of the smaller sample. A model without any
wrong pair has the variance of the share of pairs that may be wrong, as in that module.

Coverage and false findings in %, nominal 95 and 5, of
`benchmarks/unpaired_comparison.py --draws=400` (standard error 1.1 %), which describes the
populations. In `same` the models have scored the same patients; in `worse` the second model is
worse, so that 32.8 % is power:

                 even   good  small   zipf  worse   same
    coverage     96.0   97.2   97.0   94.6   95.0   95.2
    p < 0.05      4.0    2.8    3.0    5.4   32.8    4.8
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import t as student

from remedis.evaluation import aligned_tables
from remedis.evaluation.aligned_tables import Aligned
from remedis.evaluation.auroc import Floats
from remedis.evaluation.auroc_difference import Comparison, Difference, label_names
from remedis.evaluation.delong import Areas, delong, spread_ratio
from remedis.evaluation.effective_patients import t_quantile
from remedis.evaluation.estimates import Cases
from remedis.evaluation.intervals import LEVEL, NO_VARIANCE, unseen_share
from remedis.evaluation.ranking import ranking_of


def compare_unpaired(aligned: Aligned, task: str = "multi_label") -> Comparison:
    """Returns the AUROC of the second model minus the AUROC of the first.

    Args:
      aligned: the rows of both tables; without an image in both, all patients are different.
      task: multi_label, or multi_class if the labels are all classes of both models.

    Returns:
      The differences, without resamples. Patients and positives are those of both together.

    Raises:
      UserError: label names are not the same in both.
    """
    names = label_names(aligned.first, aligned.second)
    keys = [aligned_tables.patient_keys(rows) for rows in (aligned.first, aligned.second)]
    if not aligned.in_both:
        keys = [np.char.add(f"{place} ", of.astype(str)) for place, of in enumerate(keys)]
    codes = np.unique(np.concatenate(keys), return_inverse=True)[1]
    sides = np.split(codes, [len(keys[0])])
    both = [
        _Side.of(rows, names, patients, int(codes.max()) + 1, task)
        for rows, patients in zip((aligned.first, aligned.second), sides, strict=True)
    ]
    cases = Cases(np.concatenate([side.cases.known for side in both]), codes)
    shared = bool(np.isin(sides[0], sides[1]).any())
    reasons = [a or b for a, b in zip(both[0].reasons, both[1].reasons, strict=True)]

    def difference(columns: list[int]) -> Difference:
        fields = cases.fields(columns or range(len(names)))
        if not columns:
            return Difference(**fields, reason="no label is estimable")
        smaller = min(float(side.effective[columns].min()) for side in both)
        fields["effective"] = round(smaller, 6)
        if reasons[columns[0]]:
            return Difference(**fields, reason=reasons[columns[0]])
        return _difference(both[0], both[1], columns, shared, fields)

    averaged = [i for i, reason in enumerate(reasons) if not reason]
    return Comparison(
        labels={name: difference([i]) for i, name in enumerate(names)},
        mean=difference(averaged),
        averaged=tuple(names[i] for i in averaged),
        images=len(codes) - aligned.in_both,
        resamples=0,
        seed=0,
    )


class _Side:
    """The AUROCs of one model.

    Attributes:
      cases: labels and patients.
      areas: AUROCs, with the influence of every patient of both tables.
      effective: [L], effective patients of the smaller class.
      reasons: [L], why an AUROC is not estimable, or an empty string.
    """

    def __init__(self, cases: Cases, areas: Areas) -> None:
        self.cases, self.areas = cases, areas
        self.effective, self.reasons = cases.classes()

    @classmethod
    def of(
        cls,
        rows: pd.DataFrame,
        names: Sequence[str],
        patients: "np.ndarray[Any, np.dtype[np.int64]]",
        groups: int,
        task: str,
    ) -> "_Side":
        """Args: rows: of a table; names: labels; patients: codes; groups: their number; task."""
        known = rows[[f"label/{name}" for name in names]].to_numpy(np.float64)
        own, place = np.unique(patients, return_inverse=True)
        areas = delong(known, ranking_of(rows, names, task).values, place)
        influence = np.zeros((groups, len(names)))
        influence[own] = areas.influence
        return cls(
            Cases(known, place),
            Areas(areas.values, areas.covariance, areas.pairs, influence),
        )

    def mean(self, columns: list[int]) -> tuple[float, Floats, float, float]:
        """Returns the mean AUROC, influences [G], the variance of unseen pairs, and degrees."""
        of = self.areas
        values, pairs = of.values[columns], of.pairs[columns]
        influence = of.influence[:, columns] * np.sqrt(spread_ratio(values, pairs))
        alike = (influence**2).sum(axis=0) <= NO_VARIANCE
        floors = np.where(alike, unseen_share(pairs) / t_quantile(pairs), 0.0)
        floor = float((floors**2).sum()) / len(columns) ** 2
        return float(values.mean()), influence.mean(axis=1), floor, float(pairs.min()) - 1


def _difference(
    first: _Side, second: _Side, columns: list[int], shared: bool, fields: dict[str, Any]
) -> Difference:
    (one, of_one, floor_one, d_one), (other, of_other, floor_other, d_other) = (
        side.mean(columns) for side in (first, second)
    )
    variances = float((of_one**2).sum()) + floor_one, float((of_other**2).sum()) + floor_other
    variance = float(((of_other - of_one) ** 2).sum()) + floor_one + floor_other
    degrees = min(d_one, d_other)
    if not shared:
        degrees = variance**2 / (variances[0] ** 2 / d_one + variances[1] ** 2 / d_other)
    error = float(np.sqrt(variance))
    half = float(student.ppf((1 + LEVEL) / 2, degrees)) * error
    seen = variance - floor_one - floor_other > NO_VARIANCE
    return Difference(
        **fields,
        first=one,
        second=other,
        difference=other - one,
        low=max(other - one - half, -1.0),
        high=min(other - one + half, 1.0),
        p=float(2 * student.sf(abs(other - one) / error, degrees)) if seen else None,
    )
