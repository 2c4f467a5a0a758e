"""Draws of patients and seeds, shared by everything that a study compares.

Row 0 of every array of draws is the study as it is; rows 1 to B are its resamples. A quantity that
is computed for all rows alike has its value in row 0 and its interval in the other rows.
"""

import dataclasses

import numpy as np
import numpy.typing as npt

from remedis.evaluation.auroc import Floats
from remedis.evaluation.intervals import LEVEL, Estimate, patient_counts, percentile_interval


def patient_draws(patients: int, resamples: int, seed: int) -> npt.NDArray[np.uint16]:
    """Returns [1 + resamples, patients]: how often each patient of the test set is drawn."""
    original = np.ones((1, patients), dtype=np.uint16)
    return np.vstack([original, patient_counts(patients, resamples, seed)])


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


def auroc_estimate(draws: Floats, counts: tuple[int, int]) -> Estimate:
    """Returns the estimate of an AUROC from its `draws` [1 + B].

    Args:
      draws: AUROCs; not estimable if the first is NaN. The ends of the interval are clipped to
        [0, 1], which the weights of seeds can leave.
      counts: number of distinct patients, and of those with a positive image.
    """
    ends = percentile_interval(draws[1:])
    if np.isnan(draws[0]) or ends is None:
        return Estimate(None, None, None, *counts)
    low, high = np.clip(ends, 0, 1)
    return Estimate(float(draws[0]), float(low), float(high), *counts)
