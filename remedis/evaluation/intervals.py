"""Estimates with their intervals, resampled by patient.

Images of one patient are not independent, so patients are drawn, each with all of its images (the
cluster bootstrap: Field and Welsh, J. R. Stat. Soc. B 69:369-390, 2007). Percentiles of the draws
(Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13) cover less often than
their nominal level where a metric is near an end of its range, so most intervals use the standard
error of the draws alone. `remedis.evaluation.estimates` lists the method of each metric and its
coverage.
"""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import expit, logit
from scipy.stats import norm

from remedis.data import canonical_ids
from remedis.errors import UserError

LEVEL = 0.95
RESAMPLES = 1000
Z = float(norm.ppf((1 + LEVEL) / 2))  # 1.96
# With k patients positive, a resample has none of them with probability about exp(-k): 0.7 % at
# five, 5 % at three. And k patients give few distinct resamples, C(2k - 1, k): 126 at five, 10 at
# three. Below five the 2.5 % tail is made of a handful of draws, and percentiles mean nothing.
MIN_PATIENTS = 5
# Fewer resamples than this have no draw beyond the 2.5 and 97.5 % percentiles.
MIN_RESAMPLES = 40


@dataclasses.dataclass(frozen=True)
class Estimate:
    """A metric with its 95 % interval and the number of patients behind it.

    Attributes:
      value: the metric on the data as they are; None if not estimable.
      low: lower end of the interval; None if not estimable.
      high: upper end of the interval; None if not estimable.
      patients: distinct patients with a known label.
      positives: distinct patients with at least one positive image.
    """

    value: float | None
    low: float | None
    high: float | None
    patients: int
    positives: int

    @property
    def estimable(self) -> bool:
        """Whether there is a value."""
        return self.value is not None

    @property
    def interval(self) -> str:
        """The numbers without the counts: `0.812 [0.780, 0.840]` or `not estimable`."""
        if self.value is None:
            return "not estimable"
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"

    def __str__(self) -> str:
        return f"{self.interval}, {self.patients} patients, {self.positives} positive"

    def to_json(self) -> dict[str, float | int | None]:
        """Returns the fields as JSON takes them: null where not estimable, never NaN."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> "Estimate":
        """Returns the estimate from the `fields` of `to_json`."""
        return cls(**{field.name: fields[field.name] for field in dataclasses.fields(cls)})


def patient_codes(patient_ids: Iterable[object]) -> npt.NDArray[np.intp]:
    """Returns [n] integers from 0 up, one per distinct patient.

    A row whose id is missing (None, NaN or blank) is a patient of its own. Ids that no reader can
    tell apart are one patient (`canonical_ids`). The numbers follow the sorted ids, not the order
    of the rows, so that a shuffled table draws the same resamples.
    """
    given = pd.Series(list(patient_ids), dtype=object)
    text = canonical_ids.column(given.astype(str).mask(given.isna()))
    missing = text.isna().to_numpy(dtype=bool)
    codes, known = pd.factorize(text.astype(object).mask(missing), sort=True)
    codes[missing] = len(known) + np.arange(missing.sum())
    return codes


def patient_counts(patients: int, resamples: int, seed: int) -> npt.NDArray[np.uint16]:
    """Returns [resamples, patients]: how often each resample draws each patient, with replacement.

    Raises:
      UserError: too few resamples for a percentile interval.
    """
    if resamples < MIN_RESAMPLES:
        raise UserError(
            f"{resamples} resamples are too few for an interval; at least {MIN_RESAMPLES}, "
            f"{RESAMPLES} by default."
        )
    generator = np.random.default_rng(seed)
    # Counting draws gives the multinomial counts several times faster than `multinomial` does.
    counts = np.empty((resamples, patients), dtype=np.uint16)
    for row in counts:
        row[:] = np.bincount(generator.integers(patients, size=patients), minlength=patients)
    return counts


def percentile_interval(draws: npt.NDArray[np.float64]) -> tuple[float, float] | None:
    """Returns the central 95 % of `draws` [B], or None if none is defined.

    Draws that are NaN (resamples with one class only) are left out: like the value itself, the
    interval is conditional on the metric being defined.
    """
    defined = draws[~np.isnan(draws)]
    if not defined.size:
        return None
    low, high = np.quantile(defined, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def bootstrap_p(differences: npt.NDArray[np.float64]) -> float:
    """Returns the two-sided bootstrap p-value of the hypothesis that a difference is 0.

    It is twice the share of resamples on the smaller side of 0. The data as they are count as one
    of them, so that p is at least 2 / (B + 1) (Davison and Hinkley, Bootstrap Methods, 1997,
    section 4.2).

    Args:
      differences: [B], the difference in each resample; not NaN.
    """
    tail = min((differences <= 1e-12).sum(), (differences >= -1e-12).sum())
    return min(1.0, float(2 * (1 + tail) / (len(differences) + 1)))


def logit_interval(value: float, error: float, low_at_one: float = 0.0) -> tuple[float, float]:
    """Returns the interval of a value in [0, 1], symmetric on the logit scale.

    Args:
      value: in [0, 1].
      error: its standard error.
      low_at_one: lower end of the interval of a value of 1; 1 - `low_at_one` is the upper end of
        the interval of a value of 0. The standard error says nothing about either.
    """
    if value in (0.0, 1.0):
        return min(value, low_at_one), max(value, 1 - low_at_one)
    if error == 0:
        return value, value
    half = Z * error / (value * (1 - value))
    low, high = expit(logit(value) + np.array([-half, half]))
    return float(low), float(high)


def wilson_interval(value: float, error: float, patients: float) -> tuple[float, float]:
    """Returns Wilson's score interval of a proportion, for the effective sample size of its error.

    Wilson, J. Am. Stat. Assoc. 22:209-212, 1927, with n = value (1 - value) / error^2 (the
    effective sample size of a clustered sample: Korn and Graubard, Survey Methodology 24:193-201,
    1998).

    Args:
      value: in [0, 1].
      error: its standard error over resampled patients.
      patients: number of patients; this is n for a proportion of 0 or 1, about which the standard
        error says nothing.
    """
    n = value * (1 - value) / error**2 if 0 < value < 1 and error > 0 else patients
    middle = (value + Z**2 / (2 * n)) / (1 + Z**2 / n)
    half = Z * np.sqrt(value * (1 - value) / n + Z**2 / (4 * n**2)) / (1 + Z**2 / n)
    return max(0.0, float(middle - half)), min(1.0, float(middle + half))


def norm_interval(
    value: float, length: npt.NDArray[np.float64], along: npt.NDArray[np.float64]
) -> tuple[float, float]:
    """Returns the interval of a norm or range of several noisy numbers, which noise biases upwards.

    If x is the truth and e the noise, |x + e| <= |x| + |e|: the value minus the 97.5 % quantile of
    |e| is at most the truth in 97.5 % of samples. The upper end adds the variation of the value
    itself, to a value that is already biased upwards. So the interval covers at least 95 %, and it
    contains 0 as often as it should.

    Args:
      value: the norm, not negative.
      length: [B], |e| in the resamples.
      along: [B], the part of e along the gradient of the norm: its first-order change.
    """
    tail = (1 + LEVEL) / 2
    low = value - np.quantile(length[~np.isnan(length)], tail)
    high = value + np.quantile(along[~np.isnan(along)], tail)
    return max(0.0, float(low)), max(value, float(high))
