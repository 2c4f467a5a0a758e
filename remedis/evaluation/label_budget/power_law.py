"""Power-law learning curve, for extrapolation beyond the measured budgets on request.

    metric(n) = a - b n^-c,  b >= 0, c > 0

is fitted by least squares to the budgets above 0 (Figueroa et al., BMC Med. Inform. Decis. Mak.
12:8, 2012, who also weigh the larger budgets more). Nothing shows that a curve follows the law
beyond the measured budgets, and noise moves the answer far (`benchmarks/label_budget.py
--extrapolation`). Therefore the number is given only with its interval, and only if the upper end
of the interval is at most `MAX_FACTOR` times the lower one.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from remedis.evaluation.auroc import Floats
from remedis.evaluation.label_budget.resampling import Interval

MIN_BUDGETS = 4  # three parameters and one degree of freedom
MAX_FACTOR = 4.0  # upper by lower end of the interval: known to within a factor of about two
TOO_FEW_BUDGETS, NEVER = "too few budgets", "law does not reach it"
OPEN, TOO_WIDE = "interval open", "interval too wide"
# Exponents that are tried. Published learning curves lie well inside; a smaller exponent gives a
# flat curve, a larger one a step.
EXPONENTS = np.geomspace(0.05, 3, 1000)


def has_enough_budgets(budgets: Sequence[int]) -> bool:
    """Returns whether at least `MIN_BUDGETS` budgets are above 0."""
    return sum(patients > 0 for patients in budgets) >= MIN_BUDGETS


def missing(estimate: Interval) -> str | None:
    """Returns the reason why an extrapolated number of patients is not given; None if it is."""
    if estimate.value is None:
        return NEVER
    if estimate.low is None or estimate.high is None:
        return OPEN
    return TOO_WIDE if estimate.high > MAX_FACTOR * estimate.low else None


def patients_at(budgets: npt.ArrayLike, curves: Floats, level: Floats) -> Floats:
    """Returns the number of patients at which the power law of each curve reaches its level.

    Args:
      budgets: [K] patients; budgets of 0 are not used.
      curves: [N, K], the metric.
      level: [N].

    Returns:
      [N]; infinity where the law never reaches the level, or does not rise.
    """
    n = np.asarray(budgets, dtype=np.float64)
    used = n > 0
    y = curves[:, used]
    smallest_error = np.full(len(y), np.inf)
    patients = np.full(len(y), np.inf)
    for exponent in EXPONENTS:
        x = n[used] ** -exponent
        centred = x - x.mean()
        slope = np.minimum(y @ centred / (centred @ centred), 0)
        asymptote = y.mean(axis=1) - slope * x.mean()
        error = ((y - asymptote[:, None] - slope[:, None] * x) ** 2).sum(axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            at_level = ((level - asymptote) / slope) ** (-1 / exponent)
        at_level = np.where((slope < 0) & (asymptote > level), at_level, np.inf)
        better = error < smallest_error
        smallest_error = np.where(better, error, smallest_error)
        patients = np.where(better, at_level, patients)
    return patients
