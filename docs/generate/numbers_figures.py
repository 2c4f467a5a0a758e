"""The figures of the page "What the numbers mean", drawn from its examples."""

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.interpolate import PchipInterpolator

from docs.generate import numbers_examples
from remedis.evaluation.intervals import Estimate
from remedis.evaluation.label_budget.crossing import monotone
from remedis.reporting.figures import BLUE, GREY, ORANGE, panels, unit_axes
from remedis.reporting.svg import standalone


def pages() -> dict[str, str | bytes]:
    """Returns the figures, by path below `docs/`."""
    figures = {
        "calibration": calibration(),
        "width": width(),
        "clustered": clustered(),
        "levels": levels(),
    }
    return {f"numbers/{name}.svg": standalone(of, name) for name, of in figures.items()}


def calibration() -> Figure:
    """Returns share of positives by probability, for three models that rank images alike."""
    curves = numbers_examples.reliability()
    figure, grid = panels(
        len(curves), 3, (2.1, 2.5), title="The same AUROC, three calibrations", random_weights=False
    )
    for axes, (name, (probability, share, area)) in zip(grid, curves.items(), strict=True):
        unit_axes(axes)
        axes.plot(probability, share, color=BLUE, marker="o", markersize=4, linewidth=1.4)
        axes.set_title(f"{name}\nAUROC {area:.2f}", fontsize=10)
        axes.set_xlabel("probability of the model", fontsize=10)
    grid[0].set_ylabel("share of positives", fontsize=10)
    return figure


def width() -> Figure:
    """Returns the interval of an AUROC of 0.80 by number of patients."""
    figure, (axes,) = panels(
        1, 1, (6.0, 3.2), title="More patients, narrower intervals", random_weights=False
    )
    found = numbers_examples.widths()
    places = np.log2(list(found))
    _bars(axes, list(found.values()), [f"{patients:,}" for patients in found], BLUE, places)
    axes.set_xlim(places[0] - 0.7, places[-1] + 0.7)
    _chance(axes)
    axes.set_xlabel("patients, a fifth of them positive (logarithmic scale)", fontsize=10)
    return figure


def clustered() -> Figure:
    """Returns the interval of 600 images by patient and, wrongly, by image."""
    figure, (axes,) = panels(
        1, 1, (5.0, 3.2), title="600 images of 60 patients", random_weights=False
    )
    by_patient, by_image = numbers_examples.clusters()
    names = ["by patient (this project)", "by image (too narrow)"]
    _bars(axes, [by_patient], names[:1], BLUE, np.array([0.0]))
    _bars(axes, [by_image], names[1:], ORANGE, np.array([1.0]))
    _chance(axes)
    axes.set_xticks([0, 1], names)
    axes.set_xlim(-0.6, 1.6)
    return figure


def levels() -> Figure:
    """Returns two learning curves and the level that both must reach."""
    level, needed = numbers_examples.levels()
    figure, (axes,) = panels(
        1, 1, (6.0, 3.4), title="Patients to 80 % of the baseline's gain", random_weights=False
    )
    budgets = np.array(numbers_examples.BUDGETS)
    fine = np.linspace(0, np.log1p(budgets[-1]), 200)
    for (name, curve), colour in zip(numbers_examples.CURVES.items(), (BLUE, ORANGE), strict=True):
        (fitted,) = monotone(np.array([curve]))
        axes.plot(fine, PchipInterpolator(np.log1p(budgets), fitted)(fine), color=colour)
        axes.plot(np.log1p(budgets), curve, "o", color=colour, markersize=5)
        axes.text(
            np.log1p(budgets[-1]) + 0.1, curve[-1], name, va="bottom" if name == "arm" else "top"
        )
        at = np.log1p(needed[name])
        axes.plot([at, at], [0.69, level], color=colour, linestyle=(0, (3, 3)), linewidth=1)
    axes.axhline(level, color=GREY, linewidth=1)
    axes.text(0.05, level + 0.003, f"level: {level:.2f}", color=GREY, fontsize=9)
    axes.set(ylim=(0.69, 0.82), xlim=(-0.1, np.log1p(budgets[-1]) + 1.1))
    axes.set_xticks(np.log1p(budgets), [f"{n:,}" for n in budgets])
    axes.set_xlabel("labelled patients of the new hospital", fontsize=10)
    axes.set_ylabel("AUROC", fontsize=10)
    return figure


def _bars(
    axes: Axes,
    estimates: list[Estimate],
    names: list[str],
    colour: str,
    places: npt.NDArray[np.float64],
) -> None:
    """Draws values with intervals side by side, at `places` of the x axis."""
    values, low, high = (
        np.array([getattr(of, end) for of in estimates], np.float64)
        for end in ("value", "low", "high")
    )
    axes.errorbar(places, values, [values - low, high - values], fmt="o", color=colour, capsize=5)
    axes.set_ylim(0.35, 1.0)
    axes.set_xticks(places, names)
    axes.set_ylabel("AUROC, 95 % interval", fontsize=10)


def _chance(axes: Axes) -> None:
    """Draws the AUROC of chance as a dashed line with its name."""
    axes.axhline(0.5, color=GREY, linewidth=0.8, linestyle=(0, (4, 3)))
    axes.text(
        0.99,
        0.505,
        "chance",
        color=GREY,
        fontsize=9,
        ha="right",
        transform=axes.get_yaxis_transform(),
    )
