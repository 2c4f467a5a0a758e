"""The report of a finished run: its figures and its page as files, and its tables."""

import os
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

from matplotlib.figure import Figure
from rich.console import Group, RenderableType
from rich.text import Text

from remedis import files
from remedis.data.checks.leaks import read_receipt
from remedis.evaluation import predictions_file, results_record
from remedis.evaluation.evaluation_result import Result
from remedis.evaluation.ranking import ranking_of
from remedis.reporting import (
    figures,
    reliability_plot,
    results_table,
    roc_plot,
    run_page,
    subgroup_plot,
    training_plot,
)
from remedis.reporting.svg import inline_svg
from remedis.reporting.tuning_table import tuning_table
from remedis.training.run_directory import read_metrics


def report(workdir: files.Path) -> RenderableType:
    """Writes figures and page of a finished run into its directory and returns its tables."""
    run = pathlib.Path(workdir)
    results = write(run)
    split = results.get("split", "test")  # named if the run was evaluated again
    # Runs of earlier versions do not say what selected the checkpoint.
    note = results.get("selection", {}).get("note", "")
    place = f"Results, predictions, plots and the exported model are in {run}; read report.html."
    title = f"{split.capitalize()} split"
    return Group(
        results_table.results_report(
            results[split], random_weights=results["random_weights"], title=title
        ),
        *([Text(note)] if note else []),
        # Runs without config.select have one candidate, which no score has to choose.
        *([tuning_table(results["tuning"])] if "tuning" in results else []),
        Text(place, no_wrap=True, overflow="ignore"),  # a path in one piece can be copied
    )


def write(workdir: files.Path) -> dict[str, Any]:
    """Writes the figures and the page of a finished run; returns the content of `results.json`.

    The page is `report.html`. The figures are `roc.png` and `reliability.png`; `training.png` if
    steps were logged; and `subgroups.png` if the data have subgroups.

    Args:
      workdir: of a run, or a directory that `remedis evaluate` wrote.
    """
    run = pathlib.Path(workdir)
    results: dict[str, Any] = results_record.read(run)
    plots = []
    for name, heading, text, figure in _figures(run, results):
        figures.write(figure, run / f"{name}.png")
        drawing = inline_svg(figure, name, f"{heading}. {text}", heading)
        plots.append(run_page.Plot(heading, text, drawing))
    receipt = run / "leaks.json"
    leaks = read_receipt(receipt) if os.path.lexists(receipt) else None
    page = run_page.page(results, run.resolve().name, plots, leaks)
    files.write_text(run / "report.html", page)
    return results


def _figures(
    run: pathlib.Path, results: Mapping[str, Any]
) -> Iterator[tuple[str, str, str, Figure]]:
    """Yields the name of the file, the heading, what is shown, and the figure."""
    split = results.get("split", "test")
    random_weights = results["random_weights"]
    result = Result.from_json(results[split])
    predictions = predictions_file.read(run)
    predictions = predictions[predictions["split"] == split]
    labels = predictions[[f"label/{name}" for name in result.labels]].to_numpy()
    scores = predictions[[f"score/{name}" for name in result.labels]].to_numpy()
    chosen = " (chosen on this data: looks better than it is)" if split == "validation" else ""
    where = f"on the {split} split{chosen}, {run.resolve().name}"
    ranked = ranking_of(predictions, list(result.labels), result.task).values
    given = {"random_weights": random_weights}
    yield (
        "roc",
        "ROC curves",
        "Sensitivity by 1 - specificity at every threshold; the dashed diagonal is chance.",
        roc_plot.roc_curves(labels, ranked, result, title=f"ROC curves {where}", **given),
    )
    if "calibration_error" in result.metrics:
        yield (
            "reliability",
            "Reliability",
            "The share of positives by predicted probability. On the diagonal, probabilities are "
            "right; below it they are too high, above it too low.",
            reliability_plot.reliability_curves(
                labels, scores, result, title=f"Reliability {where}", **given
            ),
        )
    if results[split].get("subgroups"):
        yield (
            "subgroups",
            "Subgroups",
            "AUROC of each group with its 95 % interval, and the gap between the groups.",
            subgroup_plot.subgroup_areas(
                results[split]["subgroups"], title=f"AUROC by subgroup {where}", **given
            ),
        )
    log = run / "metrics.jsonl"
    if os.path.lexists(log):  # a head that is solved in closed form logs no steps
        rows = read_metrics(run)
        yield (
            "training",
            "Training",
            "Training loss, learning rate and the AUROC on validation that selected the weights, "
            "by step.",
            training_plot.training_curves(rows, **given),
        )
