"""Draws of patients and seeds, shared by everything a study compares.

Row 0 of every array of draws is the study as it is, rows 1 to B are its resamples: what is computed
of all rows alike has its value in the first and its interval in the others.
"""

import dataclasses

import numpy as np
import numpy.typing as npt

from remedis.evaluation.auroc import Floats
from remedis.evaluation.intervals import LEVEL, Estimate, patient_counts, percentile_interval


def patient_draws(patients: int, resamples: int, seed: int) -> npt.NDArray[np.uint16]:
    """Returns [1 + resamples, patients]: how often each patient of the test set counts."""
    as_they_are = np.ones((1, patients), dtype=np.uint16)
    return np.vstack([as_they_are, patient_counts(patients, resamples, seed)])


def seed_draws(seeds: int, resamples: int, seed: int) -> Floats:
    """Returns [1 + resamples, seeds]: the weights, of sum 1, that a mean over seeds has in a draw.

    The few seeds of a study cannot be drawn with replacement like patients: of three there are ten
    such samples, whose means vary by a third too little. So the weights are those that make the
    mean of seeds x_1 .. x_r, with mean m and standard deviation s, vary as Student's t says:

        sum_s w_s x_s = m + s / sqrt(r) * t,   t ~ t(r - 1)

    w_s = 1/r + (z_s - mean z) / sqrt(r (r - 1)) * sqrt((r - 1) / q), z standard normal, q ~
    chi^2(r - 1). Weights may be negative. One seed says nothing about others: its weight is 1.
    """
    weights = np.full((1 + resamples, seeds), 1 / seeds)
    if seeds > 1:
        # A stream of its own: that of the same seed draws the patients.
        generator = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(1,)))
        normal = generator.normal(size=(resamples, seeds))
        normal -= normal.mean(axis=1, keepdims=True)
        squares = generator.chisquare(seeds - 1, size=(resamples, 1))
        weights[1:] += normal / np.sqrt(seeds * squares)
    return weights


@dataclasses.dataclass(frozen=True)
class Interval:
    """A number with its 95 % interval; an infinite or undefined one is None.

    Attributes:
      value: of the study as it is.
      low: lower end; None if below everything measured.
      high: upper end; None if beyond everything measured.
    """

    value: float | None
    low: float | None
    high: float | None

    def to_json(self) -> dict[str, float | None] | None:
        """Returns the fields as JSON takes them, or None without a value."""
        return None if self.value is None else dataclasses.asdict(self)


def interval(draws: Floats) -> Interval:
    """Returns value and percentile interval of `draws` [1 + B].

    Draws may be infinite. An undefined one (NaN) could be anything, and counts as the least for the
    lower end and as the most for the upper one.
    """
    value, rest = draws[0], draws[1:]
    below, above = np.where(np.isnan(rest), -np.inf, rest), np.where(np.isnan(rest), np.inf, rest)
    low = np.quantile(below, (1 - LEVEL) / 2, method="lower")
    high = np.quantile(above, (1 + LEVEL) / 2, method="higher")
    return Interval(*(float(x) if np.isfinite(x) else None for x in (value, low, high)))


def area_estimate(draws: Floats, counts: tuple[int, int]) -> Estimate:
    """Returns the estimate of an AUROC drawn [1 + B] times; not estimable if it is NaN.

    Args:
      draws: the ends of the interval are kept in [0, 1], which weights of seeds can leave.
      counts: distinct patients, and those that are positive.
    """
    ends = percentile_interval(draws[1:])
    if np.isnan(draws[0]) or ends is None:
        return Estimate(None, None, None, *counts)
    low, high = np.clip(ends, 0, 1)
    return Estimate(float(draws[0]), float(low), float(high), *counts)


def two_sided_p(draws: Floats) -> float:
    """Returns the bootstrap p of a difference drawn [1 + B] times being 0.

    Twice the share of draws on the smaller side of 0, the study itself counted as one of them, so
    that it is at least 2 / (B + 1) (Davison and Hinkley, Bootstrap Methods, 1997, section 4.2).
    """
    rest = draws[1:]
    tail = min((rest <= 1e-12).sum(), (rest >= -1e-12).sum())
    return min(1.0, float(2 * (1 + tail) / (len(rest) + 1)))
