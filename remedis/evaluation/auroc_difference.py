"""Difference of the AUROCs of two models on the same images.

DeLong's interval and p-value come from the covariance of the two AUROCs, clustered by patient and
widened for small classes (`remedis.evaluation.delong`). A bootstrap over patients gives a second
interval and p-value. The coverage of both intervals is measured in `remedis.evaluation.estimates`.
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
from remedis.evaluation.delong import delong, widened_covariance
from remedis.evaluation.estimates import Cases
from remedis.evaluation.intervals import (
    RESAMPLES,
    Z,
    bootstrap_p,
    patient_counts,
    percentile_interval,
)
from remedis.evaluation.ranking import ranking_of


@dataclasses.dataclass(frozen=True)
class Difference:
    """AUROCs of two models and their difference; numbers are None if not estimable.

    Attributes:
      patients: distinct patients with a known label.
      positives: distinct patients with at least one positive image.
      first: AUROC of the first model.
      second: AUROC of the second model.
      difference: the second minus the first.
      low: lower end of DeLong's 95 % interval of the difference.
      high: its upper end.
      p: DeLong's p-value, two-sided; also None if the variance is 0 but the difference is not.
      bootstrap_low: lower end of the percentile interval over resampled patients.
      bootstrap_high: its upper end.
      bootstrap_p: p-value over resampled patients, two-sided; at least 2 / (resamples + 1).
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
    """The differences for each label and for the mean over labels.

    Attributes:
      labels: name -> difference.
      mean: difference of the mean AUROCs over the `averaged` labels.
      averaged: names of the labels that are estimable.
      images: number of images compared.
      resamples: number of draws of patients, the same ones for both models and all labels.
      seed: seed of the draws.
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
    """Returns the AUROC of the second model minus the AUROC of the first.

    The sources of the formulas are those of `remedis.evaluation.delong` and of
    `remedis.evaluation.intervals`.

    Args:
      labels: [n, L]; 1 positive, 0 negative, NaN unknown.
      first: [n, L], finite scores of the first model.
      second: [n, L], finite scores of the second model.
      names: names of the L labels.
      patient_ids: [n]; a row whose id is missing counts as a patient of its own.
      seed: seed of the resamples.
      resamples: number of resamples of the patients.

    Raises:
      UserError: shapes differ, a score is not finite, or a label is not 1, 0 or NaN.
    """
    known, first_scores = checked(labels, first, names)
    _, second_scores = checked(labels, second, names)
    cases = Cases.from_ids(known, patient_ids)
    width = len(names)
    both, scores = np.hstack([known, known]), np.hstack([first_scores, second_scores])
    areas = delong(both, scores, cases.patients)
    covariance = widened_covariance(areas)
    weights = patient_counts(int(cases.patients.max()) + 1, resamples, seed)
    draws = auroc(both, scores, weights, cases.patients)

    def difference(columns: list[int], estimable: bool) -> Difference:
        counts = cases.counts(columns or range(width))
        if not estimable:
            return Difference(*counts)
        # The mean over the second model's columns minus the mean over the first model's.
        of_second = [width + column for column in columns]
        contrast = np.zeros(2 * width)
        contrast[columns] = -1 / len(columns)
        contrast[of_second] = 1 / len(columns)
        use = contrast != 0
        first_mean = float(areas.values[columns].mean())
        second_mean = float(areas.values[of_second].mean())
        variance = float(contrast[use] @ covariance[np.ix_(use, use)] @ contrast[use])
        return _difference(first_mean, second_mean, variance, draws[:, use] @ contrast[use], counts)

    estimable = cases.both_classes()
    averaged = np.flatnonzero(estimable).tolist()
    return Comparison(
        labels={name: difference([i], bool(estimable[i])) for i, name in enumerate(names)},
        mean=difference(averaged, bool(averaged)),
        averaged=tuple(names[i] for i in averaged),
        images=len(known),
        resamples=resamples,
        seed=seed,
    )


def _difference(
    first: float, second: float, variance: float, draws: Floats, counts: tuple[int, int]
) -> Difference:
    value = second - first
    # The variance is 0 up to rounding if both models rank the images alike.
    error = float(np.sqrt(variance)) if variance > 1e-15 else 0.0
    p: float | None = 1.0 if abs(value) < 1e-12 else None
    if error > 0:
        p = float(2 * norm.sf(abs(value) / error))
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
        bootstrap_p=bootstrap_p(draws[~np.isnan(draws)]),
    )


def compare_tables(
    first: pd.DataFrame,
    second: pd.DataFrame,
    split: str = "test",
    *,
    task: str = "multi_label",
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> Comparison:
    """Returns the comparison of two tables of predictions; rows are matched by path.

    Args:
      first: table with `path`, `patient_id`, `split`, `label/<name>` and `score/<name>`; where
        known, `log_odds/<name>` or `logit/<name>` rank the images
        (`remedis.evaluation.ranking.ranking_of`).
      second: table with the same columns.
      split: the split to compare.
      task: multi_label, or multi_class if the labels are all classes of both models.
      seed: seed of the resamples.
      resamples: number of resamples of the patients.

    Raises:
      UserError: label names, images, patients or labels are not the same in both tables.
    """
    names, second_names = (_names(table) for table in (first, second))
    if sorted(names) != sorted(second_names):
        raise UserError(
            f"The labels differ: {', '.join(names)} in the first, {', '.join(second_names)} in the "
            "second; both must predict the same."
        )
    first_rows, second_rows = (
        table[table["split"] == split].assign(path=lambda rows: rows["path"].astype(str))
        for table in (first, second)
    )
    for place, rows in (("first", first_rows), ("second", second_rows)):
        if rows.empty:
            raise UserError(f"There are no rows of split {split!r} in the {place}.")
        if rows["path"].duplicated().any():
            path = rows.loc[rows["path"].duplicated(), "path"].iloc[0]
            raise UserError(f"{path} occurs twice in split {split!r} of the {place}.")
    unmatched = sorted(set(first_rows["path"]) ^ set(second_rows["path"]))
    if unmatched:
        raise UserError(
            f"The images of split {split!r} differ: {len(unmatched)} are in one of the two only, "
            f"such as {unmatched[0]}; both must score the same images."
        )
    second_rows = second_rows.set_index("path").loc[first_rows["path"]].reset_index()
    columns = [f"label/{name}" for name in names]
    for column in ["patient_id", *columns]:
        a, b = (rows[column].to_numpy(dtype=object) for rows in (first_rows, second_rows))
        same = (a == b) | (pd.isna(a) & pd.isna(b))
        if not same.all():
            path = first_rows["path"].iloc[int(np.argmin(same))]
            raise UserError(
                f"{column} of {path} is not the same in the two, as for {int((~same).sum())} of "
                f"{len(same)} images; both must be scored against the same manifest, "
                "under the same label policies."
            )
    first_scores, second_scores = (
        ranking_of(rows, names, task).values for rows in (first_rows, second_rows)
    )
    ids = first_rows["patient_id"].to_numpy(dtype=object)
    labels = first_rows[columns].to_numpy(np.float64)
    return compare(labels, first_scores, second_scores, names, ids, seed=seed, resamples=resamples)


def _names(table: pd.DataFrame) -> list[str]:
    return [
        str(column).removeprefix("label/") for column in table if str(column).startswith("label/")
    ]
