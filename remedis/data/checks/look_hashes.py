"""Hashes by which an image is known again after it was resized, encoded again or cropped a little.

A look hash compares neighbours among 16 x 16 cells, each the mean of an area: along rows and along
columns, 480 bits (the difference hash of N. Krawetz, "Kind of Like That", The Hacker Factor Blog,
2013, in both directions). An image has three of them, of its whole area and without 1.5 % and 4 %
on every side, so that a copy that lost up to 5 % on every side is compared with the same area.

Two images look alike if two of these hashes differ in at most `BITS_APART` bits, and in at most 9 %
of the bits that are set in either: areas without structure, whose bits are all zero, say nothing.

Measured by `benchmarks/near_duplicates.py --copies=300` on chest radiographs of children (Kermany
et al. 2018; 5,232 of 224 pixels) and of adults (ChestX-ray14; 1,000, reduced to 64 pixels). No two
images of different patients look alike among 27.4 and 1.0 million pairs of one set (each in both
orders) and 5.2 million pairs of both. The share of images that are known again:

| copy | Kermany, 224 pixels | ChestX-ray14, 64 pixels |
|---|---|---|
| PNG of the same pixels | 100.0% | 100.0% |
| JPEG of quality 75 | 100.0% | 100.0% |
| JPEG of quality 50 | 100.0% | 99.0% |
| half the size | 100.0% | 100.0% |
| a third of the size | 100.0% | 99.3% |
| 320 of 390 pixels | 100.0% | 100.0% |
| cut by 2 % on every side | 100.0% | 100.0% |
| cut by 5 % on every side | 99.7% | 100.0% |
| cut by 10 % on every side | 0.0% | 0.0% |
| cut by 5 % on two sides | 0.0% | 3.3% |
| 10 % brighter | 100.0% | 99.7% |
| 10 % darker | 100.0% | 100.0% |
| 20 % brighter | 99.7% | 87.7% |
| 20 % darker | 100.0% | 100.0% |
| 20 % more contrast | 100.0% | 99.7% |
| 20 % less contrast | 100.0% | 100.0% |
| histogram equalised | 100.0% | 100.0% |
| turned by 2 degrees | 42.3% | 91.0% |
| black margin of 5 % left and right | 17.0% | 61.0% |
| mirrored | 0.0% | 0.0% |
| halved, JPEG 75, cut by 2 %, darker | 100.0% | 94.7% |

Mirroring, a cut of two sides and a larger cut hide nearly all copies; a rotation of 2 degrees or a
margin hides 9 to 83 % of them.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from remedis.progress import progress

# Rows and columns of cells that an image is averaged to before the hashes are taken from it.
FINE = 64
# Shares of height and width that the hashes of an image leave out on every side.
CROPS = (0.0, 0.015, 0.04)
# Which hash of an image is compared with which one of a stored image: equal areas; the stored image
# without 4 %, with the image as it is and without 1.5 %; and the image without 4 %.
_COMPARED = ((0, 0), (0, 2), (1, 2), (2, 0))
STORED = (0, 2)  # the hashes of a stored image that these comparisons need

_CELLS = 16
BITS = 2 * _CELLS * (_CELLS - 1)
BYTES = BITS // 8  # of one hash
STORED_BYTES = len(STORED) * BYTES
BITS_APART = 43
_SHARE_APART = 0.09
# An image with fewer bits set has too little structure to be known again.
_LEAST_BITS = 48
# A cell counts as brighter than its neighbour above this difference, on a range of 1.
_FLAT = 1e-4
_WORDS = 8
# Bits are stored in this order (133 and 480 have no common factor), so that the first words sample
# the whole image and most pairs are told apart by them.
_ORDER = np.arange(BITS) * 133 % BITS
# Two hashes that are at most `BITS_APART` apart differ in 11.5 of the first 128 bits on average,
# with a standard deviation of 2.8; more than this happens in fewer than 1 of 10,000 such pairs.
_FIRST_WORDS, _FIRST_APART = 2, 22
# Images and stored images compared at a time: their bits fit into a processor's cache.
_ROWS, _COLUMNS = 16, 8192


class Alike(NamedTuple):
    """The stored image that each image resembles most.

    Attributes:
      stored: [n] int64, row of the stored image; -1 if no stored image looks alike.
      apart: [n] int64, number of differing bits; `BITS` if no stored image looks alike.
    """

    stored: npt.NDArray[np.int64]
    apart: npt.NDArray[np.int64]


def look_hash(cells: npt.ArrayLike) -> bytes:
    """Returns the three hashes of an image, 180 bytes.

    Args:
      cells: [64, 64] grey values in [0, 1], the image averaged by area.
    """
    values = np.asarray(cells, np.float64)
    hashes = []
    for weights in _WEIGHTS:
        coarse = weights @ values @ weights.T
        right = coarse[:, 1:] - coarse[:, :-1] > _FLAT
        below = coarse[1:] - coarse[:-1] > _FLAT
        hashes.append(np.packbits(np.concatenate([right.ravel(), below.ravel()])[_ORDER]))
    return np.concatenate(hashes).tobytes()


def unpacked(hashes: Iterable[bytes], count: int = len(CROPS)) -> npt.NDArray[np.uint64]:
    """Returns hashes as [n, count, 8] integers for bit arithmetic.

    Args:
      hashes: of n images, `count` hashes of 60 bytes each.
      count: number of hashes per image.
    """
    joined = np.frombuffer(b"".join(hashes), np.uint8).reshape(-1, count, BYTES)
    padded = np.zeros((*joined.shape[:2], 8 * _WORDS), np.uint8)
    padded[..., :BYTES] = joined
    return padded.view(np.uint64)


def packed(hashes: npt.NDArray[np.uint64]) -> list[bytes]:
    """Returns the hashes `STORED` of images, [n, 3, 8] or [n, 2, 8], as 120 bytes each."""
    stored = hashes[:, list(STORED)] if hashes.shape[1] == len(CROPS) else hashes
    octets = np.ascontiguousarray(stored).view(np.uint8)[..., :BYTES]
    return [row.tobytes() for row in octets]


def alike(images: npt.NDArray[np.uint64], stored: npt.NDArray[np.uint64]) -> Alike:
    """Returns, for every image, the stored image that looks most like it, if one looks alike.

    Every image is compared with every stored one: 1,000 million pairs take about 12
    seconds of one processor.

    Args:
      images: [n, 3, 8], of `unpacked`.
      stored: [m, 2, 8], the hashes `STORED` of m images.
    """
    found = np.full(len(images), -1, np.int64)
    apart = np.full(len(images), BITS, np.int64)
    ones, stored_ones = _ones(images), _ones(stored)
    with progress("Comparing looks", len(images)) as report:
        for start in range(0, len(images), _ROWS):
            rows = slice(start, start + _ROWS)
            for own, kept in _COMPARED:
                level = STORED.index(kept)
                for column in range(0, len(stored), _COLUMNS):
                    columns = slice(column, column + _COLUMNS)
                    _nearer(
                        (images[rows, own], ones[rows, own]),
                        (stored[columns, level], stored_ones[columns, level]),
                        (found[rows], apart[rows]),
                        column,
                    )
            report(min(start + _ROWS, len(images)), "images")
    return Alike(found, apart)


def _nearer(
    images: tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64]],
    stored: tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64]],
    best: tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]],
    offset: int,
) -> None:
    """Updates the stored image that is nearest to each image, in place.

    Args:
      images: [n, 8] hashes, and their numbers of ones.
      stored: [m, 8] hashes, and their numbers of ones.
      best: for each image, row and distance of the nearest stored image so far.
      offset: row of the first of `stored`.
    """
    (words, ones), (stored_words, stored_ones), (found, apart) = images, stored, best
    roughly = np.zeros((len(words), len(stored_words)), np.uint8)
    for word in range(_FIRST_WORDS):
        differing = words[:, word, None] ^ np.ascontiguousarray(stored_words[:, word])
        roughly += np.bitwise_count(differing)
    # Several times faster than `nonzero` of two dimensions.
    candidates = np.flatnonzero(roughly.ravel() <= _FIRST_APART)
    if not len(candidates):
        return
    i, j = np.divmod(candidates, len(stored_words))
    bits = np.bitwise_count(words[i] ^ stored_words[j]).sum(axis=1, dtype=np.int64)
    both = ones[i] + stored_ones[j]
    near = (
        (bits <= BITS_APART)
        & (bits <= _SHARE_APART * both)
        & (np.minimum(ones[i], stored_ones[j]) >= _LEAST_BITS)
    )
    # The nearest stored image of each image comes first, of equally near ones the first.
    order = np.lexsort((j[near], bits[near], i[near]))
    rows, first = np.unique(i[near][order], return_index=True)
    nearest, distance = j[near][order][first], bits[near][order][first]
    closer = distance < apart[rows]
    found[rows[closer]] = offset + nearest[closer]
    apart[rows[closer]] = distance[closer]


def _ones(hashes: npt.NDArray[np.uint64]) -> npt.NDArray[np.int64]:
    return np.bitwise_count(hashes).sum(axis=-1, dtype=np.int64)


def _weights(crop: float) -> npt.NDArray[np.float64]:
    """Returns [16, 64]: the share of each fine cell in each of the cells of a hash."""
    edges = (crop + (1 - 2 * crop) * np.arange(_CELLS + 1) / _CELLS) * FINE
    upper = np.minimum(edges[1:, None], np.arange(1, FINE + 1))
    lower = np.maximum(edges[:-1, None], np.arange(FINE))
    shares = np.maximum(upper - lower, 0)
    return shares / shares.sum(axis=1, keepdims=True)


_WEIGHTS = tuple(map(_weights, CROPS))
