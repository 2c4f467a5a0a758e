"""Near-identical embeddings: pairs of high cosine similarity, and the groups that they form."""

import dataclasses

import numpy as np
import numpy.typing as npt
import scipy.sparse
import scipy.sparse.csgraph

from remedis.errors import UserError
from remedis.evaluation.cosine_neighbours import CHUNK, Floats, Integers, checked, directions
from remedis.progress import progress

SIMILARITY = 0.999
# A single mistake, such as a threshold below most similarities, can produce this many.
MAX_PAIRS = 100_000
_BLOCK = 1024  # rows at a time against each chunk of others: at most four million pairs
# Two equal rows have a similarity of 1 but for rounding.
_ROUNDING = 1e-12


@dataclasses.dataclass(frozen=True, eq=False)
class Pairs:
    """Pairs of rows, the most similar first.

    Attributes:
      first: [P], the lower row of each pair.
      second: [P], the higher row.
      similarities: [P], cosines.
      complete: whether these are all pairs; else the search ended at `MAX_PAIRS`.
    """

    first: Integers
    second: Integers
    similarities: Floats
    complete: bool


def close_pairs(embeddings: npt.ArrayLike, similarity: float = SIMILARITY) -> Pairs:
    """Returns all pairs of rows whose cosine similarity is at least `similarity`.

    Rows of zeros are in no pair.

    Args:
      embeddings: [N, C].
      similarity: the least cosine of a pair, above 0 and at most 1.

    Raises:
      UserError: the similarity is out of range, or the embeddings are no finite matrix.
    """
    if not 0 < similarity <= 1:
        raise UserError(
            f"The similarity of duplicates is {similarity:g}; expected above 0 and at most 1, such "
            f"as {SIMILARITY}."
        )
    rows = checked(embeddings, "the index")
    firsts, seconds, found = [], [], []
    with progress("Comparing", len(rows)) as report:
        for start in range(0, len(rows), _BLOCK):
            block = directions(rows[start : start + _BLOCK])
            for other in range(start, len(rows), CHUNK):
                cosines = block @ directions(rows[other : other + CHUNK]).T
                close = cosines >= similarity - _ROUNDING
                if other == start:
                    close = np.triu(close, 1)
                first, second = np.nonzero(close)
                firsts.append(first + start)
                seconds.append(second + other)
                found.append(cosines[first, second])
                if sum(map(len, found)) > MAX_PAIRS:
                    break
            if complete := sum(map(len, found)) <= MAX_PAIRS:
                report(min(start + _BLOCK, len(rows)), "images")
            else:
                break
    first, second = np.concatenate(firsts), np.concatenate(seconds)
    cosines = np.minimum(np.concatenate(found), 1.0)
    order = np.lexsort((second, first, -np.round(cosines, 12)))[:MAX_PAIRS]
    return Pairs(first[order], second[order], cosines[order], complete)


def groups(pairs: Pairs, count: int) -> list[list[int]]:
    """Returns the groups of rows that pairs connect, each sorted, the largest first.

    A group is a connected component: two of its rows may be less similar than those of any pair.

    Args:
      pairs: of rows.
      count: number of rows.
    """
    edges = np.ones(len(pairs.first), dtype=np.int8)
    graph = scipy.sparse.coo_matrix((edges, (pairs.first, pairs.second)), shape=(count, count))
    _, component = scipy.sparse.csgraph.connected_components(graph, directed=False)
    members: dict[int, list[int]] = {}
    for row in np.unique(np.concatenate([pairs.first, pairs.second])):
        members.setdefault(int(component[row]), []).append(int(row))
    return sorted(members.values(), key=lambda rows: (-len(rows), rows))
