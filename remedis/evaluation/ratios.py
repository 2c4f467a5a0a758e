"""Metrics that are a ratio of two sums over images: sensitivity, accuracy, Brier score.

Both sums are first taken per patient. The variance of the ratio follows from the patients'
contributions; the sums of any number of resamples of the patients are one matrix product.
"""

import dataclasses
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import scipy.sparse

from remedis.evaluation.auroc import Floats, Integers
from remedis.evaluation.thresholds import Thresholds, compared

_BLOCK = 256  # resamples that are converted to floats at once
# Numerator and denominator, [n, L] each: the summands of every image.
Ratio = tuple[npt.NDArray[np.generic], npt.NDArray[np.generic]]


def operating_point(known: Floats, scores: Floats, thresholds: Floats) -> dict[str, Ratio]:
    """Returns sensitivity, specificity, PPV and NPV, where scores >= threshold are positive.

    PPV and NPV, the shares of positive and negative calls that are correct, hold for the prevalence
    in these data only.

    Args:
      known: [n, L]; 1 positive, 0 negative, NaN unknown.
      scores: [n, L], as `thresholds.compared` returns them.
      thresholds: [L]; NaN for a label without one, whose sums are then empty.
    """
    has_threshold = ~np.isnan(thresholds)
    positive, negative = (known == 1) & has_threshold, (known == 0) & has_threshold
    called = scores >= thresholds
    return {
        "sensitivity": (positive & called, positive),
        "specificity": (negative & ~called, negative),
        "ppv": (positive & called, (positive | negative) & called),
        "npv": (negative & ~called, (positive | negative) & ~called),
    }


def operating_points(
    known: Floats, scores: Floats, chosen: Thresholds, ranking: Floats | None = None
) -> dict[str, Ratio]:
    """Returns the metrics of `operating_point` at both thresholds, as `youden/sensitivity` etc.

    Args:
      known: as for `operating_point`.
      scores: [n, L].
      chosen: the thresholds of the L labels.
      ranking: as for `thresholds.compared`.
    """
    values, cuts = compared(scores, ranking, chosen)
    return {
        f"{kind}/{name}": ratio
        for kind, cut in cuts.items()
        for name, ratio in operating_point(known, values, cut).items()
    }


def brier(known: Floats, probabilities: Floats) -> Ratio:
    """Returns the Brier score: the mean squared error of a probability.

    Brier, Monthly Weather Review 78:1-3, 1950, in the form for one event: 0 is perfect; always
    predicting the prevalence p gives p (1 - p).

    Args:
      known: [n, L]; 1 positive, 0 negative, NaN unknown.
      probabilities: [n, L] in [0, 1].
    """
    return np.nan_to_num((probabilities - known) ** 2), ~np.isnan(known)


def accuracy(known: Floats, probabilities: Floats) -> Ratio:
    """Returns the accuracy at a threshold of 0.5, the metric of WILDS for pathology.

    Args:
      known: [n, L]; 1 positive, 0 negative, NaN unknown.
      probabilities: [n, L] in [0, 1].
    """
    has_label = ~np.isnan(known)
    correct = np.where(known == 1, probabilities >= 0.5, probabilities < 0.5)
    return correct & has_label, has_label


def top_accuracy(known: Floats, ranking: Floats, k: int = 1) -> Ratio:
    """Returns the share of images whose true class is among the k that rank highest, [n, 1] each.

    Classes that tie with the true one are in random order: an image counts with the probability
    that its true class is among the first k, so that equal scores for all classes are worth chance.

    Args:
      known: [n, L], one class of each row is 1; rows with a NaN are left out.
      ranking: [n, L]; higher means more likely, comparable between the classes of an image, such as
        probabilities or log odds.
      k: at least 1. From L on, every image is right.
    """
    complete = np.isfinite(known.sum(axis=1, keepdims=True))
    of_true = np.where(known == 1, ranking, -np.inf).max(axis=1, keepdims=True)
    higher = (ranking > of_true).sum(axis=1, keepdims=True)
    tied = np.maximum((ranking == of_true).sum(axis=1, keepdims=True), 1)
    return np.where(complete, np.clip((k - higher) / tied, 0, 1), 0.0), complete


def recall_by_class(known: Floats, ranking: Floats) -> Ratio:
    """Returns the share of each class' images that rank it highest, [n, L] each.

    The mean over classes is the balanced accuracy (Brodersen et al., ICPR 2010, 3121-3124). Ties
    count as in `top_accuracy`.

    Args:
      known: [n, L], one class of each row is 1; rows with a NaN are left out.
      ranking: [n, L], as for `top_accuracy`.
    """
    correct, complete = top_accuracy(known, ranking)
    of_class = (known == 1) & complete
    return np.where(of_class, correct, 0.0), of_class


def sum_by_patient(columns: npt.NDArray[np.generic], patients: Integers) -> Floats:
    """Returns the sums [G, K] of `columns` [n, K] per patient."""
    shape = (int(patients.max()) + 1, len(patients))
    membership = scipy.sparse.csr_matrix(
        (np.ones(len(patients)), (patients, np.arange(len(patients)))), shape
    )
    sums: Floats = membership @ np.asarray(columns, dtype=np.float64)
    return sums


def resampled_sums(sums: Floats, weights: npt.NDArray[np.generic]) -> Floats:
    """Returns the totals [B, K] of `sums` [G, K] in resamples with `weights` [B, G]."""
    totals = np.empty((len(weights), sums.shape[1]))
    for start in range(0, len(weights), _BLOCK):
        block = slice(start, start + _BLOCK)
        totals[block] = weights[block, : len(sums)].astype(np.float64) @ sums
    return totals


@dataclasses.dataclass(frozen=True)
class PatientRatio:
    """A ratio of two sums over images, by patient.

    Attributes:
      values: [L]; NaN where the denominator is 0.
      contributions: [G, L]; what each patient adds to the deviation of the ratio from its
        expectation (Taylor linearisation): (numerator_g - value denominator_g) / denominator.
      denominators: [G, L]; the denominator of each patient, such as its number of positive images.
    """

    values: Floats
    contributions: Floats
    denominators: Floats


def ratios(metrics: Mapping[str, Ratio], patients: Integers) -> dict[str, PatientRatio]:
    """Returns each metric by patient.

    Args:
      metrics: name -> numerator and denominator, [n, L] each.
      patients: [n] integers in [0, G).
    """
    result = {}
    for name, ratio in metrics.items():
        numerators, denominators = np.split(sum_by_patient(np.hstack(ratio), patients), 2, axis=1)
        total = denominators.sum(axis=0)
        total = np.where(total > 0, total, np.nan)
        values = numerators.sum(axis=0) / total
        contributions = (numerators - values * denominators) / total
        result[name] = PatientRatio(values, contributions, denominators)
    return result
