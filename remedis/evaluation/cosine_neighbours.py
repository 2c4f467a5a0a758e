"""The k nearest neighbours of embeddings by cosine similarity, exactly.

Similarities are computed in float64, so that neither the number of rows nor their order changes
the answer. Similarities within 1e-12 of each other are a tie, and the lower row comes first.
"""

import dataclasses

import numpy as np
import numpy.typing as npt

from remedis import extras
from remedis.errors import UserError, unknown_choice
from remedis.progress import progress

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.intp]

ENGINES = ("exact", "faiss")
MAX_NEIGHBOURS = 10_000
NONE = -1  # the row of a neighbour that does not exist
_BLOCK = 1024  # queries at a time
CHUNK = 4096  # rows at a time: few enough to convert them to float64 on the way
# A similarity and its column make one integer, whose order is that of similarity, then column.
_STEPS, _COLUMN_BITS = float(1 << 40), 21
_LAST = np.iinfo(np.int64).max


@dataclasses.dataclass(frozen=True, eq=False)
class Neighbours:
    """Rows of an index, the most similar first.

    Attributes:
      rows: [M, k], row numbers; `NONE` where an index has too few rows.
      similarities: [M, k], cosines in [-1, 1]; NaN where there is no row.
    """

    rows: Integers
    similarities: Floats


def nearest(
    index: npt.ArrayLike,
    queries: npt.ArrayLike,
    k: int,
    *,
    groups: npt.ArrayLike | None = None,
    query_groups: npt.ArrayLike | None = None,
    engine: str = "exact",
) -> Neighbours:
    """Returns the k rows of an index that are the most similar to each query.

    Args:
      index: [N, C] embeddings. A row of zeros has the similarity 0 to everything.
      queries: [M, C] embeddings.
      k: number of neighbours.
      groups: [N] integers from 0 up, such as patients; None if no row is to be left out.
      query_groups: [M] integers: a query leaves out the rows of its own group. -1 leaves out none.
      engine: `exact`, or `faiss`: FAISS proposes rows in float32, which are measured again in
        float64. A query whose proposals end too close to its k-th neighbour is searched exactly,
        so that the answer is the same.

    Raises:
      UserError: shapes do not fit, a number is not finite, k is out of range, the engine is unknown
        or FAISS is not installed.
    """
    rows, asked = checked(index, "the index"), checked(queries, "the queries")
    if rows.shape[1] != asked.shape[1]:
        raise UserError(
            f"The queries have {asked.shape[1]:,} numbers each and the index has "
            f"{rows.shape[1]:,}; expected embeddings of one checkpoint."
        )
    if not 1 <= k <= MAX_NEIGHBOURS:
        raise UserError(f"k is {k:,}; expected 1 to {MAX_NEIGHBOURS:,} neighbours.")
    if engine not in ENGINES:
        raise unknown_choice("engine", engine, ENGINES)
    if (groups is None) != (query_groups is None):
        raise ValueError("groups and query_groups go together.")
    own = np.full(len(rows), -2) if groups is None else np.asarray(groups, np.intp)
    theirs = np.full(len(asked), -1) if query_groups is None else np.asarray(query_groups, np.intp)
    if len(own) != len(rows) or len(theirs) != len(asked):
        raise ValueError("There must be one group per row.")
    if engine == "faiss":
        return _by_faiss(rows, asked, k, own, theirs)
    return _exact(rows, asked, k, own, theirs)


def checked(embeddings: npt.ArrayLike, what: str) -> npt.NDArray[np.float32]:
    """Returns embeddings [n, C] as float32.

    Args:
      embeddings: the rows.
      what: they are, as the message has it.

    Raises:
      UserError: there are none, they are no matrix, or a number is not finite.
    """
    rows = np.asarray(embeddings, np.float32)
    if rows.ndim != 2 or not rows.size:
        raise UserError(
            f"Embeddings of {what} have the shape {rows.shape}; expected [images, numbers], not "
            "empty."
        )
    # In chunks: a mask of every number of a large index takes a quarter of its memory again.
    starts = range(0, len(rows), CHUNK)
    finite = np.concatenate([np.isfinite(rows[i : i + CHUNK]).all(axis=1) for i in starts])
    if not finite.all():
        raise UserError(
            f"The embedding in row {int(np.argmin(finite))} (from 0) of {what} has NaN or "
            "infinity; embed the image again."
        )
    return rows


def directions(rows: npt.NDArray[np.float32]) -> Floats:
    """Returns rows [n, C] scaled to length 1 in float64; a row of zeros stays as it is."""
    wide = rows.astype(np.float64)
    lengths = np.linalg.norm(wide, axis=1, keepdims=True)
    return np.asarray(wide / np.where(lengths > 0, lengths, 1))


def _exact(
    index: npt.NDArray[np.float32],
    queries: npt.NDArray[np.float32],
    k: int,
    groups: Integers,
    query_groups: Integers,
) -> Neighbours:
    blocks = []
    with progress("Searching", len(queries)) as report:
        for first in range(0, len(queries), _BLOCK):
            block = slice(first, first + _BLOCK)
            blocks.append(_nearest_of_block(index, queries[block], k, groups, query_groups[block]))
            report(min(first + _BLOCK, len(queries)), "images")
    return _joined(blocks)


def _nearest_of_block(
    index: npt.NDArray[np.float32],
    queries: npt.NDArray[np.float32],
    k: int,
    groups: Integers,
    query_groups: Integers,
) -> Neighbours:
    """Returns the neighbours of a few queries, from one chunk of the index after the other."""
    asked = directions(queries)
    best_rows = np.full((len(queries), k), NONE)
    best = np.full((len(queries), k), np.nan)
    for first in range(0, len(index), CHUNK):
        chunk = slice(first, first + CHUNK)
        found = asked @ directions(index[chunk]).T
        found[query_groups[:, None] == groups[None, chunk]] = np.nan
        # The rows found so far are lower than those of this chunk: they come first among ties.
        rows = np.broadcast_to(np.arange(first, first + found.shape[1]), found.shape)
        best_rows, best = _best(
            np.concatenate([best_rows, rows], axis=1), np.concatenate([best, found], axis=1), k
        )
    return Neighbours(np.where(np.isnan(best), NONE, best_rows), np.clip(best, -1, 1))


def _best(rows: Integers, similarities: Floats, k: int) -> tuple[Integers, Floats]:
    """Returns the k most similar columns of each line, in order; NaN comes last."""
    known = np.nan_to_num(similarities, nan=-2.0)
    keys = np.rint((1 - known) * _STEPS).astype(np.int64) << _COLUMN_BITS
    keys += np.arange(keys.shape[1])
    k = min(k, keys.shape[1])
    nearest = np.argpartition(keys, k - 1, axis=1)[:, :k]
    order = np.argsort(np.take_along_axis(keys, nearest, axis=1), axis=1)
    nearest = np.take_along_axis(nearest, order, axis=1)
    return (
        np.take_along_axis(rows, nearest, axis=1),
        np.take_along_axis(similarities, nearest, axis=1),
    )


def _by_faiss(
    index: npt.NDArray[np.float32],
    queries: npt.NDArray[np.float32],
    k: int,
    groups: Integers,
    query_groups: Integers,
) -> Neighbours:
    faiss = extras.load("faiss", "faiss")
    searched = faiss.IndexFlatIP(index.shape[1])
    for first in range(0, len(index), CHUNK):
        searched.add(directions(index[first : first + CHUNK]).astype(np.float32))
    # A query's own group is left out afterwards: as many more as it has, and a few for ties.
    left_out = np.isin(groups, query_groups[query_groups >= 0])
    largest = int(np.bincount(groups[left_out]).max()) if left_out.any() else 0
    count = min(len(index), k + largest + 16)
    # The error of a float32 sum of C products of unit vectors.
    tolerance = index.shape[1] * np.finfo(np.float32).eps
    blocks = []
    with progress("Searching", len(queries)) as report:
        for first in range(0, len(queries), _BLOCK):
            block = slice(first, first + _BLOCK)
            asked = directions(queries[block])
            approximate, proposed = searched.search(asked.astype(np.float32), count)
            proposed = np.sort(proposed, axis=1)  # among ties, the lower row comes first
            similarities = np.stack(
                [directions(index[rows]) @ one for rows, one in zip(proposed, asked, strict=True)]
            )
            similarities[query_groups[block, None] == groups[proposed]] = np.nan
            rows, best = _best(proposed.astype(np.intp), similarities, k)
            found = Neighbours(np.where(np.isnan(best), NONE, rows), np.clip(best, -1, 1))
            if count < len(index):
                clear = best[:, -1] > approximate.min(axis=1) + tolerance
                again = np.flatnonzero(~clear)
                if len(again):
                    of_block = queries[block][again], k, groups, query_groups[block][again]
                    exact = _nearest_of_block(index, *of_block)
                    found.rows[again], found.similarities[again] = exact.rows, exact.similarities
            blocks.append(_padded(found, k))
            report(min(first + _BLOCK, len(queries)), "images")
    return _joined(blocks)


def _padded(found: Neighbours, k: int) -> Neighbours:
    """Returns neighbours with k columns."""
    missing = ((0, 0), (0, k - found.rows.shape[1]))
    return Neighbours(
        np.pad(found.rows, missing, constant_values=NONE),
        np.pad(found.similarities, missing, constant_values=np.nan),
    )


def _joined(blocks: list[Neighbours]) -> Neighbours:
    return Neighbours(
        np.concatenate([block.rows for block in blocks]),
        np.concatenate([block.similarities for block in blocks]),
    )
