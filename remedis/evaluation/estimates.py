"""Estimates of metrics with 95 % intervals, per column of scores and for the mean of several.

The method of each interval was chosen by simulation. The table shows the coverage in %, nominal 95,
in 500 draws of 200 patients with 1 to 3 images each, 12 % of them positive; the standard error is
1 %. `benchmarks/coverage.py` simulates the population and prints the table.

    AUROC of the population                     0.80             0.95
                                           label  mean of 3  label  mean of 3
    AUROC, DeLong, widened, logit scale     96.6    96.0      96.6    96.4
      (percentiles of resamples)            93.6              90.2
    average precision, logit scale          95.0    92.6      94.0    94.2
    Brier score, logit scale                94.6    95.0      94.8    96.2
    accuracy, Wilson                        94.6    95.8      94.8    95.6
    sensitivity, Wilson                     96.0    94.4      94.0    93.4
    specificity, Wilson                     95.0    94.6      94.6    95.0
    PPV, Wilson                             95.2    94.4      95.2    94.4
    NPV, Wilson                             94.6    94.0      92.4    95.6
    calibration error, norm                 96.0    94.2      99.8   100.0
    gap of three sites, norm: none; 0.1     96.8    99.0      98.6    98.2
    difference of AUROCs, DeLong, widened   95.6    95.2      95.4    96.2
      (percentiles of resamples)            93.6    91.8      89.8    91.2

(The row of gaps has no mean: its two numbers are for a true gap of 0 and of 0.1.) Two rows stay
below 95 %: the mean of average precisions at AUROC 0.80, because average precision is biased
upwards a little with 24 positive patients, and the NPV at 0.95, which rests on five missed
patients. Plain DeLong on the logit scale covered 90.7 % at 0.95 with 24 positive patients.
Intervals of the calibration error and of gaps are wider than necessary where the truth is not 0.
"""

import dataclasses
from collections.abc import Callable, Iterable, Sequence

import numpy as np
import numpy.typing as npt

from remedis.errors import UserError
from remedis.evaluation import ratios
from remedis.evaluation.auroc import Floats, Integers
from remedis.evaluation.average_precision import average_precision as compute_average_precision
from remedis.evaluation.calibration_error import calibration_error as compute_calibration_error
from remedis.evaluation.delong import delong, low_at_one, widened_covariance
from remedis.evaluation.intervals import (
    MIN_PATIENTS,
    Estimate,
    logit_interval,
    norm_interval,
    patient_codes,
    wilson_interval,
)

DELONG = "DeLong by patient, logit scale"
LOGIT = "standard error of resampled patients, logit scale"
WILSON = "Wilson, effective sample size of resampled patients"
NORM = "resampled patients, triangle inequality: at least 95 %"

Booleans = npt.NDArray[np.bool_]


@dataclasses.dataclass(frozen=True)
class Cases:
    """Labels of the images, and the patient of each image.

    Attributes:
      known: [n, C]; 1 positive, 0 negative, NaN unknown.
      patients: [n] integers in [0, G).
    """

    known: Floats
    patients: Integers

    @classmethod
    def from_ids(cls, known: Floats, patient_ids: Iterable[object]) -> "Cases":
        """Returns the cases of labels [n, C] and patient ids [n].

        Raises:
          UserError: there is not one id per row.
        """
        patients = patient_codes(patient_ids)
        if len(patients) != len(known):
            raise UserError(f"{len(patients)} patient ids for {len(known)} rows of labels.")
        return cls(known, patients)

    def count(self, images: Booleans) -> Integers:
        """Returns the number of patients with a true entry in each column of `images` [n, C]."""
        return np.array(
            [np.count_nonzero(np.bincount(self.patients[column])) for column in images.T]
        )

    def counts(self, columns: Sequence[int]) -> tuple[int, int]:
        """Returns the number of patients known, and of patients positive, in any of the columns."""
        labels = self.known[:, columns]
        known, positive = (~np.isnan(labels)).any(axis=1), (labels == 1).any(axis=1)
        patients = self.count(np.stack([known, positive], axis=1))
        return int(patients[0]), int(patients[1])

    def both_classes(self) -> Booleans:
        """Returns [C]: whether MIN_PATIENTS patients or more are positive, and as many negative."""
        classes = [self.count(self.known == value) for value in (1, 0)]
        return np.minimum(*classes) >= MIN_PATIENTS


@dataclasses.dataclass(frozen=True)
class ColumnMetric:
    """A metric of C columns, from which the mean over any of them can be estimated.

    Attributes:
      values: [C]; NaN where undefined.
      estimable: [C]; whether the column has enough patients.
      interval: function from columns to the interval of the mean over them.
      method: name of the method of the interval.
    """

    values: Floats
    estimable: Booleans
    interval: Callable[[Sequence[int]], tuple[float, float]]
    method: str

    def estimate(self, columns: Sequence[int], counts: tuple[int, int]) -> Estimate:
        """Returns the estimate of the mean over the columns.

        Args:
          columns: column numbers; the mean is not estimable unless each of them is.
          counts: number of patients known, and of patients positive.
        """
        if not len(columns) or not self.estimable[list(columns)].all():
            return Estimate(None, None, None, *counts)
        value = float(self.values[list(columns)].mean())
        return Estimate(value, *self.interval(columns), *counts)


def auroc(cases: Cases, scores: Floats) -> ColumnMetric:
    """Returns the AUROC with DeLong's interval, clustered by patient (see `delong`)."""
    areas = delong(cases.known, scores, cases.patients)
    covariance = widened_covariance(areas)

    def interval(columns: Sequence[int]) -> tuple[float, float]:
        error = np.sqrt(max(covariance[np.ix_(columns, columns)].mean(), 0.0))
        value = float(areas.values[list(columns)].mean())
        return logit_interval(value, float(error), low_at_one(areas.pairs[list(columns)].min()))

    return ColumnMetric(areas.values, cases.both_classes(), interval, DELONG)


def average_precision(
    cases: Cases, scores: Floats, weights: npt.NDArray[np.generic]
) -> ColumnMetric:
    """Returns the average precision; a value of 1 has the lower end of an AUROC of 1."""
    values = compute_average_precision(cases.known, scores)[0]
    draws = compute_average_precision(cases.known, scores, weights, cases.patients)
    pairs = np.minimum(cases.count(cases.known == 1), cases.count(cases.known == 0))

    def interval(columns: Sequence[int]) -> tuple[float, float]:
        error, value = _error(draws, columns), float(values[list(columns)].mean())
        return logit_interval(value, error, low_at_one(pairs[list(columns)].min()))

    return ColumnMetric(values, cases.both_classes() & _drawn(draws), interval, LOGIT)


def proportions(
    metrics: dict[str, ratios.Ratio], cases: Cases, weights: npt.NDArray[np.generic]
) -> dict[str, ColumnMetric]:
    """Returns metrics that are proportions of the images, such as the sensitivity."""

    def column_metric(values: Floats, draws: Floats, patients: Integers) -> ColumnMetric:
        def interval(columns: Sequence[int]) -> tuple[float, float]:
            value = float(values[list(columns)].mean())
            error = _error(draws, columns)
            return wilson_interval(value, error, float(patients[list(columns)].min()))

        return ColumnMetric(values, (patients >= MIN_PATIENTS) & _drawn(draws), interval, WILSON)

    resampled = ratios.ratios(metrics, cases.patients, weights)
    return {name: column_metric(*ratio) for name, ratio in resampled.items()}


def brier(cases: Cases, scores: Floats, weights: npt.NDArray[np.generic]) -> ColumnMetric:
    """Returns the Brier score."""
    metric = {"brier": ratios.brier(cases.known, scores)}
    values, draws, patients = ratios.ratios(metric, cases.patients, weights)["brier"]

    def interval(columns: Sequence[int]) -> tuple[float, float]:
        return logit_interval(float(values[list(columns)].mean()), _error(draws, columns))

    return ColumnMetric(values, (patients >= MIN_PATIENTS) & _drawn(draws), interval, LOGIT)


def calibration_error(
    cases: Cases, scores: Floats, weights: npt.NDArray[np.generic]
) -> ColumnMetric:
    """Returns the expected calibration error."""
    values, length, along = compute_calibration_error(cases.known, scores, cases.patients, weights)
    enough = cases.count(~np.isnan(cases.known)) >= MIN_PATIENTS

    def interval(columns: Sequence[int]) -> tuple[float, float]:
        means = (draws[:, columns].mean(axis=1) for draws in (length, along))
        return norm_interval(float(values[list(columns)].mean()), *means)

    return ColumnMetric(values, enough & _drawn(length), interval, NORM)


def _error(draws: Floats, columns: Sequence[int]) -> float:
    """Returns the standard error of the mean over the columns.

    A resample in which one of the columns is undefined is left out: averaging the other columns
    would mix means over different labels.
    """
    return float(np.nanstd(draws[:, columns].mean(axis=1), ddof=1))


def _drawn(draws: Floats) -> Booleans:
    """Returns [C]: whether enough resamples are defined for a standard error."""
    enough: Booleans = (~np.isnan(draws)).sum(axis=0) > 1
    return enough
