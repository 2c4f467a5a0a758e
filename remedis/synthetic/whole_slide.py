"""Made-up whole slides of lymph nodes: pyramidal TIFFs, with outlines of tumour in ASAP's XML.

A slide is a mosaic of patches of 96 pixels at 0.5 micrometres per pixel, with a rim of glass. Tiles
of this size, from the upper left corner on, show one patch each.
"""

import dataclasses
import pathlib
from collections.abc import Sequence
from xml.sax.saxutils import quoteattr

import numpy as np
from numpy.typing import NDArray

from remedis import extras
from remedis.synthetic.drawing import generator
from remedis.synthetic.histology import CENTRE, CentreStyle, draw_patch

PATCH_SIZE = 96
MPP = 0.5
# Patches of tissue in a column and in a row.
_SHAPE = (3, 4)
_RIM = 1  # patches of glass on every side
_TUMOURS = (4, 5, 6, 9)  # patches with a metastasis in the middle, of a slide with tumour
_LEVELS = 2
_TIFF_TILE = 96  # pixels; TIFF wants a multiple of 16

Square = tuple[float, float, float]


@dataclasses.dataclass(frozen=True)
class MadeUpSlide:
    """A slide to write.

    Attributes:
      pixels: [H, W, 3] uint8 RGB.
      tumours: left edge, upper edge and side of the squares that outline tumour, in pixels.
    """

    pixels: NDArray[np.uint8]
    tumours: tuple[Square, ...]


def draw_slide(tumour: bool, style: CentreStyle, seed: int, *keys: int) -> MadeUpSlide:
    """Draws a slide.

    Args:
      tumour: whether a third of the patches have metastasis in their middle.
      style: the centre.
      seed: of the data set.
      keys: of the slide; see `drawing.generator`.
    """
    rows, columns = (length + 2 * _RIM for length in _SHAPE)
    glass = round(255 * style.brightness)
    pixels = np.full((rows * PATCH_SIZE, columns * PATCH_SIZE, 3), glass, np.uint8)
    tumours = []
    for number in range(_SHAPE[0] * _SHAPE[1]):
        row, column = divmod(number, _SHAPE[1])
        top, left = (_RIM + row) * PATCH_SIZE, (_RIM + column) * PATCH_SIZE
        is_tumour = tumour and number in _TUMOURS
        rng = generator(seed, *keys, number)
        patch = draw_patch(is_tumour, style, rng, PATCH_SIZE)
        pixels[top : top + PATCH_SIZE, left : left + PATCH_SIZE] = patch
        if is_tumour:
            margin = (PATCH_SIZE - CENTRE) / 2
            tumours.append((left + margin, top + margin, float(CENTRE)))
    return MadeUpSlide(pixels, tuple(tumours))


def write_slide(path: pathlib.Path, pixels: NDArray[np.uint8]) -> None:
    """Writes a tiled TIFF with its resolution; each level has half the size of the one before.

    Args:
      path: the file; its directory is made.
      pixels: [H, W, 3] uint8 RGB at `MPP`; H and W are even.

    Raises:
      UserError: tifffile is not installed.
    """
    tifffile = extras.load("tifffile", "slides")
    path.parent.mkdir(parents=True, exist_ok=True)
    with tifffile.TiffWriter(path) as writer:
        for level in range(_LEVELS):
            per_centimetre = 1e4 / (MPP * 2**level)
            writer.write(
                pixels,
                tile=(_TIFF_TILE, _TIFF_TILE),
                photometric="rgb",
                subfiletype=int(level > 0),
                metadata=None,
                resolution=(per_centimetre, per_centimetre),
                resolutionunit="CENTIMETER",
            )
            height, width, _ = pixels.shape
            halves = pixels.reshape(height // 2, 2, width // 2, 2, 3).mean(axis=(1, 3))
            pixels = halves.round().astype(np.uint8)


def write_outlines(path: pathlib.Path, squares: Sequence[Square], group: str) -> None:
    """Writes squares as outlines of a group in the XML of ASAP; the directory is made."""
    annotations = []
    for number, (left, top, side) in enumerate(squares):
        corners = [(left, top), (left + side, top), (left + side, top + side), (left, top + side)]
        coordinates = "".join(
            f'<Coordinate Order="{order}" X="{x:g}" Y="{y:g}"/>'
            for order, (x, y) in enumerate(corners)
        )
        annotations.append(
            f'<Annotation Name="Annotation {number}" Type="Polygon" '
            f'PartOfGroup={quoteattr(group)} Color="#F4FA58">'
            f"<Coordinates>{coordinates}</Coordinates></Annotation>\n"
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        '<?xml version="1.0"?>\n<ASAP_Annotations><Annotations>\n'
        f"{''.join(annotations)}</Annotations><AnnotationGroups/></ASAP_Annotations>\n",
        encoding="utf-8",
    )
