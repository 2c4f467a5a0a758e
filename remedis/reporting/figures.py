"""What all figures share: colours, grids, the note on random weights, and how they are written."""

import pathlib
import textwrap
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from remedis.files import Path, whole_file
from remedis.reporting.notes import RANDOM_WEIGHTS

# Okabe and Ito's palette, told apart with every common colour blindness (jfly.uni-koeln.de/color).
BLUE, ORANGE, GREEN, RED = "#0072B2", "#E69F00", "#009E73", "#C00000"
GREY = "#767676"  # the lightest grey with a contrast of 4.5 on white (WCAG 2.1)


def panels(
    count: int,
    columns: int,
    size: tuple[float, float],
    *,
    title: str,
    subtitle: str = "",
    random_weights: bool,
) -> tuple[Figure, list[Axes]]:
    """Returns a figure and its `count` axes, filled row by row.

    Args:
      count: of the axes.
      columns: how many stand side by side.
      size: width and height of one panel in inches.
      title: above all of them, in bold.
      subtitle: below the title.
      random_weights: whether to note in red that the weights were random.
    """
    rows = -(-count // columns)
    # The minimum leaves the note its room above or below a single panel.
    width = max(columns * size[0], 4.6)
    # Matplotlib does not wrap; an inch takes some 10 characters of bold 12 pt, 12 of 10 pt.
    heads = textwrap.wrap(title, int(10 * width))
    lines = textwrap.wrap(subtitle, int(12 * width))
    top = 0.2 + 0.22 * len(heads) + 0.19 * len(lines)
    bottom = 0.4 if random_weights else 0.1
    height = rows * size[1] + top + bottom
    layout = ConstrainedLayoutEngine(
        rect=(0.1 / width, bottom / height, 1 - 0.25 / width, 1 - (top + bottom) / height),
        h_pad=0.08,
        w_pad=0.06,
    )
    figure = Figure(figsize=(width, height), layout=layout)
    left = 0.13 / width
    upper = 1 - 0.12 / height
    lower = upper - (0.04 + 0.22 * len(heads)) / height
    figure.text(left, upper, "\n".join(heads), fontsize=12, weight="bold", va="top")
    figure.text(left, lower, "\n".join(lines), fontsize=10, va="top")
    if random_weights:
        figure.text(left, 0.13 / height, RANDOM_WEIGHTS, color=RED, weight="bold", fontsize=11)
    grid = figure.subplots(rows, columns, squeeze=False).ravel().tolist()
    for axes in grid[count:]:
        axes.remove()
    for axes in grid[:count]:
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=9)
    return figure, grid[:count]


def columns_of(count: int) -> int:
    """Returns how many of `count` panels, one a label, stand side by side."""
    return count if count <= 3 else 3 if count <= 6 else 5


def unit_axes(axes: Axes) -> None:
    """Makes a square of two axes from 0 to 1, with the diagonal."""
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
    axes.set_xticks([0, 0.5, 1], ["0", "0.5", "1"])
    axes.set_yticks([0, 0.5, 1], ["0", "0.5", "1"])
    axes.plot([0, 1], [0, 1], color=GREY, linewidth=0.8, linestyle=(0, (4, 3)))


def write(figure: Figure, path: Path, dpi: int = 150) -> pathlib.Path:
    """Writes the figure, in the format that the path's suffix names, whole or not at all."""
    # The software and date that savefig records would make equal figures differ.
    metadata: dict[str, Any] = {"Software": None} if str(path).endswith(".png") else {}
    with whole_file(path) as temporary:
        figure.savefig(temporary, dpi=dpi, metadata=metadata)
    return pathlib.Path(path)
