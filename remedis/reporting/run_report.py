"""What a person sees of a finished run: its tables, and its plots."""

import json
import pathlib

import pandas as pd

from remedis import files
from remedis.evaluation.evaluate import Result
from remedis.reporting import figures, plots, reliability, subgroups, tables


def report(workdir: files.Path) -> None:
    """Prints the results of a finished run and draws its figures beside them.

    `roc.png`, `reliability.png` and `training.png`; `subgroups.png` if the data tell of any.
    """
    run = pathlib.Path(workdir)
    results = files.read_json(run / "results.json")
    random_weights = results["random_weights"]
    result = Result.from_json(results["test"])
    predicted = pd.read_parquet(run / "predictions.parquet")
    test = predicted[predicted["split"] == "test"]
    names = list(result.labels)
    labels = test[[f"label/{name}" for name in names]].to_numpy()
    scores = test[[f"score/{name}" for name in names]].to_numpy()
    where = f"on the test split, {run.resolve().name}"
    for draw, name, title in (
        (plots.roc_curves, "roc.png", f"ROC curves {where}"),
        (reliability.reliability_curves, "reliability.png", f"Reliability {where}"),
    ):
        drawn = draw(labels, scores, result, random_weights=random_weights, title=title)
        figures.write(drawn, run / name)
    if results["test"]["subgroups"]:
        drawn = subgroups.subgroup_areas(
            results["test"]["subgroups"],
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
    tables.print_results(results["test"], random_weights=random_weights, title="Test split")
    print(f"Results, predictions, plots and the exported model are in {run}.")
