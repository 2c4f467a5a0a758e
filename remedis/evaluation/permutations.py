"""Permutation tests of whether two groups of patients are alike.

If both groups are drawn from one population, every division of the patients into groups of these
sizes is equally likely, so that the observed statistic is one of B + 1 exchangeable ones. With

    p = (1 + number of the B drawn statistics that are at least the observed one) / (B + 1)

the chance of p <= a is at most a, for any sizes and distributions (Phipson and Smyth, Stat. Appl.
Genet. Mol. Biol. 9:39, 2010).

Images of one patient resemble each other and are not exchangeable with those of others. Each
patient has one image here, drawn at random (`one_per_patient`): a patient with many images counts
no more than one with a single image, and the test is exact.
"""

import dataclasses

import numpy as np
import numpy.typing as npt

from remedis.evaluation.auroc import Floats
from remedis.evaluation.intervals import LEVEL

PERMUTATIONS = 999  # p-values are multiples of 0.001, so that 0.001 is the smallest
# With fewer patients in a group, chance explains nearly every difference.
MIN_PATIENTS = 10
# Statistics of the same value differ by rounding where sums are made in another order.
_ROUNDING = 1e-9


@dataclasses.dataclass(frozen=True)
class Permuted:
    """A statistic with its permutation test.

    Attributes:
      value: the observed statistic.
      chance: the 95 % quantile of the drawn ones: chance alone rarely exceeds it.
      p_value: in (0, 1]; the smallest possible one is 1 / (B + 1).
    """

    value: float
    chance: float
    p_value: float

    @classmethod
    def from_draws(cls, value: float, draws: Floats) -> "Permuted":
        """Returns the test of a value against the values [B] of the drawn divisions."""
        reached = np.count_nonzero(draws >= value - _ROUNDING)
        return cls(
            float(value),
            float(np.quantile(draws, LEVEL, method="higher")),
            (1 + int(reached)) / (1 + len(draws)),
        )


def divisions(first: int, second: int, count: int, seed: int) -> npt.NDArray[np.bool_]:
    """Returns which of the patients are in the first group, [1 + count, first + second].

    Row 0 is the observed division, in which the first group comes first. The others are drawn.
    """
    rows = np.zeros((1 + count, first + second), bool)
    rows[:, :first] = True
    rng = np.random.default_rng(seed)
    rows[1:] = rng.permuted(rows[1:], axis=1)
    return rows


def one_per_patient(codes: npt.NDArray[np.intp], most: int, seed: int) -> npt.NDArray[np.intp]:
    """Returns the rows of one image per patient, drawn at random, in ascending order.

    Args:
      codes: [n], the patient of each image.
      most: the largest number of patients; they are drawn at random if there are more.
      seed: of both draws.
    """
    order = np.random.default_rng(seed).permutation(len(codes))
    _, first = np.unique(codes[order], return_index=True)  # of each patient the first in the order
    chosen = order[np.random.default_rng([seed, 1]).permutation(first)[:most]]
    return np.sort(chosen)
