"""The recipes on real images: every run, the table of all of them, and what it can show.

    python benchmarks/recipes.py --kermany=DIR --nih64=DIR --workdir=runs/recipes \
        --out=docs/results.md

Both sets are small, public and real: `kermany`, chest radiographs of children (a folder with
`manifest.csv`: path, patient_id, pneumonia, subtype), `nih64`, adults' in the layout of
ChestX-ray14. Runs that are finished are not done again; one that was killed goes on; one of another
config than the recipe's is refused.
"""

import argparse
import dataclasses
import pathlib
import shlex
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import results

from remedis import files
from remedis.evaluation.auroc import auroc
from remedis.evaluation.intervals import patient_codes
from remedis.evaluation.repeated import mean_auroc

ROOT = pathlib.Path(__file__).resolve().parents[1]
SIZE = "--config.image_size=64"
CHILDREN = ("configs/own_data.py", "kermany", "--config.labels=('pneumonia',)")
ADULTS = ("configs/chestxray14.py", "nih64", "--config.labels=('No Finding',)")
FLOORS = {
    "kermany": "about 0.99: logistic regression on 12x12 pixels and a grey histogram",
    "nih64": "0.592: a thumbnail classifier; AP or PA alone: 0.582",
}
# Far shorter than any rule would have it: minutes, not hours, a run on two slow cores.
SHORT = ("--config.steps=60", "--config.batch_size=16", "--config.evaluate_every=20")


@dataclasses.dataclass(frozen=True)
class Recipe:
    """A config on a data set, with several seeds.

    Attributes:
      name: of its runs.
      what: in words.
      data: config file, name of the data set, its labels.
      overrides: further arguments.
      variant: argument of the config.
      seeds: how many.
    """

    name: str
    what: str
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


def _of_both(what: str, name: str, *overrides: str, variant: str = "", seeds: int = 3) -> list:
    return [
        Recipe(f"{data[1]}-{name}", what, data, overrides, variant, seeds)
        for data in (CHILDREN, ADULTS)
    ]


RECIPES = [
    *_of_both(
        "exact probe on a random 50x1",
        "probe",
        "--config.checkpoint=scratch:50x1",
        variant=":head_only",
        seeds=3,
    ),
    *_of_both(
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


def run(recipe: Recipe, directory: str, seed: int, workdir: pathlib.Path) -> pathlib.Path:
    """Does one run, or has the job see that it is done; notes beside it the seconds it has taken.

    Raises:
      SystemExit: the run failed, as it does where the directory holds one of another config.
    """
    path = workdir / f"{recipe.name}-{seed}"
    clock = path.with_suffix(".seconds.json")
    finished = (path / "results.json").is_file()
    before = files.read_json(clock) if clock.is_file() else 0.0
    print(f"{path.name} ...", flush=True)
    started = time.monotonic()
    output = path.with_suffix(".log")
    with open(output, "a") as log:
        command = [sys.executable, *recipe.command(directory, str(seed), str(path))]
        done = subprocess.run(command, cwd=ROOT, stdout=log, stderr=log, check=False)
    if done.returncode:
        said = output.read_text().strip().splitlines()
        raise SystemExit(f"{path.name} failed: {said[-1] if said else 'see'} ({output})")
    if not finished:
        files.write_json(clock, before + time.monotonic() - started)
    return path


def row(recipe: Recipe, runs: list[pathlib.Path]) -> str:
    """Returns a recipe's line: the mean over its runs, its interval over patients and runs."""
    tables = [pd.read_parquet(path / "predictions.parquet") for path in runs]
    tests = [table[table["split"] == "test"].reset_index(drop=True) for table in tables]
    label = next(name for name in tests[0] if name.startswith("label/"))
    score = label.replace("label/", "score/")
    assert all(test["path"].equals(tests[0]["path"]) for test in tests)
    areas = [auroc(test[[label]], test[[score]])[0, 0] for test in tests]
    scores = np.stack([test[[score]] for test in tests])
    mean = mean_auroc(tests[0][[label]], scores, patient_codes(tests[0]["patient_id"]))
    seconds = [files.read_json(path.with_suffix(".seconds.json")) for path in runs]
    # The words above the table must stay true.
    assert all(files.read_json(path / "results.json")["random_weights"] for path in runs)
    return (
        f"| {recipe.data[1]}, {label.removeprefix('label/')} | {recipe.what} | "
        f"{mean.interval} | {min(areas):.3f} to {max(areas):.3f}, {len(runs)} | "
        f"{mean.patients}, {mean.positives} | {np.mean(seconds) / 60:.1f} |"
    )


HEAD = """## The recipes, from random weights

Written by `python benchmarks/recipes.py --kermany=DIR --nih64=DIR --workdir=DIR
--out=docs/results.md` on two CPU cores.

Every run below starts from **random weights**: no pretrained weights were at hand. What they can
show is that the recipes run to their end on real files, learn what these images make easy, and
report what came out; they say nothing about REMEDIS' weights, and reproduce no published number.
The images are 64 pixels wide.

- `kermany`: children, one hospital, normal or pneumonia. In-distribution it is nearly trivial.
- `nih64`: 1,000 images of 264 adults in ChestX-ray14's layout, without the official split; the
  label is "No Finding" v any finding. It is hard at 64 pixels: a trained model shows something only
  above the floor.

Floors, measured elsewhere on the same images: {floors}.

AUROC on the test split (by patient, the same for every seed), the mean over seeds; 95 % interval
over patients (DeLong) and seeds (Student's t) together, on the logit scale. A recipe shows more
than its floor only where the whole interval lies above it. Minutes are those of a machine that had
other work as well.

| data, label | recipe | AUROC | range, seeds | test patients, positive | minutes a run |
|---|---|---|---|---|---|
"""


def main() -> None:
    """Does the runs that are missing and writes the table of those that are there."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kermany", required=True, metavar="DIR")
    parser.add_argument("--nih64", required=True, metavar="DIR")
    parser.add_argument("--workdir", required=True, type=pathlib.Path)
    parser.add_argument("--out", type=pathlib.Path, help="file to write; printed without")
    parser.add_argument("--only", default="", metavar="TEXT", help="recipes with it in their name")
    parsed = parser.parse_args()
    parsed.workdir = parsed.workdir.resolve()
    parsed.workdir.mkdir(parents=True, exist_ok=True)
    floors = "; ".join(f"`{name}` {floor}" for name, floor in FLOORS.items())
    text, commands = HEAD.format(floors=floors), ["\n```sh\n"]
    for recipe in RECIPES:
        if parsed.only in recipe.name:
            directory = str(pathlib.Path(getattr(parsed, recipe.data[1])).resolve())
            runs = [run(recipe, directory, i, parsed.workdir) for i in range(recipe.seeds)]
            text += row(recipe, runs) + "\n"
            shown = recipe.command(recipe.data[1], "SEED", f"runs/{recipe.name}-SEED")
            commands.append(f"python {shlex.join(shown)}\n")
    text += "".join([*commands, "```\n"])
    if parsed.out:
        results.write(parsed.out, "recipes", text)
    else:
        print(text)


if __name__ == "__main__":
    main()
