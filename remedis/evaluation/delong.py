"""Variance of the AUROC, and its covariance between labels or models, without resampling.

The AUROC is a mean over pairs. Each positive i and negative j has a structural component: the share
of the other class that it is ordered correctly with (DeLong, DeLong and Clarke-Pearson, Biometrics
44:837-845, 1988). Components are computed from mid-ranks, at the price of one sort per label (Sun
and Xu, IEEE Signal Processing Letters 21:1389-1393, 2014):

    V10_i = (rank of i among all - rank of i among positives) / n,   V01_j likewise.

Images of one patient are not independent, so components are summed by patient (Obuchowski,
Biometrics 53:567-578, 1997). With M positives, N negatives, and for patient g

    a_g = sum over its positives of (V10_i - AUROC) / M,
    b_g = sum over its negatives of (V01_j - AUROC) / N,
    variance = f(I10) sum a_g^2 + f(I01) sum b_g^2 + 2 f(I) sum a_g b_g,   f(k) = k / (k - 1),

where I10, I01 and I are the numbers of patients with a positive, a negative and any known image.
With one image per patient this is DeLong's variance. A covariance is the same sum over products,
with the geometric mean of the two factors f, since two labels may be known for different patients.
"""

import dataclasses

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata
from scipy.stats import t as student

from remedis.evaluation.auroc import Floats, Integers, checked
from remedis.evaluation.intervals import LEVEL, Z


@dataclasses.dataclass(frozen=True)
class Areas:
    """AUROCs with their covariance.

    Attributes:
      values: [L] in [0, 1]; NaN where a label has no positive or no negative.
      covariance: [L, L]; NaN in the rows and columns of such a label.
      pairs: [L]; number of disjoint pairs of a patient with a positive and a patient with a
        negative image.
      influence: [G, L]; a_g + b_g of every patient, each times the root of its factor f. Its
        products give the covariance, but for the factor of the mixed term. Linear combinations of
        many AUROCs need no matrix of covariances: they combine the columns.
    """

    values: Floats
    covariance: Floats
    pairs: Integers
    influence: Floats


def delong(labels: npt.ArrayLike, scores: npt.ArrayLike, patients: npt.ArrayLike) -> Areas:
    """Returns the AUROC of every label, and their covariance clustered by patient.

    The formula and its sources are those of the module.

    Args:
      labels: [n, L]; 1 positive, 0 negative, NaN unknown. An unknown is left out of its label.
      scores: [n, L], finite; higher means more likely positive. Any scale.
      patients: [n] integers from 0 up; rows with the same number belong to one patient.

    Raises:
      UserError: shapes differ, a label is not 1, 0 or NaN, or a score is not finite.
    """
    known, score = checked(labels, scores)
    codes = np.asarray(patients, dtype=np.intp)
    columns = known.shape[1]
    # Per class: sums by patient, and the number of patients with an image of the class.
    sums = np.zeros((2, int(codes.max()) + 1, columns))
    counts = np.zeros((3, columns), dtype=np.intp)
    values = np.full(columns, np.nan)
    for column in range(columns):
        target = known[:, column]
        components, values[column] = _components(target, score[:, column])
        for side, rows in enumerate((target == 1, target == 0)):
            deviations = (components[rows] - values[column]) / max(rows.sum(), 1)
            sums[side, :, column] = np.bincount(codes[rows], deviations, len(sums[side]))
            counts[side, column] = len(np.unique(codes[rows]))
        counts[2, column] = len(np.unique(codes[~np.isnan(target)]))
    factors = np.sqrt(counts / np.maximum(counts - 1, 1))
    positive, negative = sums
    cross = (positive * factors[2]).T @ (negative * factors[2])
    covariance = cross + cross.T
    for class_sums, factor in zip(sums, factors[:2], strict=True):
        covariance += (class_sums * factor).T @ (class_sums * factor)
    pairs = np.minimum(np.minimum(counts[0], counts[1]), counts[2] // 2)
    influence = positive * factors[0] + negative * factors[1]
    return Areas(values, covariance, pairs, influence)


def _components(labels: Floats, scores: Floats) -> tuple[Floats, float]:
    """Returns the structural component of each row (NaN if unknown) and the AUROC of a label."""
    components = np.full(len(labels), np.nan)
    positive, negative = labels == 1, labels == 0
    m, n = int(positive.sum()), int(negative.sum())
    if not m or not n:
        return components, np.nan
    ranks = np.full(len(labels), np.nan)
    ranks[positive | negative] = rankdata(scores[positive | negative])
    components[positive] = (ranks[positive] - rankdata(scores[positive])) / n
    components[negative] = 1 - (ranks[negative] - rankdata(scores[negative])) / m
    return components, float(components[positive].mean())


def widened_covariance(areas: Areas) -> Floats:
    """Returns the covariance times the product of both labels' `widening`, [L, L]."""
    factor = widening(areas)
    return areas.covariance * np.outer(factor, factor)


def widening(areas: Areas) -> Floats:
    """Returns [L] factors that widen errors for small classes, for intervals of 1.96 errors.

    With few patients in a class, DeLong's variance is too small just when the estimated AUROC is
    too high, because the variance then rests on a handful of discordant pairs. Two factors widen
    it; both tend to 1 as classes grow. First, the variance is evaluated, like a binomial one, at an
    AUROC that is half a pair nearer to chance. Second, 1.96 becomes the quantile of Student's t
    with one degree of freedom less than the smaller class has patients. Each label has its own
    factors, so a rare label widens the interval of a mean over many labels only by its share. The
    coverage is measured in `remedis.evaluation.estimates`.
    """
    shrunk = (areas.values * areas.pairs + 0.25) / (areas.pairs + 0.5)
    spread = areas.values * (1 - areas.values)
    ratio = np.divide(shrunk * (1 - shrunk), spread, out=np.ones_like(spread), where=spread > 0)
    reach = student.ppf((1 + LEVEL) / 2, np.maximum(areas.pairs, 2) - 1) / Z
    factor: Floats = np.sqrt(ratio) * reach
    return factor


def low_at_one(pairs: int) -> float:
    """Returns the lower end of the interval of an AUROC of 1.

    With AUROC A, each of k independent pairs is concordant with probability A, all of them with
    probability A^k. The lower end is the A for which A^k is 2.5 % (as for a proportion of 1:
    Clopper and Pearson, Biometrika 26:404-413, 1934).

    Args:
      pairs: k, the number of pairs of patients that have no patient in common.
    """
    return float(((1 - LEVEL) / 2) ** (1 / max(pairs, 1)))
