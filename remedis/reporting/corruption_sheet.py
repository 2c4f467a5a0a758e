"""A contact sheet of corruptions: images in five strengths of each."""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf
from matplotlib.figure import Figure

from remedis.data import image_pixels
from remedis.data.image_pixels import Image
from remedis.preprocess.corruptions import STRENGTHS, Corruption
from remedis.reporting.figures import GREY

_CELL = 1.5  # inches
_LABEL = 0.5  # inches for the two lines above a row
_GAP = 0.06  # inches between cells
_MARGIN = 0.12  # inches at the sides
_HEAD = 0.7  # inches above the rows
_LARGEST = 1024  # pixels of the longer side that are corrupted; the sheet shows fewer
_SHOWN = 260  # pixels of a picture


def corruption_sheet(image: Image, corruptions: Sequence[Corruption], title: str) -> Figure:
    """Returns a figure with one row per corruption: the image, and strengths 1 to 5.

    Args:
      image: [H, W, 3] float32 in [0, 1]. A larger one than 1,024 pixels is made smaller first, so
        that its blocks of JPEG files look larger than they are.
      corruptions: the rows.
      title: of the sheet.
    """
    image = image_pixels.smaller(image, _LARGEST)
    columns = (0, *STRENGTHS)
    width = 2 * _MARGIN + len(columns) * (_CELL + _GAP)
    height = _HEAD + len(corruptions) * (_CELL + _LABEL) + _MARGIN
    figure = Figure(figsize=(width, height))

    def text(left: float, down: float, words: str, **style: Any) -> None:
        figure.text(left / width, 1 - down / height, words, **({"fontsize": 9} | style))

    text(_MARGIN, 0.25, title, fontsize=12, weight="bold")
    for column, strength in enumerate(columns):
        heading = f"strength {strength}" if strength else "clean"
        text(_MARGIN + column * (_CELL + _GAP), _HEAD - 0.12, heading, weight="bold")
    for row, corruption in enumerate(corruptions):
        top = _HEAD + row * (_CELL + _LABEL)
        text(_MARGIN, top + 0.25, corruption.name, weight="bold")
        text(_MARGIN + _CELL + _GAP, top + 0.25, corruption.parameter, color=GREY)
        for column, strength in enumerate(columns):
            left = _MARGIN + column * (_CELL + _GAP)
            value = corruption.value(strength)
            if value is not None:
                text(left, top + 0.43, f"{value:g}", fontsize=8)
            pixels = corruption(tf.constant(image), strength).numpy()
            axes = figure.add_axes(
                (left / width, 1 - (top + _LABEL + _CELL) / height, _CELL / width, _CELL / height)
            )
            axes.imshow(
                image_pixels.smaller(pixels, _SHOWN), interpolation="antialiased", vmin=0, vmax=1
            )
            axes.set_anchor("N")
            axes.set_axis_off()
    return figure
