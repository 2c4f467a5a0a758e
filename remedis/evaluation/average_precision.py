"""Average precision, for many labels and many resamples at once.

It is the mean of the precision over the positives, each at the threshold of its own score. Rows
with equal scores are treated together, as in scikit-learn:

    AP = sum_i p_i precision(s_i) / sum_i p_i,   precision(s) = TP(s) / (TP(s) + FP(s))

over positives i (score s, weight p); TP(s) and FP(s) are the weights of positives and of negatives
that score at least s. The average precision of uninformative scores is the share of positives.
"""

import numpy as np
import numpy.typing as npt
import scipy.sparse

from remedis.evaluation.auroc import Floats, Integers, blocks, checked


def average_precision(
    labels: npt.ArrayLike,
    scores: npt.ArrayLike,
    weights: npt.ArrayLike | None = None,
    groups: npt.ArrayLike | None = None,
) -> Floats:
    """Returns the average precision of every label under every set of weights.

    The formula is that of the module. Arguments and errors are those of
    `remedis.evaluation.auroc.auroc`.

    Returns:
      [B, L] in [0, 1]; NaN where a resample has no positive.
    """
    known, score = checked(labels, scores)
    group = np.arange(len(known)) if groups is None else np.asarray(groups, dtype=np.intp)
    drawn = np.ones((1, int(group.max()) + 1)) if weights is None else np.asarray(weights)
    ranked = [_rank(known[:, c], score[:, c], group) for c in range(known.shape[1])]
    result = np.full((len(drawn), len(ranked)), np.nan)
    for start, block in blocks(drawn, len(known)):
        for column, label in enumerate(ranked):
            result[start : start + block.shape[1], column] = _mean_precision(*label, block)
    return result


def _rank(
    labels: Floats, scores: Floats, groups: Integers
) -> tuple[scipy.sparse.csr_matrix, scipy.sparse.csr_matrix]:
    """Returns the counts of positives and negatives, each [K, groups], per level.

    Levels are the K distinct scores of positives, descending. A negative counts at the highest
    level that its score reaches. A negative below all levels lowers no precision and is left out.
    """
    levels = np.unique(scores[labels == 1])
    shape = (len(levels), int(groups.max()) + 1)

    def counted(rows: npt.NDArray[np.bool_]) -> scipy.sparse.csr_matrix:
        level = np.searchsorted(levels, scores[rows], side="right") - 1
        use = level >= 0
        falling = len(levels) - 1 - level[use]
        return scipy.sparse.csr_matrix((np.ones(use.sum()), (falling, groups[rows][use])), shape)

    return counted(labels == 1), counted(labels == 0)


def _mean_precision(
    positives: scipy.sparse.csr_matrix, negatives: scipy.sparse.csr_matrix, weights: Floats
) -> Floats:
    """Returns the average precision [b] of one ranked label under `weights` [groups, b]."""
    if not positives.shape[0]:
        return np.full(weights.shape[1], np.nan)
    used = weights[: positives.shape[1]]
    hits = positives @ used
    true_positives = np.cumsum(hits, axis=0)
    called = np.cumsum(negatives @ used, axis=0) + true_positives
    precision = np.divide(
        true_positives, called, out=np.zeros_like(true_positives), where=called > 0
    )
    total = true_positives[-1]
    mean = np.full(len(total), np.nan)
    return np.divide(np.einsum("kb,kb->b", hits, precision), total, out=mean, where=total > 0)
