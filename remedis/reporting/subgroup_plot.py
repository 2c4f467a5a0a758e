"""The figure of subgroups: the AUROC of every group, one panel per label."""

from collections.abc import Mapping
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from remedis.evaluation.intervals import Estimate
from remedis.reporting.figures import BLUE, GREY, columns_of, labels_of_panels, panels
from remedis.reporting.fonts import wrapped


def subgroup_areas(
    subgroups: Mapping[str, Any], *, random_weights: bool, title: str = "AUROC by subgroup"
) -> Figure:
    """Returns one panel per label, and one of their mean: every group's AUROC with interval.

    Args:
      subgroups: result of `remedis.evaluation.subgroups.subgroups`, of at least one column.
      random_weights: whether the run started from random weights.
      title: text above the panels.
    """
    # One column of groups may lack the mean that another one has.
    names = list(dict.fromkeys(name for labels in subgroups.values() for name in labels))
    labels_alone = {name: _positives(subgroups, name) for name in names if name != "mean"}
    shown, left_out = labels_of_panels(labels_alone)
    names = [*shown, *(["mean"] if "mean" in names else [])]
    groups = [
        (column, group)
        for column, labels in subgroups.items()
        for group in next(iter(labels.values()))["groups"]
    ]
    columns = columns_of(len(names))
    figure, grid = panels(
        len(names),
        columns,
        # 0.2 inches per group and per gap between columns; the rest is for title and axis.
        (3.1, 0.9 + 0.2 * (len(groups) + len(subgroups))),
        title=title,
        subtitle=f"Lines: 95 % intervals. Gap: largest minus smallest. {left_out}".strip(),
        random_weights=random_weights,
    )
    for index, (axes, name) in enumerate(zip(grid, names, strict=True)):
        _panel(axes, name, subgroups, index % columns == 0)
        axes.set_xlabel("AUROC" if index + columns >= len(names) else "", fontsize=10)
    return figure


def _positives(subgroups: Mapping[str, Any], name: str) -> int:
    """Returns the number of positive patients of a label in all groups of a column."""
    groups = next(labels[name]["groups"] for labels in subgroups.values() if name in labels)
    return sum(group["auroc"]["positives"] for group in groups.values())


def _panel(axes: Axes, name: str, subgroups: Mapping[str, Any], name_groups: bool) -> None:
    axes.set_title("\n".join(wrapped(name, 26)), fontsize=11, loc="left")
    axes.set_xlim(0, 1)
    axes.set_xticks([0, 0.5, 1], ["0", "0.5", "1"])
    axes.axvline(0.5, color=GREY, linewidth=0.8, linestyle=(0, (4, 3)))
    ticks, texts, row = [], [], 0
    for column, labels in subgroups.items():
        values = labels.get(name)
        if values is not None and (gap := values["gaps"]["auroc"]) is not None:
            text = f"gap {gap['value']:.2f} [{gap['low']:.2f}, {gap['high']:.2f}]"
            axes.text(0.02, row, text, fontsize=8, va="center")
        ticks.append(row)
        texts.append(column)
        for group in next(iter(labels.values()))["groups"]:
            row += 1
            ticks.append(row)
            texts.append(group)
            if values is None:
                continue
            estimate = Estimate.from_json(values["groups"][group]["auroc"])
            if estimate.value is None or estimate.low is None or estimate.high is None:
                axes.text(0.02, row, "not estimable", fontsize=8, va="center", color=GREY)
            else:
                axes.hlines(row, estimate.low, estimate.high, color=BLUE, linewidth=1.4)
                axes.plot(estimate.value, row, color=BLUE, marker="o", markersize=4)
        row += 1
    axes.set_ylim(row - 0.4, -0.6)
    # The first panel of a row names the groups.
    axes.set_yticks(ticks, texts if name_groups else [""] * len(texts))
    axes.tick_params(axis="y", length=0)
    for label in axes.get_yticklabels():
        if label.get_text() in subgroups:
            label.set_fontweight("bold")
