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

where I10, I01 and I are the effective numbers of patients with a positive, a negative and any known
image (`remedis.evaluation.effective_patients`): with patients counted instead, intervals are too
narrow where a few patients have many images. With one image per patient this is DeLong's variance.
A covariance is the same sum over products, with the geometric mean of the two factors f, since two
labels may be known for different patients.

Every image may have a weight: means over positives and negatives are then weighted means. With
weights 1 / (number of the patient's images of the class), every patient has the same share of its
class, and the AUROC is that of a random image of a random patient (Obuchowski counts images;
weights of clusters: Emir, Wieand, Jung and Ying, Statistics in Medicine 19:511-523, 2000).
"""

import dataclasses

import numpy as np
import numpy.typing as npt

from remedis.evaluation.auroc import Floats, checked
from remedis.evaluation.effective_patients import (
    effective_number,
    small_sample_factor,
    t_quantile,
)
from remedis.evaluation.intervals import LEVEL, NO_VARIANCE, Z, unseen_interval, wilson_interval


@dataclasses.dataclass(frozen=True)
class Areas:
    """AUROCs with their covariance.

    Attributes:
      values: [L] in [0, 1]; NaN where a label has no positive or no negative.
      covariance: [L, L]; NaN in the rows and columns of such a label.
      pairs: [L]; effective number of disjoint pairs of a patient with a positive and a patient
        with a negative image.
      influence: [G, L]; a_g + b_g of every patient, each times the root of its factor f. Its
        products give the covariance, but for the factor of the mixed term. Linear combinations of
        many AUROCs need no matrix of covariances: they combine the columns.
    """

    values: Floats
    covariance: Floats
    pairs: Floats
    influence: Floats


def delong(
    labels: npt.ArrayLike,
    scores: npt.ArrayLike,
    patients: npt.ArrayLike,
    weights: Floats | None = None,
) -> Areas:
    """Returns the AUROC of every label, and their covariance clustered by patient.

    The formula and its sources are those of the module.

    Args:
      labels: [n, L]; 1 positive, 0 negative, NaN unknown. An unknown is left out of its label.
      scores: [n, L], finite; higher means more likely positive. Any scale.
      patients: [n] integers from 0 up; rows with the same number belong to one patient.
      weights: [n, L], above 0 where the label is known; None gives every image the weight 1.

    Raises:
      UserError: shapes differ, a label is not 1, 0 or NaN, or a score is not finite.
    """
    known, score = checked(labels, scores)
    codes = np.asarray(patients, dtype=np.intp)
    columns, groups = known.shape[1], int(codes.max()) + 1
    weight = np.ones(known.shape) if weights is None else weights
    # Per class: deviations by patient, and the patients' shares of the class.
    sums = np.zeros((2, groups, columns))
    shares = np.zeros((2, groups, columns))
    values = np.full(columns, np.nan)
    for column in range(columns):
        target = known[:, column]
        components, values[column] = _components(target, score[:, column], weight[:, column])
        for side, rows in enumerate((target == 1, target == 0)):
            share = weight[rows, column] / max(weight[rows, column].sum(), 1e-300)
            deviations = (components[rows] - values[column]) * share
            sums[side, :, column] = np.bincount(codes[rows], deviations, groups)
            shares[side, :, column] = np.bincount(codes[rows], share, groups)
    positives, negatives = (effective_number(of_class) for of_class in shares)
    # Of a patient's two shares; half of it is the number of pairs without a patient in common.
    both = effective_number(shares.sum(axis=0))
    factors = np.sqrt(small_sample_factor(np.stack([positives, negatives, both])))
    positive, negative = sums
    cross = (positive * factors[2]).T @ (negative * factors[2])
    covariance = cross + cross.T
    for class_sums, factor in zip(sums, factors[:2], strict=True):
        covariance += (class_sums * factor).T @ (class_sums * factor)
    pairs = np.minimum(np.minimum(positives, negatives), both / 2)
    influence = positive * factors[0] + negative * factors[1]
    return Areas(values, covariance, pairs, influence)


def _components(labels: Floats, scores: Floats, weights: Floats) -> tuple[Floats, float]:
    """Returns the structural component of each row (NaN if unknown) and the AUROC of a label."""
    components = np.full(len(labels), np.nan)
    positive, negative = np.flatnonzero(labels == 1), np.flatnonzero(labels == 0)
    if not len(positive) or not len(negative):
        return components, np.nan
    components[positive] = _share_below(scores[positive], scores[negative], weights[negative])
    components[negative] = 1 - _share_below(scores[negative], scores[positive], weights[positive])
    area = float(np.average(components[positive], weights=weights[positive]))
    return components, area


def _share_below(scores: Floats, others: Floats, weights: Floats) -> Floats:
    """Returns the share of the weights of `others` below each score, equal scores counting half."""
    order = np.argsort(others, kind="stable")
    ranked, total = others[order], np.append(0.0, np.cumsum(weights[order]))
    below, upto = (total[np.searchsorted(ranked, scores, side=side)] for side in ("left", "right"))
    return np.asarray((below + upto) / (2 * total[-1]))


def equal_weights(labels: Floats, patients: npt.ArrayLike) -> Floats:
    """Returns [n, L]: weights that give every patient of a class the same share of it.

    Args:
      labels: [n, L]; 1 positive, 0 negative, NaN unknown.
      patients: [n] integers from 0 up.

    Returns:
      1 / (number of images that the patient has in the class of the row); NaN where unknown.
    """
    codes = np.asarray(patients, dtype=np.intp)
    weights = np.full(labels.shape, np.nan)
    for column, target in enumerate(labels.T):
        for rows in (target == 1, target == 0):
            weights[rows, column] = 1 / np.bincount(codes[rows], minlength=1)[codes[rows]]
    return weights


def widened_covariance(areas: Areas) -> Floats:
    """Returns the covariance times the product of both labels' `widening`, [L, L]."""
    factor = widening(areas)
    return areas.covariance * np.outer(factor, factor)


def widening(areas: Areas) -> Floats:
    """Returns [L] factors that widen errors for small classes, for intervals of 1.96 errors.

    Two factors widen them: the root of `spread_ratio`, and the quantile of Student's t, with one
    degree of freedom less than there are `pairs`, over 1.96. Both tend to 1 as classes grow.
    """
    factor: Floats = np.sqrt(spread_ratio(areas.values, areas.pairs)) * t_quantile(areas.pairs) / Z
    return factor


def spread_ratio(values: Floats, pairs: Floats) -> Floats:
    """Returns [L] factors of variances: s (1 - s) / (A (1 - A)), with s nearer to chance than A.

    With few patients in a class, DeLong's variance is too small just when the estimated AUROC is
    too high, because the variance then rests on a handful of discordant pairs. So it is evaluated,
    like a binomial one, at an AUROC that is half a pair nearer to chance.

    Args:
      values: [L] AUROCs A; the factor of 0 and 1 is 1.
      pairs: [L], as `Areas.pairs`.
    """
    shrunk = (values * pairs + 0.25) / (pairs + 0.5)
    spread = values * (1 - values)
    return np.divide(shrunk * (1 - shrunk), spread, out=np.ones_like(spread), where=spread > 0)


def area_limits(areas: Areas) -> tuple[Floats, Floats]:
    """Returns the ends [L] of the 95 % interval of every AUROC: Wilson's score interval.

    Its sample size is the effective one of the widened variance V, A (1 - A) / V (for AUROCs:
    Kottas, Kuss and Zapf, BMC Medical Research Methodology 14:26, 2014). On the logit scale, an
    AUROC of 0.9998 that rests on 24 positive patients would have the interval [0.00, 1.00]. Where
    the variance is 0, as for perfect ranks, the interval is `unseen_interval`.
    """
    variance = np.diag(widened_covariance(areas))
    wilson = wilson_interval(areas.values, variance, areas.pairs)
    unseen = unseen_interval(areas.values, areas.pairs)
    low, high = np.where(variance > NO_VARIANCE, wilson, unseen)
    return low, high


def low_at_one(pairs: npt.ArrayLike) -> Floats:
    """Returns the lower end of the interval of an AUROC of 1.

    With AUROC A, each of k independent pairs is concordant with probability A, all of them with
    probability A^k. The lower end is the A for which A^k is 2.5 % (as for a proportion of 1:
    Clopper and Pearson, Biometrika 26:404-413, 1934).

    Args:
      pairs: k, the effective number of pairs of patients that have no patient in common.
    """
    return np.asarray(((1 - LEVEL) / 2) ** (1 / np.maximum(pairs, 1)))
