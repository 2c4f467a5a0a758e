"""The mean AUROC of several runs that scored the same patients, with an interval over both.

So too the difference of two recipes whose runs are pairs, of the same seeds.

Runs are of one recipe and differ by their seed. The interval is of the delta method, on the logit
scale. Its variance has two parts: that of the patients, of the mean over runs (DeLong's components,
averaged over runs, by patient; see `remedis.evaluation.delong`), and s^2 / R of R runs. The
interval reaches as far as Student's t with the degrees of freedom of their sum (Satterthwaite,
Biometrics Bulletin 2:110-114, 1946), R - 1 for the second and no limit for the first, which is
widened for small classes already.

How often it held the truth in 400 draws of 120 patients, 20 % of them positive, with a deviation of
the binormal shift between runs of 0.05 and of 0.3, in %; percentiles of resampled patients and runs
held it in 88 to 96 % of 150.

    AUROC       3 runs        5 runs       10 runs
     0.65    98.3  97.3    95.8  96.3    95.8  96.3
     0.80    97.8  96.8    96.3  96.8    96.3  96.0
     0.95    97.8  97.8    97.3  97.3    96.8  96.5
"""

import numpy as np
import numpy.typing as npt
from scipy.stats import t as student

from remedis.evaluation.auroc import Floats
from remedis.evaluation.delong import delong, least, safe_covariance
from remedis.evaluation.intervals import LEVEL, Estimate, Z, logit_interval
from remedis.evaluation.measured import Cases


def mean_auroc(labels: npt.ArrayLike, scores: Floats, patients: npt.ArrayLike) -> Estimate:
    """Returns the AUROC averaged over runs and labels, with its 95 % interval.

    Args:
      labels: [n, L]; 1 positive, 0 negative, NaN unknown. Each label has both classes.
      scores: [R, n, L], finite; of one run, the interval is over patients alone.
      patients: [n] integers from 0 up.

    Raises:
      UserError: shapes differ, a label is not 1, 0 or NaN, or a score is not finite.
    """
    known, codes = np.asarray(labels, np.float64), np.asarray(patients, np.intp)
    runs = len(scores)
    areas = delong(np.tile(known, runs), np.hstack(list(scores)), codes)
    by_run = areas.values.reshape(runs, -1).mean(axis=1)
    of_patients = max(float(safe_covariance(areas).mean()), 0.0)
    value = float(areas.values.mean())
    ends = logit_interval(value, _error(of_patients, by_run), least(int(areas.pairs.min())))
    return Estimate(value, *ends, *Cases(known, codes).counts(range(known.shape[1])))


def mean_difference(
    labels: npt.ArrayLike, first: Floats, second: Floats, patients: npt.ArrayLike
) -> Estimate:
    """Returns how much larger the second recipe's mean AUROC is, with its 95 % interval.

    Variances are those of above, of the differences; the interval is on their own scale.

    Args:
      labels: [n, L]; 1 positive, 0 negative, NaN unknown. Each label has both classes.
      first: [R, n, L], finite scores.
      second: [R, n, L]; run r has what chance is in it, such as its seed, in common with run r of
        the first.
      patients: [n] integers from 0 up.

    Raises:
      UserError: shapes differ, a label is not 1, 0 or NaN, or a score is not finite.
    """
    known, codes = np.asarray(labels, np.float64), np.asarray(patients, np.intp)
    runs = len(first)
    if len(second) != runs:
        raise ValueError(f"{runs} and {len(second)} runs are no pairs.")
    areas = delong(np.tile(known, 2 * runs), np.hstack([*first, *second]), codes)
    before, after = areas.values.reshape(2, runs, -1).mean(axis=2)
    weights = np.repeat([-1.0, 1.0], len(areas.values) // 2) / (len(areas.values) / 2)
    of_patients = max(float(weights @ safe_covariance(areas) @ weights), 0.0)
    value, error = float((after - before).mean()), _error(of_patients, after - before)
    ends = (value - Z * error, value + Z * error)
    return Estimate(value, *ends, *Cases(known, codes).counts(range(known.shape[1])))


def _error(of_patients: float, by_run: Floats) -> float:
    """Returns what 1.96 of reach as far as Student's t does; of one run, patients alone.

    Args:
      of_patients: variance of the mean over runs.
      by_run: [R], what each of the runs found.
    """
    runs = len(by_run)
    of_runs = float(by_run.var(ddof=1)) / runs if runs > 1 else 0.0
    variance, reach = of_patients + of_runs, Z
    if of_runs > 0:
        reach = float(student.ppf((1 + LEVEL) / 2, (runs - 1) * (variance / of_runs) ** 2))
    return float(np.sqrt(variance)) * reach / Z
