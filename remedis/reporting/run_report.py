"""What a person sees of a finished run: its tables, and its plots."""

import json
import pathlib

import pandas as pd

from remedis import files
from remedis.evaluation.evaluation_result import Result
from remedis.reporting import figures, plots, reliability, subgroups, tables


def report(workdir: files.Path) -> None:
    """Prints the results of a finished run and draws its figures beside them.

    `roc.png`, `reliability.png` and `training.png`; `subgroups.png` if the data tell of any.
    """
    run = pathlib.Path(workdir)
    results = files.read_json(run / "results.json")
    # Evaluated anew, it may be of another split.
    split = results.get("split", "test")
    random_weights = results["random_weights"]
    result = Result.from_json(results[split])
    predicted = pd.read_parquet(run / "predictions.parquet")
    test = predicted[predicted["split"] == split]
    names = list(result.labels)
    labels = test[[f"label/{name}" for name in names]].to_numpy()
    scores = test[[f"score/{name}" for name in names]].to_numpy()
    where = f"on the {split} split, {run.resolve().name}"
    for draw, name, title in (
        (plots.roc_curves, "roc.png", f"ROC curves {where}"),
        (reliability.reliability_curves, "reliability.png", f"Reliability {where}"),
    ):
        drawn = draw(labels, scores, result, random_weights=random_weights, title=title)
        figures.write(drawn, run / name)
    if results[split]["subgroups"]:
        drawn = subgroups.subgroup_areas(
            results[split]["subgroups"],
            random_weights=random_weights,
            title=f"AUROC by subgroup {where}",
        )
        figures.write(drawn, run / "subgroups.png")
    log = run / "metrics.jsonl"
    # A head that is solved, not trained, logs no steps.
    if log.is_file():
        rows = [json.loads(line) for line in log.read_text().splitlines()]
        training = plots.training_curves(rows, random_weights=random_weights)
        figures.write(training, run / "training.png")
    title = f"{split.capitalize()} split"
    tables.print_results(results[split], random_weights=random_weights, title=title)
    print(f"Results, predictions, plots and the exported model are in {run}.")
