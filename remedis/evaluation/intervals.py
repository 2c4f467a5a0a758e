"""Estimates with their intervals, by patient.

Images of one patient are not independent, so variances are sums over patients, and resamples draw
patients, each with all of its images (the cluster bootstrap: Field and Welsh, J. R. Stat. Soc. B
69:369-390, 2007). Percentiles of the draws (Efron and Tibshirani, An Introduction to the Bootstrap,
1993, chapter 13) cover less often than their nominal level where a metric is near an end of its
range, so most intervals use a variance alone. `remedis.evaluation.estimates` lists the method of
each metric and its coverage.
"""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import norm
from typing_extensions import NotRequired, TypedDict

from remedis.data import canonical_ids
from remedis.errors import UserError
from remedis.json_records import Count, Expect, Line, Real

LEVEL = 0.95
RESAMPLES = 1000
Z = float(norm.ppf((1 + LEVEL) / 2))  # 1.96
# Of *effective* patients (see `remedis.evaluation.effective_patients`). With fewer, a variance has
# less than four degrees of freedom: Student's quantile is above 2.78, and corrections for small
# samples are larger than what they correct.
MIN_PATIENTS = 5
# A variance below this is 0 but for rounding: errors of 1e-12 mean nothing in [0, 1].
NO_VARIANCE = 1e-24
# Fewer resamples than this have no draw beyond the 2.5 and 97.5 % percentiles.
MIN_RESAMPLES = 40
# A hundred times the default: the ends of the interval no longer move in their third decimal.
MAX_RESAMPLES = 100_000

Floats = npt.NDArray[np.float64]


class _Estimate(TypedDict):
    """`Estimate.to_json`, of any version."""

    value: Real | None
    low: Real | None
    high: Real | None
    patients: Count
    positives: Count
    effective_patients: NotRequired[Real | None]
    effective_positives: NotRequired[Real | None]
    effective: NotRequired[Real | None]
    largest_patient_images: NotRequired[Count | None]
    reason: NotRequired[Line | None]


EstimateRecord = Annotated[
    _Estimate,
    Expect(
        "low and high where there is a value",
        lambda of: of["value"] is None or None not in (of["low"], of["high"]),
    ),
]


@dataclasses.dataclass(frozen=True)
class Estimate:
    """A metric with its 95 % interval and the patients behind it.

    Effective numbers of patients are those of `remedis.evaluation.effective_patients`. They are
    None in results of versions that did not compute them.

    Attributes:
      value: the metric on the data as they are; None if not estimable.
      low: lower end of the interval; None if not estimable.
      high: upper end of the interval; None if not estimable.
      patients: distinct patients with a known label.
      positives: distinct patients with at least one positive image.
      effective_patients: effective number of patients with a known label.
      effective_positives: effective number of patients with a positive image.
      effective: effective number of patients that limits the interval: of the smaller class for the
        AUROC and the average precision, of the denominator for a share such as the sensitivity. For
        a mean over labels, that of the label with the fewest.
      largest_patient_images: number of images of the patient with most known images.
      reason: why there is no value: a phrase; None if there is one.
    """

    value: float | None
    low: float | None
    high: float | None
    patients: int
    positives: int
    effective_patients: float | None = None
    effective_positives: float | None = None
    effective: float | None = None
    largest_patient_images: int | None = None
    reason: str | None = None

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
        reason = f" ({self.reason})" if self.reason else ""
        return f"{self.interval}{reason}, {self.patients} patients, {self.positives} positive"

    def to_json(self) -> dict[str, float | int | str | None]:
        """Returns the fields as JSON takes them: null where not estimable, never NaN."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> "Estimate":
        """Returns the estimate from the `fields` of `to_json`, or of an earlier version."""
        return cls(**{f.name: fields[f.name] for f in dataclasses.fields(cls) if f.name in fields})


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


def check_resamples(resamples: int) -> None:
    """Raises a UserError for too few resamples for a percentile interval, or for absurdly many."""
    if resamples < MIN_RESAMPLES:
        raise UserError(
            f"{resamples} resamples are too few for an interval; at least {MIN_RESAMPLES}, "
            f"{RESAMPLES} by default."
        )
    if resamples > MAX_RESAMPLES:
        raise UserError(
            f"{resamples:,} resamples are too many; at most {MAX_RESAMPLES:,}, {RESAMPLES} by "
            "default."
        )


def patient_counts(patients: int, resamples: int, seed: int) -> npt.NDArray[np.uint16]:
    """Returns [resamples, patients]: how often each resample draws each patient, with replacement.

    Raises:
      UserError: too few resamples for a percentile interval, or more than `MAX_RESAMPLES`.
    """
    check_resamples(resamples)
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


def bootstrap_p(differences: npt.NDArray[np.float64]) -> float | None:
    """Returns the two-sided bootstrap p-value of the hypothesis that a difference is 0.

    It is None if no draw differs from 0: two perfect models are equal in every resample, and yet
    the resamples know nothing about their difference.

    It is twice the share of resamples on the smaller side of 0. The data as they are count as one
    of them, so that p is at least 2 / (B + 1) (Davison and Hinkley, Bootstrap Methods, 1997,
    section 4.2).

    Args:
      differences: [B], the difference in each resample; not NaN.
    """
    if not (np.abs(differences) > 1e-12).any():
        return None
    tail = min((differences <= 1e-12).sum(), (differences >= -1e-12).sum())
    return min(1.0, float(2 * (1 + tail) / (len(differences) + 1)))


def wilson_interval(
    value: npt.ArrayLike, variance: npt.ArrayLike, effective: npt.ArrayLike
) -> tuple[Floats, Floats]:
    """Returns Wilson's score interval of numbers in [0, 1], for the sample size of their variance.

    Wilson, J. Am. Stat. Assoc. 22:209-212, 1927, with n = value (1 - value) / variance: the
    effective sample size of a clustered sample (Korn and Graubard, Survey Methodology 24:193-201,
    1998).

    Args:
      value: [...] in [0, 1].
      variance: [...], of the values over patients, widened so that 1.96 errors cover 95 %.
      effective: [...], effective numbers of patients: these are n where the variance is 0, about
        which it says nothing, as for a proportion of 0 or 1.
    """
    v, error = np.asarray(value, dtype=np.float64), np.asarray(variance, dtype=np.float64)
    spread = v * (1 - v)
    known = (error > NO_VARIANCE) & (spread > 0)
    n = np.where(known, spread / np.where(known, error, 1.0), np.maximum(effective, 1.0))
    middle = (v + Z**2 / (2 * n)) / (1 + Z**2 / n)
    half = Z * np.sqrt(v * (1 - v) / n + Z**2 / (4 * n**2)) / (1 + Z**2 / n)
    # Rounding must not put an end on the wrong side of the value.
    return np.clip(middle - half, 0.0, v), np.clip(middle + half, v, 1.0)


def unseen_interval(value: npt.ArrayLike, effective: npt.ArrayLike) -> tuple[Floats, Floats]:
    """Returns the interval of a mean of numbers in [0, 1] that did not vary between patients.

    If a share s of all patients differs from the value, none of k patients does with probability
    (1 - s)^k. This is 2.5 % for s = 1 - 0.025^(1/k), and that share may have any number between 0
    and 1. For a value of 0 or 1 the interval is that of a proportion (Clopper and Pearson,
    Biometrika 26:404-413, 1934; about 3.7 / k, the "rule of three" at 97.5 %).

    Args:
      value: [...] in [0, 1].
      effective: [...], effective numbers k of patients.
    """
    v = np.asarray(value, dtype=np.float64)
    share = unseen_share(effective)
    return v * (1 - share), v + (1 - v) * share


def unseen_share(effective: npt.ArrayLike) -> Floats:
    """Returns the largest share of patients of which k patients may hold none: 1 - 0.025^(1/k)."""
    k = np.maximum(np.asarray(effective, dtype=np.float64), 1.0)
    return np.asarray(1 - ((1 - LEVEL) / 2) ** (1 / k))


def mean_interval(
    values: Floats, low: Floats, high: Floats, covariance: Floats
) -> tuple[float, float]:
    """Returns the interval of the mean of C values from the intervals of the values.

    The distances of the ends from their values are added like standard errors (MOVER: Zou and
    Donner, Statistics in Medicine 27:1693-1702, 2008), so that the mean inherits what the intervals
    of its values know: skewness, few patients of a rare label, and values without variance.

    Args:
      values: [C].
      low: [C], lower ends.
      high: [C], upper ends.
      covariance: [C, C], from which the correlation of the values follows. Values without variance
        are taken to be fully correlated with all others: the widest case.
    """
    error = np.sqrt(np.maximum(np.diag(covariance), 0.0))
    product = np.outer(error, error)
    correlation = np.divide(
        covariance, product, out=np.ones_like(product), where=product > NO_VARIANCE
    )
    correlation = np.clip(correlation, -1.0, 1.0)
    mean, count = float(np.mean(values)), len(values)
    down, up = (
        float(np.sqrt(max(distance @ correlation @ distance, 0.0))) / count
        for distance in (values - low, high - values)
    )
    return mean - down, mean + up


def norm_interval(
    value: float, length: npt.NDArray[np.float64], along: npt.NDArray[np.float64]
) -> tuple[float, float]:
    """Returns the interval of a norm or range of several noisy numbers, which noise biases upwards.

    If x is the truth and e the noise, |x + e| <= |x| + |e|: the value minus the 97.5 % quantile of
    |e| is at most the truth in 97.5 % of samples. The upper end adds the variation of the value
    itself, to a value that is already biased upwards. So the interval covers at least 95 % as
    far as resamples vary as samples do (`remedis.evaluation.estimates` has what was measured), and
    it contains 0 as often as it should.

    Args:
      value: the norm, not negative.
      length: [B], |e| in the resamples.
      along: [B], the part of e along the gradient of the norm: its first-order change.
    """
    tail = (1 + LEVEL) / 2
    low = value - np.quantile(length[~np.isnan(length)], tail)
    high = value + np.quantile(along[~np.isnan(along)], tail)
    return max(0.0, float(low)), max(value, float(high))
