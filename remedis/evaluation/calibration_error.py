"""Expected calibration error: the distance of probabilities from the observed shares of positives.

Images are put into bins by their probability. The expected calibration error is the distance
between mean probability and share of positives in a bin, averaged over images (Naeini, Cooper and
Hauskrecht, AAAI 2015):

    ECE = sum_b |sum over images of bin b (label - probability)| / images.

All bins hold the same number of images, because the bias is then smaller than with bins of equal
width (Roelofs et al., "Mitigating bias in calibration error estimation", AISTATS 2022).

The number of bins is the cube root of the number of patients, rounded down, at most 15 (the number
of Guo et al., "On calibration of modern neural networks", ICML 2017). Few bins hide errors within a
bin, many bins measure noise; the sum of both is smallest for a number of bins that grows with the
cube root of the sample (Futami and Fujisawa, "Information-theoretic generalization analysis for
expected calibration error", NeurIPS 2024, arXiv 2405.15709). 15 bins need 3,375 patients; 200 have
5 bins, 13 have 2. With 1 bin, below 8 patients, the error is the distance of the mean probability
from the share of positives. The estimate is biased upwards, more so with fewer images: for a
perfectly calibrated model it is about 0.8 sqrt(bins * p (1 - p) / images), not 0.
"""

import numpy as np
import numpy.typing as npt

from remedis.evaluation.auroc import Floats, Integers
from remedis.evaluation.ratios import resampled_sums, sum_by_patient

BINS = 15  # at most


def bin_count(patients: int) -> int:
    """Returns the number of bins, 1 to `BINS`, for a number of patients; see the module."""
    # The cube root in floats is below 3 for 27.
    return next((count for count in range(BINS, 1, -1) if count**3 <= patients), 1)


def bins(probabilities: Floats, count: int) -> Integers:
    """Returns the bin [n] of each of `probabilities` [n], with the same number of images per bin.

    Equal probabilities share a bin, so that bins may be empty.

    Args:
      probabilities: [n].
      count: number of bins, of `bin_count`.
    """
    edges = np.quantile(probabilities, np.linspace(0, 1, count + 1)[1:-1])
    return np.searchsorted(np.unique(edges), probabilities, side="right")


def calibration_error(
    known: Floats, probabilities: Floats, patients: Integers, weights: npt.NDArray[np.generic]
) -> tuple[Floats, Floats, Floats]:
    """Returns the expected calibration error of every label, and the terms of its interval.

    The formula and its sources are those of the module.

    Args:
      known: [n, L]; 1 positive, 0 negative, NaN unknown.
      probabilities: [n, L] in [0, 1].
      patients: [n] integers in [0, G).
      weights: [B, G]: how often resample b drew patient g. The bins are those of the data.

    Returns:
      values [L]; the length [B, L] of each resample's deviation, sum_b |d*_b - d_b|; and its part
      [B, L] along the value's gradient, sum_b sign(d_b) (d*_b - d_b), where a bin with d_b = 0 adds
      |d*_b - d_b|. See `remedis.evaluation.intervals.norm_interval`. NaN where no image is known.
    """
    rows, labels = known.shape
    use = ~np.isnan(known)
    columns = np.zeros((rows, labels, BINS + 1))
    for label in range(labels):
        images = np.flatnonzero(use[:, label])
        if len(images):
            score = probabilities[images, label]
            count = bin_count(len(np.unique(patients[images])))
            columns[images, label, bins(score, count)] = known[images, label] - score
    columns[:, :, BINS] = use
    sums = sum_by_patient(columns.reshape(rows, -1), patients)
    whole = sums.sum(axis=0).reshape(labels, BINS + 1)
    drawn = resampled_sums(sums, weights).reshape(-1, labels, BINS + 1)
    gaps, gaps_drawn = (
        totals[..., :BINS] / np.where(totals[..., BINS:] > 0, totals[..., BINS:], np.nan)
        for totals in (whole, drawn)
    )
    deviation = gaps_drawn - gaps
    return (
        np.abs(gaps).sum(axis=-1),
        np.abs(deviation).sum(axis=-1),
        np.where(gaps == 0, np.abs(deviation), deviation * np.sign(gaps)).sum(axis=-1),
    )
