"""Mean AUROC of several runs that scored the same patients, with an interval over both.

Runs share one recipe and differ by their seed. The interval follows from the delta method on the
logit scale. Its variance has two parts: that of the patients, for the mean over runs (DeLong's
components, averaged over runs and summed by patient; see `remedis.evaluation.delong`), and s^2 / R
for R runs with variance s^2. The half-width uses Student's t with the degrees of freedom of the
sum (Satterthwaite, Biometrics Bulletin 2:110-114, 1946): R - 1 for the second part and infinitely
many for the first, which is already widened for small classes.

Coverage in %, in 400 draws of 120 patients, 20 % of them positive. The standard deviation of the
binormal shift between runs is 0.05 (left columns) and 0.3 (right columns). Percentiles of resampled
patients and runs covered the truth in 88 to 96 % of 150 draws.

    AUROC       3 runs        5 runs       10 runs
     0.65    98.3  97.3    95.8  96.3    95.8  96.3
     0.80    97.8  96.8    96.3  96.8    96.3  96.0
     0.95    97.8  97.8    97.3  97.3    96.8  96.5
"""

import numpy as np
import numpy.typing as npt
from scipy.stats import t as student

from remedis.evaluation.auroc import Floats
from remedis.evaluation.delong import delong, low_at_one, widened_covariance
from remedis.evaluation.estimates import Cases
from remedis.evaluation.intervals import LEVEL, Estimate, Z, logit_interval


def auroc_over_runs(labels: npt.ArrayLike, scores: Floats, patients: npt.ArrayLike) -> Estimate:
    """Returns the AUROC averaged over runs and labels, with its 95 % interval.

    The formula and its sources are those of the module.

    Args:
      labels: [n, L]; 1 positive, 0 negative, NaN unknown. Each label has both classes.
      scores: [R, n, L], finite. With one run, the interval covers patients alone.
      patients: [n] integers from 0 up.

    Raises:
      UserError: shapes differ, a label is not 1, 0 or NaN, or a score is not finite.
    """
    known, codes = np.asarray(labels, np.float64), np.asarray(patients, np.intp)
    runs = len(scores)
    areas = delong(np.tile(known, runs), np.hstack(list(scores)), codes)
    variance, quantile = max(float(widened_covariance(areas).mean()), 0.0), Z
    run_means = areas.values.reshape(runs, -1).mean(axis=1)
    run_variance = float(run_means.var(ddof=1)) / runs if runs > 1 else 0.0
    if run_variance > 0:
        variance += run_variance
        degrees = (runs - 1) * (variance / run_variance) ** 2
        quantile = float(student.ppf((1 + LEVEL) / 2, degrees))
    value = float(areas.values.mean())
    error = float(np.sqrt(variance)) * quantile / Z
    ends = logit_interval(value, error, low_at_one(int(areas.pairs.min())))
    return Estimate(value, *ends, *Cases(known, codes).counts(range(known.shape[1])))
