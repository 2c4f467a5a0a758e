"""Metrics of many columns of scores with the intervals of each, and of the mean of several.

Which interval a metric has was chosen by simulation: how often it holds the truth, nominal 95 %, in
500 draws of 200 patients with 1 to 3 images each, 12 % of them positive; standard error 1 %.
`benchmarks/coverage.py` makes the population and prints the table.

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

(The row of gaps has no mean: its two numbers are without a true gap and with one of 0.1.) Short of
95 % stay the mean of average precisions at AUROC 0.80, since with 24 positive patients average
precision comes out too high by a little, and the NPV at 0.95, which rests on five missed patients.
Plain DeLong on the logit scale covered 90.7 % at 0.95 with 24 positive patients. Intervals of the
calibration error and of gaps are wider than they need be where the truth is not 0.
"""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from remedis.evaluation import delong, ratios, reliability
from remedis.evaluation.auroc import Floats, Integers
from remedis.evaluation.average_precision import average_precision
from remedis.evaluation.intervals import (
    MIN_PATIENTS,
    Estimate,
    logit_interval,
    norm_interval,
    wilson_interval,
)

DELONG = "DeLong by patient, logit scale"
LOGIT = "standard error of resampled patients, logit scale"
WILSON = "Wilson, effective sample size of resampled patients"
NORM = "resampled patients, triangle inequality: at least 95 %"

Booleans = npt.NDArray[np.bool_]


@dataclasses.dataclass(frozen=True)
class Cases:
    """What is known of the images, and whose they are.

    Attributes:
      known: [n, C]; 1 positive, 0 negative, NaN unknown.
      patients: [n] integers in [0, G).
    """

    known: Floats
    patients: Integers

    def count(self, images: Booleans) -> Integers:
        """Returns the number of patients with a true entry in each column of `images` [n, C]."""
        return np.array(
            [np.count_nonzero(np.bincount(self.patients[column])) for column in images.T]
        )

    def counts(self, columns: Sequence[int]) -> tuple[int, int]:
        """Returns how many patients are known, and how many positive, in any of the columns."""
        part = self.known[:, columns]
        known, positive = (~np.isnan(part)).any(axis=1), (part == 1).any(axis=1)
        of = self.count(np.stack([known, positive], axis=1))
        return int(of[0]), int(of[1])

    def both_classes(self) -> Booleans:
        """Returns [C]: whether at least MIN_PATIENTS are positive, and as many negative."""
        classes = [self.count(self.known == value) for value in (1, 0)]
        return np.minimum(*classes) >= MIN_PATIENTS


@dataclasses.dataclass(frozen=True)
class Measured:
    """A metric of C columns.

    Attributes:
      values: [C]; NaN where undefined.
      estimable: [C]; whether enough patients stand behind it.
      ends: the interval of the mean over the columns given.
      method: what the interval is.
    """

    values: Floats
    estimable: Booleans
    ends: Callable[[Sequence[int]], tuple[float, float]]
    method: str

    def estimate(self, columns: Sequence[int], counts: tuple[int, int]) -> Estimate:
        """Returns the mean over the columns; not estimable unless each of them is."""
        if not len(columns) or not self.estimable[list(columns)].all():
            return Estimate(None, None, None, *counts)
        value = float(self.values[list(columns)].mean())
        return Estimate(value, *self.ends(columns), *counts)


def auroc(cases: Cases, scores: Floats) -> Measured:
    """Returns the AUROC with DeLong's interval."""
    areas = delong.delong(cases.known, scores, cases.patients)
    covariance = delong.safe_covariance(areas)

    def ends(columns: Sequence[int]) -> tuple[float, float]:
        error = np.sqrt(max(covariance[np.ix_(columns, columns)].mean(), 0.0))
        value = float(areas.values[list(columns)].mean())
        return logit_interval(value, float(error), delong.least(areas.pairs[list(columns)].min()))

    return Measured(areas.values, cases.both_classes(), ends, DELONG)


def precision(cases: Cases, scores: Floats, weights: npt.NDArray[np.generic]) -> Measured:
    """Returns the average precision; at 1 it has the lower end of an AUROC of 1."""
    values = average_precision(cases.known, scores)[0]
    draws = average_precision(cases.known, scores, weights, cases.patients)
    pairs = np.minimum(cases.count(cases.known == 1), cases.count(cases.known == 0))

    def ends(columns: Sequence[int]) -> tuple[float, float]:
        error, value = _error(draws, columns), float(values[list(columns)].mean())
        return logit_interval(value, error, delong.least(pairs[list(columns)].min()))

    return Measured(values, cases.both_classes() & _drawn(draws), ends, LOGIT)


def shares(
    metrics: dict[str, ratios.Ratio], cases: Cases, weights: npt.NDArray[np.generic]
) -> dict[str, Measured]:
    """Returns metrics that are shares of the images, such as the sensitivity."""

    def measured(values: Floats, draws: Floats, patients: Integers) -> Measured:
        def ends(columns: Sequence[int]) -> tuple[float, float]:
            value = float(values[list(columns)].mean())
            error = _error(draws, columns)
            return wilson_interval(value, error, float(patients[list(columns)].min()))

        return Measured(values, (patients >= MIN_PATIENTS) & _drawn(draws), ends, WILSON)

    found = ratios.ratios(metrics, cases.patients, weights)
    return {name: measured(*of) for name, of in found.items()}


def brier(cases: Cases, scores: Floats, weights: npt.NDArray[np.generic]) -> Measured:
    """Returns the Brier score."""
    metric = {"brier": ratios.brier(cases.known, scores)}
    values, draws, patients = ratios.ratios(metric, cases.patients, weights)["brier"]

    def ends(columns: Sequence[int]) -> tuple[float, float]:
        return logit_interval(float(values[list(columns)].mean()), _error(draws, columns))

    return Measured(values, (patients >= MIN_PATIENTS) & _drawn(draws), ends, LOGIT)


def calibration_error(cases: Cases, scores: Floats, weights: npt.NDArray[np.generic]) -> Measured:
    """Returns the expected calibration error."""
    values, length, along = reliability.calibration_error(
        cases.known, scores, cases.patients, weights
    )
    enough = cases.count(~np.isnan(cases.known)) >= MIN_PATIENTS

    def ends(columns: Sequence[int]) -> tuple[float, float]:
        means = (draws[:, columns].mean(axis=1) for draws in (length, along))
        return norm_interval(float(values[list(columns)].mean()), *means)

    return Measured(values, enough & _drawn(length), ends, NORM)


def _error(draws: Floats, columns: Sequence[int]) -> float:
    """Returns the standard error of the mean over the columns.

    A resample without one of them has no mean: averaging the others instead would mix means over
    different labels. It is left out.
    """
    return float(np.nanstd(draws[:, columns].mean(axis=1), ddof=1))


def _drawn(draws: Floats) -> Booleans:
    """Returns [C]: whether enough resamples define the column for a standard error."""
    enough: Booleans = (~np.isnan(draws)).sum(axis=0) > 1
    return enough
