"""One panel: AUROC by labelled patients, a line and a band an arm."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from remedis.reporting.figures import BLUE, GREEN, GREY
from remedis.reporting.ood_report.number_format import NOT_ESTIMABLE, Fields, percent
from remedis.reporting.ood_report.study_summary import Study, budgets, pool

# Of Okabe and Ito's palette those with a contrast of 3 on white (WCAG 2.1, 1.4.11); markers and
# dashes tell arms apart without colours, and go on where the colours begin anew.
_COLOURS = (BLUE, "#D55E00", GREEN, "#000000", "#CC79A7")
_MARKERS = "os^Dv*P"
_DASHES: tuple[Any, ...] = ("-", (0, (6, 1.5)), (0, (3, 1.5)), (0, (6, 1.5, 1, 1.5)))
REFERENCE: dict[str, Any] = {"color": GREY, "linewidth": 1.4, "linestyle": (0, (1, 1.5))}


def curve(axes: Axes, study: Study, mode: str) -> None:
    """Draws the mean over the labels, and the reference."""
    for reference in study["reference"]:
        if reference["mode"] == mode and reference["mean"]["value"] is not None:
            axes.axhline(reference["mean"]["value"], **REFERENCE)
    _lines(axes, study, mode, lambda point: point["mean"])
    shown = [point["mean"] for point in study["points"]]
    axes.set_ylim(_limits([*shown, *(r["mean"] for r in study["reference"])]))
    _patients(axes, study, 3.9)
    axes.set_xlabel("labelled OOD patients (share of all)", fontsize=10)
    axes.set_ylabel(study["metric"], fontsize=10, parse_math=False)


def label(axes: Axes, study: Study, mode: str, name: str) -> None:
    """Draws the AUROC of one label; all labels share their limits, to be compared."""
    _lines(axes, study, mode, lambda point: point["labels"].get(name))
    axes.set_ylim(_limits([of for point in study["points"] for of in point["labels"].values()]))
    _patients(axes, study, 2.4)
    axes.set_xlabel("labelled OOD patients", fontsize=9)
    axes.set_ylabel("AUROC", fontsize=9)


def _lines(axes: Axes, study: Study, mode: str, of: Callable[[Fields], Fields | None]) -> None:
    """Draws one line an arm, with its band; the zero-shot point is hollow."""
    drawn = False
    for arm, style in zip(study["arms"], styles(study), strict=True):
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
        axes.text(0.5, 0.5, NOT_ESTIMABLE, color=GREY, ha="center", transform=axes.transAxes)


def styles(study: Study) -> list[dict[str, Any]]:
    """Returns how the line of each arm is drawn."""
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
