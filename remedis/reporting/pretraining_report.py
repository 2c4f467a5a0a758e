"""What a person sees of a finished pretraining: how it went, and what the probe made of it."""

import json
import pathlib
from collections.abc import Iterable, Mapping
from typing import Any

from matplotlib.figure import Figure

from remedis import files
from remedis.reporting import figures
from remedis.reporting.curves import curve, series
from remedis.reporting.figures import BLUE, GREEN, GREY, ORANGE
from remedis.reporting.notes import RESEARCH_USE

# What is logged, in words, and how to read it.
_WATCHED = (
    ("train/loss", "loss", ORANGE),
    ("train/instance_top1", "instance task, top-1", GREEN),
    ("train/embedding_std", "spread of projections", GREY),
    ("train/effective_rank", "effective rank of features", GREY),
    ("train/alignment", "alignment, lower: closer", GREY),
    ("train/uniformity", "uniformity, lower: more even", GREY),
)


def report(workdir: files.Path) -> None:
    """Prints the results of a finished pretraining and draws `training.png` beside them."""
    run = pathlib.Path(workdir)
    results = files.read_json(run / "results.json")
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    drawn = progress(rows, title=f"Pretraining by {results['method']}, {run.resolve().name}")
    figures.write(drawn, run / "training.png")
    print(f"{results['method']}, {results['steps']:,} steps.")
    if results["probe"]:
        first, *_ = results["probe"]
        best = next(row for row in results["probe"] if row["step"] == results["best_step"])
        for key, name in (("probe/linear_auroc", "linear"), ("probe/knn_auroc", "k-NN")):
            print(
                f"Mean AUROC of a {name} probe on validation: {first[key]:.3f} before, "
                f"{best[key]:.3f} at step {results['best_step']:,}, which is kept."
            )
        print("It was chosen by this number, which is therefore somewhat too good.")
    print(
        f"The checkpoint {results['name']} is in {run / 'export'}: take it wherever a checkpoint "
        "folder is asked for."
    )
    print(f"It started from: {results['checkpoint']['description']}")
    print(RESEARCH_USE)


def progress(rows: Iterable[Mapping[str, Any]], *, title: str) -> Figure:
    """Returns panels of what was watched, over the steps.

    Args:
      rows: of `metrics.jsonl`.
      title: above them.
    """
    kept = list(rows)
    probed = bool(len(series(kept, "probe/linear_auroc")))
    count = len(_WATCHED) + probed
    figure, grid = figures.panels(
        count, min(4, count), (3.0, 2.4), title=title, random_weights=False
    )
    if probed:
        axes, *grid = grid
        knn = series(kept, "probe/knn_auroc")
        axes.plot(knn.index, knn, color=GREY, linewidth=1.2, marker="o", markersize=3, label="k-NN")
        values = series(kept, "probe/linear_auroc")
        curve(axes, "probe's AUROC, validation", values, BLUE, marker="o")
        axes.lines[-1].set_label("linear")
        axes.legend(frameon=False, fontsize=8)
    for axes, (key, name, colour) in zip(grid, _WATCHED, strict=True):
        curve(axes, name, series(kept, key), colour)
    return figure
