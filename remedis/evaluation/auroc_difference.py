"""Difference of the AUROCs of two models on the same images.

The variance of the difference comes from the covariance of the two AUROCs, clustered by patient
(`remedis.evaluation.delong`), with effective numbers of patients. It is widened by the
`spread_ratio` of the mean of both AUROCs: one factor for both, since factors of their own would let
a model without errors lower the variance of the difference. Interval and p-value are those of
Student's t. For a mean over labels with shares w_l of its variance, the degrees of freedom are

    (sum_l |w_l| / sqrt(d_l))^-2,   d_l = pairs_l - 1,

that is, Satterthwaite's (Biometrics Bulletin 2:110-114, 1946) for variances that are fully
correlated, as those of labels of the same patients are at most: a rare label has the number of
degrees that its share of the variance demands.

Where no pair of patients is ordered differently by the two models, as for two perfect models, the
variance is 0 and there is no p-value; the interval is that of the share of pairs that may be
ordered differently, 1 - 0.025^(1/k) for k pairs (`remedis.evaluation.intervals.unseen_share`). So
are two runs with equal scores: that they are equal on these images is all that is known.

A bootstrap over patients gives a second interval and p-value, for comparison. The coverage of both
intervals is measured in `remedis.evaluation.estimates`.
"""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import t as student

from remedis.errors import UserError
from remedis.evaluation.auroc import Floats, auroc, checked
from remedis.evaluation.delong import Areas, delong, spread_ratio
from remedis.evaluation.effective_patients import t_quantile
from remedis.evaluation.estimates import Cases
from remedis.evaluation.intervals import (
    LEVEL,
    RESAMPLES,
    bootstrap_p,
    patient_counts,
    percentile_interval,
    unseen_share,
)
from remedis.evaluation.ranking import ranking_of

# A variance of a difference below this share of the sum of both variances is 0 but for rounding.
_ROUNDING = 1e-12


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
      p: DeLong's p-value, two-sided; None if the variance is 0.
      bootstrap_low: lower end of the percentile interval over resampled patients; None, like its
        upper end and p-value, if the resamples do not vary.
      bootstrap_high: its upper end.
      bootstrap_p: p-value over resampled patients, two-sided; at least 2 / (resamples + 1).
      effective_patients: as in `remedis.evaluation.intervals.Estimate`, like the next three.
      effective_positives: effective number of patients with a positive image.
      effective: of the smaller class, of the label with the fewest.
      largest_patient_images: number of images of the patient with most known images.
      reason: why there is no difference: a phrase; None if there is one.
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
    effective_patients: float | None = None
    effective_positives: float | None = None
    effective: float | None = None
    largest_patient_images: int | None = None
    reason: str | None = None


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
    covariance = _difference_covariance(areas)
    weights = patient_counts(int(cases.patients.max()) + 1, resamples, seed)
    draws = auroc(both, scores, weights, cases.patients)
    effective, reasons = cases.classes()

    def difference(columns: list[int]) -> Difference:
        fields = cases.fields(columns or range(width))
        if not columns:
            return Difference(**fields, reason="no label is estimable")
        fields["effective"] = round(float(effective[columns].min()), 6)
        if reasons[columns[0]]:
            return Difference(**fields, reason=reasons[columns[0]])
        of_second = [width + column for column in columns]
        return _difference(
            areas.values[columns],
            areas.values[of_second],
            covariance[np.ix_(columns, columns)],
            areas.pairs[columns],
            draws[:, of_second].mean(axis=1) - draws[:, columns].mean(axis=1),
            fields,
        )

    estimable = cases.both_classes()
    averaged = np.flatnonzero(estimable).tolist()
    return Comparison(
        labels={name: difference([i]) for i, name in enumerate(names)},
        mean=difference(averaged),
        averaged=tuple(names[i] for i in averaged),
        images=len(known),
        resamples=resamples,
        seed=seed,
    )


def _difference_covariance(areas: Areas) -> Floats:
    """Returns the covariance [L, L] of the differences of 2 L AUROCs, second minus first model.

    It is 0 in the rows and columns of labels whose images both models rank alike.
    """
    width = len(areas.values) // 2
    first, second = slice(None, width), slice(width, None)
    covariance = areas.covariance
    own, cross = covariance[first, first] + covariance[second, second], covariance[first, second]
    result = own - cross - cross.T
    alike = np.flatnonzero(np.diag(result) <= _ROUNDING * np.diag(own))
    ratio = spread_ratio((areas.values[first] + areas.values[second]) / 2, areas.pairs[first])
    result *= np.sqrt(np.outer(ratio, ratio))
    result[alike, :] = result[:, alike] = 0.0
    return result


def _difference(
    first: Floats,
    second: Floats,
    covariance: Floats,
    pairs: Floats,
    draws: Floats,
    fields: Mapping[str, Any],
) -> Difference:
    """Returns the difference of two means over labels.

    Args:
      first: [L], AUROCs of the first model.
      second: [L], those of the second model.
      covariance: [L, L], of the differences of the labels.
      pairs: [L], as in `remedis.evaluation.delong.Areas`.
      draws: [B], the difference in each resample.
      fields: counts of patients.
    """
    value = float(second.mean() - first.mean())
    alike = np.diag(covariance) == 0
    # Unseen pairs may have any difference from -1 to 1.
    reach = (1 + np.abs(second - first)) * unseen_share(pairs)
    with_floors = covariance + np.diag(np.where(alike, (reach / t_quantile(pairs)) ** 2, 0.0))
    variance = float(with_floors.mean())
    shares = np.abs(with_floors.sum(axis=1)) / np.abs(with_floors.sum(axis=1)).sum()
    degrees = float((shares / np.sqrt(np.maximum(pairs, 2.0) - 1)).sum() ** -2)
    error = float(np.sqrt(variance))
    half = float(student.ppf((1 + LEVEL) / 2, degrees)) * error
    defined = draws[~np.isnan(draws)]
    varies = defined.size > 0 and float(np.ptp(defined)) > 1e-12
    ends = percentile_interval(defined) if varies else None
    resampled_low, resampled_high = ends or (None, None)
    return Difference(
        **fields,
        first=float(first.mean()),
        second=float(second.mean()),
        difference=value,
        low=max(value - half, -1.0),
        high=min(value + half, 1.0),
        p=None if alike.all() else float(2 * student.sf(abs(value) / error, degrees)),
        bootstrap_low=resampled_low,
        bootstrap_high=resampled_high,
        bootstrap_p=bootstrap_p(defined) if varies else None,
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
    names, first_rows, second_rows = matched_rows(first, second, split)
    first_scores, second_scores = (
        ranking_of(rows, names, task).values for rows in (first_rows, second_rows)
    )
    ids = first_rows["patient_id"].to_numpy(dtype=object)
    labels = first_rows[[f"label/{name}" for name in names]].to_numpy(np.float64)
    return compare(labels, first_scores, second_scores, names, ids, seed=seed, resamples=resamples)


def matched_rows(
    first: pd.DataFrame, second: pd.DataFrame, split: str
) -> tuple[list[str], pd.DataFrame, pd.DataFrame]:
    """Returns the names of the labels, and the rows of a split in both tables in the same order.

    Args and errors are those of `compare_tables`.
    """
    names = label_names(first, second)
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
        # `pd.NA` has no truth value, and NaN is not equal to itself.
        a, b = (
            rows[column].astype(object).where(rows[column].notna(), None).to_numpy()
            for rows in (first_rows, second_rows)
        )
        same = a == b
        if not same.all():
            path = first_rows["path"].iloc[int(np.argmin(same))]
            raise UserError(
                f"{column} of {path} is not the same in the two, as for {int((~same).sum())} of "
                f"{len(same)} images; both must be scored against the same manifest, "
                "under the same label policies."
            )
    return names, first_rows, second_rows


def label_names(first: pd.DataFrame, second: pd.DataFrame) -> list[str]:
    """Returns the names of the labels of two tables of predictions.

    Raises:
      UserError: the tables have different labels.
    """
    names, second_names = (_names(table) for table in (first, second))
    if sorted(names) != sorted(second_names):
        raise UserError(
            f"The labels differ: {', '.join(names)} in the first, {', '.join(second_names)} in the "
            "second; both must predict the same."
        )
    return names


def _names(table: pd.DataFrame) -> list[str]:
    return [
        str(column).removeprefix("label/") for column in table if str(column).startswith("label/")
    ]
