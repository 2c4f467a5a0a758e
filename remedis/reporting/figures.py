"""Colours, panels and the note on random weights, shared by all figures, and writing to files."""

import pathlib
from collections.abc import Mapping
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from remedis.files import Path, whole_file
from remedis.reporting import fonts
from remedis.reporting.notes import RANDOM_WEIGHTS

# Okabe and Ito's palette, distinct with every common colour blindness (jfly.uni-koeln.de/color).
BLUE, ORANGE, GREEN, RED = "#0072B2", "#E69F00", "#009E73", "#C00000"
GREY = "#767676"  # the lightest grey with a contrast of 4.5 on white (WCAG 2.1)

MOST_PANELS = 30


def panels(
    count: int,
    columns: int,
    size: tuple[float, float],
    *,
    title: str,
    subtitle: str = "",
    random_weights: bool,
    random_note: str = RANDOM_WEIGHTS,
) -> tuple[Figure, list[Axes]]:
    """Returns a figure and its `count` axes, filled row by row.

    Args:
      count: number of axes.
      columns: number of axes side by side.
      size: width and height of one panel in inches.
      title: text above all panels, in bold.
      subtitle: text below the title.
      random_weights: whether to add the red note on random weights.
      random_note: its words.
    """
    rows = -(-count // columns)
    # The minimum leaves room for the note below a single panel.
    width = max(columns * size[0], 4.6)
    # Matplotlib does not wrap text. An inch takes some 10 characters of bold 12 pt, 12 of 10 pt.
    title_lines = fonts.wrapped(title, int(10 * width))
    subtitle_lines = fonts.wrapped(subtitle, int(12 * width))
    top = 0.2 + 0.22 * len(title_lines) + 0.19 * len(subtitle_lines)
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
    lower = upper - (0.04 + 0.22 * len(title_lines)) / height
    figure.text(left, upper, "\n".join(title_lines), fontsize=12, weight="bold", va="top")
    figure.text(left, lower, "\n".join(subtitle_lines), fontsize=10, va="top")
    if random_weights:
        figure.text(left, 0.13 / height, random_note, color=RED, weight="bold", fontsize=11)
    grid = figure.subplots(rows, columns, squeeze=False).ravel().tolist()
    for axes in grid[count:]:
        axes.remove()
    for axes in grid[:count]:
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=9)
    return figure, grid[:count]


def labels_of_panels(positives: Mapping[str, int]) -> tuple[list[str], str]:
    """Returns the labels that a figure shows, in their order, and a sentence if they are not all.

    Hundreds of panels are neither drawn in a minute nor read. The labels with the most positive
    patients are shown, since their estimates are the most certain.

    Args:
      positives: number of positive patients of each label.
    """
    names = list(positives)
    if len(names) <= MOST_PANELS:
        return names, ""
    shown = set(sorted(names, key=lambda name: -positives[name])[:MOST_PANELS])
    return (
        [name for name in names if name in shown],
        f"{MOST_PANELS} of {len(names):,} labels, those with the most positive patients.",
    )


def columns_of(count: int) -> int:
    """Returns the number of panels side by side, for `count` panels of one label each."""
    return count if count <= 3 else 3 if count <= 6 else 5


def unit_axes(axes: Axes) -> None:
    """Makes both axes range from 0 to 1, square, with the diagonal."""
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
    axes.set_xticks([0, 0.5, 1], ["0", "0.5", "1"])
    axes.set_yticks([0, 0.5, 1], ["0", "0.5", "1"])
    axes.plot([0, 1], [0, 1], color=GREY, linewidth=0.8, linestyle=(0, (4, 3)))


def write(figure: Figure, path: Path, dpi: int = 150) -> pathlib.Path:
    """Writes the figure, in the format of the path's suffix, completely or not at all."""
    # Without this, PNGs record the version of matplotlib, and equal figures would differ.
    metadata: dict[str, Any] = {"Software": None} if str(path).endswith(".png") else {}
    fonts.use_fonts(figure)
    with whole_file(path) as temporary, fonts.no_glyph_warnings():
        figure.savefig(temporary, dpi=dpi, metadata=metadata)
    return pathlib.Path(path)
