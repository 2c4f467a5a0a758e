"""The area under the ROC curve, for many labels and many resamples at once.

The area is the Mann-Whitney probability that a positive outranks a negative, a tie counting half
(Hanley and McNeil, Radiology 143:29-36, 1982):

    AUROC = sum_i sum_j p_i q_j ([s_i > t_j] + [s_i = t_j] / 2) / (sum_i p_i * sum_j q_j)

over positives i (score s, weight p) and negatives j (score t, weight q).
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse

from remedis.errors import UserError

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.intp]

_MEMORY = 256 * 2**20  # upper limit of the bytes of one block of resamples
_BLOCK = 64  # upper limit of resamples per block; larger blocks are not faster and miss the caches


def auroc(
    labels: npt.ArrayLike,
    scores: npt.ArrayLike,
    weights: npt.ArrayLike | None = None,
    groups: npt.ArrayLike | None = None,
) -> Floats:
    """Returns the AUROC of every label under every set of weights.

    The formula and its source are those of the module.

    Args:
      labels: [n, L]; 1 positive, 0 negative, NaN unknown. An unknown is left out of its label.
      scores: [n, L], finite; higher means more likely positive. Any scale.
      weights: [B, G], not negative: how often resample b drew group g. None draws each group once,
        with B = 1.
      groups: [n] integers in [0, G): the group (patient) of each row. None makes every row a group
        of its own, so that `weights` is [B, n].

    Returns:
      [B, L] in [0, 1]; NaN where a resample has no positive or no negative.

    Raises:
      UserError: shapes differ, a label is not 1, 0 or NaN, or a score is not finite.
    """
    known, target = checked(labels, scores)
    rows = len(known)
    group = np.arange(rows) if groups is None else np.asarray(groups, dtype=np.intp)
    if weights is None:
        weights = np.ones((1, int(group.max()) + 1))
    drawn = np.asarray(weights)
    ranked = [_rank(known[:, c], target[:, c], group) for c in range(known.shape[1])]
    result = np.full((len(drawn), len(ranked)), np.nan)
    for start, block in blocks(drawn, rows):
        for column, label in enumerate(ranked):
            result[start : start + block.shape[1], column] = _area(*label, block)
    return result


def blocks(weights: npt.NDArray[Any], rows: int) -> Iterator[tuple[int, Floats]]:
    """Yields blocks of resamples that fit into memory: number of the first, and weights [G, b].

    Args:
      weights: [B, G].
      rows: number of rows of the data; a block may need up to five arrays [rows, b].
    """
    bytes_per_resample = 8 * (weights.shape[1] + 5 * rows)
    size = int(np.clip(_MEMORY // bytes_per_resample, 1, _BLOCK))
    for start in range(0, len(weights), size):
        yield start, np.ascontiguousarray(weights[start : start + size].T, dtype=np.float64)


def mean_auroc(labels: npt.ArrayLike, scores: npt.ArrayLike) -> float | None:
    """Returns the mean AUROC over the labels that have one, for the choice of a checkpoint.

    Arguments and errors are those of `auroc`.

    Returns:
      A number in [0, 1], or None if no label has both a positive and a negative.
    """
    areas = auroc(labels, scores)[0]
    defined = areas[~np.isnan(areas)]
    return float(defined.mean()) if defined.size else None


def checked(
    labels: npt.ArrayLike, scores: npt.ArrayLike, names: Sequence[str] | None = None
) -> tuple[Floats, Floats]:
    """Returns labels and scores as float64 [n, L] after checking every entry.

    Args:
      labels: [n, L]; 1, 0 or NaN.
      scores: [n, L], finite.
      names: names of the L labels in messages; with None, messages contain their number.

    Raises:
      UserError: shapes differ, there are no rows, or an entry is not one of the allowed values.
    """
    known = np.asarray(labels, dtype=np.float64)
    score = np.asarray(scores, dtype=np.float64)
    if known.ndim != 2 or known.shape != score.shape or known.size == 0:
        raise UserError(
            f"Labels of shape {known.shape} and scores of shape {score.shape}: both must be "
            "[images, labels], of one shape and not empty."
        )
    if names is not None and len(names) != known.shape[1]:
        raise UserError(f"{len(names)} label names for {known.shape[1]} columns of labels.")

    def first_of(wrong: npt.NDArray[np.bool_]) -> tuple[int, int, str]:
        row, column = (int(i) for i in np.argwhere(wrong)[0])
        name = repr(names[column]) if names is not None else f"number {column}"
        return row, column, f"row {row} (counted from 0), label {name}"

    if (wrong := ~np.isfinite(score)).any():
        row, column, place = first_of(wrong)
        raise UserError(
            f"The score in {place} is {score[row, column]}, as are {int(wrong.sum())} of "
            f"{wrong.size} scores; AUROC needs finite ones. After training this means that it "
            "diverged: lower the learning rate."
        )
    if (wrong := ~(np.isnan(known) | (known == 0) | (known == 1))).any():
        row, column, place = first_of(wrong)
        raise UserError(
            f"The label in {place} is {known[row, column]:g}; expected 1, 0 or nothing (unknown). "
            "Resolve uncertain labels by a policy first."
        )
    return known, score


def _rank(
    labels: Floats, scores: Floats, groups: Integers
) -> tuple[scipy.sparse.csr_matrix, Integers, Integers, Integers]:
    """Returns the ranks of one label, sorted once for all resamples.

    The order of negatives between two neighbouring positives does not matter, so they are summed
    first: the positives cut the sorted negatives into K intervals, and `steps` [K, groups] counts
    the negatives of each group in each interval. This makes a rare label cheap.

    Returns:
      steps; the groups of the k positives; for each positive, the last step that it outranks, and
      the last step that it outranks or ties with.
    """
    (positive,), (negative,) = np.nonzero(labels == 1), np.nonzero(labels == 0)
    negative = negative[np.argsort(scores[negative], kind="stable")]
    below = np.searchsorted(scores[negative], scores[positive], side="left")
    upto = np.searchsorted(scores[negative], scores[positive], side="right")
    cuts = np.unique(np.concatenate([below, upto]))
    step = np.searchsorted(cuts, np.arange(len(negative)), side="right")
    steps = scipy.sparse.csr_matrix(
        (np.ones(len(negative)), (step, groups[negative])),
        shape=(len(cuts) + 1, int(groups.max()) + 1),
    )
    return steps, groups[positive], np.searchsorted(cuts, below), np.searchsorted(cuts, upto)


def _area(
    steps: scipy.sparse.csr_matrix,
    positives: Integers,
    below: Integers,
    upto: Integers,
    weights: Floats,
) -> Floats:
    """Returns the AUROC [b] of one ranked label under `weights` [groups, b]."""
    negatives = np.cumsum(steps @ weights[: steps.shape[1]], axis=0)
    weight = weights[positives]
    wins = np.einsum("kb,kb->b", weight, negatives[below])
    wins += np.einsum("kb,kb->b", weight, negatives[upto])
    pairs = weight.sum(axis=0) * negatives[-1]
    area = np.full(len(pairs), np.nan)
    return np.divide(wins / 2, pairs, out=area, where=pairs > 0)
