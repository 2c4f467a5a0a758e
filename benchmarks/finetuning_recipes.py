"""The fine-tuning recipes on real images: all runs, and a table of their results.

    python benchmarks/finetuning_recipes.py --kermany=DIR --nih64=DIR --workdir=runs/recipes \
        --out=docs/results.md

Both data sets are small, public and real. `kermany` has chest radiographs of children (a folder
with `manifest.csv`: path, patient_id, pneumonia, subtype); `nih64` has those of adults in the
layout of ChestX-ray14. Finished runs are not repeated, and a run that was killed resumes. A run
directory with another config than the recipe's is refused.
"""

import argparse
import dataclasses
import json
import pathlib
import shlex
import subprocess
import sys
import time
from typing import Protocol

import ml_collections
import numpy as np
import pandas as pd
import results
import thumbnails

from remedis import files, options
from remedis.evaluation.auroc import auroc
from remedis.evaluation.intervals import patient_codes
from remedis.evaluation.ranking import ranking_of
from remedis.evaluation.repeated_runs import auroc_over_runs
from remedis.finetuning import data
from remedis.finetuning.settings import DataSettings
from remedis.training.run_directory import RunDirectory

ROOT = pathlib.Path(__file__).resolve().parents[1]
SIZE = "--config.image_size=64"
CHILDREN = ("configs/own_data.py", "kermany", "--config.labels=('pneumonia',)")
ADULTS = ("configs/chestxray14.py", "nih64", "--config.labels=('No Finding',)")
# Far shorter than BiT's HyperRule: minutes, not hours, per run on two slow cores.
SHORT = ("--config.steps=60", "--config.batch_size=16", "--config.evaluate_every=20")


@dataclasses.dataclass(frozen=True)
class Recipe:
    """A config on a data set, with several seeds.

    Attributes:
      name: prefix of the directories of its runs.
      description: in words, for the table.
      data: config file, name of the data set, override that names its labels.
      overrides: further arguments of the command.
      variant: argument of the config, with its colon.
      seeds: number of runs.
    """

    name: str
    description: str
    data: tuple[str, str, str]
    overrides: tuple[str, ...]
    variant: str = ""
    seeds: int = 3

    def command(self, directory: str, seed: str, workdir: str) -> list[str]:
        """Returns the command line of one run."""
        config, _, labels = self.data
        return [
            "finetune/finetune.py",
            f"--config={config}{self.variant}",
            f"--config.data_dir={directory}",
            labels,
            SIZE,
            *self.overrides,
            f"--config.seed={seed}",
            f"--workdir={workdir}",
        ]


def _on_both(description: str, name: str, *overrides: str, variant: str = "") -> list[Recipe]:
    return [
        Recipe(f"{data[1]}-{name}", description, data, overrides, variant)
        for data in (CHILDREN, ADULTS)
    ]


RECIPES = [
    *_on_both(
        "exact probe on a random 50x1",
        "probe",
        "--config.checkpoint=scratch:50x1",
        variant=":head_only",
    ),
    *_on_both(
        "50x1 from scratch",
        "scratch",
        "--config.checkpoint=scratch:50x1",
        "--config.learning_rate=1.6",
        *SHORT,
    ),
    Recipe(
        "nih64-densenet",
        "DenseNet-121 from scratch, AdamW",
        ADULTS,
        (
            "--config.checkpoint=keras:DenseNet121",
            "--config.optimizer=adamw",
            "--config.schedule=cosine",
            "--config.learning_rate=0.001",
            "--config.learning_rate_batch=0",
            *SHORT,
        ),
    ),
]


class Job(Protocol):
    """A job that `run` can start."""

    @property
    def name(self) -> str:
        """Prefix of the directories of its runs."""

    def command(self, directory: str, seed: str, workdir: str) -> list[str]:
        """Returns the command line of one run on the data in a directory."""


def run(job: Job, directory: str, seed: int, workdir: pathlib.Path) -> pathlib.Path:
    """Runs a job with one seed, and records the seconds beside the run directory.

    The job itself returns at once if the run is finished.

    Returns:
      The run directory.

    Raises:
      SystemExit: the run failed, for example because its directory holds a run with another config.
    """
    path = workdir / f"{job.name}-{seed}"
    clock = path.with_suffix(".seconds.json")
    finished = (path / "results.json").is_file()
    before = json.loads(clock.read_text()) if clock.is_file() else 0.0
    print(f"{path.name} ...", flush=True)
    start = time.monotonic()
    output = path.with_suffix(".log")
    with open(output, "a") as log:
        command = [sys.executable, *job.command(directory, str(seed), str(path))]
        process = subprocess.run(command, cwd=ROOT, stdout=log, stderr=log, check=False)
    if process.returncode:
        lines = output.read_text().strip().splitlines()
        raise SystemExit(f"{path.name} failed: {lines[-1] if lines else 'see'} ({output})")
    if not finished:
        files.write_json(clock, before + time.monotonic() - start)
    return path


def floor_row(recipe: Recipe, run: pathlib.Path, workdir: pathlib.Path) -> str:
    """Returns the row of the floor, a classifier of thumbnails, on the data of a run."""
    config = ml_collections.ConfigDict(json.loads((run / "config.json").read_text()))
    directory = RunDirectory(workdir / f"{recipe.data[1]}-floor", config.to_dict())
    splits = data.prepare(options.settings(DataSettings, config), config.task, directory)
    logits = thumbnails.logits(splits.train, splits.validation, splits.test)
    test = splits.test
    floor = auroc_over_runs(test.targets(), logits[None], patient_codes(test.table["patient_id"]))
    return (
        f"| {recipe.data[1]}, {test.labels[0]} | floor: thumbnails | {floor.interval} | | "
        f"{floor.patients}, {floor.positives} | |"
    )


def row(recipe: Recipe, runs: list[pathlib.Path]) -> str:
    """Returns a row of the table: the mean over a recipe's runs, with its interval."""
    tables = [pd.read_parquet(path / "predictions.parquet") for path in runs]
    tests = [table[table["split"] == "test"].reset_index(drop=True) for table in tables]
    label = next(name for name in map(str, tests[0].columns) if name.startswith("label/"))
    assert all(test["path"].equals(tests[0]["path"]) for test in tests)
    scores = np.stack([ranking_of(test, [label.removeprefix("label/")]).values for test in tests])
    areas = [auroc(test[[label]], of)[0, 0] for test, of in zip(tests, scores, strict=True)]
    mean = auroc_over_runs(tests[0][[label]], scores, patient_codes(tests[0]["patient_id"]))
    seconds = [json.loads(path.with_suffix(".seconds.json").read_text()) for path in runs]
    # The text above the table says that all runs start from random weights.
    assert all(json.loads((path / "results.json").read_text())["random_weights"] for path in runs)
    return (
        f"| {recipe.data[1]}, {label.removeprefix('label/')} | {recipe.description} | "
        f"{mean.interval} | {min(areas):.3f} to {max(areas):.3f}, {len(runs)} | "
        f"{mean.patients}, {mean.positives} | {np.mean(seconds) / 60:.1f} |"
    )


HEAD = """## The recipes, from random weights

Written by `python benchmarks/finetuning_recipes.py --kermany=DIR --nih64=DIR --workdir=DIR
--out=docs/results.md{only}` on two CPU cores.

Every run below starts from **random weights**; no pretrained weights were available. The runs show
that the recipes finish on real files and report the result. They say nothing about REMEDIS' weights
and reproduce no published number. The images are 64 pixels wide. A recipe whose interval does not
lie above the floor has not shown that it learnt more than thumbnails show.

- `kermany`: children, one hospital, normal or pneumonia.
- `nih64`: 1,000 images of 264 adults in ChestX-ray14's layout, without the official split; the
  label is "No Finding" versus any finding.

The floor of a data set is {floor}, on the same splits.

AUROC is measured on the test split (by patient, the same for every seed) and is the mean over
seeds. Its 95 % interval covers patients (DeLong) and seeds (Student's t) together, on the logit
scale; that of a floor, patients alone. Neither covers how much other training patients would change
the numbers. The machine had other work as well when the minutes were measured.

| data, label | recipe | AUROC | range, seeds | test patients, positive | minutes per run |
|---|---|---|---|---|---|
"""


def main() -> None:
    """Does the missing runs and writes the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kermany", required=True, metavar="DIR")
    parser.add_argument("--nih64", required=True, metavar="DIR")
    parser.add_argument("--workdir", required=True, type=pathlib.Path)
    parser.add_argument("--out", type=pathlib.Path, help="document to write into; else printed")
    parser.add_argument(
        "--only", default="", metavar="A,B", help="only recipes whose name contains one of these"
    )
    parsed = parser.parse_args()
    parsed.workdir = parsed.workdir.resolve()
    parsed.workdir.mkdir(parents=True, exist_ok=True)
    only = f" --only={parsed.only}" if parsed.only else ""
    text, commands = HEAD.format(floor=thumbnails.DESCRIPTION, only=only), ["\n```sh\n"]
    floors: dict[str, str] = {}
    for recipe in RECIPES:
        if any(part in recipe.name for part in parsed.only.split(",")):
            directory = str(pathlib.Path(getattr(parsed, recipe.data[1])).resolve())
            runs = [run(recipe, directory, i, parsed.workdir) for i in range(recipe.seeds)]
            text += row(recipe, runs) + "\n"
            if recipe.data[1] not in floors:
                floors[recipe.data[1]] = floor_row(recipe, runs[0], parsed.workdir)
            shown = recipe.command(recipe.data[1], "SEED", f"runs/{recipe.name}-SEED")
            commands.append(f"python {shlex.join(shown)}\n")
    text += "".join([*(f"{floor}\n" for floor in floors.values()), *commands, "```\n"])
    if parsed.out:
        results.write(parsed.out, "recipes", text)
    else:
        print(text)


if __name__ == "__main__":
    main()
