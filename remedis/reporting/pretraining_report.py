"""The report of a finished pretraining: its figure as a file, and its results in words."""

import pathlib
from collections.abc import Iterable, Mapping
from typing import Any

from matplotlib.figure import Figure

from remedis import files
from remedis.errors import counted
from remedis.evaluation import results_record
from remedis.reporting import figures
from remedis.reporting.figures import BLUE, GREEN, GREY, ORANGE
from remedis.reporting.notes import BEGAN_RANDOM, RESEARCH_USE
from remedis.reporting.step_curve import curve, series
from remedis.training.run_directory import read_metrics

# Logged values: key, title of the panel and colour of the curve; `_MEANING` explains them.
_MONITORED = (
    ("train/loss", "loss", ORANGE),
    ("train/instance_top1", "instance task, top-1", GREEN),
    ("train/embedding_std", "spread of projections", GREY),
    ("train/effective_rank", "effective rank of features", GREY),
    ("train/alignment", "alignment, lower: closer", GREY),
    ("train/uniformity", "uniformity, lower: more even", GREY),
)
_MEANING = {
    "probe/linear_auroc": "Probe: the AUROC on validation of a logistic regression (linear), or of "
    "the nearest neighbours (k-NN), on the features of the network at that step; higher is better.",
    "train/loss": "Loss: what the training minimises; values of different methods or batch sizes "
    "cannot be compared.",
    "train/instance_top1": "Instance task, top-1: how often the network finds the other view of an "
    "image among those of the batch; 1 is perfect.",
    "train/embedding_std": "Spread of projections: the standard deviation of the outputs over a "
    "batch; close to 0, all images get the same output (collapse).",
    "train/effective_rank": "Effective rank of features: how many directions the features use; a "
    "fall towards 1 is a collapse of dimensions.",
    "train/alignment": "Alignment: the mean squared distance of two views of an image; lower is "
    "closer.",
    "train/uniformity": "Uniformity: how evenly the outputs fill the sphere; lower is more even.",
}
# Mean losses of the first and the last fifth of the logged steps are compared.
_PART = 5


def report(workdir: files.Path) -> list[str]:
    """Writes `training.png` into the directory of a finished pretraining; returns its results.

    Returns:
      One or two sentences per line.
    """
    run = pathlib.Path(workdir)
    results = results_record.read_pretraining(run)
    rows = read_metrics(run)
    figure = progress(
        rows,
        title=f"Pretraining by {results['method']}, {run.resolve().name}",
        random_weights=_began_random(results["checkpoint"]),
    )
    figures.write(figure, run / "training.png")
    return sentences(run)


def sentences(workdir: files.Path) -> list[str]:
    """Returns the results of a finished pretraining, one or two sentences per line."""
    run = pathlib.Path(workdir)
    results = results_record.read_pretraining(run)
    rows = read_metrics(run)
    lines = [f"{results['method']}, {counted(results['steps'], 'step')}."]
    if results["probe"]:
        first, *_ = results["probe"]
        best = next(row for row in results["probe"] if row["step"] == results["best_step"])
        lines += [
            f"Mean AUROC of a {name} probe on validation: {_number(first[key])} before, "
            f"{_number(best[key])} at step {results['best_step']:,}, which is kept."
            for key, name in (("probe/linear_auroc", "linear"), ("probe/knn_auroc", "k-NN"))
        ]
        lines.append("The linear probe's AUROC chose the step and is therefore optimistic.")
        if not best["probe/linear_auroc"] > first["probe/linear_auroc"]:
            lines.append(
                "No step has a better linear probe than the weights that the training started from."
            )
    if rose := loss_remark(rows):
        lines.append(rose)
    logged = {key for row in rows for key, value in row.items() if value is not None}
    lines += [text for key, text in _MEANING.items() if key in logged]
    lines += [
        f"The checkpoint {results['name']} is in {run / 'export'}: use it wherever a checkpoint "
        "folder is expected.",
        f"It started from: {results['checkpoint']['description']}",
        RESEARCH_USE,
    ]
    return lines


def loss_remark(rows: Iterable[Mapping[str, Any]]) -> str:
    """Returns a sentence if the loss rose during the training, else an empty text.

    Args:
      rows: of `metrics.jsonl`.
    """
    losses = series(rows, "train/loss")
    count = max(1, len(losses) // _PART)
    first, last = float(losses[:count].mean()), float(losses[-count:].mean())
    if len(losses) < 2 or not last > first:
        return ""
    compared = "the first and the last logged value"
    if count > 1:
        compared = f"means of the first and the last {count:,} logged values"
    return (
        f"The loss rose from {first:.3f} to {last:.3f} ({compared}): the network did not learn its "
        "task; use a smaller learning rate, a longer warm-up or more steps."
    )


def _began_random(provenance: Mapping[str, Any]) -> bool:
    """Returns whether a chain of trainings began with random weights."""
    while provenance.get("parent"):
        provenance = provenance["parent"]
    return provenance.get("origin") == "random"


def _number(area: float | None) -> str:
    return "not estimable" if area is None else f"{area:.3f}"


def progress(
    rows: Iterable[Mapping[str, Any]], *, title: str, random_weights: bool = False
) -> Figure:
    """Returns one panel per monitored value, by step.

    Args:
      rows: of `metrics.jsonl`.
      title: text above the panels.
      random_weights: whether the training began with random weights.
    """
    rows = list(rows)
    linear = series(rows, "probe/linear_auroc")
    count = len(_MONITORED) + bool(len(linear))
    figure, panels = figures.panels(
        count,
        min(4, count),
        (3.0, 2.4),
        title=title,
        random_weights=random_weights,
        random_note=BEGAN_RANDOM,
    )
    if len(linear):
        axes, *panels = panels
        knn = series(rows, "probe/knn_auroc")
        axes.plot(knn.index, knn, color=GREY, linewidth=1.2, marker="o", markersize=3, label="k-NN")
        curve(axes, "probe's AUROC, validation", linear, BLUE, marker="o")
        axes.lines[-1].set_label("linear")
        axes.legend(frameon=False, fontsize=8)
    for axes, (key, name, colour) in zip(panels, _MONITORED, strict=True):
        curve(axes, name, series(rows, key), colour)
    return figure
