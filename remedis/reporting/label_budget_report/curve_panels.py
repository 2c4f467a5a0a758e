"""A panel of AUROC by labelled patients: one line and one band per arm."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from remedis.reporting.figures import BLUE, GREEN, GREY
from remedis.reporting.label_budget_report.number_format import NOT_ESTIMABLE, Fields, percent
from remedis.reporting.label_budget_report.study_summary import Study, budgets, pool

# The colours of Okabe and Ito's palette that have a contrast of 3 on white (WCAG 2.1, 1.4.11).
# Markers and dashes distinguish arms without colours, and their cycles have other lengths.
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
    means = [point["mean"] for point in study["points"]]
    axes.set_ylim(_limits([*means, *(r["mean"] for r in study["reference"])]))
    _patients(axes, study, 3.9)
    axes.set_xlabel("labelled OOD patients (share of all)", fontsize=10)
    axes.set_ylabel(study["metric"], fontsize=10, parse_math=False)


def label(axes: Axes, study: Study, mode: str, name: str) -> None:
    """Draws the AUROC of one label. All labels share their limits, so that they can be compared."""
    _lines(axes, study, mode, lambda point: point["labels"].get(name))
    axes.set_ylim(_limits([e for point in study["points"] for e in point["labels"].values()]))
    _patients(axes, study, 2.4)
    axes.set_xlabel("labelled OOD patients", fontsize=9)
    axes.set_ylabel("AUROC", fontsize=9)


def _lines(
    axes: Axes, study: Study, mode: str, estimate_of: Callable[[Fields], Fields | None]
) -> None:
    """Draws one line per arm, with its band; the zero-shot marker is hollow."""
    drawn = False
    for arm, style in zip(study["arms"], styles(study), strict=True):
        estimates = [
            (point["patients"], estimate["value"], estimate["low"], estimate["high"])
            for point in study["points"]
            if point["arm"] == arm
            and point["mode"] == mode
            and (estimate := estimate_of(point)) is not None
            and estimate["value"] is not None
        ]
        if not estimates:
            continue
        drawn = True
        patients, value, low, high = np.array(sorted(estimates), dtype=float).T
        colour = style["color"]
        axes.fill_between(patients, low, high, color=colour, alpha=0.13, linewidth=0)
        for edge in (low, high):
            axes.plot(patients, edge, color=colour, alpha=0.5, linewidth=0.6)
        axes.plot(patients, value, **style)
        zero = patients == 0
        axes.plot(patients[zero], value[zero], **style | {"markerfacecolor": "white"})
    if not drawn:
        axes.text(0.5, 0.5, NOT_ESTIMABLE, color=GREY, ha="center", transform=axes.transAxes)


def styles(study: Study) -> list[dict[str, Any]]:
    """Returns the line style of each arm."""
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
    """Returns the lowest and highest end of all intervals, with a margin, within [0, 1]."""
    ends = [e[k] for e in estimates for k in ("low", "high", "value") if e[k] is not None]
    if not ends:
        return 0.0, 1.0
    margin = 0.05 * (max(ends) - min(ends)) + 0.005
    return max(0.0, min(ends) - margin), min(1.0, max(ends) + margin)


def _patients(axes: Axes, study: Study, inches: float) -> None:
    """Sets up the horizontal axis: log(1 + patients), which has a place for 0 patients.

    Answers are interpolated on the same scale, so that they are about where the lines cross.

    Args:
      axes: the panel.
      study: has the budgets.
      inches: approximate length of the axis.
    """
    axes.set_xscale("function", functions=(np.log1p, np.expm1))
    ticks = budgets(study) or [0]
    length = float(np.log1p(max(*ticks, 1)))
    axes.set_xlim(*np.expm1(length * np.array([-0.04, 1.04])))
    texts = {n: f"{n:,}\n{percent(n / pool(study))}" if n else "0\nzero-shot" for n in ticks}
    # A character of 9 pt takes some 0.08 inches. From the largest budget down, a budget is labelled
    # if there is room beside the label before and beside 0; otherwise it has a tick only.
    widths = {
        n: max(map(len, text.split("\n"))) * 0.08 * length / inches for n, text in texts.items()
    }

    def apart(n: int, other: int) -> bool:
        return abs(float(np.log1p(n) - np.log1p(other))) >= 0.55 * (widths[n] + widths[other])

    labelled: list[int] = []
    for n in reversed(ticks):
        if not n or ((not labelled or apart(n, labelled[-1])) and (0 not in ticks or apart(n, 0))):
            labelled.append(n)
    axes.set_xticks(labelled, [texts[n] for n in labelled])
    axes.set_xticks([n for n in ticks if n not in labelled], minor=True)
    axes.grid(axis="y", color="#E4E4E4", linewidth=0.8)
    axes.set_axisbelow(True)
