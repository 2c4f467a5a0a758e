"""Tiles of a whole slide: their positions, their tissue and their tumour.

Tiles lie on a grid over the scanned area, from its upper left corner on; tiles that would extend
beyond the area are left out.

Tissue: the slide is read at about 8 micrometres per pixel, finer if a tile would be less than 8
pixels wide. A pixel is tissue if its saturation (HSV) is above Otsu's threshold over the slide
(IEEE Trans. SMC 9(1), 1979), limited to between 0.05 and 0.2. The limits are our choice: a slide of
glass alone has no tissue, and a slide of tissue alone has no glass. Coloured ink and folds count as
tissue; grey and black do not.

Tumour: as in PatchCamelyon, a tile is positive if any pixel of its central square is tumour, and
negative otherwise, whatever its rim shows. The square is a third of the tile's width by default,
PatchCamelyon's 32 of 96 pixels. Each pixel of the tile, as read, is tested at its centre.
"""

import dataclasses
import math

import numpy as np
import pandas as pd

from remedis import files
from remedis.data.readers import Unreadable, slide
from remedis.data.slides import base_resolutions
from remedis.data.slides.annotations import Annotations
from remedis.data.tables.strings import STRING
from remedis.errors import UserError

_MASK_MPP = 8.0
_MIN_TILE_IN_MASK = 8  # pixels
_MIN_SATURATION, _MAX_SATURATION = 0.05, 0.2
_BINS = 256
# The largest side of the blocks that a slide is read in, in pixels.
_BLOCK = 2048
# A slide of 26 x 76 mm has 31 million pixels of 8 micrometres, and 10 million tiles that start at
# every 56th pixel of 0.25 micrometres.
_MOST_MASK = 1 << 26
_MOST_TILES = 10_000_000


@dataclasses.dataclass(frozen=True)
class Tissue:
    """The tissue of a slide, as a mask.

    Attributes:
      mask: [H, W] bool.
      pixel: width and height of a pixel of the mask, in pixels of the finest level.
      left: x of the mask's left edge, in pixels of the finest level.
      top: y of the mask's upper edge, in pixels of the finest level.
    """

    mask: np.ndarray
    pixel: float
    left: int
    top: int

    def share(self, x: np.ndarray, y: np.ndarray, side: float) -> np.ndarray:
        """Returns the share of tissue in squares, 0 to 1.

        Args:
          x: [n], left edges, in pixels of the finest level.
          y: [n], upper edges, in pixels of the finest level.
          side: width and height of the squares, in pixels of the finest level.
        """
        sums = np.pad(self.mask, ((1, 0), (1, 0))).astype(np.int32)
        for axis in (0, 1):
            np.cumsum(sums, axis, out=sums)

        def until(right: np.ndarray, bottom: np.ndarray) -> np.ndarray:
            """Returns the area of tissue above and left of a point, in pixels of the mask."""
            # Linear interpolation in the summed-area table is exact: a pixel is all tissue or none.
            u = np.clip((right - self.left) / self.pixel, 0, sums.shape[1] - 1)
            v = np.clip((bottom - self.top) / self.pixel, 0, sums.shape[0] - 1)
            i = np.minimum(u.astype(int), sums.shape[1] - 2)
            j = np.minimum(v.astype(int), sums.shape[0] - 2)
            du, dv = u - i, v - j
            upper = sums[j, i] * (1 - du) + sums[j, i + 1] * du
            lower = sums[j + 1, i] * (1 - du) + sums[j + 1, i + 1] * du
            result: np.ndarray = upper * (1 - dv) + lower * dv
            return result

        right, bottom = x + side, y + side
        area = until(right, bottom) - until(x, bottom) - until(right, y) + until(x, y)
        return area / (side / self.pixel) ** 2


def tile(
    path: files.Path,
    mpp: float,
    size: int,
    stride: int | None = None,
    tissue: float = 0.5,
    annotations: Annotations | None = None,
    centre: float = 1 / 3,
    override_mpp: float | None = None,
) -> pd.DataFrame:
    """Returns the tiles of a slide that show tissue.

    Args:
      path: the slide.
      mpp: resolution of the tiles, micrometres per pixel.
      size: width and height of the tiles, in pixels at that resolution.
      stride: distance of neighbouring tiles, in the same pixels; `size` if not given.
      tissue: the smallest share of tissue in a tile, 0 to 1.
      annotations: outlines of tumour; the label is unknown if not given.
      centre: width of the central square that decides on the label, as a share of the tile's width,
        above 0 to 1.
      override_mpp: micrometres per pixel of the slide's finest level, instead of the slide's own
        statement.

    Returns:
      One row per tile, from the top left, row by row: `item`, the tile's name in
      `remedis.data.readers.slide`; `x`, `y`, int64, its upper left corner in pixels of the finest
      level; `tissue`, its share of tissue; `tumor`, float32, 1, 0 or, without annotations, NaN.

    Raises:
      UserError: an argument is outside its range; the slide cannot be read, does not state
        plausible micrometres per pixel, or is coarser than `mpp`.
    """
    stride = size if stride is None else stride
    _check(mpp, size, stride, tissue, centre, override_mpp)
    try:
        with slide.opened(str(path)) as opened:
            base = override_mpp or _resolution(opened)
            slide.choose_level(opened, mpp, base)
            left, top, width, height = _bounds(opened)
            step, side = stride * mpp / base, size * mpp / base
            if max(width, height) / step > _MOST_TILES or width * height / step**2 > _MOST_TILES:
                raise Unreadable(
                    f"The slide of {width:,} x {height:,} pixels has more than {_MOST_TILES:,} "
                    "tiles; it is damaged, or the stride is too small."
                )
            xs = left + np.arange(max(0, math.floor((width - side) / step + 1e-6) + 1)) * step
            ys = top + np.arange(max(0, math.floor((height - side) / step + 1e-6) + 1)) * step
            x, y = (grid.round().astype(np.int64).ravel() for grid in np.meshgrid(xs, ys))
            share = find_tissue(opened, mpp * size, base).share(x, y, side)
    except Unreadable as error:
        raise UserError(f"{path}: {error}") from None
    enough = share >= tissue - 1e-9
    x, y, share = x[enough], y[enough], share[enough]
    base_item = "" if override_mpp is None else f",{override_mpp:.10g}"
    names = [f"{a},{b},{size},{mpp:.10g}{base_item}" for a, b in zip(x, y, strict=True)]
    # An explicit type, since there may be no tiles.
    items = pd.array(names, dtype=STRING)
    tumor = np.full(len(x), np.nan, np.float32)
    if annotations is not None:
        tumor[:] = _tumour(annotations, x, y, size, mpp / base, centre)
    return pd.DataFrame({"item": items, "x": x, "y": y, "tissue": share, "tumor": tumor})


def find_tissue(opened: slide.Slide, tile_width: float, base: float) -> Tissue:
    """Returns the tissue of a slide.

    Args:
      opened: the slide.
      tile_width: width of the tiles to be chosen, in micrometres.
      base: micrometres per pixel of the finest level.

    Raises:
      Unreadable: the slide cannot be read.
    """
    wanted = min(_MASK_MPP, tile_width / _MIN_TILE_IN_MASK) / base
    level = opened.get_best_level_for_downsample(wanted * (1 + 1e-6))
    downsample = opened.level_downsamples[level]
    factor = max(1, round(wanted / downsample))
    left, top, width, height = _bounds(opened)
    pixel = factor * downsample
    shape = (max(1, math.ceil(height / pixel - 1e-6)), max(1, math.ceil(width / pixel - 1e-6)))
    if shape[0] * shape[1] > _MOST_MASK:
        raise Unreadable(
            f"The slide of {width:,} x {height:,} pixels would be {width * base / 1e4:,.0f} x "
            f"{height * base / 1e4:,.0f} cm large, more than any slide, or its tiles are too small."
        )
    saturation = np.zeros(shape, np.float32)
    block = max(1, _BLOCK // factor)
    for j in range(0, shape[0], block):
        for i in range(0, shape[1], block):
            rows, columns = min(block, shape[0] - j), min(block, shape[1] - i)
            corner = (left + round(i * pixel), top + round(j * pixel))
            region = opened.read_region(corner, level, (columns * factor, rows * factor))
            colours = np.asarray(slide.on_white(region), np.float32)
            colours = colours.reshape(rows, factor, columns, factor, 3).mean(axis=(1, 3))
            saturation[j : j + rows, i : i + columns] = _saturation(colours)
    threshold = np.clip(otsu(saturation), _MIN_SATURATION, _MAX_SATURATION)
    return Tissue(saturation > threshold, pixel, left, top)


def otsu(values: np.ndarray) -> float:
    """Returns the threshold in [0, 1] that divides values in [0, 1] into two classes.

    It is the lowest threshold with the largest variance between the classes, over 256 bins; values
    above it belong to the upper class.
    """
    counts, edges = np.histogram(values, _BINS, (0.0, 1.0))
    middles = (edges[:-1] + edges[1:]) / 2
    below, above = np.cumsum(counts)[:-1], np.cumsum(counts[::-1])[::-1][1:]
    sums = np.cumsum(counts * middles)
    with np.errstate(divide="ignore", invalid="ignore"):
        between = below * above * (sums[:-1] / below - (sums[-1] - sums[:-1]) / above) ** 2
    return float(edges[1 + np.argmax(np.nan_to_num(between))])


def _saturation(colours: np.ndarray) -> np.ndarray:
    brightest, darkest = colours.max(axis=-1), colours.min(axis=-1)
    result: np.ndarray = (brightest - darkest) / np.maximum(brightest, 1e-6)
    return result


def _tumour(
    annotations: Annotations, x: np.ndarray, y: np.ndarray, size: int, pixel: float, centre: float
) -> np.ndarray:
    """Returns whether the central square of each tile has a pixel of tumour, [n] bool."""
    count = max(1, round(size * centre))
    offsets = ((size - count) // 2 + np.arange(count) + 0.5) * pixel
    first, last = offsets[0], offsets[-1]
    # Most tiles are far from every outline.
    near = np.zeros(len(x), bool)
    for polygon in annotations.tumours:
        (left, top), (right, bottom) = polygon.min(axis=0), polygon.max(axis=0)
        near |= (
            (x + last >= left) & (x + first <= right) & (y + last >= top) & (y + first <= bottom)
        )
    result = np.zeros(len(x), bool)
    for i in np.flatnonzero(near):
        result[i] = annotations.is_tumour(x[i] + offsets, y[i] + offsets).any()
    return result


def _resolution(opened: slide.Slide) -> float:
    try:
        return slide.resolution(opened)
    except Unreadable as error:
        raise Unreadable(
            # Sources advise their own options before; this is for callers of `tile`.
            f"{str(error).rstrip('.')}; set override_mpp to that of its finest level, such as 0.25."
        ) from None


def _bounds(opened: slide.Slide) -> tuple[int, int, int, int]:
    """Returns left, top, width and height of the scanned area, in pixels of the finest level."""
    names = ("bounds-x", "bounds-y", "bounds-width", "bounds-height")
    try:
        left, top, width, height = (int(opened.properties[f"openslide.{name}"]) for name in names)
    except (KeyError, ValueError):
        return 0, 0, *opened.dimensions
    return left, top, width, height


def _check(
    mpp: float, size: int, stride: int, tissue: float, centre: float, override_mpp: float | None
) -> None:
    base_resolutions.check_plausible("mpp", mpp)
    base_resolutions.check_plausible("override_mpp", override_mpp)
    for name, number in {"size": size, "stride": stride}.items():
        if number < 1:
            raise UserError(f"The {name} of tiles is {number}; expected 1 pixel or more.")
    if not 0 <= tissue <= 1:
        raise UserError(f"The least share of tissue is {tissue}; expected 0 to 1.")
    if not 0 < centre <= 1:
        raise UserError(f"The width of the centre is {centre} of a tile; expected above 0 to 1.")
