"""One longer pretraining on real images: the best of three recipes, chosen without the test images.

    python benchmarks/stronger_pretraining.py --kermany=DIR --nih64=DIR --workdir=runs/transfer \
        --epochs=12 --out=docs/results.md

Three recipes train for a few epochs each. The one whose frozen features give the highest AUROC to
probes from ten labelled patients per class is trained for `--epochs` from the start. These patients
and those who judge the probes are training and validation patients of the first hospital. Finished
runs are not repeated, and a run that was killed resumes. `benchmarks/transfer.py` with the same
`--workdir`, and `--size` of the chosen recipe, then measures the label budgets of its checkpoint.
"""

import dataclasses
import json
import pathlib
import shlex

import frozen_features
import pretraining
import results
import transfer
from frozen_features import FrozenFeatures
from pretraining import BACKBONE, MILD, Pretraining

SHORT = 3  # epochs of each recipe
SHOTS, REPEATS = 10, 20  # labelled patients per class, and draws of them
ROTATED = f"rotate(15) | {MILD}"
RECIPES = {
    "SimCLR, 64 px": Pretraining("recipe-simclr-64", BACKBONE, MILD, SHORT),
    "SimCLR, 96 px, rotated": Pretraining("recipe-simclr-96", BACKBONE, ROTATED, SHORT, size=96),
    "RELIC, 64 px": Pretraining(
        "recipe-relic-64", BACKBONE, MILD, SHORT, "relic", "temperature=0.2; widths=(512, 128)"
    ),
}


def longer(recipe: Pretraining, epochs: int) -> Pretraining:
    """Returns the long run of a recipe."""
    return dataclasses.replace(
        recipe, name=f"long-{recipe.name.removeprefix('recipe-')}", epochs=epochs, warmup=2
    )


def best(scores: dict[str, float]) -> str:
    """Returns the recipe with the highest score, the first among equal ones."""
    return max(scores, key=scores.__getitem__)


def section(workdir: pathlib.Path, epochs: int) -> str:
    """Does the missing runs and returns the section."""
    rows, scores = [], {}
    for name, run in RECIPES.items():
        checkpoint = str(run.run(workdir))
        features = FrozenFeatures(workdir, run.size, "100%", 10)
        found = features.few_labels(checkpoint, SHOTS, REPEATS)
        scores[name] = found.estimate.value or 0.0
        rows.append(f"| {name} | {SHORT} | {_minutes(workdir, run):.0f} | {found.estimate} |")
    chosen = best(scores)
    run = longer(RECIPES[chosen], epochs)
    checkpoint = str(run.run(workdir))
    features = FrozenFeatures(workdir, run.size, "10%, 33%, 100%", 10)
    found = features.few_labels(checkpoint, SHOTS, REPEATS)
    rows.append(
        f"| {chosen}, longer | {epochs} | {_minutes(workdir, run):.0f} | {found.estimate} |"
    )
    arms = {
        "random weights": [(BACKBONE, 0)],
        f"{SHORT} epochs": [(str(RECIPES[chosen].run(workdir)), 0)],
        f"{epochs} epochs": [(checkpoint, 0)],
    }
    table, _, from_floor = frozen_features.table(features, arms, "random weights")
    outcome = json.loads((workdir / run.name / "results.json").read_text())
    command = shlex.join(["python", *run.command(workdir)]).replace(str(workdir), "DIR")
    return "\n".join(
        [
            "## A longer pretraining on real images",
            "",
            "Written by `python benchmarks/stronger_pretraining.py --kermany=DIR --nih64=DIR "
            f"--workdir=DIR --epochs={epochs} --out=docs/results.md`.",
            "",
            f"Three recipes train `{BACKBONE}` on {outcome['data']['images']:,} unlabelled images "
            f"of {outcome['data']['patients']:,} patients of both hospitals, none of which is "
            "judged below. Each is scored by linear probes on its frozen features, from "
            f"{SHOTS} labelled patients per class of kermany, {REPEATS} draws, on kermany's "
            "validation patients: the test images choose nothing. The best one is trained again, "
            f"for {epochs} epochs.",
            "",
            "| recipe | epochs | minutes | AUROC of the probes on validation |",
            "|---|---|---|---|",
            *rows,
            "",
            f"The long run has {outcome['steps']:,} steps of 64 images. The tasks are those of "
            "the table of methods above.",
            "",
            *table,
            "",
            frozen_features.floor_sentences(from_floor),
            "",
            "The command of the long run:",
            "",
            "```sh",
            command,
            "```",
        ]
    )


def _minutes(workdir: pathlib.Path, run: Pretraining) -> float:
    """Returns the minutes between the first and the last file of a finished run."""
    folder = workdir / run.name
    seconds = (folder / "results.json").stat().st_mtime - (folder / "config.json").stat().st_mtime
    return seconds / 60


def main() -> None:
    """Does the missing runs and writes the section."""
    parser = transfer.arguments(__doc__)
    parser.add_argument("--epochs", type=int, default=12, help="of the long run; 12")
    parsed = parser.parse_args()
    workdir = parsed.workdir.resolve()
    pretraining.prepare(parsed.kermany, parsed.nih64, workdir)
    results.deliver(parsed.out, "stronger-pretraining", section(workdir, parsed.epochs))


if __name__ == "__main__":
    main()
