"""The report of a finished run: its figures as files, and its tables."""

import json
import pathlib

import pandas as pd
from rich.console import Group, RenderableType
from rich.text import Text

from remedis import files
from remedis.evaluation.evaluation_result import Result
from remedis.evaluation.ranking import ranking_of
from remedis.reporting import (
    figures,
    reliability_plot,
    results_table,
    roc_plot,
    subgroup_plot,
    training_plot,
)
from remedis.reporting.tuning_table import tuning_table


def report(workdir: files.Path) -> RenderableType:
    """Writes the figures of a finished run into its directory and returns its tables.

    The figures are `roc.png` and `reliability.png`; `training.png` if steps were logged; and
    `subgroups.png` if the data have subgroups.
    """
    run = pathlib.Path(workdir)
    results = files.read_json(run / "results.json")
    split = results.get("split", "test")  # named if the run was evaluated again
    random_weights = results["random_weights"]
    result = Result.from_json(results[split])
    predictions = pd.read_parquet(run / "predictions.parquet")
    predictions = predictions[predictions["split"] == split]
    labels = predictions[[f"label/{name}" for name in result.labels]].to_numpy()
    scores = predictions[[f"score/{name}" for name in result.labels]].to_numpy()
    chosen = " (chosen on this data: looks better than it is)" if split == "validation" else ""
    where = f"on the {split} split{chosen}, {run.resolve().name}"
    ranked = ranking_of(predictions, list(result.labels), result.task).values
    for draw, values, name, title in (
        (roc_plot.roc_curves, ranked, "roc.png", f"ROC curves {where}"),
        (reliability_plot.reliability_curves, scores, "reliability.png", f"Reliability {where}"),
    ):
        figure = draw(labels, values, result, random_weights=random_weights, title=title)
        figures.write(figure, run / name)
    if results[split]["subgroups"]:
        figure = subgroup_plot.subgroup_areas(
            results[split]["subgroups"],
            random_weights=random_weights,
            title=f"AUROC by subgroup {where}",
        )
        figures.write(figure, run / "subgroups.png")
    log = run / "metrics.jsonl"
    if log.is_file():  # a head that is solved in closed form logs no steps
        rows = [json.loads(line) for line in log.read_text().splitlines()]
        figure = training_plot.training_curves(rows, random_weights=random_weights)
        figures.write(figure, run / "training.png")
    title = f"{split.capitalize()} split"
    # Runs of earlier versions do not say what selected the checkpoint.
    note = results.get("selection", {}).get("note", "")
    place = f"Results, predictions, plots and the exported model are in {run}."
    return Group(
        results_table.results_report(results[split], random_weights=random_weights, title=title),
        *([Text(note)] if note else []),
        # Runs without config.select have one candidate, which no score has to choose.
        *([tuning_table(results["tuning"])] if "tuning" in results else []),
        Text(place, no_wrap=True, overflow="ignore"),  # a path in one piece can be copied
    )
