"""Effective number of patients, for data in which a few patients have many images.

A mean over images has the variance of a mean over

    k = (sum_g m_g)^2 / sum_g m_g^2

patients if patient g has m_g images that all agree (Kish, Survey Sampling, 1965, section 11.7; for
clusters of unequal size: Korn and Graubard, Survey Methodology 24:193-201, 1998). It is the number
of patients if all have equally many images, and about 1 if one patient has nearly all of them. The
number of patients in small-sample corrections is k: ten patients, one of them with 100 images, are
worth 1.2 patients, and their variance cannot be estimated.
"""

import numpy as np
import numpy.typing as npt
from scipy.stats import t as student

from remedis.evaluation.intervals import LEVEL, MIN_PATIENTS, NO_VARIANCE, Floats, Z

_ROUNDING = 1e-9


def effective_number(sizes: npt.ArrayLike) -> Floats:
    """Returns Kish's effective number [...] of patients whose `sizes` are [G, ...].

    Args:
      sizes: not negative: images, or weights, of every patient. The number is 0 without any.
    """
    m = np.asarray(sizes, dtype=np.float64)
    squares = (m**2).sum(axis=0)
    return np.asarray(m.sum(axis=0) ** 2 / np.where(squares > 0, squares, 1.0))


def enough(effective: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    """Returns whether each effective number is at least MIN_PATIENTS, up to rounding."""
    return np.asarray(np.asarray(effective) >= MIN_PATIENTS - _ROUNDING)


def small_sample_factor(effective: npt.ArrayLike) -> Floats:
    """Returns k / (k - 1) for each effective number k; a k below 2 counts as 2.

    It corrects a sum of squared deviations from an estimated mean, as in the sample variance.
    """
    k = np.maximum(np.asarray(effective, dtype=np.float64), 2.0)
    return np.asarray(k / (k - 1))


def t_quantile(effective: npt.ArrayLike) -> Floats:
    """Returns the 97.5 % quantile of Student's t with k - 1 degrees of freedom; k is at least 2."""
    k = np.maximum(np.asarray(effective, dtype=np.float64), 2.0)
    return np.asarray(student.ppf((1 + LEVEL) / 2, k - 1))


def stabilised_variance(
    values: npt.ArrayLike, variance: npt.ArrayLike, effective: npt.ArrayLike
) -> Floats:
    """Returns variances of means of numbers in [0, 1] that do not rest on a few patients alone.

    The variance of a share is estimated from the patients with its rarer outcome. With few of them
    it is too small in most samples, and the more so the more unequal the patients are. The largest
    variance is known: v (1 - v) / k, if all images of a patient agree. So both are mixed. The
    weights are e = k min(v, 1 - v), the effective number of patients with the rarer outcome, and 1.
    Where no patient has it, all that is left is the interval of k patients.

    In the population `zipf-rare` of `benchmarks/coverage.py` (200 patients, 12 % positive, AUROC
    0.95), the variance alone covers the specificity in about 83 %, the accuracy in 78 %, the
    mixture in 99 and 98 %. Among patients with 1 to 3 images, intervals are 1 to 5 % wider.

    Args:
      values: [...] v in [0, 1].
      variance: [...], estimated; remains 0 where it is 0.
      effective: [...], effective numbers k of patients.
    """
    v, known = np.asarray(values, dtype=np.float64), np.asarray(variance, dtype=np.float64)
    k = np.maximum(effective, 1.0)
    rare = k * np.minimum(v, 1 - v)
    mixed = (rare * known + v * (1 - v) / k) / (rare + 1)
    return np.where(known > NO_VARIANCE, mixed, 0.0)


def proportion_widening(values: Floats, variance: Floats, effective: Floats) -> Floats:
    """Returns factors [C] of the errors of proportions, for intervals of 1.96 errors.

    They stand for the quantile of Student's t and for `stabilised_variance`; 0 without variance.

    Args:
      values: [C] in [0, 1].
      variance: [C], estimated, as of `clustered_covariance`.
      effective: [C], effective numbers of patients.
    """
    wanted = stabilised_variance(values, variance * (t_quantile(effective) / Z) ** 2, effective)
    return np.asarray(np.sqrt(wanted / np.where(variance > 0, variance, 1.0)))


def clustered_covariance(contributions: Floats, effective: npt.ArrayLike) -> Floats:
    """Returns the covariance [C, C] of C means from the contributions of their patients.

    Args:
      contributions: [G, C]: what each patient adds to the deviation of each mean; 0 in sum.
      effective: [C]: effective numbers of patients. Each covariance is multiplied by the geometric
        mean of the two columns' `small_sample_factor`.
    """
    scaled = contributions * np.sqrt(small_sample_factor(effective))
    return np.asarray(scaled.T @ scaled)


def shortage(counted: int, effective: float, largest: float, images: float, kind: str) -> str:
    """Returns why patients are too few for an estimate: a sentence without a full stop; or "".

    Args:
      counted: number of patients.
      effective: their effective number.
      largest: images of the patient with most images.
      images: images of all of them.
      kind: word before "patients", such as `positive `; or empty.
    """
    if enough(effective):
        return ""
    if counted < MIN_PATIENTS:
        plural = "patient" if counted == 1 else "patients"
        return f"{counted} {kind}{plural}, {MIN_PATIENTS} are needed"
    return (
        f"{counted} {kind}patients count as {effective:.1f} because one has {largest:.0f} of "
        f"{images:.0f} images, {MIN_PATIENTS} are needed"
    )


def as_json(effective: float) -> float:
    """Returns an effective number without the noise of rounding, for files and tables."""
    return round(float(effective), 6)
