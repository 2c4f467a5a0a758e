"""Size, grey values and hashes of the pixels of images, of several images of one shape at once.

NumPy needs as long to begin an operation as for a row of a small image, and Python lets only one
thread begin one: image by image, several threads would be no faster than one.
"""

import math
from typing import Any

import numpy as np

from remedis.data.checks import look_hashes, near_duplicates

BINS = 32
THUMBNAIL = 8
# Largest number of pixels for colour, range and histogram; they lie on a regular grid.
SAMPLE = 16_384

# Weights of red, green and blue: luma of Recommendation ITU-R BT.601.
_LUMA = (0.299, 0.587, 0.114)
# An image has colour above this mean distance between its darkest and its brightest channel.
_COLOUR = 0.02

Measures = dict[str, Any]


def of_images(images: np.ndarray) -> list[Measures]:
    """Returns the measures of each image, by column of `scan.scan`.

    The measures of an image do not depend on the others.

    Args:
      images: [N, H, W, channels] uint8, uint16 or float32 in [0, 1].
    """
    count, height, width, channels = images.shape
    # Alpha is dropped, as `decode_image` does.
    images = images[..., :1] if channels < 3 else images[..., :3]
    top = np.float32(np.iinfo(images.dtype).max if images.dtype.kind == "u" else 1)
    step = math.ceil(math.sqrt(height * width / SAMPLE))
    sample = images[:, ::step, ::step]
    planes = [
        np.ascontiguousarray(sample[..., i]).reshape(count, -1) for i in range(images.shape[3])
    ]
    spread = _spread(planes)
    grey = planes[0].astype(np.float32)
    if (coloured := spread > 0).any():
        grey[coloured] = _luma([plane[coloured] for plane in planes])
    grey /= top
    fine, cells = _averaged(images, (look_hashes.FINE, look_hashes.FINE), near_duplicates.GRID)
    grid = _grey(cells) / top
    (thumbnail,) = _averaged(grid[..., None], (THUMBNAIL, THUMBNAIL))
    columns = {
        "colour": (spread > _COLOUR * top).tolist(),
        "low": grey.min(axis=1).tolist(),
        "high": grey.max(axis=1).tolist(),
        "mean": grid.reshape(count, -1).mean(axis=1).tolist(),
        "histogram": [row.tobytes() for row in _counts(grey)],
        "thumbnail": [row.tobytes() for row in np.rint(thumbnail * 255).astype(np.uint8)],
        "phash": [near_duplicates.difference_hash(image) for image in grid],
        "look": [look_hashes.look_hash(image) for image in _grey(fine) / top],
    }
    same = {"height": height, "width": width, "channels": images.shape[3]}
    rows = zip(*columns.values(), strict=True)
    return [same | dict(zip(columns, row, strict=True)) for row in rows]


def _counts(grey: np.ndarray) -> np.ndarray:
    """Returns the histograms of grey values in [0, 1], [N, BINS] uint16."""
    bins = np.minimum((grey * BINS).astype(np.uint8), BINS - 1)
    numbered = bins + BINS * np.arange(len(grey))[:, None]
    counts = np.bincount(numbered.ravel(), minlength=BINS * len(grey))
    return counts.reshape(-1, BINS).astype("<u2")


def _spread(planes: list[np.ndarray]) -> np.ndarray:
    """Returns the mean distance between the darkest and the brightest of 1 or 3 channels, [N]."""
    if len(planes) == 1:
        return np.zeros(len(planes[0]))
    darkest = np.minimum(np.minimum(planes[0], planes[1]), planes[2])
    brightest = np.maximum(np.maximum(planes[0], planes[1]), planes[2])
    distance: np.ndarray = (brightest - darkest).mean(axis=1)
    return distance


def _grey(cells: np.ndarray) -> np.ndarray:
    """Returns the grey images of averages [N, rows, columns, channels], as float32."""
    return _luma([cells[..., i] for i in range(cells.shape[3])])


def _luma(planes: list[np.ndarray]) -> np.ndarray:
    """Returns the grey values of 1 or 3 channels of any shape, as float32."""
    if len(planes) == 1:
        return planes[0].astype(np.float32)
    red, green, blue = (p.astype(np.float32) * w for p, w in zip(planes, _LUMA, strict=True))
    return red + green + blue


def _averaged(images: np.ndarray, *grids: tuple[int, int]) -> list[np.ndarray]:
    """Returns images [N, H, W, channels] averaged to rows and columns of each grid, float64.

    The average is by area: a pixel on an edge counts in part for both cells, so that the result is
    the same for every size of an image.

    Args:
      images: the images, whose rows are read only once.
      *grids: rows and columns; the rows of each divide those of the first.
    """
    count, height, width, channels = images.shape
    most = _summed(images, grids[0][0])
    averages = []
    for rows, columns in grids:
        grouped = most.reshape(count, rows, -1, width, channels).sum(axis=2)
        summed = _summed(grouped.swapaxes(1, 2), columns).swapaxes(1, 2)
        averages.append(summed * (rows * columns / (height * width)))
    return averages


def _summed(values: np.ndarray, cells: int) -> np.ndarray:
    """Returns sums over `cells` equal parts of the second axis, float64."""
    # Integers are added as integers, several times faster than as floats.
    kind = np.uint32 if values.dtype.kind == "u" else np.float64
    edges = np.arange(cells + 1) * values.shape[1] / cells
    whole = edges.astype(np.intp)
    whole_rows = np.empty((len(values), cells, *values.shape[2:]), kind)
    # One cell at a time: `np.add.reduceat` takes five times as long.
    for i in range(cells):
        rows = values[:, whole[i] : whole[i + 1]]
        np.add.reduce(rows, axis=1, dtype=kind, out=whole_rows[:, i])
    result = whole_rows.astype(np.float64)
    share = edges - whole
    if share.any():
        at_edge = values[:, whole[:-1]] * share[:-1].reshape(-1, *[1] * (values.ndim - 2))
        result -= at_edge
        result[:, :-1] += at_edge[:, 1:]
    return result
