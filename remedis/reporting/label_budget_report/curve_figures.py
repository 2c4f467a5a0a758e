"""Figures of the metric by labelled patients: the mean over the labels, and each label."""

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from remedis.reporting.figures import GREY, RED, columns_of
from remedis.reporting.figures import panels as panel_grid
from remedis.reporting.label_budget_report import curve_panels
from remedis.reporting.label_budget_report.study_summary import (
    Study,
    all_random,
    hospital,
    metric_name,
    mode_name,
    pool,
)

_WRAP = 52  # characters per line of the legend


def curves(study: Study) -> Figure:
    """Returns one panel per mode: the mean over the labels by labelled patients."""
    modes, names = study["modes"], _names(study, reference=True)
    figure, grid = panel_grid(
        len(modes),
        2,
        (4.8, 3.6 + _height(names) / -(-len(modes) // 2)),
        title=study["title"],
        subtitle=f"{study['metric']} on test patients of {hospital(study)}.",
        random_weights=all_random(study),
    )
    for axes, mode in zip(grid, modes, strict=True):
        axes.set_title(mode_name(mode), fontsize=11, loc="left")
        curve_panels.curve(axes, study, mode)
    _legend_below(figure, study, names)
    return figure


def curve_panel(study: Study, mode: str) -> Figure:
    """Returns a single panel of `curves`, with the legend."""
    names = _names(study, reference=True)
    figure = Figure(figsize=(4.8, 3.4 + _height(names)), layout="constrained")
    curve_panels.curve(_axes(figure), study, mode)
    _legend_below(figure, study, names)
    return figure


def labels(study: Study, mode: str) -> Figure:
    """Returns one panel per label: its metric by labelled patients."""
    names = _names(study, reference=False)
    columns = columns_of(len(study["labels"]))
    figure, grid = panel_grid(
        len(study["labels"]),
        columns,
        (3.2, 2.5 + _height(names) / -(-len(study["labels"]) // columns)),
        title=study["title"],
        subtitle=f"{mode_name(mode)}: {metric_name(study)} of each label on test patients of "
        f"{hospital(study)}.",
        random_weights=all_random(study),
    )
    for index, (axes, label) in enumerate(zip(grid, study["labels"], strict=True)):
        title = "\n".join(textwrap.wrap(label, 30))
        axes.set_title(title, fontsize=10, loc="left")
        curve_panels.label(axes, study, mode, label)
        if index + columns < len(study["labels"]):
            axes.set_xlabel("")
        if index % columns:
            axes.set_ylabel("")
    _legend_below(figure, study, names)
    return figure


def label_panel(study: Study, mode: str, label: str) -> Figure:
    """Returns a single panel of `labels`, without the legend."""
    # Fixed margins save the layout solver, which takes most of the time.
    figure = Figure(figsize=(3.2, 2.6))
    figure.subplots_adjust(left=0.19, right=0.95, bottom=0.35, top=0.97)
    curve_panels.label(_axes(figure), study, mode, label)
    return figure


def sets(studies: Mapping[str, Study], mode: str) -> Figure:
    """Returns one panel per out-of-distribution set, all with the same axes.

    Args:
      studies: content of `summary.json` by name of the set, the first set first.
      mode: method of adaptation.
    """
    first = next(iter(studies.values()))
    names = _names_of_sets(studies)
    columns = columns_of(len(studies))
    figure, grid = panel_grid(
        len(studies),
        columns,
        (3.8, 2.9 + _height(names) / -(-len(studies) // columns)),
        title=mode_name(mode),
        subtitle=f"{first['metric']} on the test patients of each out-of-distribution set.",
        random_weights=all_random(first),
    )
    for axes, (name, study) in zip(grid, studies.items(), strict=True):
        axes.set_title(
            "\n".join(textwrap.wrap(name, 36)), fontsize=10, loc="left", parse_math=False
        )
        curve_panels.beside(axes, study, mode, list(studies.values()))
    _legend_below(figure, first, names)
    return figure


def set_panel(studies: Mapping[str, Study], mode: str, name: str) -> Figure:
    """Returns a single panel of `sets`, without the legend."""
    figure = Figure(figsize=(3.8, 2.9))
    figure.subplots_adjust(left=0.16, right=0.96, bottom=0.27, top=0.97)
    curve_panels.beside(_axes(figure), studies[name], mode, list(studies.values()))
    return figure


def legend_of_sets(studies: Mapping[str, Study]) -> Figure:
    """Returns the legend of `sets` alone."""
    names = _names_of_sets(studies)
    figure = Figure(figsize=(4.8, _height(names)))
    _legend(figure, next(iter(studies.values())), names, (0, 0))
    return figure


def _names_of_sets(studies: Mapping[str, Study]) -> list[str]:
    first = next(iter(studies.values()))
    names = _names(first, reference=False)
    if first["reference"]:
        names.append(f"reference: {first['baseline']} with all labelled patients of the set")
    if any(map(curve_panels.has_bands, studies.values())):
        names.append("95 % band of the whole curve, all points at once")
    return ["\n".join(textwrap.wrap(name, _WRAP)) for name in names]


def legend(study: Study) -> Figure:
    """Returns the legend alone: the line of each arm."""
    names = _names(study, reference=False)
    figure = Figure(figsize=(4.8, _height(names)))
    _legend(figure, study, names, (0, 0))
    return figure


def _axes(figure: Figure) -> Axes:
    axes = figure.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=9)
    return axes


def _names(study: Study, reference: bool) -> list[str]:
    """Returns the texts of the legend: arms, interval, and reference and band if drawn.

    Args:
      study: the content of `summary.json`.
      reference: whether the panels show the mean over the labels, with the reference.
    """
    names = [
        name
        + (" (random weights)" if arm["random_weights"] else "")
        + (" (floor, no network)" if arm.get("floor") else "")
        for name, arm in study["arms"].items()
    ]
    names.append("95 % interval of each point")
    if reference and study["reference"]:
        names.append(f"reference: {study['baseline']} with all {pool(study):,} labelled patients")
    if reference and curve_panels.has_bands(study):
        names.append("95 % band of the whole curve, all points at once")
    return ["\n".join(textwrap.wrap(name, _WRAP)) for name in names]


def _height(names: Sequence[str]) -> float:
    """Returns the height of a legend of these names, in inches."""
    return 0.1 + 0.06 * len(names) + 0.15 * sum(1 + name.count("\n") for name in names)


def _legend_below(figure: Figure, study: Study, names: Sequence[str]) -> None:
    """Adds the legend below the panels, where it hides nothing, and makes room for it."""
    engine = figure.get_layout_engine()
    assert isinstance(engine, ConstrainedLayoutEngine)
    left, bottom, width, height = engine.get()["rect"]
    share = _height(names) / figure.get_figheight()
    engine.set(rect=(left, bottom + share, width, height - share))
    _legend(figure, study, names, (left, bottom))


def _legend(
    figure: Figure, study: Study, names: Sequence[str], corner: tuple[float, float]
) -> None:
    handles: list[Artist] = [Line2D([], [], **style) for style in curve_panels.styles(study)]
    bar: dict[str, Any] = {"color": GREY, "marker": "|", "markersize": 9, "markeredgewidth": 1.3}
    handles.append(Line2D([], [], linestyle="none", **bar))
    if study["reference"]:
        handles.append(Line2D([], [], **curve_panels.REFERENCE))
    handles.append(Patch(color=GREY, alpha=curve_panels.BAND_ALPHA, linewidth=0))
    legend = figure.legend(
        handles=handles[: len(names)],
        labels=names,
        loc="lower left",
        bbox_to_anchor=corner,
        borderaxespad=0,
        frameon=False,
        fontsize=9,
        handlelength=3.6,
    )
    random = [arm["random_weights"] for arm in study["arms"].values()]
    for text, red in zip(legend.get_texts(), [*random, *[False] * 3], strict=False):
        text.set_color(RED if red else "black")
