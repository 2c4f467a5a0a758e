"""A panel of the metric by labelled patients: one line per arm, with intervals and a band."""

import itertools
import textwrap
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.transforms import ScaledTranslation

from remedis.reporting.figures import BLUE, GREEN, GREY
from remedis.reporting.label_budget_report.number_format import NOT_ESTIMABLE, Fields, percent
from remedis.reporting.label_budget_report.study_summary import (
    Study,
    budgets,
    chance,
    hospital,
    metric_name,
    pool,
)

# The colours of Okabe and Ito's palette that have a contrast of 3 on white (WCAG 2.1, 1.4.11).
# Markers and dashes distinguish arms without colours, and their cycles have other lengths.
_COLOURS = (BLUE, "#D55E00", GREEN, "#000000", "#CC79A7")
_MARKERS = "os^Dv*P"
_DASHES: tuple[Any, ...] = ("-", (0, (6, 1.5)), (0, (3, 1.5)), (0, (6, 1.5, 1, 1.5)))
REFERENCE: dict[str, Any] = {"color": GREY, "linewidth": 1.4, "linestyle": (0, (1, 1.5))}
BAND_ALPHA = 0.13
_ENDS = ("value", "low", "high", "band_low", "band_high")
_APART = 2.2  # points between the intervals of two arms at one budget


def curve(axes: Axes, study: Study, mode: str) -> None:
    """Draws the mean over the labels, and the reference."""
    _mean(axes, study, mode)
    axes.set_ylim(_limits(_means(study), chance(study)))
    _chance(axes, chance(study), 9)
    _patients(axes, study, 3.9)
    name = "\n".join(textwrap.wrap(f"labelled patients of {hospital(study)}", 48))
    axes.set_xlabel(name, fontsize=10)
    axes.set_ylabel(study["metric"], fontsize=10)


def beside(axes: Axes, study: Study, mode: str, others: Sequence[Study]) -> None:
    """Draws what `curve` draws, on axes that the panels of several studies have in common."""
    _mean(axes, study, mode)
    means = [mean for other in others for mean in _means(other)]
    axes.set_ylim(_limits(means, min(map(chance, others))))
    _chance(axes, chance(study), 8)
    _patients(axes, study, 3.0, largest=max(max(budgets(other), default=0) for other in others))
    axes.set_xlabel("labelled patients", fontsize=9)
    axes.set_ylabel(study["metric"], fontsize=9)


def _mean(axes: Axes, study: Study, mode: str) -> None:
    for reference in study["reference"]:
        if reference["mode"] == mode and reference["mean"]["value"] is not None:
            axes.axhline(reference["mean"]["value"], **REFERENCE)
    _lines(axes, study, mode, lambda point: point["mean"])


def _means(study: Study) -> list[Fields]:
    return [of["mean"] for of in (*study["points"], *study["reference"])]


def label(axes: Axes, study: Study, mode: str, name: str) -> None:
    """Draws the metric of one label. All labels share their limits, so that they compare."""
    _lines(axes, study, mode, lambda point: point["labels"].get(name))
    estimates = [e for point in study["points"] for e in point["labels"].values()]
    axes.set_ylim(_limits(estimates, chance(study)))
    _chance(axes, chance(study), 8)
    _patients(axes, study, 2.4)
    axes.set_xlabel("labelled patients", fontsize=9)
    axes.set_ylabel(metric_name(study), fontsize=9)


def _lines(
    axes: Axes, study: Study, mode: str, estimate_of: Callable[[Fields], Fields | None]
) -> None:
    """Draws one line per arm with the interval of each point; the zero-shot marker is hollow.

    A simultaneous band is drawn where the estimates have one. Arms are moved apart by a few points
    sideways, so that their intervals can be told apart.
    """
    axes.margins(x=0)  # a margin could reach below -1, where the scale ends
    drawn = False
    for rank, (arm, style) in enumerate(zip(study["arms"], styles(study), strict=True)):
        estimates = [
            (point["patients"], *(_number(estimate.get(key)) for key in _ENDS))
            for point in study["points"]
            if point["arm"] == arm
            and point["mode"] == mode
            and (estimate := estimate_of(point)) is not None
            and estimate["value"] is not None
        ]
        if not estimates:
            continue
        drawn = True
        patients, value, low, high, band_low, band_high = np.array(sorted(estimates)).T
        colour = style["color"]
        sideways = _APART * (rank - (len(study["arms"]) - 1) / 2) / 72
        assert axes.figure is not None
        moved = axes.transData + ScaledTranslation(sideways, 0, axes.figure.dpi_scale_trans)
        axes.fill_between(
            patients, band_low, band_high, color=colour, alpha=BAND_ALPHA, linewidth=0
        )
        axes.vlines(patients, low, high, color=colour, linewidth=1.3, alpha=0.8, transform=moved)
        axes.plot(patients, value, **style, transform=moved)
        zero = patients == 0
        hollow = style | {"markerfacecolor": "white"}
        axes.plot(patients[zero], value[zero], **hollow, transform=moved)
    if not drawn:
        axes.text(0.5, 0.5, NOT_ESTIMABLE, color=GREY, ha="center", transform=axes.transAxes)


def has_bands(study: Study) -> bool:
    """Whether any point has a simultaneous band."""
    return any(point["mean"].get("band_low") is not None for point in study["points"])


def _number(value: float | None) -> float:
    return float("nan") if value is None else value


def _chance(axes: Axes, value: float, size: int) -> None:
    """Draws the metric of scores that say nothing."""
    axes.axhline(value, color="black", linewidth=0.9)
    axes.text(
        0.99,
        value,
        "chance",
        fontsize=size,
        ha="right",
        va="bottom",
        transform=axes.get_yaxis_transform(),
    )


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


def _limits(estimates: Sequence[Fields], at_chance: float) -> tuple[float, float]:
    """Returns the ends of all intervals and bands, and chance, with a margin, within [0, 1]."""
    ends = [at_chance] + [e[k] for e in estimates for k in _ENDS if e.get(k) is not None]
    if len(ends) == 1:
        return 0.0, 1.0
    margin = 0.05 * (max(ends) - min(ends)) + 0.005
    return max(0.0, min(ends) - margin), min(1.0, max(ends) + margin)


def _patients(axes: Axes, study: Study, inches: float, largest: int = 1) -> None:
    """Sets up the horizontal axis: log(1 + patients), which has a place for 0 patients.

    Answers are interpolated on the same scale, so that they are about where the lines cross. Every
    budget has a tick with its number: above its share if there is room, upright if there is little.
    A budget without a number is closer to the next larger than a line of text is high.

    Args:
      axes: the panel.
      study: has the budgets.
      inches: approximate length of the axis.
      largest: number of patients that the axis reaches at least.
    """
    axes.set_xscale("function", functions=(np.log1p, np.expm1))
    ticks = budgets(study) or [0]
    length = float(np.log1p(max(*ticks, 1, largest)))
    axes.set_xlim(*np.expm1(length * np.array([-0.04, 1.04])))
    names = {n: f"{n:,}" for n in ticks}
    shares = {n: percent(n / pool(study)) if n else "zero-shot" for n in ticks}

    def room(n: int, other: int) -> float:
        return abs(float(np.log1p(n) - np.log1p(other))) * inches / length

    def flat(texts: Mapping[int, str]) -> bool:
        """Whether the texts fit side by side; a character of 9 pt takes some 0.08 inches."""
        width = {n: 0.08 * max(map(len, text.split("\n"))) for n, text in texts.items()}
        return all(room(n, m) >= 0.55 * (width[n] + width[m]) for n, m in itertools.pairwise(ticks))

    both = {n: f"{names[n]}\n{shares[n]}" for n in ticks}
    texts = next((each for each in (both, names) if flat(each)), None)
    if texts is not None:
        axes.set_xticks(ticks, [texts[n] for n in ticks])
    else:
        labelled: list[int] = []
        for n in reversed(ticks):
            if not labelled or room(n, labelled[-1]) >= 0.13:  # the height of a line of 9 pt
                labelled.append(n)
        labelled.reverse()
        axes.set_xticks(labelled, [names[n] for n in labelled], rotation=90)
        axes.set_xticks([n for n in ticks if n not in labelled], minor=True)
    axes.grid(axis="y", color="#E4E4E4", linewidth=0.8)
    axes.set_axisbelow(True)
