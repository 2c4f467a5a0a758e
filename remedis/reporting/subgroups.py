"""The figure of subgroups: the AUROC of every group, label by label."""

import textwrap
from collections.abc import Mapping
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from remedis.evaluation.intervals import Estimate
from remedis.reporting.figures import BLUE, GREY, columns_of, panels


def subgroup_areas(
    subgroups: Mapping[str, Any], *, random_weights: bool, title: str = "AUROC by subgroup"
) -> Figure:
    """Returns one panel a label, and one of their mean: the AUROC of every group with interval.

    Args:
      subgroups: what `remedis.evaluation.subgroups.subgroups` gives, of at least one column.
      random_weights: whether the run started from weights that were never trained.
      title: above the panels.
    """
    # The mean may be missing of one column of groups and not of another.
    names = list(dict.fromkeys(name for labels in subgroups.values() for name in labels))
    names = [*(name for name in names if name != "mean"), *(["mean"] if "mean" in names else [])]
    groups = [
        (column, group)
        for column, labels in subgroups.items()
        for group in next(iter(labels.values()))["groups"]
    ]
    columns = columns_of(len(names))
    figure, grid = panels(
        len(names),
        columns,
        # A line of 0.2 inches a group, one free between columns, and the title and axis.
        (3.1, 0.9 + 0.2 * (len(groups) + len(subgroups))),
        title=title,
        subtitle="Lines: 95 % intervals. Gap: largest minus smallest.",
        random_weights=random_weights,
    )
    for index, (axes, name) in enumerate(zip(grid, names, strict=True)):
        _panel(axes, name, subgroups, index % columns == 0)
        axes.set_xlabel("AUROC" if index + columns >= len(names) else "", fontsize=10)
    return figure


def _panel(axes: Axes, name: str, subgroups: Mapping[str, Any], first: bool) -> None:
    axes.set_title("\n".join(textwrap.wrap(name, 26)), fontsize=11, loc="left")
    axes.set_xlim(0, 1)
    axes.set_xticks([0, 0.5, 1], ["0", "0.5", "1"])
    axes.axvline(0.5, color=GREY, linewidth=0.8, linestyle=(0, (4, 3)))
    ticks, texts, place = [], [], 0
    for column, labels in subgroups.items():
        shown = labels.get(name)
        if shown is not None and (gap := shown["gaps"]["auroc"]) is not None:
            said = f"gap {gap['value']:.2f} [{gap['low']:.2f}, {gap['high']:.2f}]"
            axes.text(0.02, place, said, fontsize=8, va="center")
        ticks.append(place)
        texts.append(column)
        for group in next(iter(labels.values()))["groups"]:
            place += 1
            ticks.append(place)
            texts.append(group)
            if shown is None:
                continue
            estimate = Estimate.from_json(shown["groups"][group]["auroc"])
            if estimate.value is None or estimate.low is None or estimate.high is None:
                axes.text(0.02, place, "not estimable", fontsize=8, va="center", color=GREY)
            else:
                axes.hlines(place, estimate.low, estimate.high, color=BLUE, linewidth=1.4)
                axes.plot(estimate.value, place, color=BLUE, marker="o", markersize=4)
        place += 1
    axes.set_ylim(place - 0.4, -0.6)
    # Names of groups once a row of panels.
    axes.set_yticks(ticks, texts if first else [""] * len(texts))
    axes.tick_params(axis="y", length=0)
    heads = set(subgroups)
    for label in axes.get_yticklabels():
        if label.get_text() in heads:
            label.set_fontweight("bold")
