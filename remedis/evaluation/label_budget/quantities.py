"""Metrics of models, or differences of them, with their errors over patients and seeds.

The delta method: a mean AUROC is the truth plus a sum over test patients (DeLong's components, see
`remedis.evaluation.delong`) plus the deviation of the few trainings or seeds it is averaged over.
So is a top-k accuracy, with the deviations of patients from the proportion (`TopTestSet`), and with
patients where the formulas for AUROCs count pairs of patients.
With the variance P = sum over patients of influence^2 and the variance V = s^2 / U of the mean over
U units (in-distribution trainings if there are several, else seeds), half of the interval is

    sqrt(z^2 P + t^2 V),   z = 1.96,   t the quantile of Student's t with U - 1 degrees of freedom

(square-and-add: Zou and Donner, Statistics in Medicine 27:1693-1702, 2008). P is widened for small
classes (`delong.widening`). Student's t with the degrees of freedom of the sum (Satterthwaite,
Biometrics Bulletin 2:110-114, 1946) is the alternative. It covers too rarely with two or three
units, and more so at the small levels that many comparisons need. Coverage in % of 200,000 draws
(`benchmarks/label_budget.py --two-parts`), nominal 95 and, for one of eight comparisons, 99.38:

    units  share of V   Satterthwaite   square-and-add
        2         0.2    94.89  99.24    98.72   99.97
        2         0.8    88.83  95.20    97.14   99.81
        3         0.2    95.04  99.32    97.51   99.93
        3         0.8    92.49  97.60    96.62   99.73
        5         0.2    95.02  99.35    96.28   99.78
        5         0.8    94.11  98.78    95.94   99.63
       10         0.2    94.96  99.37    95.48   99.56
       10         0.8    94.84  99.19    95.46   99.51

A difference of two AUROCs is the difference of both influences patient by patient and of both arms
seed by seed: the test set and the draws of labelled patients are common.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.special import expit, logit, ndtri, stdtrit
from scipy.stats import beta, norm
from scipy.stats import t as student

from remedis.evaluation.auroc import Floats
from remedis.evaluation.intervals import LEVEL, Z
from remedis.evaluation.label_budget.resampling import (
    Interval,
    arm_noise,
    patient_noise,
    seed_draws,
    unit_noise,
)


@dataclasses.dataclass(frozen=True)
class Quantities:
    """M numbers of a study with what makes them vary.

    Attributes:
      values: [M].
      influence: [G, M] of each test patient, widened for intervals of 1.96 errors.
      floor: [M], standard deviation of a further error that is common to no other arm. It stands
        for what the influences cannot know: they are 0 for an AUROC of 1.
      per_unit: [M, U], of every training or seed; their mean is `values`.
      low_at_one: [M], lower end of the interval of an AUROC of 1.
    """

    values: Floats
    influence: Floats
    floor: Floats
    per_unit: Floats
    low_at_one: Floats

    def minus(self, other: "Quantities") -> "Quantities":
        """Returns the differences to quantities on the same patients and units."""
        return Quantities(
            self.values - other.values,
            self.influence - other.influence,
            np.hypot(self.floor, other.floor),
            self.per_unit - other.per_unit,
            np.minimum(self.low_at_one, other.low_at_one),
        )

    def minus_independent(self, other: "Quantities") -> "Quantities":
        """Returns the differences to quantities on other patients, but of the same units."""
        return Quantities(
            self.values - other.values,
            np.concatenate([self.influence, -other.influence]),
            np.hypot(self.floor, other.floor),
            self.per_unit - other.per_unit,
            np.minimum(self.low_at_one, other.low_at_one),
        )

    def at(self, index: int | Sequence[int] | slice) -> "Quantities":
        """Returns some of the quantities, still as arrays."""
        chosen = np.atleast_1d(np.arange(len(self.values))[index])
        return Quantities(
            self.values[chosen],
            self.influence[:, chosen],
            self.floor[chosen],
            self.per_unit[chosen],
            self.low_at_one[chosen],
        )

    @property
    def patient_variance(self) -> Floats:
        """[M], of the test patients, with the floor."""
        return np.asarray((self.influence**2).sum(axis=0) + self.floor**2)

    @property
    def unit_variance(self) -> Floats:
        """[M], of the mean over units; 0 for one unit, which says nothing about it."""
        units = self.per_unit.shape[1]
        if units == 1:
            return np.zeros(len(self.values))
        variance = self.per_unit.var(axis=1, ddof=1) / units
        # Equal numbers have a variance of rounding errors, which would give the unit's freedom.
        return np.where(variance > 1e-24, variance, 0.0)

    def half_widths(self) -> Floats:
        """Returns [M] halves of the intervals, on the scale of the values."""
        return two_part_half(self.patient_variance, self.unit_variance, self.per_unit.shape[1])

    def differences(self) -> tuple[list[Interval], list[float]]:
        """Returns intervals of differences of such numbers, within [-1, 1], and two-sided p-values.

        A difference without any error is that of equal numbers from equal scores: its interval is
        a point and its p is 1.
        """
        half = self.half_widths()
        low, high = np.clip([self.values - half, self.values + half], -1, 1)
        p = two_part_p(
            self.values, self.patient_variance, self.unit_variance, self.per_unit.shape[1]
        )
        intervals = [
            Interval(*(float(x) for x in ends)) for ends in zip(self.values, low, high, strict=True)
        ]
        return intervals, p.tolist()

    def intervals(self, factor: float | None = None) -> Floats:
        """Returns the intervals [M, 2] of numbers in [0, 1], symmetric on the logit scale.

        Args:
          factor: by which halves are multiplied, for a band that holds all M at once; None for
            intervals that hold each with 95 %.
        """
        tail = (1 - LEVEL) / 2
        exponent = 1.0
        if factor is not None:
            exponent = float(np.log(tail / len(self.values)) / np.log(tail))  # Bonferroni's
        with np.errstate(divide="ignore", invalid="ignore"):
            half = self.half_widths() * (factor or 1.0) / (self.values * (1 - self.values))
            centre = logit(self.values)
            ends = np.stack([expit(centre - half), expit(centre + half)], axis=1)
        at_one, one = self.low_at_one**exponent, np.ones(len(self.values))
        ends = np.where((self.values >= 1)[:, None], np.stack([at_one, one], 1), ends)
        return np.where((self.values <= 0)[:, None], np.stack([one - 1, 1 - at_one], 1), ends)

    def draws(self, resamples: int, seed: int, stream: int, unit_seed: int | None = None) -> Floats:
        """Returns draws [1 + B, M] of such numbers, normal on the logit scale but for few units.

        Row 0 is `values`. The noise of a patient and of a unit is the same for all quantities that
        are drawn with one seed, so that draws of arms and budgets are paired. An AUROC of 1 that
        rests on k pairs is drawn as u^(1/k), u uniform: 2.5 % lie below `low_at_one`.

        Args:
          resamples: B.
          seed: of the draws.
          stream: number of the arm's curve; curves have floors of their own.
          unit_seed: of the draws of units, for other patients but the same units; None for `seed`.
        """
        noise = patient_noise(self.influence, resamples, seed)
        own = arm_noise(resamples, seed, stream)[:, None]
        noise += own * self.floor
        deviations = self.per_unit - self.values[:, None]
        unit_seed = seed if unit_seed is None else unit_seed
        noise += seed_draws(self.per_unit.shape[1], resamples, unit_seed)[1:] @ deviations.T
        with np.errstate(divide="ignore", invalid="ignore"):
            drawn = expit(logit(self.values) + noise / (self.values * (1 - self.values)))
        # low_at_one = 0.025^(1/k), so that u^(1/k) = low_at_one^(log u / log 0.025).
        shrunk = self.low_at_one ** (norm.logcdf(own) / np.log((1 - LEVEL) / 2))
        drawn = np.where(self.values >= 1, shrunk, drawn)
        drawn = np.where(self.values <= 0, 1 - shrunk, drawn)
        return np.vstack([self.values, drawn])

    def band_factor(self, resamples: int, seed: int) -> float:
        """Returns the factor by which intervals must be wider to hold all M numbers with 95 %.

        See `sup_t`.
        """
        return sup_t(*self.error_draws(resamples, seed))

    def error_draws(self, resamples: int, seed: int) -> tuple[Floats, Floats]:
        """Returns errors and halves of intervals, both [B, M], of studies like this one.

        Each draw has new patients and new units from the normal law with the covariances of the
        study, and estimates the variance of its units as the study does.
        """
        noise = patient_noise(self.influence, resamples, seed)
        # Floors count as independent: they are errors of different labels, budgets or arms.
        own = arm_noise(resamples * len(self.values), seed, 0)
        noise += own.reshape(resamples, -1) * self.floor
        units, variances = self.per_unit.shape[1], np.zeros_like(noise)
        if units > 1:
            deviations = self.per_unit - self.per_unit.mean(axis=1, keepdims=True)
            means, variances = unit_noise(deviations, resamples, seed)
            noise += means
        return noise, two_part_half(self.patient_variance, variances, units)


def sup_t(errors: Floats, halves: Floats) -> float:
    """Returns the factor by which intervals must be wider to hold all M numbers with 95 %.

    It is the 95 % quantile of the largest |error / half of the interval|, at least 1 (the sup-t
    band: Montiel Olea and Plagborg-Moller, J. Appl. Econometrics 34:1-17, 2019).

    Args:
      errors: [B, M], of draws of the study.
      halves: [B, M], of the intervals in these draws.
    """
    largest = np.divide(np.abs(errors), halves, out=np.zeros_like(errors), where=halves > 0)
    return max(1.0, float(np.quantile(largest.max(axis=1), LEVEL)))


def two_part_half(patients: Floats, units: Floats, count: int, level: float = LEVEL) -> Floats:
    """Returns halves of intervals with two parts of variance, of the formula of the module.

    Args:
      patients: variances of the part with normal errors.
      units: estimated variances of the mean over units.
      count: number of units.
      level: of the intervals.
    """
    z = norm.ppf((1 + level) / 2)
    t = student.ppf((1 + level) / 2, max(count - 1, 1))
    return np.asarray(np.sqrt(z**2 * patients + t**2 * units))


def two_part_p(values: Floats, patients: Floats, units: Floats, count: int) -> Floats:
    """Returns two-sided p-values: the levels at which the intervals end at 0.

    Args:
      values: the estimates.
      patients: variances of the part with normal errors.
      units: estimated variances of the mean over units.
      count: number of units.
    """
    squares = values**2
    low, high = np.full(len(values), -700.0), np.zeros(len(values))  # logarithms of p
    for _ in range(60):
        middle = (low + high) / 2
        tail = np.exp(middle) / 2
        half = ndtri(tail) ** 2 * patients
        if count > 1:
            half = half + np.where(units > 0, stdtrit(count - 1, tail), 0.0) ** 2 * units
        low, high = np.where(half > squares, middle, low), np.where(half > squares, high, middle)
    return np.where(squares > 0, np.exp(high), 1.0)


def capped_widening(values: Floats, errors: Floats, factors: Floats, pairs: Floats) -> Floats:
    """Returns factors that widen errors for small classes, but not beyond what the pairs allow.

    Where an AUROC is close to 1 and rests on a few discordant pairs, `delong.widening` makes the
    interval reach from 0 to 1. The variance of an AUROC is at most that of a proportion of k
    disjoint pairs. Therefore no interval needs to be wider, on the logit scale, than the lower arm
    of the exact one of k pairs (Clopper and Pearson, Biometrika 26:404-413, 1934).

    Args:
      values: [C] AUROCs.
      errors: [C], DeLong's, not widened.
      factors: [C], of `delong.widening`.
      pairs: [C], numbers k of disjoint pairs.
    """
    inside = (values > 0) & (values < 1) & (errors > 0)
    a, k = np.where(inside, values, 0.5), np.maximum(pairs, 1)
    nearer = np.maximum(a, 1 - a)  # the arm of the interval on the side of chance
    low = beta.ppf((1 - LEVEL) / 2, nearer * k, (1 - nearer) * k + 1)
    most = (logit(nearer) - logit(low)) / Z * a * (1 - a)
    cap = np.divide(most, errors, out=np.full_like(a, np.inf), where=inside)
    return np.minimum(factors, cap)


def floors(values: Floats, pairs: Floats) -> Floats:
    """Returns the error of AUROCs of 0 or 1, about which the influences say nothing, else 0.

    Its 1.96-fold reaches from 1 to the lower end of the exact interval (see `delong.low_at_one`).
    """
    tail = (1 - LEVEL) / 2
    error = (1 - tail ** (1 / np.maximum(pairs, 1))) / Z
    return np.where((values >= 1) | (values <= 0), error, 0.0)


def holm(p_values: npt.ArrayLike) -> Floats:
    """Returns p-values adjusted for their number (Holm, Scand. J. Stat. 6:65-70, 1979), [M]."""
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted
