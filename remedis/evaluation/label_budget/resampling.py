"""Draws of patients and seeds, shared by everything that a study compares.

Row 0 of every array of draws is the study as it is; rows 1 to B are its resamples. A quantity that
is computed for all rows alike has its value in row 0 and its interval in the other rows.
"""

import dataclasses

import numpy as np

from remedis.evaluation.auroc import Floats
from remedis.evaluation.intervals import LEVEL, check_resamples

_PATIENTS = 1000  # patients whose noise is drawn at once
_UNIT_DRAWS = 200  # draws of units at once


def patient_noise(influence: Floats, resamples: int, seed: int) -> Floats:
    """Returns [B, M]: the influences of all patients, each times a standard normal number, summed.

    This is the multiplier bootstrap (van der Vaart and Wellner, Weak Convergence and Empirical
    Processes, 1996, section 2.9). Its covariance is that of the influences; unlike a resample of
    patients, no draw is without a positive or moves an AUROC beyond what the widened error says.

    Args:
      influence: [G, M]; the numbers of a patient are the same for all calls with one seed.
      resamples: B.
      seed: of the draws.

    Raises:
      UserError: too few resamples for an interval.
    """
    check_resamples(resamples)
    generator = np.random.default_rng(seed)
    noise = np.zeros((resamples, influence.shape[1]))
    for start in range(0, len(influence), _PATIENTS):
        block = influence[start : start + _PATIENTS]
        noise += generator.standard_normal((resamples, len(block))) @ block
    return noise


def arm_noise(size: int, seed: int, stream: int) -> Floats:
    """Returns [size] standard normal numbers of one arm's own stream."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(2, stream))).normal(
        size=size
    )


def unit_noise(deviations: Floats, resamples: int, seed: int) -> tuple[Floats, Floats]:
    """Returns means over U new units and the estimated variances of these means, both [B, M].

    New units are normal with the covariance of the U deviations from their mean.

    Args:
      deviations: [M, U], of mean 0 in every row.
      resamples: B.
      seed: of the draws.
    """
    units = deviations.shape[1]
    generator = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(3,)))
    means, variances = (np.empty((resamples, len(deviations))) for _ in range(2))
    for start in range(0, resamples, _UNIT_DRAWS):
        rows = slice(start, min(start + _UNIT_DRAWS, resamples))
        mixed = generator.normal(size=(rows.stop - start, units, units)) @ deviations.T
        mixed /= np.sqrt(units - 1)
        means[rows] = mixed.mean(axis=1)
        variances[rows] = mixed.var(axis=1, ddof=1) / units
    return means, variances


def seed_draws(seeds: int, resamples: int, seed: int) -> Floats:
    """Returns weights [1 + resamples, seeds] of sum 1, for the mean over seeds in each draw.

    The few seeds of a study cannot be drawn with replacement as patients are: three seeds give only
    ten distinct samples, and the variance of their means is too small by a third. Instead, the
    weights make the mean of the seeds x_1 .. x_r, with mean m and standard deviation s, vary as
    Student's t:

        sum_s w_s x_s = m + s / sqrt(r) * t,   t ~ t(r - 1)

    w_s = 1/r + (z_s - mean z) / sqrt(r (r - 1)) * sqrt((r - 1) / q), z standard normal, q ~
    chi^2(r - 1). Weights may be negative. A single seed carries no information about the variance
    over seeds: its weight is 1.
    """
    weights = np.full((1 + resamples, seeds), 1 / seeds)
    if seeds > 1:
        # A separate stream: the stream of the same seed draws the patients.
        generator = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(1,)))
        normal = generator.normal(size=(resamples, seeds))
        normal -= normal.mean(axis=1, keepdims=True)
        squares = generator.chisquare(seeds - 1, size=(resamples, 1))
        weights[1:] += normal / np.sqrt(seeds * squares)
    return weights


@dataclasses.dataclass(frozen=True)
class Interval:
    """A number with its 95 % interval; infinite and undefined numbers are None.

    Attributes:
      value: the number in the study as it is.
      low: lower end; None if below everything that was measured.
      high: upper end; None if beyond everything that was measured.
    """

    value: float | None
    low: float | None
    high: float | None

    def to_json(self) -> dict[str, float | None] | None:
        """Returns the fields as JSON takes them, or None without a value."""
        return None if self.value is None else dataclasses.asdict(self)


def interval(draws: Floats) -> Interval:
    """Returns value and percentile interval of `draws` [1 + B].

    Draws may be infinite. An undefined draw (NaN) could be any number: it counts as -infinity for
    the lower end and as +infinity for the upper end.
    """
    value, resampled = draws[0], draws[1:]
    undefined = np.isnan(resampled)
    low = np.quantile(np.where(undefined, -np.inf, resampled), (1 - LEVEL) / 2, method="lower")
    high = np.quantile(np.where(undefined, np.inf, resampled), (1 + LEVEL) / 2, method="higher")
    return Interval(*(float(x) if np.isfinite(x) else None for x in (value, low, high)))
