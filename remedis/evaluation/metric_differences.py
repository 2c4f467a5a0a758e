"""Differences of two models at their thresholds and of their calibration, on the same images.

Each patient has a contribution to a metric (the first-order part of its influence): to a ratio such
as the sensitivity or the Brier score

    c_g = (numerator_g - value denominator_g) / denominator;

and for calibration slope and intercept that of `remedis.evaluation.calibration_line`. The
calibration error has a corner where a bin has no gap; its contributions are the deviations of
resampled patients from their mean, over the same resamples for both models.

The contribution to the difference of two models is the difference of the contributions to both.
What the models have in common, such as the same hard patients, cancels: this is the paired
comparison by patient. The variance is the sum of squares, with the factor for few patients; the
interval is that of Student's t with the effective number of patients (Kish). Rates and Brier scores
are widened as single ones are (`effective_patients.proportion_widening`), both by the same factor.
A rate that no patient tells apart has no p-value, and the interval of a share of patients that may
be judged differently, 1 - 0.025^(1/k) for k of them (`intervals.unseen_share`).

Thresholds are taken as they are: an interval does not include their choice on validation. The
calibration error is biased upwards, that of a well calibrated model more, so that differences of
calibration errors are too small. Resampling adds about the same bias once more; the interval holds
the difference with and without it.

The table shows the coverage in % of intervals of nominal 95 %, in 400 draws (standard error 1.1 %).
The models of all populations but `worse` are equally good, so that 100 minus the coverage is the
share of p below 0.05 under the null. `benchmarks/comparison.py --draws=400` prints it and describes
the populations:

                                even    good   small    zipf   worse
    sensitivity                 98.0    98.0    99.5   100.0    98.0
    specificity                 94.5    97.5    96.0    95.5    93.8
    Brier score                 96.8    96.5    96.8    99.0    93.2
    calibration error           98.8    98.5    99.0    98.8    83.8
    calibration slope           96.2    97.0    95.2    97.4    96.0
    calibration intercept       96.2    95.8    97.8    97.9    97.8
"""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import norm

from remedis.evaluation import ratios
from remedis.evaluation.auroc import Floats
from remedis.evaluation.auroc_difference import Difference, matched_rows
from remedis.evaluation.calibration_error import bin_count, bins
from remedis.evaluation.calibration_line import calibration_line
from remedis.evaluation.effective_patients import (
    clustered_covariance,
    proportion_widening,
    t_quantile,
)
from remedis.evaluation.estimates import Behind, Cases
from remedis.evaluation.intervals import (
    NO_VARIANCE,
    RESAMPLES,
    Z,
    patient_counts,
    unseen_share,
)
from remedis.evaluation.ranking import log_odds_of_scores, ranking_of
from remedis.evaluation.thresholds import Thresholds

Weights = npt.NDArray[np.generic]
RATES = ("sensitivity", "specificity")
CALIBRATION = ("brier", "calibration_error", "calibration_slope", "calibration_intercept")


@dataclasses.dataclass(frozen=True)
class MetricDifference:
    """The differences of one metric.

    Attributes:
      labels: name -> difference.
      mean: of the means over the `averaged` labels.
      averaged: names of the labels that are estimable for both models.
    """

    labels: Mapping[str, Difference]
    mean: Difference
    averaged: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class _Contributions:
    """A metric of one model.

    Attributes:
      values: [L]; NaN where undefined.
      by_patient: [G, L], what each patient (or each of B resamples, [B, L]) contributes; the
        variance is the sum of the squares.
      effective: [L], effective number of patients behind it.
      reasons: [L]; why it is not estimable, or an empty string.
      bounded: whether it is a mean of numbers in [0, 1].
      bias: [L], by which it is too large on average, as resamples show; None for none.
    """

    values: Floats
    by_patient: Floats
    effective: Floats
    reasons: Sequence[str]
    bounded: bool
    bias: Floats | None = None


def metric_differences(
    first: pd.DataFrame,
    second: pd.DataFrame,
    split: str,
    thresholds: tuple[Thresholds | None, Thresholds | None],
    *,
    task: str = "multi_label",
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> dict[str, MetricDifference]:
    """Returns the metrics of the second model minus those of the first.

    Args:
      first: table of predictions, as for `auroc_difference.compare_tables`.
      second: table with the same columns.
      split: the split to compare.
      thresholds: of each model, on its own scores; None leaves out sensitivity and specificity.
      task: multi_label, or multi_class if the labels are all classes of both models.
      seed: of the resamples of patients, for the calibration error.
      resamples: their number.

    Returns:
      `youden/sensitivity` and so on at each model's own thresholds, then those of `CALIBRATION`,
      which need scores in [0, 1].

    Raises:
      UserError: label names, images, patients or labels are not the same in both tables, or a
        label has no entry in the thresholds.
    """
    names, *rows = matched_rows(first, second, split)
    known = rows[0][[f"label/{name}" for name in names]].to_numpy(np.float64)
    cases = Cases.from_ids(known, rows[0]["patient_id"].to_numpy(dtype=object))
    weights = patient_counts(int(cases.patients.max()) + 1, resamples, seed)
    both = [_metrics(*of, names, cases, task, weights) for of in zip(rows, thresholds, strict=True)]
    return {
        name: _difference(of, both[1][name], names, cases)
        for name, of in both[0].items()
        if name in both[1]
    }


def _metrics(
    rows: pd.DataFrame,
    thresholds: Thresholds | None,
    names: Sequence[str],
    cases: Cases,
    task: str,
    weights: Weights,
) -> dict[str, _Contributions]:
    """Returns the metrics of one model."""
    scores = rows[[f"score/{name}" for name in names]].to_numpy(np.float64)
    ranked = ranking_of(rows, names, task)
    shares: dict[str, ratios.Ratio] = {}
    if thresholds is not None:
        odds = ranked.values if ranked.source == "log odds" else None
        points = ratios.operating_points(cases.known, scores, thresholds.for_labels(names), odds)
        shares = {name: of for name, of in points.items() if name.rpartition("/")[2] in RATES}
    probabilities = bool(((scores >= 0) & (scores <= 1)).all())
    if probabilities:
        shares["brier"] = ratios.brier(cases.known, scores)
    found = {}
    for name, ratio in ratios.ratios(shares, cases.patients).items():
        kind = {"sensitivity": "positive ", "specificity": "negative "}
        behind = Behind.of(ratio.denominators, kind.get(name.rpartition("/")[2], ""))
        found[name] = _Contributions(
            ratio.values, ratio.contributions, behind.effective, behind.reasons(), True
        )
    if probabilities:
        found["calibration_error"] = _calibration_error(cases, scores, weights)
        line = calibration_line(
            cases.known, log_odds_of_scores(scores, ranked.values), cases.patients
        )
        effective, few = cases.classes()
        for name in ("slope", "intercept"):
            values = getattr(line, name)
            reasons = [
                reason or ("undefined" if np.isnan(value) else "")
                for reason, value in zip(few, values, strict=True)
            ]
            by_patient = getattr(line, f"{name}_contributions")
            found[f"calibration_{name}"] = _Contributions(
                values, by_patient, effective, reasons, False
            )
    return found


def _calibration_error(cases: Cases, probabilities: Floats, weights: Weights) -> _Contributions:
    """Returns the calibration error of one model; its contributions are those of resamples.

    `weights` [B, G] say how often resample b drew patient g. The bins are those of the data.
    """
    count = cases.known.shape[1]
    values, draws = np.full(count, np.nan), np.zeros((len(weights), count))
    bias = np.zeros(count)
    for column in range(count):
        use = ~np.isnan(cases.known[:, column])
        if not use.any():
            continue
        score, patients = probabilities[use, column], cases.patients[use]
        bin_of = bins(score, bin_count(len(np.unique(patients))))
        gaps = np.zeros((len(score), int(bin_of.max()) + 2))
        gaps[np.arange(len(score)), bin_of] = cases.known[use, column] - score
        gaps[:, -1] = 1
        sums = np.zeros((weights.shape[1], gaps.shape[1]))
        by_patient = ratios.sum_by_patient(gaps, patients)
        sums[: len(by_patient)] = by_patient
        values[column] = np.abs(sums[:, :-1].sum(axis=0)).sum() / len(score)
        drawn = ratios.resampled_sums(sums, weights)
        errors = np.abs(drawn[:, :-1]).sum(axis=1) / np.maximum(drawn[:, -1], 1)
        bias[column] = errors.mean() - values[column]
        draws[:, column] = (errors - errors.mean()) / np.sqrt(len(weights) - 1)
    labelled = cases.labelled
    return _Contributions(values, draws, labelled.effective, labelled.reasons(), False, bias)


def _difference(
    first: _Contributions, second: _Contributions, names: Sequence[str], cases: Cases
) -> MetricDifference:
    effective = np.minimum(first.effective, second.effective)
    reasons = [a or b for a, b in zip(first.reasons, second.reasons, strict=True)]
    contributions = second.by_patient - first.by_patient
    covariance = clustered_covariance(contributions, effective)
    factor = t_quantile(effective) / Z
    if first.bounded:
        # One factor for both: factors of their own would not let common patients cancel.
        variances = [
            np.diag(clustered_covariance(of.by_patient, effective)) for of in (first, second)
        ]
        middle = (first.values + second.values) / 2
        factor = proportion_widening(middle, np.mean(variances, axis=0), effective)
    covariance = covariance * np.outer(factor, factor)
    alike = np.diag(covariance) <= NO_VARIANCE
    reach = unseen_share(effective) / Z if first.bounded else np.zeros(len(effective))
    covariance = covariance + np.diag(np.where(alike, reach**2, 0.0))

    def of(columns: list[int]) -> Difference:
        fields = cases.fields(columns or range(len(names)))
        if not columns:
            return Difference(**fields, reason="no label is estimable")
        fields["effective"] = round(float(effective[columns].min()), 6)
        if reasons[columns[0]]:
            return Difference(**fields, reason=reasons[columns[0]])
        one, other = (float(model.values[columns].mean()) for model in (first, second))
        error = float(np.sqrt(covariance[np.ix_(columns, columns)].mean()))
        differs = not alike[columns].all()
        without_bias = other - one
        if first.bias is not None and second.bias is not None:
            without_bias -= float((second.bias - first.bias)[columns].mean())
        nearest = min(abs(other - one), abs(without_bias))
        return Difference(
            **fields,
            first=one,
            second=other,
            difference=other - one,
            low=min(other - one, without_bias) - Z * error,
            high=max(other - one, without_bias) + Z * error,
            p=float(2 * norm.sf(nearest / error)) if differs and error > 0 else None,
        )

    averaged = [i for i, reason in enumerate(reasons) if not reason]
    return MetricDifference(
        labels={name: of([i]) for i, name in enumerate(names)},
        mean=of(averaged),
        averaged=tuple(names[i] for i in averaged),
    )
