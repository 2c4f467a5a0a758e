"""Two models on the same cases: the difference of their AUROCs.

DeLong's interval and p come from the covariance of the two AUROCs, clustered by patient
(`remedis.evaluation.delong`), widened for small classes; next to them stand those of resampled
patients. How often the intervals cover is in `remedis.evaluation.estimates`.
"""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import norm

from remedis.errors import UserError
from remedis.evaluation.auroc import Floats, auroc, checked
from remedis.evaluation.delong import delong, safe_covariance
from remedis.evaluation.estimates import Cases
from remedis.evaluation.intervals import (
    RESAMPLES,
    Z,
    patient_codes,
    patient_counts,
    percentile_interval,
)


@dataclasses.dataclass(frozen=True)
class Difference:
    """An AUROC of two models and their difference; numbers are None if not estimable.

    Attributes:
      patients: distinct patients with a known label.
      positives: distinct patients with at least one positive image.
      first: AUROC of the first model.
      second: AUROC of the second model.
      difference: the second minus the first.
      low: lower end of DeLong's 95 % interval of the difference.
      high: its upper end.
      p: DeLong's, two-sided; None also where DeLong's variance of a difference is 0.
      bootstrap_low: lower end of the percentile interval of resampled patients.
      bootstrap_high: its upper end.
      bootstrap_p: two-sided; at least 2 / (resamples + 1).
    """

    patients: int
    positives: int
    first: float | None = None
    second: float | None = None
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    bootstrap_low: float | None = None
    bootstrap_high: float | None = None
    bootstrap_p: float | None = None


@dataclasses.dataclass(frozen=True)
class Comparison:
    """The differences of each label and of their mean.

    Attributes:
      labels: name -> difference.
      mean: of the mean AUROCs over the `averaged` labels.
      averaged: names of the labels that are estimable.
      images: rows compared.
      resamples: draws of patients, the same ones for both models and all labels.
      seed: of the draws.
    """

    labels: Mapping[str, Difference]
    mean: Difference
    averaged: tuple[str, ...]
    images: int
    resamples: int
    seed: int

    def to_json(self) -> dict[str, Any]:
        """Returns the comparison as JSON takes it."""
        return {**dataclasses.asdict(self), "averaged": list(self.averaged)}


def compare(
    labels: npt.ArrayLike,
    first: npt.ArrayLike,
    second: npt.ArrayLike,
    names: Sequence[str],
    patient_ids: Iterable[object],
    *,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> Comparison:
    """Returns the AUROC of the second model minus that of the first.

    Args:
      labels: [n, L]; 1 positive, 0 negative, NaN unknown.
      first: [n, L], finite scores of the first model.
      second: [n, L], of the second.
      names: of the L labels.
      patient_ids: [n]; a row whose id is missing counts as a patient of its own.
      seed: of the resamples.
      resamples: how many, of patients.

    Raises:
      UserError: shapes differ, a score is not finite, or a label is not 1, 0 or NaN.
    """
    known, one = checked(labels, first, names)
    _, two = checked(labels, second, names)
    cases = Cases(known, patient_codes(patient_ids))
    if len(cases.patients) != len(known):
        raise UserError(f"{len(cases.patients)} patient ids for {len(known)} rows of labels.")
    width = len(names)
    both, scores = np.hstack([known, known]), np.hstack([one, two])
    areas = delong(both, scores, cases.patients)
    covariance = safe_covariance(areas)
    weights = patient_counts(int(cases.patients.max()) + 1, resamples, seed)
    draws = auroc(both, scores, weights, cases.patients)

    def difference(columns: list[int], estimable: bool) -> Difference:
        counts = cases.counts(columns or range(width))
        if not estimable:
            return Difference(*counts)
        # The mean of the second model's columns minus that of the first one's.
        contrast = np.zeros(2 * width)
        contrast[columns] = -1 / len(columns)
        contrast[[width + column for column in columns]] = 1 / len(columns)
        use = contrast != 0
        one_mean = float(areas.values[columns].mean())
        two_mean = float(areas.values[[width + column for column in columns]].mean())
        variance = float(contrast[use] @ covariance[np.ix_(use, use)] @ contrast[use])
        return _difference(one_mean, two_mean, variance, draws[:, use] @ contrast[use], counts)

    enough = cases.both_classes()
    entered = np.flatnonzero(enough).tolist()
    return Comparison(
        labels={name: difference([i], bool(enough[i])) for i, name in enumerate(names)},
        mean=difference(entered, bool(entered)),
        averaged=tuple(names[i] for i in entered),
        images=len(known),
        resamples=resamples,
        seed=seed,
    )


def _difference(
    first: float, second: float, variance: float, draws: Floats, counts: tuple[int, int]
) -> Difference:
    value = second - first
    # Scores of one order have a variance of 0 but for rounding.
    error = float(np.sqrt(variance)) if variance > 1e-15 else 0.0
    p: float | None = 1.0 if abs(value) < 1e-12 else None
    if error > 0:
        p = float(2 * norm.sf(abs(value) / error))
    defined = draws[~np.isnan(draws)]
    tail = min((defined <= 1e-12).sum(), (defined >= -1e-12).sum())
    low, high = percentile_interval(draws) or (None, None)
    return Difference(
        *counts,
        first=first,
        second=second,
        difference=value,
        low=value - Z * error,
        high=value + Z * error,
        p=p,
        bootstrap_low=low,
        bootstrap_high=high,
        bootstrap_p=min(1.0, float(2 * (1 + tail) / (len(defined) + 1))),
    )


def compare_tables(
    first: pd.DataFrame,
    second: pd.DataFrame,
    split: str = "test",
    *,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> Comparison:
    """Returns the comparison of two tables of predictions, in any order of their rows.

    Args:
      first: with `path`, `patient_id`, `split`, `label/<name>` and `score/<name>`.
      second: likewise.
      split: the rows to compare.
      seed: of the resamples.
      resamples: how many, of patients.

    Raises:
      UserError: labels, images, patients or what is known of them are not the same.
    """
    names, others = (_names(table) for table in (first, second))
    if sorted(names) != sorted(others):
        raise UserError(
            f"The labels differ: {', '.join(names)} in the first, {', '.join(others)} in the "
            "second; both must predict the same."
        )
    one, two = (
        table[table["split"] == split].assign(path=lambda rows: rows["path"].astype(str))
        for table in (first, second)
    )
    for place, rows in (("first", one), ("second", two)):
        if rows.empty:
            raise UserError(f"There are no rows of split {split!r} in the {place}.")
        if rows["path"].duplicated().any():
            path = rows.loc[rows["path"].duplicated(), "path"].iloc[0]
            raise UserError(f"{path} comes twice in split {split!r} of the {place}.")
    apart = sorted(set(one["path"]) ^ set(two["path"]))
    if apart:
        raise UserError(
            f"The images of split {split!r} differ: {len(apart)} are in one of the two only, such "
            f"as {apart[0]}; both must score the same images."
        )
    two = two.set_index("path").loc[one["path"]].reset_index()
    columns = [f"label/{name}" for name in names]
    for column in ["patient_id", *columns]:
        a, b = (rows[column].to_numpy(dtype=object) for rows in (one, two))
        same = (a == b) | (pd.isna(a) & pd.isna(b))
        if not same.all():
            path = one["path"].iloc[int(np.argmin(same))]
            raise UserError(
                f"{column} of {path} is not the same in the two, as for {int((~same).sum())} of "
                f"{len(same)} images; both must be scored against the same manifest."
            )
    scores, other_scores = (
        rows[[f"score/{name}" for name in names]].to_numpy(np.float64) for rows in (one, two)
    )
    ids = one["patient_id"].to_numpy(dtype=object)
    labels = one[columns].to_numpy(np.float64)
    return compare(labels, scores, other_scores, names, ids, seed=seed, resamples=resamples)


def _names(table: pd.DataFrame) -> list[str]:
    return [
        str(column).removeprefix("label/") for column in table if str(column).startswith("label/")
    ]
