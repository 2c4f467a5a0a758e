"""Tables of the drift of a model: on new patients beside what it was."""

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from rich.console import RenderableType
from rich.text import Text

from remedis.evaluation.intervals import Estimate
from remedis.reporting import page_content, results_table

_METRICS = {
    "auroc": "AUROC",
    "calibration_slope": "calibration slope (1)",
    "calibration_intercept": "calibration intercept (0)",
}
_METRIC_HEADER = ("metric", "then", "now", "difference")
_DISTANCE_HEADER = ("what", "mean then", "mean now", "distance", "by chance up to", "p-value")
READING = (
    "Distance: 0 if the patients then and now are alike, 1 if they have nothing in common; chance "
    "alone exceeds the limit of a row once in 20 times. Of scores, it is the largest difference of "
    "the shares of patients above one score; the means are probabilities. With several labels, "
    "read the p-values, which are adjusted for their number. A large distance says that something "
    "changed, not that the model became worse; a small one of few patients does not say "
    "that nothing did."
)


def page_tables(drift: Mapping[str, Any]) -> list[page_content.Table]:
    """Returns the tables for a page: metrics, then distances, as far as there are any."""
    tables: list[tuple[str, tuple[str, ...], list[list[str]]]] = [
        (
            f"Then ({drift['before']}) and now, with 95 % intervals; (best value).",
            _METRIC_HEADER,
            _metric_rows(drift),
        ),
        (
            f"Distance of the patients from those of {drift['reference']}.",
            _DISTANCE_HEADER,
            _distance_rows(drift),
        ),
    ]
    kind: Literal["estimates"] = "estimates"
    return [
        page_content.Table(caption, header, rows, kind) for caption, header, rows in tables if rows
    ]


def notes(drift: Mapping[str, Any]) -> list[str]:
    """Returns what was compared and how to read it."""
    return [*drift["notes"], *([READING] if drift["embeddings"] else [])]


def drift_tables(drift: Mapping[str, Any]) -> Iterator[RenderableType]:
    """Yields the tables and notes for a terminal."""
    for title, header, rows in (
        ("Then and now", _METRIC_HEADER, _metric_rows(drift)),
        ("Distance from the patients then", _DISTANCE_HEADER, _distance_rows(drift)),
    ):
        if rows:
            table = results_table.empty(title, header[0])
            for column in header[1:]:
                table.add_column(column)
            for row in rows:
                table.add_row(*map(Text, row))
            yield table
            yield ""
    yield from (Text(note, style="dim") for note in notes(drift))


def _metric_rows(drift: Mapping[str, Any]) -> list[list[str]]:
    rows = []
    for label, metrics in drift["metrics"].items():
        for name, of in metrics.items():
            difference = of["difference"]
            rows.append(
                [
                    f"{label}: {_METRICS.get(name, name)}",
                    *(Estimate.from_json(of[when]).interval for when in ("before", "now")),
                    "not estimable"
                    if difference is None
                    else f"{difference['value']:+.3f} "
                    f"[{difference['low']:+.3f}, {difference['high']:+.3f}]",
                ]
            )
    return rows


def _distance_rows(drift: Mapping[str, Any]) -> list[list[str]]:
    rows = []
    if drift["embeddings"]:
        rows.append(["embeddings", "", "", *_distance(drift["embeddings"])])
    for label, of in drift["scores"].items():
        means = [f"{of[when]:.3f}" for when in ("before", "now")]
        rows.append([f"scores of {label}", *means, *_distance(of)])
    return rows


def _distance(of: Mapping[str, Any]) -> list[str]:
    # Adding 0 makes 0 of a rounded -0.
    return [f"{round(of[key], 3) + 0.0:.3f}" for key in ("distance", "chance", "p_value")]
