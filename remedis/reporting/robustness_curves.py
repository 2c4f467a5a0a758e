"""Figures of a corruption sweep: a number by strength, one panel per corruption."""

from collections.abc import Callable, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from remedis.evaluation.corrupted_scores import CellRecord, RobustnessRecord
from remedis.evaluation.intervals import EstimateRecord
from remedis.reporting.figures import BLUE, GREY, panels

_METRICS = {"auroc": "AUROC", "calibration_error": "Calibration error", "brier": "Brier score"}


def corruptions(record: RobustnessRecord) -> list[str]:
    """Returns the names of the corruptions, in their order."""
    return list(dict.fromkeys(cell["corruption"] for cell in record["cells"][1:]))


def of_corruption(record: RobustnessRecord, name: str) -> list[CellRecord]:
    """Returns the cells of a corruption, in the order of their strengths, without strength 0."""
    cells = [c for c in record["cells"][1:] if c["corruption"] == name and c["strength"]]
    return sorted(cells, key=lambda cell: cell["strength"])


def metric_curves(record: RobustnessRecord, metric: str) -> Figure:
    """Returns the mean of a metric over the labels, by strength.

    Args:
      record: of the sweep.
      metric: `auroc`, `calibration_error` or `brier`.
    """
    clean = record["cells"][0]["metrics"][metric]["mean"]["estimate"]
    return _curves(
        record,
        _METRICS[metric],
        lambda cell: cell["metrics"][metric]["mean"]["estimate"],
        clean,
        ("clean", clean["value"]),
    )


def cosine_curves(record: RobustnessRecord) -> Figure:
    """Returns the cosine of embeddings of clean and corrupted images, by strength."""
    return _curves(
        record,
        "Cosine of embeddings",
        lambda cell: cell["cosine"],
        record["cells"][0]["cosine"],
        ("two patients", record["strangers"]["value"]),
    )


def _curves(
    record: RobustnessRecord,
    title: str,
    of: Callable[[CellRecord], EstimateRecord],
    clean: EstimateRecord,
    line: tuple[str, float | None],
) -> Figure:
    names = corruptions(record)
    figure, grid = panels(
        len(names),
        min(len(names), 4),
        (2.6, 2.2),
        title=f"{title} by strength of corruption",
        subtitle="Bands: 95 % intervals by patient. Strength 0: clean images.",
        random_weights=record["random_weights"],
    )
    curves = {name: [clean, *map(of, of_corruption(record, name))] for name in names}
    shown = [number for curve in curves.values() for one in curve for number in _numbers(one)]
    shown += [line[1]] if line[1] is not None else []
    low, high = (min(shown), max(shown)) if shown else (0.0, 1.0)
    room = 0.06 * (high - low) or 0.05
    for axes, name in zip(grid, names, strict=True):
        strengths = [0, *(cell["strength"] for cell in of_corruption(record, name))]
        axes.set_title(name, fontsize=11, loc="left")
        axes.set(xlim=(-0.3, 5.3), xticks=range(6), ylim=(low - room, high + room))
        axes.grid(axis="y", color="#E4E4E4", linewidth=0.8)
        _curve(axes, strengths, curves[name])
        if line[1] is not None:
            axes.axhline(line[1], color=GREY, linewidth=0.9, linestyle=(0, (4, 3)))
    if grid and line[1] is not None:
        grid[0].annotate(
            line[0],
            (0.98, line[1]),
            (0, 2),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            ha="right",
            fontsize=8,
            color=GREY,
        )
    return figure


def _curve(axes: Axes, strengths: Sequence[int], curve: Sequence[EstimateRecord]) -> None:
    known = [(x, _numbers(one)) for x, one in zip(strengths, curve, strict=True) if _numbers(one)]
    if not known:
        axes.text(0.5, 0.5, "not estimable", color=GREY, ha="center", transform=axes.transAxes)
        return
    x = [strength for strength, _ in known]
    value, low, high = ([numbers[i] for _, numbers in known] for i in range(3))
    axes.fill_between(x, low, high, color=BLUE, alpha=0.18, linewidth=0)
    axes.plot(x, value, color=BLUE, marker="o", markersize=4, linewidth=1.6)


def _numbers(estimate: EstimateRecord) -> tuple[float, ...]:
    """Returns value and ends of the interval; empty if not estimable."""
    value, low, high = estimate["value"], estimate["low"], estimate["high"]
    return () if value is None or low is None or high is None else (value, low, high)
