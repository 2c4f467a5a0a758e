"""Metrics that are a share or a mean of the images: sensitivity, accuracy, the Brier score.

Each is a sum over images divided by another. Both sums are first taken by patient, so that any
number of resamples of the patients is one product of matrices.
"""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import scipy.sparse

from remedis.evaluation.auroc import Floats, Integers
from remedis.evaluation.thresholds import Thresholds, single

_BLOCK = 256  # resamples at a time, as floats
# Numerator and denominator, [n, L] each: what every image adds to a label's two sums.
Ratio = tuple[npt.NDArray[np.generic], npt.NDArray[np.generic]]


def operating_point(known: Floats, scores: Floats, thresholds: Floats) -> dict[str, Ratio]:
    """Returns sensitivity, specificity, PPV and NPV of calling scores >= a threshold positive.

    PPV and NPV, the shares of positive and negative calls that are right, hold for the share of
    positives in these data only.

    Args:
      known: [n, L]; 1 positive, 0 negative, NaN unknown.
      scores: [n, L].
      thresholds: [L]; NaN for a label without one, whose sums are then empty.
    """
    judged = ~np.isnan(thresholds)
    positive, negative = (known == 1) & judged, (known == 0) & judged
    called = single(scores) >= single(thresholds)
    return {
        "sensitivity": (positive & called, positive),
        "specificity": (negative & ~called, negative),
        "ppv": (positive & called, (positive | negative) & called),
        "npv": (negative & ~called, (positive | negative) & ~called),
    }


def operating_points(known: Floats, scores: Floats, chosen: Thresholds) -> dict[str, Ratio]:
    """Returns the four of `operating_point` at both thresholds, as `youden/sensitivity` and so on.

    Args are those of `operating_point`; `chosen` has the thresholds of the L labels.
    """
    return {
        f"{kind}/{name}": ratio
        for kind, thresholds in chosen.arrays().items()
        for name, ratio in operating_point(known, scores, thresholds).items()
    }


def brier(known: Floats, probabilities: Floats) -> Ratio:
    """Returns the Brier score: the mean squared error of a probability.

    Brier, Monthly Weather Review 78:1-3, 1950, in the form for one event: 0 is perfect; always
    saying the share p of positives gives p (1 - p).
    """
    return np.nan_to_num((probabilities - known) ** 2), ~np.isnan(known)


def accuracy(known: Floats, probabilities: Floats) -> Ratio:
    """Returns the share of images on the right side of 0.5, as WILDS measures pathology."""
    seen = ~np.isnan(known)
    right = np.where(known == 1, probabilities >= 0.5, probabilities < 0.5)
    return right & seen, seen


def top_accuracy(known: Floats, probabilities: Floats) -> Ratio:
    """Returns the share of images whose likeliest class is the right one, [n, 1] each."""
    whole = np.isfinite(known.sum(axis=1, keepdims=True))
    likeliest = probabilities.argmax(axis=1)[:, None]
    return (np.take_along_axis(known, likeliest, axis=1) == 1) & whole, whole


def by_patient(columns: npt.NDArray[np.generic], patients: Integers) -> Floats:
    """Returns the sums [G, K] by patient of `columns` [n, K]."""
    shape = (int(patients.max()) + 1, len(patients))
    member = scipy.sparse.csr_matrix(
        (np.ones(len(patients)), (patients, np.arange(len(patients)))), shape
    )
    sums: Floats = member @ np.asarray(columns, dtype=np.float64)
    return sums


def resampled(sums: Floats, weights: npt.NDArray[np.generic]) -> Floats:
    """Returns the totals [B, K] of `sums` [G, K] under `weights` [B, G]."""
    totals = np.empty((len(weights), sums.shape[1]))
    for start in range(0, len(weights), _BLOCK):
        block = slice(start, start + _BLOCK)
        totals[block] = weights[block, : len(sums)].astype(np.float64) @ sums
    return totals


def ratios(
    metrics: Mapping[str, Ratio], patients: Integers, weights: npt.NDArray[np.generic]
) -> dict[str, tuple[Floats, Floats, Integers]]:
    """Returns each metric's values, resamples, and the number of patients behind it.

    Args:
      metrics: name -> numerator and denominator, [n, L] each.
      patients: [n] integers in [0, G).
      weights: [B, G]: how often resample b drew patient g.

    Returns:
      name -> values [L], draws [B, L], both NaN where nothing is divided by; and patients [L] with
      a denominator.
    """
    # Of all metrics together: one product instead of many.
    sums = {name: by_patient(np.hstack(ratio), patients) for name, ratio in metrics.items()}
    if not sums:
        return {}
    together = np.hstack(list(sums.values()))
    totals = np.vstack([together.sum(axis=0), resampled(together, weights)])
    ends = np.cumsum([part.shape[1] for part in sums.values()])
    result = {}
    for (name, part), total in zip(sums.items(), np.split(totals, ends[:-1], axis=1), strict=True):
        over, under = np.split(total, 2, axis=1)
        values = np.divide(over, under, out=np.full(over.shape, np.nan), where=under > 0)
        behind = (part[:, part.shape[1] // 2 :] > 0).sum(axis=0)
        result[name] = values[0], values[1:], behind
    return result
