"""The report of a finished pretraining: its figure as a file, and its results in words."""

import json
import pathlib
from collections.abc import Iterable, Mapping
from typing import Any

from matplotlib.figure import Figure

from remedis import files
from remedis.errors import counted
from remedis.reporting import figures
from remedis.reporting.figures import BLUE, GREEN, GREY, ORANGE
from remedis.reporting.notes import RESEARCH_USE
from remedis.reporting.step_curve import curve, series

# Logged values: key, title of the panel and colour of the curve.
_MONITORED = (
    ("train/loss", "loss", ORANGE),
    ("train/instance_top1", "instance task, top-1", GREEN),
    ("train/embedding_std", "spread of projections", GREY),
    ("train/effective_rank", "effective rank of features", GREY),
    ("train/alignment", "alignment, lower: closer", GREY),
    ("train/uniformity", "uniformity, lower: more even", GREY),
)


def report(workdir: files.Path) -> str:
    """Writes `training.png` into the directory of a finished pretraining and returns its results.

    Returns:
      One sentence per line.
    """
    run = pathlib.Path(workdir)
    results = files.read_json(run / "results.json")
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    figure = progress(rows, title=f"Pretraining by {results['method']}, {run.resolve().name}")
    figures.write(figure, run / "training.png")
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
    lines += [
        f"The checkpoint {results['name']} is in {run / 'export'}: use it wherever a checkpoint "
        "folder is expected.",
        f"It started from: {results['checkpoint']['description']}",
        RESEARCH_USE,
    ]
    return "\n".join(lines)


def _number(area: float | None) -> str:
    return "not estimable" if area is None else f"{area:.3f}"


def progress(rows: Iterable[Mapping[str, Any]], *, title: str) -> Figure:
    """Returns one panel per monitored value, by step.

    Args:
      rows: of `metrics.jsonl`.
      title: text above the panels.
    """
    rows = list(rows)
    linear = series(rows, "probe/linear_auroc")
    count = len(_MONITORED) + bool(len(linear))
    figure, panels = figures.panels(
        count, min(4, count), (3.0, 2.4), title=title, random_weights=False
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
