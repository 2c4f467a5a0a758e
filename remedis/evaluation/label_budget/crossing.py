"""The number of patients at which a noisy learning curve reaches a level.

A curve is first made monotone: more labels do not hurt, so a falling mean is noise. All budgets
have the same weight; weights by the variance over seeds gained nothing in simulation. Between
budgets the curve is a monotone cubic (Fritsch and Carlson, SIAM J. Numer. Anal. 17:238-246, 1980,
as SciPy's PCHIP) over log(1 + patients): on this axis learning curves are smooth, and zero-shot has
a place.
"""

import numpy as np
import numpy.typing as npt
from scipy.interpolate import PchipInterpolator

from remedis.evaluation.auroc import Floats

_HALVINGS = 40  # bisections of the interval between two budgets: to 1e-12 of its width
# A crossing this close to a budget, relative to 1 + patients, is at the budget: the rest is
# rounding (as 100.00000000000003), which a curve that is flat at the budget enlarges.
_AT_BUDGET = 1e-6


def monotone(curves: Floats) -> Floats:
    """Returns the nearest non-decreasing curves, by least squares (isotonic regression).

    The min-max formula solves all curves at once: the value at k is the largest over i <= k of the
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
    """Returns the number of patients at which each curve first reaches its level.

    Args:
      budgets: [K] patients, ascending.
      fitted: [N, K], non-decreasing.
      level: [N].

    Returns:
      [N] patients; the first budget if the curve starts at or above the level, infinity if it ends
      below the level.
    """
    x = np.log1p(np.asarray(budgets, dtype=np.float64))
    reached = fitted >= level[:, None] - 1e-12
    right = reached.argmax(axis=1)
    between = reached.any(axis=1) & (right > 0)
    patients = np.where(reached.any(axis=1), np.asarray(budgets, dtype=np.float64)[0], np.inf)
    if not between.any():
        return patients
    piece = right[between] - 1
    cubic = PchipInterpolator(x, fitted[between], axis=1).c[:, piece, np.arange(len(piece))]
    low, high = np.zeros(len(piece)), np.diff(x)[piece]
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        value = ((cubic[0] * middle + cubic[1]) * middle + cubic[2]) * middle + cubic[3]
        below = value < level[between]
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    found = x[piece] + high
    for end in (piece, piece + 1):
        at_budget = np.abs(found - x[end]) < _AT_BUDGET
        found = np.where(at_budget, x[end], found)
    counts = np.asarray(budgets, dtype=np.float64)
    exact = np.where(found == x[piece], counts[piece], np.expm1(found))
    patients[between] = np.where(found == x[piece + 1], counts[piece + 1], exact)
    return patients
