"""The figure of a training run: loss, learning rate and validation AUROC by step."""

from collections.abc import Iterable, Mapping
from typing import Any

from matplotlib.figure import Figure

from remedis.reporting.figures import BLUE, GREEN, ORANGE, panels
from remedis.reporting.step_curve import curve, series

_MIN_SMOOTHED = 50  # logged steps, from which on a running mean is drawn


def training_curves(
    rows: Iterable[Mapping[str, Any]], *, random_weights: bool, title: str = "Training"
) -> Figure:
    """Returns loss, learning rate and validation AUROC by step.

    Args:
      rows: of `metrics.jsonl`, each with `step` and any of `train/loss`, `train/learning_rate` and
        `validation/auroc`. After a resumed run a step may occur twice: the last row counts.
      random_weights: whether the run started from random weights.
      title: text above the panels.
    """
    rows = list(rows)
    figure, (loss, rate, auroc) = panels(
        3, 3, (4.0, 3.0), title=title, random_weights=random_weights
    )

    values = series(rows, "train/loss")
    smoothed = len(values) >= _MIN_SMOOTHED
    curve(loss, "training loss", values, ORANGE, faint=smoothed)
    if smoothed:
        mean = values.rolling(len(values) // 15, center=True, min_periods=1).mean()
        loss.plot(mean.index, mean, color=ORANGE, linewidth=1.8, label="running mean")
        loss.legend(frameon=False, fontsize=9)

    values = series(rows, "train/learning_rate")
    curve(rate, "learning rate", values, GREEN)
    # On a linear axis, a schedule that falls by factors of ten shows only its first step.
    if (values > 0).any() and values.max() > 50 * values[values > 0].iloc[-1]:
        rate.set_yscale("log", nonpositive="mask")

    values = series(rows, "validation/auroc")
    curve(auroc, "validation AUROC (mean)", values, BLUE, marker="o")
    if len(values):
        best = int(values.to_numpy().argmax())
        step, value = values.index[best], values.iloc[best]
        note = f"best: {value:.3f} at step {step:,}"
        auroc.scatter(step, value, 100, facecolors="none", edgecolors="black", label=note, zorder=3)
        auroc.legend(frameon=False, fontsize=9)
    return figure
