"""The power law of learning, for looking beyond the measured budgets; only ever on request.

    AUROC(n) = a - b n^-c,  b >= 0, c > 0

fitted by least squares to the budgets above 0 (Figueroa et al., BMC Med. Inform. Decis. Mak. 12:8,
2012, who also weigh the larger budgets more). Nothing says that a curve follows it where nobody has
measured.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from remedis.evaluation.auroc import Floats

MIN_BUDGETS = 4  # three parameters, and one point to be wrong at
# Exponents tried. Published curves of learning lie well inside; outside, a law is flat or a step.
EXPONENTS = np.geomspace(0.05, 3, 1000)


def enough(budgets: Sequence[int]) -> bool:
    """Returns whether there are budgets enough to fit a law to."""
    return sum(patients > 0 for patients in budgets) >= MIN_BUDGETS


def patients_at(budgets: npt.ArrayLike, curves: Floats, level: Floats) -> Floats:
    """Returns at how many patients the law of each curve reaches its level.

    Args:
      budgets: [K] patients; those of 0 are not used.
      curves: [N, K] AUROC.
      level: [N].

    Returns:
      [N]; infinite where the law never reaches the level, or does not rise.
    """
    n = np.asarray(budgets, dtype=np.float64)
    used = n > 0
    y = curves[:, used]
    best = np.full(len(y), np.inf)
    result = np.full(len(y), np.inf)
    for exponent in EXPONENTS:
        x = n[used] ** -exponent
        away = x - x.mean()
        slope = np.minimum(y @ away / (away @ away), 0)
        top = y.mean(axis=1) - slope * x.mean()
        errors = ((y - top[:, None] - slope[:, None] * x) ** 2).sum(axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            reached = ((level - top) / slope) ** (-1 / exponent)
        reached = np.where((slope < 0) & (top > level), reached, np.inf)
        better = errors < best
        best, result = np.where(better, errors, best), np.where(better, reached, result)
    return result
