"""The figures: AUROC by labelled patients, of all labels together and of each."""

import textwrap
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D

from remedis.reporting.figures import BLUE, GREEN, GREY, RED, columns_of, panels
from remedis.reporting.ood_report.words import (
    Fields,
    Study,
    budgets,
    mode_name,
    percent,
    pool,
)

# Of Okabe and Ito's palette those with a contrast of 3 on white (WCAG 2.1, 1.4.11); markers and
# dashes tell arms apart without colours, and go on where the colours begin anew.
_COLOURS = (BLUE, "#D55E00", GREEN, "#000000", "#A6588C")
_MARKERS = "os^Dv*P"
_DASHES: tuple[Any, ...] = ("-", (0, (6, 1.5)), (0, (3, 1.5)), (0, (6, 1.5, 1, 1.5)))
_REFERENCE: dict[str, Any] = {"color": GREY, "linewidth": 1.4, "linestyle": (0, (1, 1.5))}
_WRAP = 52  # characters a line of the legend


def curves(study: Study) -> Figure:
    """Returns one panel a mode: the mean over the labels by labelled patients, with bands."""
    modes, names = study["modes"], _names(study, reference=True)
    figure, grid = panels(
        len(modes),
        2,
        (4.8, 3.6 + _height(names) / -(-len(modes) // 2)),
        title=study["title"],
        subtitle=f"{study['metric']} on the OOD test set. Bands: 95 % intervals.",
        random_weights=_all_random(study),
    )
    for axes, mode in zip(grid, modes, strict=True):
        axes.set_title(mode_name(mode), fontsize=11, loc="left", parse_math=False)
        _curve_panel(axes, study, mode)
    _legend_below(figure, study, names)
    return figure


def curve_panel(study: Study, mode: str) -> Figure:
    """Returns one panel of `curves` by itself, with the legend."""
    names = _names(study, reference=True)
    figure = Figure(figsize=(4.8, 3.4 + _height(names)), layout="constrained")
    _curve_panel(_axes(figure), study, mode)
    _legend_below(figure, study, names)
    return figure


def labels(study: Study, mode: str) -> Figure:
    """Returns one panel a label: its AUROC by labelled patients, with bands."""
    shown, names = study["labels"], _names(study, reference=False)
    columns = columns_of(len(shown))
    figure, grid = panels(
        len(shown),
        columns,
        (3.2, 2.5 + _height(names) / -(-len(shown) // columns)),
        title=study["title"],
        subtitle=f"{mode_name(mode)}: AUROC of each label on the OOD test set. Bands: 95 % "
        "intervals.",
        random_weights=_all_random(study),
    )
    for index, (axes, label) in enumerate(zip(grid, shown, strict=True)):
        name = "\n".join(textwrap.wrap(label, 30))
        axes.set_title(name, fontsize=10, loc="left", parse_math=False)
        _label_panel(axes, study, mode, label)
        if index + columns < len(shown):
            axes.set_xlabel("")
        if index % columns:
            axes.set_ylabel("")
    _legend_below(figure, study, names)
    return figure


def label_panel(study: Study, mode: str, label: str) -> Figure:
    """Returns one panel of `labels` by itself, without the legend."""
    figure = Figure(figsize=(3.2, 2.4), layout="constrained")
    _label_panel(_axes(figure), study, mode, label)
    return figure


def legend(study: Study) -> Figure:
    """Returns which line is which arm's, by itself."""
    names = _names(study, reference=False)
    figure = Figure(figsize=(4.8, _height(names)))
    _legend(figure, study, names, (0, 0))
    return figure


def _all_random(study: Study) -> bool:
    return all(arm["random_weights"] for arm in study["arms"].values())


def _axes(figure: Figure) -> Axes:
    axes = figure.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=9)
    return axes


def _curve_panel(axes: Axes, study: Study, mode: str) -> None:
    for reference in study["reference"]:
        if reference["mode"] == mode and reference["mean"]["value"] is not None:
            axes.axhline(reference["mean"]["value"], **_REFERENCE)
    _lines(axes, study, mode, lambda point: point["mean"])
    shown = [point["mean"] for point in study["points"]]
    axes.set_ylim(_limits([*shown, *(r["mean"] for r in study["reference"])]))
    _patients(axes, study, 3.9)
    axes.set_xlabel("labelled OOD patients (share of all)", fontsize=10)
    axes.set_ylabel(study["metric"], fontsize=10, parse_math=False)


def _label_panel(axes: Axes, study: Study, mode: str, label: str) -> None:
    _lines(axes, study, mode, lambda point: point["labels"].get(label))
    axes.set_ylim(_limits([of for point in study["points"] for of in point["labels"].values()]))
    _patients(axes, study, 2.4)
    axes.set_xlabel("labelled OOD patients", fontsize=9)
    axes.set_ylabel("AUROC", fontsize=9)


def _lines(axes: Axes, study: Study, mode: str, of: Callable[[Fields], Fields | None]) -> None:
    """Draws one line an arm, with its band; the zero-shot point is hollow."""
    drawn = False
    for arm, style in zip(study["arms"], _styles(study), strict=True):
        found = [
            (point["patients"], estimate["value"], estimate["low"], estimate["high"])
            for point in study["points"]
            if point["arm"] == arm
            and point["mode"] == mode
            and (estimate := of(point)) is not None
            and estimate["value"] is not None
        ]
        if not found:
            continue
        drawn = True
        at, value, low, high = np.array(sorted(found), dtype=float).T
        colour = style["color"]
        axes.fill_between(at, low, high, color=colour, alpha=0.13, linewidth=0)
        for edge in (low, high):
            axes.plot(at, edge, color=colour, alpha=0.5, linewidth=0.6)
        axes.plot(at, value, **style)
        axes.plot(at[at == 0], value[at == 0], **style | {"markerfacecolor": "white"})
    if not drawn:
        axes.text(0.5, 0.5, "not estimable", color=GREY, ha="center", transform=axes.transAxes)


def _styles(study: Study) -> list[dict[str, Any]]:
    return [
        {
            "color": _COLOURS[index % len(_COLOURS)],
            "marker": _MARKERS[index % len(_MARKERS)],
            "linestyle": _DASHES[index % len(_DASHES)],
            "linewidth": 1.8,
            "markersize": 5,
        }
        for index in range(len(study["arms"]))
    ]


def _limits(estimates: Sequence[Fields]) -> tuple[float, float]:
    """Returns the lowest and highest end of all intervals, with some room, within 0 and 1."""
    ends = [e[k] for e in estimates for k in ("low", "high", "value") if e[k] is not None]
    if not ends:
        return 0.0, 1.0
    room = 0.05 * (max(ends) - min(ends)) + 0.005
    return max(0.0, min(ends) - room), min(1.0, max(ends) + room)


def _patients(axes: Axes, study: Study, inches: float) -> None:
    """Makes the axis of budgets: the logarithm of 1 + patients, so that 0 has its place.

    It is the scale on which answers are interpolated, so that they are about where lines cross.

    Args:
      axes: whose horizontal axis is meant.
      study: names the budgets.
      inches: about how long the axis is.
    """
    axes.set_xscale("function", functions=(np.log1p, np.expm1))
    at = budgets(study) or [0]
    length = float(np.log1p(max(*at, 1)))
    axes.set_xlim(*np.expm1(length * np.array([-0.04, 1.04])))
    texts = {n: f"{n:,}\n{percent(n / pool(study))}" if n else "0\nzero-shot" for n in at}
    # A character of 9 pt takes some 0.08 inches. From the largest budget down, those are named that
    # have room beside the one before and beside 0; the others have a mark.
    wide = {
        n: max(map(len, text.split("\n"))) * 0.08 * length / inches for n, text in texts.items()
    }

    def apart(n: int, other: int) -> bool:
        return abs(float(np.log1p(n) - np.log1p(other))) >= 0.55 * (wide[n] + wide[other])

    shown: list[int] = []
    for n in reversed(at):
        if not n or ((not shown or apart(n, shown[-1])) and (0 not in at or apart(n, 0))):
            shown.append(n)
    axes.set_xticks(shown, [texts[n] for n in shown])
    axes.set_xticks([n for n in at if n not in shown], minor=True)
    axes.grid(axis="y", color="#E4E4E4", linewidth=0.8)
    axes.set_axisbelow(True)


def _names(study: Study, reference: bool) -> list[str]:
    """Returns what the legend calls the arms, and the reference if it is drawn."""
    names = [
        arm + (" (random weights)" if of["random_weights"] else "")
        for arm, of in study["arms"].items()
    ]
    if reference and study["reference"]:
        names.append(f"reference: {study['baseline']} with all {pool(study):,} labelled patients")
    return ["\n".join(textwrap.wrap(name, _WRAP)) for name in names]


def _height(names: Sequence[str]) -> float:
    """Returns the inches that a legend of these names takes."""
    return 0.1 + 0.06 * len(names) + 0.15 * sum(1 + name.count("\n") for name in names)


def _legend_below(figure: Figure, study: Study, names: Sequence[str]) -> None:
    """Puts the legend below the panels, where it hides nothing, and makes room for it."""
    engine = figure.get_layout_engine()
    assert isinstance(engine, ConstrainedLayoutEngine)
    left, bottom, width, height = engine.get()["rect"]
    share = _height(names) / figure.get_figheight()
    engine.set(rect=(left, bottom + share, width, height - share))
    _legend(figure, study, names, (left, bottom))


def _legend(
    figure: Figure, study: Study, names: Sequence[str], corner: tuple[float, float]
) -> None:
    handles = [Line2D([], [], **style) for style in _styles(study)]
    handles.append(Line2D([], [], **_REFERENCE))
    made = figure.legend(
        handles=handles[: len(names)],
        labels=names,
        loc="lower left",
        bbox_to_anchor=corner,
        borderaxespad=0,
        frameon=False,
        fontsize=9,
        handlelength=3.6,
    )
    random = [of["random_weights"] for of in study["arms"].values()]
    for text, red in zip(made.get_texts(), [*random, False], strict=False):
        text.set_color(RED if red else "black")
    # Dollars in names are dollars, not mathematics.
    for text in (*made.get_texts(), *figure.texts):
        text.set_parse_math(False)
