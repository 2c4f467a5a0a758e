"""How alike the embeddings of different patients are: the mean cosine of their images.

It says what another value means: an image whose corrupted copy is no nearer to it than the images
of strangers are to each other has lost what the network saw.
"""

import math

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import t as student

from remedis.evaluation.intervals import LEVEL, MIN_PATIENTS, Estimate, patient_codes

ROUNDING = 1e-12  # a cosine that is nearer to 1 differs from it by rounding alone


def mean_cosine_of_strangers(embeddings: npt.ArrayLike, patient_ids: "pd.Series[str]") -> Estimate:
    """Returns the mean cosine over all pairs of images of different patients, in [-1, 1].

    With S the sum of the embeddings, each of length 1, and S_p that of the n_p images of patient p,
    it is (|S|^2 - sum |S_p|^2) / (n^2 - sum n_p^2). The interval is that of the jackknife, which
    leaves out one patient at a time (Arvesen, Ann. Math. Stat. 40:2076-2100, 1969, for such means
    over pairs), on Fisher's scale, with Student's t for the patients less 1. It covers a mean near
    0 somewhat less often than 95 %, since the jackknife then misses most of the variance. An
    embedding of zeros has the cosine 0.

    Args:
      embeddings: [n, C].
      patient_ids: [n]; an image without one is of a patient of its own.

    Returns:
      The estimate; not estimable with fewer than `MIN_PATIENTS` patients. Positives are all
      patients.
    """
    rows, patients = np.asarray(embeddings, np.float64), patient_codes(patient_ids)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    rows = rows / np.where(lengths > 0, lengths, 1.0)
    images = np.bincount(patients).astype(np.float64)
    known = len(images)
    if known < MIN_PATIENTS:
        reason = f"fewer than {MIN_PATIENTS} patients"
        return Estimate(None, None, None, known, known, reason=reason)
    sums = np.zeros((known, rows.shape[1]))
    np.add.at(sums, patients, rows)
    total = sums.sum(0)
    own = (sums**2).sum(1)  # |S_p|^2: the pairs within a patient, and each image with itself
    similar = total @ total - own.sum()
    pairs = images.sum() ** 2 - (images**2).sum()
    value = similar / pairs
    # Without patient p, the pairs of its images with all others are gone, in both orders.
    left = (similar - 2 * (sums @ total - own)) / (pairs - 2 * images * (images.sum() - images))
    error = math.sqrt((known - 1) / known * ((left - left.mean()) ** 2).sum())
    half = float(student.ppf((1 + LEVEL) / 2, known - 1)) * error
    # Fisher's z, on which a cosine near 1 is less skewed; its derivative is 1 / (1 - value^2).
    room = 1 - value**2
    if room < ROUNDING:
        return Estimate(float(value), float(value), float(value), known, known)
    low, high = np.tanh(np.arctanh(value) + np.array([-1, 1]) * half / room)
    return Estimate(float(value), float(low), float(high), known, known)
