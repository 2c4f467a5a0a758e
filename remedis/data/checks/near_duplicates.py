"""Near-duplicates: images that look the same though their files differ.

The same exposure comes as DICOM and as JPEG, resized, saved again, or in two downloads under two
names, and with missing or wrong patient ids in two splits. A perceptual hash finds such pairs: few
of its bits change when an image is encoded again, resized or made brighter.

The hash is the difference hash of N. Krawetz ("Kind of Like That", The Hacker Factor Blog, 2013)
with 256 instead of 64 bits, which radiographs need to be told apart.

Measured: of 13.7 million pairs of radiographs of different patients (children, 224 pixels: Kermany
et al. 2018) none differ in 10 bits or fewer, 2 in 12, 272 in 20; of 0.49 million (ChestX-ray14,
reduced to 64 pixels) none in 18. Copies were made of 300 images of each; within 10 bits were, of
224 and of 64 pixels: JPEG of quality 90 100 % and 99.7 %, of quality 60 100 % and 93 %, half the
size 100 % and 99 %, 10 % brighter 99.7 % and 98 %, 10 % darker 100 %. An image cut by 2 % on every
side is another to this hash: 5 % and 21 % were found.
"""

import itertools
import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

# Rows and columns of cells an image is averaged to; a bit compares two neighbours of a row.
GRID = (16, 17)
BITS = GRID[0] * (GRID[1] - 1)
DISTANCE = 10
# By how much a cell must be brighter than its neighbour, of a range of 1: more than the averages of
# equal pixels differ by rounding, so that a plain background is the same whatever its grey.
_FLAT = 1e-4
_HEX = BITS // 4
# Pairs returned at most: that many are one mistake, not many.
MOST = 100_000
# Comparisons of two hashes at most: where many images share most of their surface, as the black
# half of mammograms, the search would need the square of their number.
WORK = 100_000_000
# Why a search was cut short.
_ENOUGH = f"the search ends at {MOST:,} pairs"
_TOO_ALIKE = "too many images share their background for every two to be compared"
# Candidates compared at a time: few enough for a processor's cache.
_CHUNK = 1 << 16


class Search(NamedTuple):
    """What a search found.

    Attributes:
      pairs: `first` and `second`, positions from 0 with `first` in the lower group, and
        `distance`; sorted by distance, then position.
      unfinished: why there may be more pairs, in words that end a sentence; empty if there are
        none.
    """

    pairs: pd.DataFrame
    unfinished: str


def difference_hash(grid: npt.ArrayLike) -> str:
    """Returns the hash of an image as 64 hexadecimal digits.

    Args:
      grid: [16, 17] grey values in [0, 1], the image averaged by area. A bit is 1 where a cell is
        darker than the one to its right, from the upper left by rows.
    """
    values = np.asarray(grid)
    return np.packbits(values[:, 1:] - values[:, :-1] > _FLAT).tobytes().hex()


def unpacked(hashes: pd.Series | list[str]) -> npt.NDArray[np.uint64]:
    """Returns hashes, strings of 64 hexadecimal digits, as [n, 4] integers for bit arithmetic."""
    joined = "".join(hashes)
    assert len(joined) == _HEX * len(hashes)
    return np.frombuffer(bytes.fromhex(joined), np.uint64).reshape(-1, BITS // 64)


def distances(
    first: npt.NDArray[np.uint64], second: npt.NDArray[np.uint64]
) -> npt.NDArray[np.int64]:
    """Returns the number of bits that differ (Hamming distance) between rows [..., 4]."""
    differing = np.bitwise_count(first ^ second)
    # Word by word: a sum over so short an axis takes three times as long.
    total = differing[..., 0].astype(np.int64)
    for word in range(1, differing.shape[-1]):
        total += differing[..., word]
    return total


def pairs(hashes: pd.Series | list[str], groups: npt.ArrayLike, distance: int = DISTANCE) -> Search:
    """Returns pairs of images in different groups whose hashes differ in few bits.

    The search is exact unless it is cut short. Bits are dealt into `distance` + 2 blocks; two
    hashes within the distance have at least two blocks in common (the pigeonhole principle), so
    only hashes that share two blocks are compared (Norouzi et al., Fast Search in Hamming Space
    with Multi-Index Hashing, CVPR 2012).

    It is cut short at `MOST` pairs, and after `WORK` comparisons: of many hashes that share the
    same two blocks only those near each other in sorted order are compared then. What is found
    does not depend on chance, and identical hashes come first.

    Images without structure, whose hash is all zeros or all ones but for `distance` bits, look like
    every other such image, which says nothing: they are left out.

    Args:
      hashes: [n] strings of `difference_hash`.
      groups: [n] integers from 0 to 62, such as the number of the split.
      distance: the largest number of differing bits.
    """
    frame = pd.DataFrame({"hash": list(hashes), "group": np.asarray(groups, np.int64)})
    ones = np.bitwise_count(unpacked(frame["hash"])).sum(axis=1, dtype=np.int64)
    frame = frame[(ones > distance) & (ones < BITS - distance)]
    # Identical hashes are compared once. Sorted, those next to each other resemble each other.
    number, distinct = pd.factorize(frame["hash"], sort=True)
    words = unpacked(list(distinct))
    group = frame["group"].to_numpy()
    masks = np.zeros(len(distinct), np.int64)
    np.bitwise_or.at(masks, number, np.int64(1) << group)
    close, unfinished = _close(words, masks, distance)
    members = _members(number, group, frame.index.to_numpy())
    crossing = (
        (*((x, y) if x_group < y_group else (y, x)), apart)
        for a, b, apart in close
        for (x_group, xs), (y_group, ys) in itertools.product(members(a), members(b))
        if x_group != y_group and (a != b or x_group < y_group)
        for x, y in itertools.product(xs, ys)
    )
    found = pd.DataFrame(
        itertools.islice(crossing, MOST), columns=["first", "second", "distance"], dtype=np.int64
    )
    if next(crossing, None) is not None:
        unfinished = _ENOUGH
    return Search(found.sort_values(["distance", "first", "second"], ignore_index=True), unfinished)


def _members(
    number: npt.NDArray[np.int64], group: npt.NDArray[np.int64], position: npt.NDArray[np.int64]
) -> Callable[[int], list[tuple[int, list[int]]]]:
    """Returns a function from the number of a hash to the positions that have it, by group."""
    order = np.lexsort((position, group, number))
    start = np.searchsorted(number[order], np.arange(len(number) + 1))

    def members(hashed: int) -> list[tuple[int, list[int]]]:
        of = order[start[hashed] : start[hashed + 1]]
        return [(int(g), position[of[group[of] == g]].tolist()) for g in np.unique(group[of])]

    return members


def _close(
    words: npt.NDArray[np.uint64], masks: npt.NDArray[np.int64], distance: int
) -> tuple[list[tuple[int, int, int]], str]:
    """Returns pairs of hashes in two groups within the distance, nearest first.

    A hash that two groups have is a pair with itself. Also returns why pairs may be missing.
    """
    several = (masks & (masks - 1)) != 0
    close = [(int(i), int(i), 0) for i in np.flatnonzero(several)]
    found = np.empty(0, np.int64)  # pairs as one number each
    unfinished = ""
    left = WORK
    rounds = math.comb(distance + 2, 2)
    for i, keys in enumerate(_keys(words, distance)):
        order = np.argsort(keys, kind="stable")
        # In this order, candidates lie close together in memory; `take` beats indexing fourfold.
        of_key, hashed, mask = keys[order], words.take(order, axis=0), masks[order]
        limit = left // (rounds - i)  # what one round does not need is for those after it
        for first, second in _candidates(of_key, limit):
            left -= len(first)
            # Both in one and the same group only: nothing that could cross.
            either = mask.take(first) | mask.take(second)
            crossing = (either & (either - 1)) != 0
            first, second = first[crossing], second[crossing]
            near = distances(hashed.take(first, axis=0), hashed.take(second, axis=0)) <= distance
            if near.any():
                # The sort is stable: of two hashes of equal keys, `first` is the lower.
                pair = order[first[near]] * len(words) + order[second[near]]
                found = np.union1d(found, pair)
            if len(close) + len(found) >= MOST:
                break
        if len(close) + len(found) >= MOST:
            unfinished = _ENOUGH
            break
        if _count(of_key) > limit:
            unfinished = _TOO_ALIKE
    a, b = np.divmod(found, max(len(words), 1))
    apart = distances(words[a], words[b])
    order = np.argsort(apart, kind="stable")
    near_pairs = zip(a[order].tolist(), b[order].tolist(), apart[order].tolist(), strict=True)
    return close + list(near_pairs), unfinished


def _keys(words: npt.NDArray[np.uint64], distance: int) -> Iterator[npt.NDArray[np.uint64]]:
    """Yields, for every two blocks of bits, their content in each hash as one [n] integer."""
    bits = np.unpackbits(words.view(np.uint8), axis=1)
    blocks = distance + 2
    # Dealt out like cards: neighbouring cells resemble each other, and a block of them says little.
    dealt = [bits[:, i::blocks][:, :32] for i in range(blocks)]
    numbers = [
        block @ (np.uint64(1) << np.arange(block.shape[1], dtype=np.uint64)) for block in dealt
    ]
    for a, b in itertools.combinations(numbers, 2):
        yield (a << np.uint64(32)) | b


def _candidates(
    keys: npt.NDArray[np.uint64], limit: int
) -> Iterator[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]]:
    """Yields positions of equal keys, the lower first, all pairs once; `keys` are sorted.

    Neighbours come first, then those one further apart, and so on, `limit` pairs in all.
    """
    position = np.flatnonzero(keys[:-1] == keys[1:])
    gap = 1
    while len(position) and limit > 0:
        for start in range(0, min(len(position), limit), _CHUNK):
            left = position[start : min(start + _CHUNK, limit)]
            yield left, left + gap
        limit -= len(position)
        gap += 1
        position = position[position + gap < len(keys)]
        position = position[keys[position] == keys[position + gap]]


def _count(keys: npt.NDArray[np.uint64]) -> int:
    """Returns the number of pairs of equal keys; `keys` are sorted."""
    edges = np.flatnonzero(keys[:-1] != keys[1:]) + 1
    sizes = np.diff(edges, prepend=0, append=len(keys))
    return int((sizes * (sizes - 1) // 2).sum())
