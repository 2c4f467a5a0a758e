"""The figure of ROC curves, one panel per label."""

import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sklearn.metrics import roc_curve

from remedis.evaluation.auroc import Floats, checked
from remedis.evaluation.choice_sentences import has_thresholds, threshold_data
from remedis.evaluation.evaluation_result import Result
from remedis.evaluation.intervals import Estimate
from remedis.reporting.figures import (
    BLUE,
    GREY,
    ORANGE,
    columns_of,
    labels_of_panels,
    panels,
    unit_axes,
)
from remedis.reporting.fonts import wrapped


def roc_curves(
    labels: npt.ArrayLike,
    scores: npt.ArrayLike,
    result: Result,
    *,
    random_weights: bool,
    title: str = "ROC curves",
) -> Figure:
    """Returns one panel per label: its ROC curve, AUROC with interval, and counts.

    Args:
      labels: [n, L]; 1 positive, 0 negative, NaN unknown.
      scores: [n, L], finite; the values that ranked the images.
      result: of `evaluate` for the same labels and scores; it names the labels.
      random_weights: whether the run started from random weights.
      title: text above the panels; the mean AUROC stands below it.

    Raises:
      UserError: as `evaluate` does.
    """
    names = list(result.labels)
    known, score = checked(labels, scores, names)
    lines = []
    if len(names) > 1 and result.averaged:
        number = f"{len(result.averaged)} of {len(names)} labels"
        lines.append(f"Mean AUROC of {number}: {result.mean}.")
    elif len(names) > 1:
        lines.append("No label has an estimable AUROC.")
    chosen = None if result.thresholds is None else result.thresholds.to_json()
    if chosen is not None and has_thresholds(chosen, names):
        data = threshold_data(chosen, names)
        target = f"square target sensitivity {chosen['target']:g}"
        lines.append(f"Thresholds{data and f' chosen on {data}'}: dot Youden, {target}.")
    place_of = {name: place for place, name in enumerate(names)}
    names, left_out = labels_of_panels({n: e.positives for n, e in result.labels.items()})
    lines += [left_out] if left_out else []
    columns = columns_of(len(names))
    figure, grid = panels(
        len(names),
        columns,
        (2.9, 3.1),
        title=title,
        subtitle=" ".join(lines),
        random_weights=random_weights,
    )
    for column, (axes, name) in enumerate(zip(grid, names, strict=True)):
        # Axis labels only at the edge, where they serve the whole row or column.
        bottom = column + columns >= len(names)
        place = place_of[name]
        _roc_panel(axes, name, known[:, place], score[:, place], result.labels[name])
        _mark_thresholds(axes, name, result)
        axes.set_xlabel("1 - specificity" if bottom else "", fontsize=10)
        axes.set_ylabel("sensitivity" if column % columns == 0 else "", fontsize=10)
    return figure


def _roc_panel(axes: Axes, name: str, labels: Floats, scores: Floats, estimate: Estimate) -> None:
    axes.set_title("\n".join(wrapped(name, 26)), fontsize=11)
    unit_axes(axes)
    if estimate.estimable:
        use = ~pd.isna(labels)
        false_positive, true_positive, _ = roc_curve(labels[use], scores[use])
        axes.plot(false_positive, true_positive, color=BLUE, linewidth=1.8)
    counts = f"{estimate.patients} patients\n{estimate.positives} positive"
    axes.text(
        0.99,
        0.03,
        f"{estimate.interval}\n{counts}",
        ha="right",
        va="bottom",
        fontsize=9,
        linespacing=1.3,
        color="black" if estimate.estimable else GREY,
        bbox={"facecolor": "white", "alpha": 0.8, "edgecolor": "none", "pad": 1.5},
    )


def _mark_thresholds(axes: Axes, name: str, result: Result) -> None:
    """Marks the thresholds on the curve."""
    for kind, marker in (("youden", "o"), ("target_sensitivity", "s")):
        if result.thresholds is None:
            continue
        sensitivity, specificity = (
            result.metrics[f"{kind}/{rate}"].labels[name].value
            for rate in ("sensitivity", "specificity")
        )
        if sensitivity is not None and specificity is not None:
            axes.plot(
                1 - specificity,
                sensitivity,
                color=ORANGE,
                marker=marker,
                markersize=6,
                markeredgecolor="black",
                markeredgewidth=0.8,
                zorder=3,
                clip_on=False,
            )
