"""The reliability plot: the share of positive images by predicted probability."""

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from remedis.evaluation.auroc import Floats, checked
from remedis.evaluation.calibration_error import bin_count, bins
from remedis.evaluation.evaluation_result import Result
from remedis.reporting.figures import BLUE, GREY, columns_of, labels_of_panels, panels, unit_axes
from remedis.reporting.fonts import wrapped
from remedis.reporting.results_table import brief

_BARS = 20  # of the histogram at the bottom of a panel, at most
_BARS_HEIGHT = 0.2  # of the tallest bar, as a share of the panel


def reliability_curves(
    labels: npt.ArrayLike,
    scores: npt.ArrayLike,
    result: Result,
    *,
    random_weights: bool,
    title: str = "Reliability",
) -> Figure:
    """Returns one panel per label: share of positives by probability, and the calibration error.

    A dot is a bin of `remedis.evaluation.calibration_error.bins`, which hold equally many images;
    their number follows from the number of patients. On the diagonal, probability and share of
    positives agree. Bars at the bottom count images by probability. Slope and intercept are those
    of `remedis.evaluation.calibration_line`: 1 and 0 for a calibrated model.

    Args:
      labels: [n, L]; 1 positive, 0 negative, NaN unknown.
      scores: [n, L], probabilities in [0, 1].
      result: of `evaluate` for the same labels and scores; it names the labels.
      random_weights: whether the run started from random weights.
      title: text above the panels.

    Raises:
      UserError: as `evaluate` does.
    """
    names = list(result.labels)
    known, score = checked(labels, scores, names)
    place_of = {name: place for place, name in enumerate(names)}
    names, left_out = labels_of_panels({n: e.positives for n, e in result.labels.items()})
    dots = "Dots: bins of equally many images. Bars: images by probability."
    columns = columns_of(len(names))
    figure, grid = panels(
        len(names),
        columns,
        (2.9, 3.9),
        title=title,
        subtitle=f"{dots} {left_out}".strip(),
        random_weights=random_weights,
    )
    errors = result.metrics["calibration_error"].labels
    for column, (axes, name) in enumerate(zip(grid, names, strict=True)):
        # The padding leaves room for four lines of text between title and panel.
        axes.set_title("\n".join(wrapped(name, 26)), fontsize=11, pad=56)
        unit_axes(axes)
        place = place_of[name]
        use = ~np.isnan(known[:, place])
        text = f"ECE {errors[name].interval}" if errors[name].estimable else "not estimable"
        count = bin_count(errors[name].patients)
        _panel(axes, known[use, place], score[use, place], count)
        axes.text(
            0.5,
            1.03,
            "\n".join(
                [text, *_line(result, name), f"{use.sum():,} images, {count} bin{'s'[: count - 1]}"]
            ),
            transform=axes.transAxes,
            ha="center",
            va="bottom",
            fontsize=9,
            linespacing=1.3,
            color="black" if errors[name].estimable else GREY,
        )
        bottom = column + columns >= len(names)
        axes.set_xlabel("probability" if bottom else "", fontsize=10)
        axes.set_ylabel("share of positives" if column % columns == 0 else "", fontsize=10)
    return figure


def _line(result: Result, name: str) -> list[str]:
    """Returns slope and intercept of a label, if the result has them."""
    found = []
    for key, text in (("calibration_slope", "slope"), ("calibration_intercept", "intercept")):
        # Results of earlier versions have neither.
        if key in result.metrics:
            found.append(f"{text} {brief(result.metrics[key].labels[name])}")
    return found


def _panel(axes: Axes, labels: Floats, probabilities: Floats, bin_number: int) -> None:
    if not len(labels):
        return
    # The Rice rule, 2 n^(1/3): 13 images have 5 bars.
    bars = min(_BARS, int(np.ceil(2 * len(labels) ** (1 / 3))))
    counts, edges = np.histogram(probabilities, bars, (0, 1))
    axes.bar(
        edges[:-1],
        counts / counts.max() * _BARS_HEIGHT,
        1 / bars,
        align="edge",
        color="#D4D4D4",
        zorder=1,
    )
    bin_of = bins(probabilities, bin_number)
    # Equal probabilities share a bin, so that some bins are empty: these have no dot.
    images = np.bincount(bin_of)
    used = images > 0
    mean_probability = np.bincount(bin_of, probabilities)[used] / images[used]
    share_positive = np.bincount(bin_of, labels)[used] / images[used]
    axes.plot(
        mean_probability,
        share_positive,
        color=BLUE,
        linewidth=1.4,
        marker="o",
        markersize=4,
        zorder=3,
    )
