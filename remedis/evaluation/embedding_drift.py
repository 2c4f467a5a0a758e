"""The distance between the embeddings of two groups of patients, with a permutation test.

The energy distance of distributions P and Q (Székely and Rizzo, J. Stat. Plan. Inference
143:1249-1272, 2013) is

    E = 2 E|X - Y| - E|X - X'| - E|Y - Y'|,    X, X' of P and Y, Y' of Q,

with Euclidean norms. It is 0 only if P = Q, so that it finds any change: of the mean, of the
spread and of the shape. It has no parameter to choose, unlike the bandwidth of a kernel. The means
within a group are over pairs of different patients: E then is on average 0 for groups of one
population, whatever their sizes, and may be slightly below 0. It is divided by 2 E|X - Y|, which
makes it a share: 0 if both are alike, 1 if each group is a point of its own.
"""

import numpy as np
import numpy.typing as npt

from remedis.evaluation.auroc import Floats
from remedis.evaluation.permutations import PERMUTATIONS, Permuted, divisions

_BLOCK = 256  # divisions per matrix product


def embedding_drift(
    before: npt.ArrayLike, now: npt.ArrayLike, *, permutations: int = PERMUTATIONS, seed: int = 0
) -> Permuted:
    """Returns the energy distance of two groups, between 0 and 1, with its permutation test.

    The formula and its source are those of the module.

    Args:
      before: [n, C], one row per patient, at least two.
      now: [m, C], the same of other patients.
      permutations: number of divisions that are drawn.
      seed: of the draw.
    """
    first = np.asarray(before, np.float64)
    rows = np.concatenate([first, np.asarray(now, np.float64)])
    n, m = len(first), len(rows) - len(first)
    distances = _distances(rows)
    sums, total = distances.sum(axis=1), distances.sum()
    values = np.zeros(1 + permutations)
    groups = divisions(n, m, permutations, seed)
    for start in range(0, len(groups), _BLOCK):
        group = groups[start : start + _BLOCK].astype(np.float64)
        within_first = ((group @ distances) * group).sum(axis=1)
        between = group @ sums - within_first
        within_second = total - 2 * between - within_first
        cross = between / (n * m)
        energy = 2 * cross - within_first / (n * (n - 1)) - within_second / (m * (m - 1))
        values[start : start + _BLOCK] = np.divide(
            energy, 2 * cross, out=np.zeros_like(energy), where=cross > 0
        )
    return Permuted.from_draws(values[0], values[1:])


def _distances(rows: Floats) -> Floats:
    """Returns the Euclidean distances [N, N] between all rows [N, C]."""
    # Centred: the difference of large squares would lose digits.
    rows = rows - rows.mean(axis=0)
    squares = (rows**2).sum(axis=1)
    squared = squares[:, None] + squares[None] - 2 * rows @ rows.T
    np.fill_diagonal(squared, 0.0)
    # Equal rows are at 0, not at the root of a rounding error.
    squared[squared < 1e-12 * squares.max(initial=0.0)] = 0.0
    return np.asarray(np.sqrt(squared))
