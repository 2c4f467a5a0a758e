"""What a person sees of a finished run: its table, and its plots."""

import json
import pathlib

import pandas as pd

from remedis import files
from remedis.evaluation.evaluate import Result
from remedis.reporting import figures, plots, tables


def report(workdir: files.Path) -> None:
    """Prints the results of a finished run and draws `roc.png` and `training.png` beside them."""
    run = pathlib.Path(workdir)
    results = files.read_json(run / "results.json")
    random_weights = results["random_weights"]
    result = Result.from_json(results["test"])
    predicted = pd.read_parquet(run / "predictions.parquet")
    test = predicted[predicted["split"] == "test"]
    names = list(result.labels)
    roc = plots.roc_curves(
        test[[f"label/{name}" for name in names]].to_numpy(),
        test[[f"score/{name}" for name in names]].to_numpy(),
        result,
        random_weights=random_weights,
        title=f"ROC curves on the test split, {run.resolve().name}",
    )
    figures.write(roc, run / "roc.png")
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    training = plots.training_curves(rows, random_weights=random_weights)
    figures.write(training, run / "training.png")
    tables.print_results(results["test"], random_weights=random_weights, title="Test split")
    print(f"Results, predictions, plots and the exported model are in {run}.")
