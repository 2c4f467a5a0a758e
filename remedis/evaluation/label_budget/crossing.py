"""At how many patients a noisy curve reaches a level.

A curve is first made monotone: more labels do not hurt, and where the means say otherwise, it is
noise. All budgets weigh the same; weights by the spread of the seeds gained nothing in simulation.
Between budgets it is a monotone cubic (Fritsch and Carlson, SIAM J. Numer. Anal. 17:238-246, 1980,
as SciPy's PCHIP) over log(1 + patients), in which curves of learning are smooth and zero-shot has a
place.
"""

import numpy as np
import numpy.typing as npt
from scipy.interpolate import PchipInterpolator

from remedis.evaluation.auroc import Floats

_HALVINGS = 40  # of an interval between two budgets: to 1e-12 of it


def monotone(curves: Floats) -> Floats:
    """Returns the nearest curves that never fall, by least squares (isotonic regression).

    By the min-max formula, all curves at once: the value at k is the largest over i <= k of the
    smallest over j >= k of the mean from i to j (Robertson, Wright and Dykstra, Order Restricted
    Statistical Inference, 1988, theorem 1.4.4).

    Args:
      curves: [N, K].

    Returns:
      [N, K].
    """
    points = curves.shape[1]
    fitted = np.full(curves.shape, -np.inf)
    for first in range(points):
        means = np.cumsum(curves[:, first:], axis=1) / np.arange(1, points - first + 1)
        smallest = np.minimum.accumulate(means[:, ::-1], axis=1)[:, ::-1]
        fitted[:, first:] = np.maximum(fitted[:, first:], smallest)
    return fitted


def crossing(budgets: npt.ArrayLike, fitted: Floats, level: Floats) -> Floats:
    """Returns at how many patients each curve first reaches its level.

    Args:
      budgets: [K] patients, growing.
      fitted: [N, K], never falling.
      level: [N].

    Returns:
      [N] patients; the first budget where the curve starts at the level or above, infinite where it
      ends below.
    """
    x = np.log1p(np.asarray(budgets, dtype=np.float64))
    reached = fitted >= level[:, None] - 1e-12
    right = reached.argmax(axis=1)
    inside = reached.any(axis=1) & (right > 0)
    result = np.where(reached.any(axis=1), np.asarray(budgets, dtype=np.float64)[0], np.inf)
    if not inside.any():
        return result
    piece = right[inside] - 1
    cubic = PchipInterpolator(x, fitted[inside], axis=1).c[:, piece, np.arange(len(piece))]
    low, high = np.zeros(len(piece)), np.diff(x)[piece]
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        value = ((cubic[0] * middle + cubic[1]) * middle + cubic[2]) * middle + cubic[3]
        below = value < level[inside]
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    result[inside] = np.expm1(x[piece] + high)
    return result
