"""Mean AUROC of several runs that scored the same patients, with an interval over both.

Runs share one recipe and differ by their seed. The interval over patients is that of an evaluation,
for DeLong's components averaged over runs (`remedis.evaluation.delong.area_limits`, and
`remedis.evaluation.intervals.mean_interval` for several labels). On the logit scale, each of its
ends is moved away: to the variance that its distance stands for, s^2 / R is added, for R runs with
variance s^2, and 1.96 becomes the quantile of Student's t with the degrees of freedom of the sum
(Satterthwaite, Biometrics Bulletin 2:110-114, 1946): R - 1 for the second part and infinitely many
for the first, which is already widened for small classes.

Runs that train on random draws from one pool of patients are alike, so their variance s^2 leaves
out that between pools. If a draw has the share p of the pool, the variance of the mean is

    s^2 (1 / R + p / (1 - p))

(Nadeau and Bengio, Machine Learning 52:239-281, 2003, section 3, who count the tested share). It is
exact for means over the patients of a draw and too large for other statistics: with the variance v
of one draw, the mean over all draws has a variance of at most p v (Hoeffding, Ann. Math. Statist.
19:293-325, 1948, theorem 5.2), and s^2 estimates the rest. If draws are the whole pool, the
variance between pools cannot be known. `benchmarks/few_shot_coverage.py` measures the coverage.

`benchmarks/coverage.py --only=runs` measures the coverage with 3, 5 and 10 runs that differ little
or much; 300 draws in the tests cover at least 93 %.
"""

import numpy as np
import numpy.typing as npt
from scipy.special import expit, logit
from scipy.stats import t as student

from remedis.errors import UserError
from remedis.evaluation.auroc import Floats
from remedis.evaluation.delong import Areas, area_limits, delong
from remedis.evaluation.estimates import Cases
from remedis.evaluation.intervals import LEVEL, NO_VARIANCE, Estimate, Z, mean_interval


def auroc_over_runs(
    labels: npt.ArrayLike,
    scores: Floats,
    patients: npt.ArrayLike,
    shares: npt.ArrayLike = 0.0,
) -> Estimate:
    """Returns the AUROC averaged over runs and labels, with its 95 % interval.

    The formula and its sources are those of the module.

    Args:
      labels: [n, L]; 1 positive, 0 negative, NaN unknown. Each label has both classes.
      scores: [R, n, L], finite. With one run, the interval covers patients alone.
      patients: [n] integers from 0 up.
      shares: of the training pool that the draw of a run has, for `variance_of_runs`; 0 for
        independent runs.

    Raises:
      UserError: shapes differ, a label is not 1, 0 or NaN, a score is not finite, or a share is not
        within [0, 1].
    """
    known, codes = np.asarray(labels, np.float64), np.asarray(patients, np.intp)
    runs, width = len(scores), known.shape[1]
    areas = delong(np.tile(known, runs), np.hstack(list(scores)), codes)
    # Averaged over runs: the AUROC of each label, and their covariance.
    averages = np.tile(np.eye(width), runs) / runs
    labelled = Areas(
        areas.values.reshape(runs, width).mean(axis=0),
        averages @ areas.covariance @ averages.T,
        areas.pairs[:width],
        areas.influence @ averages.T,
    )
    value = float(labelled.values.mean())
    ends = mean_interval(labelled.values, *area_limits(labelled), labelled.covariance)
    run_variance = variance_of_runs(areas.values.reshape(runs, width), shares)
    if run_variance > NO_VARIANCE:
        ends = with_run_variance(value, ends, run_variance, runs - 1)
    cases = Cases(known, codes)
    return Estimate(
        value,
        *ends,
        **cases.fields(range(width)),
        effective=round(float(cases.classes()[0].min()), 6),
    )


def variance_of_runs(values: Floats, shares: npt.ArrayLike = 0.0) -> float:
    """Returns the variance, due to the training sets of the runs, of the mean over runs and labels.

    The formula and its sources are those of the module.

    Args:
      values: [R, L], AUROC of each run and label.
      shares: [L] or a number in [0, 1]: the share of the pool's patients in the training set of a
        run, of the class with the largest share. 0: runs are independent. 1: the variance between
        pools cannot be known and is left out.

    Returns:
      A variance with R - 1 degrees of freedom; 0 for one run.

    Raises:
      UserError: a share is not within [0, 1].
    """
    runs, labels = values.shape
    share = np.broadcast_to(np.asarray(shares, np.float64), labels)
    if not ((share >= 0) & (share <= 1)).all():
        raise UserError(f"The shares of the pool are {share.tolist()}; expected 0 to 1.")
    if runs == 1:
        return 0.0
    between_pools = np.where(share < 1, share / np.where(share < 1, 1 - share, 1), 0.0)
    deviations = (values - values.mean(axis=0)) * np.sqrt(1 / runs + between_pools)
    return float((deviations.mean(axis=1) ** 2).sum() / (runs - 1))


def with_run_variance(
    value: float, ends: tuple[float, float], variance: float, degrees: float
) -> tuple[float, float]:
    """Returns the interval of a mean over runs from its interval over patients.

    The distance of each end from the value is 1.96 errors over patients. The formula and its
    sources are those of the module.

    Args:
      value: mean over runs, in [0, 1].
      ends: of the interval that holds the uncertainty from patients alone.
      variance: of the mean, due to runs.
      degrees: degrees of freedom of `variance`.
    """
    centre, slope = logit(value), value * (1 - value)
    result = []
    for end in np.clip(ends, 1e-12, 1 - 1e-12):
        distance = logit(end) - centre
        total = (distance / Z) ** 2 + variance / slope**2
        quantile = student.ppf((1 + LEVEL) / 2, degrees * (total / (variance / slope**2)) ** 2)
        result.append(float(expit(centre + np.sign(distance) * quantile * np.sqrt(total))))
    return result[0], result[1]
