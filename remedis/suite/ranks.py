"""Ranks of arms: which are better than others beyond a tie, in one set and over several.

Two arms are compared by the difference of their metric, paired by test patient and by draw of
labelled patients. The intervals of all pairs of a set hold at once with 95 %: each is widened by
the factor of the sup-t band (`quantities.sup_t`), whose draws have the covariances of patients and
seeds. Two arms are **tied** if the interval of their difference holds 0. Among arms of equal
quality, all are tied in 95 % of the studies or more, however many there are.

The **rank** of an arm is 1 plus the number of arms that are better beyond a tie. Its interval ends
at the number of arms minus those that are worse beyond a tie. These intervals hold the true ranks
(1 plus the number of arms that are truly better) of all arms at once whenever the intervals of all
differences hold theirs (Klein, Wright and Wieczorek, J. R. Stat. Soc. C 69:589-606, 2020). The
percentiles of ranks in resamples, the alternative, cover too rarely where arms are nearly equal
(Hall and Miller, Annals of Statistics 37:3929-3959, 2009).

Over several sets, errors of patients and seeds are independent, and the **mean** of a metric or of
a difference has the square-and-add interval of its sets (Zou and Donner, Statistics in Medicine
27:1693-1702, 2008). Sets with the same test images, or with the same in-distribution data for
several trainings, have errors in common. Halves of their intervals are added themselves, as of
errors that are one and the same: the standard error of a sum is at most that. The **mean rank**
averages the order of the measured values; its interval averages the ends of rank intervals that
hold in all sets at once, for which one factor is taken over the pairs of all sets. Both are about
these sets: how another set would rank the arms is in no interval.

The shares in % of 200 made-up sets of 80 test patients and five draws of labelled patients
(`benchmarks/suite_ranks.py --draws=200`, which says what the columns are; the standard error of 95
is 1.5). Arms differ in how far they move the scores of positive images:

    separations              tied  single  ranks  resampled  mean rank   mean   best
    2 x 1                    99.5    99.5   99.5       99.5       99.5   99.0    0.5
    4 x 1                    98.0    95.5   98.0       74.0       99.5  100.0    0.0
    8 x 1                    99.0    83.0   99.0        6.5      100.0   99.5    0.0
    0.6 0.6 1.2 2.2         100.0    98.5  100.0       98.5      100.0  100.0   97.0
    0.9 1.0 1.1 1.2         100.0   100.0  100.0       99.0      100.0  100.0    0.5

Eight equal arms all tie in 83 % of the sets by intervals of single comparisons, and in 99 % by
these. The percentiles of resampled ranks hold the true ranks of eight equal arms in 6.5 % of the
sets. The price is power: of four arms that differ by a tenth each, the best is hardly ever alone.
"""

import dataclasses
import itertools
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from remedis.evaluation.auroc import Floats, Integers
from remedis.evaluation.label_budget.quantities import Quantities, sup_t

_ROUNDING = 1e-12  # equal scores differ by it, with intervals that are points
_SETS = 1_000_003  # between the seeds of the draws of two sets, which are independent


@dataclasses.dataclass(frozen=True)
class Ranked:
    """Arms with the differences of all pairs, whose intervals hold at once, and their ranks.

    Attributes:
      pairs: [P, 2] numbers of arms.
      differences: [P] metric of the first arm of a pair minus that of the second.
      halves: [P] of their intervals.
      tied: [P], whether the interval holds 0.
      low: [A] lower ends of the ranks: 1 plus the number of arms that are better beyond a tie.
      high: [A] upper ends: the number of arms minus those that are worse beyond a tie.
      factor: by which the intervals are wider than those of single comparisons.
    """

    pairs: Integers
    differences: Floats
    halves: Floats
    tied: npt.NDArray[np.bool_]
    low: Integers
    high: Integers
    factor: float

    @classmethod
    def of(
        cls, arms: int, pairs: Integers, differences: Floats, halves: Floats, factor: float
    ) -> "Ranked":
        """Returns the ranks that follow from differences.

        Args:
          arms: A.
          pairs: [P, 2].
          differences: [P].
          halves: [P] of intervals of single comparisons.
          factor: see the class.
        """
        wide = halves * factor
        tied = np.abs(differences) <= wide + _ROUNDING
        better, worse = np.zeros(arms, int), np.zeros(arms, int)
        for (first, second), difference, tie in zip(pairs, differences, tied, strict=True):
            if not tie:
                winner, loser = (first, second) if difference > 0 else (second, first)
                better[loser] += 1
                worse[winner] += 1
        return cls(pairs, differences, wide, tied, 1 + better, arms - worse, factor)


@dataclasses.dataclass(frozen=True)
class SetDraws:
    """The comparison of arms in one set, with the draws that the sets have in common.

    Attributes:
      arms: A quantities, one per arm, on the same patients and units.
      pairs: [P, 2].
      differences: P quantities.
      errors: [B, P], of draws of the study.
      error_halves: [B, P], of the intervals in these draws.
    """

    arms: Quantities
    pairs: Integers
    differences: Quantities
    errors: Floats
    error_halves: Floats

    @classmethod
    def of(cls, arms: Sequence[Quantities], resamples: int, seed: int, number: int) -> "SetDraws":
        """Returns the comparison of all pairs of arms in a set.

        Args:
          arms: one number per arm.
          resamples: B.
          seed: of the draws.
          number: of the set, from 0, which has draws of its own.

        Raises:
          UserError: too few resamples for an interval.
        """
        together = _stacked(arms)
        pairs = np.array(list(itertools.combinations(range(len(arms)), 2)), int).reshape(-1, 2)
        differences = together.at(pairs[:, 0].tolist()).minus(together.at(pairs[:, 1].tolist()))
        errors = halves = np.zeros((resamples, 0))
        if len(pairs):
            errors, halves = differences.error_draws(resamples, seed + _SETS * number)
        return cls(together, pairs, differences, errors, halves)

    def ranked(self, factor: float | None = None) -> Ranked:
        """Returns the ranks; without a factor, with that of the pairs of this set."""
        if factor is None:
            factor = sup_t(self.errors, self.error_halves) if len(self.pairs) else 1.0
        return Ranked.of(
            len(self.arms.values),
            self.pairs,
            self.differences.values,
            self.differences.half_widths(),
            factor,
        )


@dataclasses.dataclass(frozen=True)
class Overall:
    """The same arms over several sets.

    Attributes:
      means: [A] means over the sets; None if the metrics of the sets differ.
      mean_ends: [A, 2] of the intervals of the means; None without means.
      mean_ranks: [A] means of the orders of the measured values.
      rank_low: [A] lower ends of the mean ranks.
      rank_high: [A] upper ends.
      unbeaten: [A] numbers of sets in which no arm is better beyond a tie.
      by_mean: ranks by the mean differences; None without means.
    """

    means: Floats | None
    mean_ends: Floats | None
    mean_ranks: Floats
    rank_low: Floats
    rank_high: Floats
    unbeaten: Integers
    by_mean: Ranked | None


def overall(
    sets: Sequence[SetDraws], one_metric: bool, groups: Sequence[int] | None = None
) -> Overall:
    """Returns the comparison over sets, all of which have the same arms in the same order.

    Args:
      sets: one or more.
      one_metric: whether the sets have one metric, which can be averaged.
      groups: a number per set; sets of one number have errors in common. None if none have.
    """
    groups = list(range(len(sets)) if groups is None else groups)
    errors = np.concatenate([one.errors for one in sets], axis=1)
    halves = np.concatenate([one.error_halves for one in sets], axis=1)
    joint = sup_t(errors, halves) if errors.shape[1] else 1.0
    at_once = [one.ranked(joint) for one in sets]
    alone = np.array([one.ranked().low for one in sets])
    orders = np.array([(one.arms.values[None] > one.arms.values[:, None]).sum(1) for one in sets])
    means = mean_ends = by_mean = None
    if one_metric:
        means = np.mean([one.arms.values for one in sets], axis=0)
        of_sets = np.array([one.arms.values for one in sets])
        low, high = np.array([one.arms.intervals() for one in sets]).transpose(2, 0, 1)
        below, above = _added(of_sets - low, groups), _added(high - of_sets, groups)
        mean_ends = np.stack([means - below, means + above], axis=1)
        first, factor = sets[0], 1.0
        if len(first.pairs):
            factor = sup_t(
                np.mean([one.errors for one in sets], axis=0),
                _added([one.error_halves for one in sets], range(len(sets))),
            )
            common = [
                one for one, group in zip(sets, groups, strict=True) if groups.count(group) > 1
            ]
            factor = max([factor, *(one.ranked().factor for one in common)])
        by_mean = Ranked.of(
            len(means),
            first.pairs,
            np.mean([one.differences.values for one in sets], axis=0),
            _added([one.differences.half_widths() for one in sets], groups),
            factor,
        )
    return Overall(
        means,
        mean_ends,
        1 + orders.mean(axis=0),
        np.mean([one.low for one in at_once], axis=0),
        np.mean([one.high for one in at_once], axis=0),
        (alone == 1).sum(axis=0),
        by_mean,
    )


def _added(halves: Floats | Sequence[Floats], groups: Sequence[int]) -> Floats:
    """Returns halves of the interval of a mean of numbers (square-and-add).

    Args:
      halves: of the sets, along the first axis.
      groups: a number per set; those of one number are added as one and the same error.
    """
    numbers = np.asarray(groups)
    sums = [np.asarray(halves)[numbers == group].sum(axis=0) for group in np.unique(numbers)]
    return np.asarray(np.sqrt(np.square(sums).sum(axis=0)) / len(halves))


def _stacked(arms: Sequence[Quantities]) -> Quantities:
    """Returns single quantities as one of A numbers."""
    return Quantities(
        np.concatenate([one.values for one in arms]),
        np.concatenate([one.influence for one in arms], axis=1),
        np.concatenate([one.floor for one in arms]),
        np.concatenate([one.per_unit for one in arms]),
        np.concatenate([one.low_at_one for one in arms]),
    )
