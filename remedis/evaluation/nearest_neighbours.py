"""k-nearest-neighbour classifier of embeddings, by cosine similarity."""

import numpy as np
import numpy.typing as npt
import scipy.special

from remedis.errors import UserError
from remedis.evaluation.linear_probe import check_embeddings
from remedis.evaluation.logistic import Floats

NEIGHBOURS = 20
TEMPERATURE = 0.07  # Wu et al. 2018
_QUERIES_PER_BLOCK = 1024


def knn(
    x: Floats,
    y: npt.ArrayLike,
    queries: Floats,
    k: int = NEIGHBOURS,
    temperature: float = TEMPERATURE,
) -> Floats:
    """Returns the share of positives among the nearest neighbours, weighted by similarity.

    A neighbour of cosine similarity s has weight exp(s / temperature) (Wu et al. 2018,
    "Unsupervised Feature Learning via Non-Parametric Instance Discrimination", arXiv 1805.01978).

    Args:
      x: [n, C] embeddings.
      y: [n, L]; 1, 0, NaN unknown. The neighbours of a label are images where it is known.
      queries: [m, C] embeddings.
      k: number of neighbours; all images, if there are fewer.
      temperature: above 0; with a smaller one, the nearest neighbours have more weight.

    Returns:
      [m, L] float32 in [0, 1].

    Raises:
      UserError: shapes do not fit, `k` is not positive, or a label is not known of any image.
    """
    features, targets = np.asarray(x, np.float32), np.asarray(y, np.float64)
    check_embeddings(features, targets)
    known = np.isfinite(targets)
    if k < 1:
        raise UserError(f"k is {k}; expected 1 or more neighbours.")
    if not known.any(axis=0).all():
        column = int(np.argmin(known.any(axis=0)))
        raise UserError(f"Label number {column} is known of no image that could be a neighbour.")
    directions = _unit_length(features)
    query_directions = _unit_length(np.asarray(queries, np.float32))
    shares = np.empty((len(query_directions), targets.shape[1]), np.float32)
    # Labels that are known of the same images have the same neighbours.
    masks, group = np.unique(known, axis=1, return_inverse=True)
    for i, mask in enumerate(masks.T):
        columns = np.flatnonzero(group.ravel() == i)
        pool, votes = directions[mask], targets[np.ix_(mask, columns)]
        count = min(k, len(pool))
        for first in range(0, len(query_directions), _QUERIES_PER_BLOCK):
            block = slice(first, first + _QUERIES_PER_BLOCK)
            similarity = query_directions[block] @ pool.T
            nearest = np.argpartition(-similarity, count - 1, axis=1)[:, :count]
            similarity = np.take_along_axis(similarity, nearest, axis=1)
            weights = scipy.special.softmax(similarity.astype(np.float64) / temperature, axis=1)
            shares[block, columns] = np.einsum("mk,mkl->ml", weights, votes[nearest])
    return shares


def _unit_length(x: Floats) -> Floats:
    """Returns the rows of `x` [n, C] scaled to length 1; a row of zeros stays as it is."""
    lengths = np.linalg.norm(x, axis=1, keepdims=True)
    return x / np.where(lengths > 0, lengths, 1)
