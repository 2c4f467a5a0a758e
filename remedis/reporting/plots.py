"""The figures of a run: ROC curves and training curves."""

import textwrap
from collections.abc import Iterable, Mapping
from typing import Any

import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sklearn.metrics import roc_curve

from remedis.evaluation.auroc import Floats, checked
from remedis.evaluation.evaluation_result import Result
from remedis.evaluation.intervals import Estimate
from remedis.reporting.curves import curve, series
from remedis.reporting.figures import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    columns_of,
    panels,
    unit_axes,
)

_SMOOTHED = 50  # steps logged from which a running mean is worth drawing


def roc_curves(
    labels: npt.ArrayLike,
    scores: npt.ArrayLike,
    result: Result,
    *,
    random_weights: bool,
    title: str = "ROC curves",
) -> Figure:
    """Returns one panel a label: its ROC curve, AUROC with interval, and counts.

    Args:
      labels: [n, L]; 1 positive, 0 negative, NaN unknown.
      scores: [n, L], finite.
      result: what `evaluate` made of the same labels and scores; it names the labels.
      random_weights: whether the run started from weights that were never trained.
      title: above the panels; the mean is below it.

    Raises:
      UserError: as `evaluate` does.
    """
    names = list(result.labels)
    known, score = checked(labels, scores, names)
    lines = []
    if len(names) > 1:
        number = f"{len(result.averaged)} of {len(names)} labels"
        lines.append(f"Mean AUROC of {number}: {result.mean}.")
    if result.thresholds is not None:
        target = f"square target sensitivity {result.thresholds.target:g}"
        lines.append(f"Thresholds chosen on validation: dot Youden, {target}.")
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
        # Names of axes only at the edge, where they serve the whole row or column.
        lowest = column + columns >= len(names)
        _roc_panel(axes, name, known[:, column], score[:, column], result.labels[name])
        _mark_thresholds(axes, name, result)
        axes.set_xlabel("1 - specificity" if lowest else "", fontsize=10)
        axes.set_ylabel("sensitivity" if column % columns == 0 else "", fontsize=10)
    return figure


def _roc_panel(axes: Axes, name: str, labels: Floats, scores: Floats, estimate: Estimate) -> None:
    axes.set_title("\n".join(textwrap.wrap(name, 26)), fontsize=11)
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
    """Draws where the thresholds chosen on validation lie on the curve."""
    for kind, marker in (("youden", "o"), ("target_sensitivity", "s")):
        if result.thresholds is None:
            continue
        sensitivity, specificity = (
            result.metrics[f"{kind}/{what}"].labels[name].value
            for what in ("sensitivity", "specificity")
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


def training_curves(
    rows: Iterable[Mapping[str, Any]], *, random_weights: bool, title: str = "Training"
) -> Figure:
    """Returns loss, learning rate and validation AUROC by step.

    Args:
      rows: of `metrics.jsonl`, each with `step` and any of `train/loss`, `train/learning_rate` and
        `validation/auroc`. A step may come twice, as after a resumed run: the last row counts.
      random_weights: whether the run started from weights that were never trained.
      title: above the panels.
    """
    kept = list(rows)
    figure, (loss, rate, auroc) = panels(
        3, 3, (4.0, 3.0), title=title, random_weights=random_weights
    )

    values = series(kept, "train/loss")
    many = len(values) >= _SMOOTHED
    curve(loss, "training loss", values, ORANGE, faint=many)
    if many:
        smooth = values.rolling(len(values) // 15, center=True, min_periods=1).mean()
        loss.plot(smooth.index, smooth, color=ORANGE, linewidth=1.8, label="running mean")
        loss.legend(frameon=False, fontsize=9)

    values = series(kept, "train/learning_rate")
    curve(rate, "learning rate", values, GREEN)
    # A schedule that drops by factors of ten shows only its first step on a linear axis.
    if (values > 0).any() and values.max() > 50 * values[values > 0].iloc[-1]:
        rate.set_yscale("log", nonpositive="mask")

    values = series(kept, "validation/auroc")
    curve(auroc, "validation AUROC (mean)", values, BLUE, marker="o")
    if len(values):
        best = int(values.to_numpy().argmax())
        step, value = values.index[best], values.iloc[best]
        note = f"best: {value:.3f} at step {step:,}"
        auroc.scatter(step, value, 100, facecolors="none", edgecolors="black", label=note, zorder=3)
        auroc.legend(frameon=False, fontsize=9)
    return figure
