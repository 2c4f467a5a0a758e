"""A curve of a logged value by training step."""

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd
from matplotlib.axes import Axes

from remedis.reporting.figures import GREY


def series(rows: Iterable[Mapping[str, Any]], key: str) -> "pd.Series[float]":
    """Returns the values of `key` by step, ascending; the last value where a step occurs twice."""
    values = {int(row["step"]): float(row[key]) for row in rows if row.get(key) is not None}
    return pd.Series(values, dtype=float).sort_index()


def curve(
    axes: Axes,
    title: str,
    values: "pd.Series[float]",
    color: str,
    marker: str = "",
    faint: bool = False,
) -> None:
    """Draws values by step.

    Args:
      axes: the panel.
      title: text above the panel.
      values: as `series` returns them.
      color: of the line.
      marker: of every value; empty for none.
      faint: whether the line is drawn pale, because a smoothed one is drawn over it.
    """
    axes.set_title(title, fontsize=11, loc="left")
    axes.set_xlabel("step", fontsize=10)
    axes.grid(axis="y", color="#E4E4E4", linewidth=0.8)
    axes.locator_params(axis="x", nbins=5, integer=True)
    if not len(values):
        axes.text(0.5, 0.5, "nothing logged", color=GREY, ha="center", transform=axes.transAxes)
        axes.set(xticks=[], yticks=[])
        return
    # A single value makes no line, but a visible marker.
    axes.plot(
        values.index,
        values,
        color=color,
        marker=marker or ("o" if len(values) == 1 else ""),
        markersize=5,
        linewidth=1.0 if faint else 1.8,
        alpha=0.35 if faint else 1.0,
    )
