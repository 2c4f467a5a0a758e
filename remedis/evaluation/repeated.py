"""The mean AUROC of several runs that scored the same patients, with an interval over both.

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
from remedis.evaluation.estimates import Cases
from remedis.evaluation.intervals import LEVEL, Estimate, Z, logit_interval


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
    variance, reach = max(float(safe_covariance(areas).mean()), 0.0), Z
    by_run = areas.values.reshape(runs, -1).mean(axis=1)
    of_runs = float(by_run.var(ddof=1)) / runs if runs > 1 else 0.0
    if of_runs > 0:
        variance += of_runs
        reach = float(student.ppf((1 + LEVEL) / 2, (runs - 1) * (variance / of_runs) ** 2))
    value = float(areas.values.mean())
    error = float(np.sqrt(variance)) * reach / Z
    ends = logit_interval(value, error, least(int(areas.pairs.min())))
    return Estimate(value, *ends, *Cases(known, codes).counts(range(known.shape[1])))
