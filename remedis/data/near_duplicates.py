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
from collections.abc import Iterator

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
# Candidates compared at a time: 32 bytes each, twice.
_CHUNK = 4_000_000


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
    return np.bitwise_count(first ^ second).sum(axis=-1, dtype=np.int64)


def pairs(
    hashes: pd.Series | list[str], groups: npt.ArrayLike, distance: int = DISTANCE
) -> pd.DataFrame:
    """Returns all pairs of images in different groups whose hashes differ in few bits.

    The search is exact. Bits are dealt into `distance` + 2 blocks; two hashes within the distance
    have at least two blocks in common (the pigeonhole principle), so only hashes that share two
    blocks are compared (Norouzi et al., Fast Search in Hamming Space with Multi-Index Hashing,
    CVPR 2012).

    Images without structure, whose hash is all zeros or all ones but for `distance` bits, look like
    every other such image, which says nothing: they are left out.

    Args:
      hashes: [n] strings of `difference_hash`.
      groups: [n] integers such as the number of the split.
      distance: the largest number of differing bits.

    Returns:
      The nearest `MOST` pairs, or all if there are fewer: `first` and `second`, positions from 0
      with `first` in the lower group, and `distance`; sorted by distance, then position.
    """
    frame = pd.DataFrame({"hash": list(hashes), "group": np.asarray(groups, np.int64)})
    ones = np.bitwise_count(unpacked(frame["hash"])).sum(axis=1, dtype=np.int64)
    frame = frame[(ones > distance) & (ones < BITS - distance)]
    # Identical hashes are compared once.
    number, distinct = pd.factorize(frame["hash"])
    words = unpacked(list(distinct))
    masks = np.zeros(len(distinct), np.int64)
    np.bitwise_or.at(masks, number, np.int64(1) << frame["group"].to_numpy())
    members = frame.groupby(number)["group"]
    of = {int(i): list(part.items()) for i, part in members} if len(frame) else {}
    crossing = (
        (*((x, y) if x_group < y_group else (y, x)), apart)
        for a, b, apart in _close(words, masks, distance)
        for (x, x_group), (y, y_group) in itertools.product(of[a], of[b])
        if x_group != y_group and (a != b or x_group < y_group)
    )
    found = pd.DataFrame(
        itertools.islice(crossing, MOST), columns=["first", "second", "distance"], dtype=np.int64
    )
    return found.sort_values(["distance", "first", "second"], ignore_index=True)


def _close(
    words: npt.NDArray[np.uint64], masks: npt.NDArray[np.int64], distance: int
) -> list[tuple[int, int, int]]:
    """Returns pairs of hashes in two groups within the distance, nearest first.

    A hash that two groups have is a pair with itself.
    """
    several = (masks & (masks - 1)) != 0
    close = [(int(i), int(i), 0) for i in np.flatnonzero(several)]
    seen: list[npt.NDArray[np.int64]] = []
    for keys in _keys(words, distance):
        order = np.argsort(keys, kind="stable")
        for left, right in _candidates(keys[order]):
            first, second = order[left], order[right]
            # Both in one and the same group only: nothing that could cross.
            crossing = (masks[first] != masks[second]) | several[first]
            first, second = first[crossing], second[crossing]
            near = distances(words[first], words[second]) <= distance
            seen.append(np.sort(np.stack([first[near], second[near]], axis=1), axis=1))
    found = np.unique(np.concatenate(seen), axis=0) if seen else np.empty((0, 2), np.int64)
    apart = distances(words[found[:, 0]], words[found[:, 1]])
    order = np.argsort(apart, kind="stable")
    found, apart = found[order], apart[order]
    return close + [(int(a), int(b), int(d)) for (a, b), d in zip(found, apart, strict=True)]


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
    keys: npt.NDArray[np.uint64],
) -> Iterator[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]]:
    """Yields positions of equal keys, all pairs once; `keys` are sorted."""
    position = np.flatnonzero(keys[:-1] == keys[1:])
    gap = 1
    while len(position):
        for start in range(0, len(position), _CHUNK):
            left = position[start : start + _CHUNK]
            yield left, left + gap
        gap += 1
        position = position[position + gap < len(keys)]
        position = position[keys[position] == keys[position + gap]]
