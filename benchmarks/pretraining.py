"""Self-supervision on real images: methods, and what each augmentation of radiographs is for.

    python benchmarks/pretraining.py --kermany=DIR --nih64=DIR --workdir=runs/transfer \
        --out=docs/results.md [--part=augmentations]

Backbones from random weights see the radiographs of `benchmarks/transfer.py` without their labels,
and none of the images and patients that its study is judged on. Their features stay as they are,
and linear probes read them. Runs that are finished are not done again; one that was killed goes on.
`benchmarks/transfer.py` in the same directory draws the curves of the backbones of the first part.
"""

import dataclasses
import pathlib
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import ml_collections
import numpy as np
import pandas as pd
import results
import transfer

from remedis import files
from remedis.data.manifest import Manifest
from remedis.evaluation.label_budget import Cell, Examined, study
from remedis.evaluation.probes import linear_probe
from remedis.inference import embedding_store
from remedis.label_budget import budgets, data
from remedis.label_budget.directory import FREE, StudyDirectory
from remedis.models.classifier import Classifier
from remedis.preprocess import parse
from remedis.zoo import resolve

SIZE = 64
MILD = (
    "random_resized_crop({size}, area=(0.3, 1.0)) | flip_left_right() | brightness(0.4) | "
    "contrast(0.4)"
)
# The documented views, of images that are as small to begin with: the elastic deformation of larger
# ones takes as long as the training.
FULL = f"resize({SIZE}) | {parse(f'contrastive_cxr({SIZE})').specification}"


@dataclasses.dataclass(frozen=True)
class Pretraining:
    """One run.

    Attributes:
      name: of its directory.
      backbone: what it begins with.
      views: specification of the preprocessing of a view.
      epochs: how long.
      method: its name.
      options: of the method.
      seed: of the weights to begin with, and of everything random.
      optimizer: its name.
      rate: of learning, at its largest.
      warmup: epochs until then.
    """

    name: str
    backbone: str
    views: str
    epochs: int
    method: str = "simclr"
    options: str = "temperature=0.2"
    seed: int = 0
    optimizer: str = "adamw"
    rate: float = 0.001
    warmup: float = 1

    def command(self, workdir: pathlib.Path) -> list[str]:
        """Returns its command line."""
        given = {
            "data": f"csv={workdir / 'data' / 'id'}; csv={workdir / 'data' / 'ood'}",
            "leave_out": workdir / "study",
            "checkpoint": self.backbone,
            "image_size": SIZE,
            "preprocess": self.views,
            "method_options": self.options,
            "epochs": self.epochs,
            "warmup_epochs": self.warmup,
            "batch_size": 64,
            "optimizer": self.optimizer,
            "learning_rate": self.rate,
            "learning_rate_batch": 0,
            "learning_rates": "",
            "seed": self.seed,
        }
        return [
            "pretrain/pretrain.py",
            f"--config=configs/pretrain_own.py:{self.method}",
            *(f"--config.{key}={value}" for key, value in given.items()),
            f"--workdir={workdir / self.name}",
        ]

    def run(self, workdir: pathlib.Path) -> pathlib.Path:
        """Runs it, or what is left of it, and returns the directory of the checkpoint."""
        export = workdir / self.name / "export"
        if not (workdir / self.name / "results.json").is_file():
            print(f"{self.name} ...", flush=True)
            with open(workdir / f"{self.name}.log", "a") as log:
                done = subprocess.run(
                    [sys.executable, *self.command(workdir)],
                    cwd=transfer.ROOT,
                    stdout=log,
                    stderr=log,
                    check=False,
                )
            if done.returncode:
                raise SystemExit(f"{self.name} failed; see {log.name}.")
        return export


SGD: dict[str, Any] = {"optimizer": "sgd", "rate": 0.1, "warmup": 0.3}
BACKBONE, EPOCHS = "scratch:50x0.5", 14
METHODS = (
    Pretraining("simclr", BACKBONE, MILD, EPOCHS),
    Pretraining("barlow_twins", BACKBONE, MILD, EPOCHS, "barlow_twins", "widths=(512, 512, 512)"),
    Pretraining("simclr-sgd", BACKBONE, MILD, 3, **SGD),
)
SHALLOW, SHORT = "scratch:1-1-1-1x0.5", 1


def ablations(seeds: int) -> dict[str, tuple[Pretraining, ...]]:
    """Returns the runs of all views, and of all but one operation each; a run a seed."""
    operations = FULL.split(" | ")
    views = {"all of them": FULL}
    for dropped in operations[1:]:
        rest = " | ".join(one for one in operations if one != dropped)
        views[f"without {dropped.partition('(')[0]}"] = rest
    return {
        what: tuple(
            Pretraining(f"{what.replace(' ', '-')}-{seed}", SHALLOW, text, SHORT, seed=seed, **SGD)
            for seed in range(seeds)
        )
        for what, text in views.items()
    }


class Frozen:
    """Frozen features of the study's images, and what linear probes make of them.

    Attributes:
      judged: task -> its test images.
    """

    def __init__(self, workdir: pathlib.Path, shares: str, draws: int) -> None:
        """Prepares the data as the study does.

        Args:
          workdir: with the study's directory.
          shares: of the labelled adults, as in `config.budgets`; each is a task.
          draws: of the patients of each; of one draw all tasks have one run.
        """
        self._store = workdir / "study" / "embeddings"
        settings = files.read_json(workdir / "study" / "config.json")
        config = ml_collections.ConfigDict(dict.fromkeys(FREE) | settings)
        config.id_name, config.ood_name = "kermany", "nih64"
        self._both = data.prepare(config, StudyDirectory(workdir / "frozen", {}))
        planned = budgets.plan(self._both.pool, shares, draws, 0, 0.25)
        self._budgets = {f"nih64, {one.patients} patients": one for one in planned if one.patients}
        self._labels, self._norm = tuple(config.labels), config.head_norm
        self._ops = parse(config.eval_preprocess.format(size=SIZE), deterministic=True)
        inside, outside = (
            Examined(self._labels, part.targets(), part.table["patient_id"])
            for part in (self._both.inside.test, self._both.test)
        )
        self.judged = {"kermany": inside, "kermany to nih64": outside}
        self.judged |= dict.fromkeys(self._budgets, outside)

    def scores(self, checkpoint: str, seed: int) -> dict[str, np.ndarray]:
        """Returns task -> scores [runs, n, 1], a run a draw where patients are drawn."""
        loaded = resolve.load(checkpoint, seed)
        classifier = Classifier(loaded.backbone, self._labels, self._norm)
        stored = embedding_store.of_head(classifier, self._store, self._ops, 64)
        inside, pool, test = self._both.inside, self._both.pool, self._both.test

        def of(part: Manifest, hashes: "pd.Series[str]") -> np.ndarray:
            return stored(part, hashes, f"Embedding by {checkpoint}")

        children = [of(one, inside.hashes) for one in (inside.train, inside.validation)]
        targets = [one.targets() for one in (inside.train, inside.validation)]
        probe = linear_probe(children[0], targets[0], children[1], targets[1])
        adults, judged = (of(one, self._both.hashes) for one in (pool, test))
        found = {
            "kermany": probe.logits(of(inside.test, inside.hashes))[None],
            "kermany to nih64": probe.logits(judged)[None],
        }
        y = pool.targets()
        for task, budget in self._budgets.items():
            own = [
                linear_probe(
                    adults[draw.train], y[draw.train], adults[draw.validation], y[draw.validation]
                )
                for draw in budget.draws
            ]
            found[task] = np.stack([one.logits(judged) for one in own])
        return found


def table(
    frozen: Frozen, arms: dict[str, Sequence[tuple[str, int]]], baseline: str
) -> tuple[list[str], dict[tuple[str, str], Mapping[str, float]]]:
    """Returns a table of an arm and task a row, and by both the difference from the baseline.

    Args:
      frozen: the data.
      arms: name -> checkpoints, each with the seed of weights that are drawn; those of two arms at
        the same place are pairs.
      baseline: name of the arm that the others are held against.
    """
    scores: dict[str, dict[str, np.ndarray]] = {}
    for name, checkpoints in arms.items():
        each = [frozen.scores(*checkpoint) for checkpoint in checkpoints]
        scores[name] = {task: np.concatenate([one[task] for one in each]) for task in frozen.judged}
    lines = ["| task | arm | AUROC | less the baseline |", "|---|---|---|---|"]
    differences: dict[tuple[str, str], Mapping[str, float]] = {}
    for task, examined in frozen.judged.items():
        cells = {
            Cell(name, "probe", 1, run): one
            for name, own in scores.items()
            for run, one in enumerate(own[task])
        }
        found = study(examined, cells, baseline)
        other = {
            row["arm"]: row["difference"] for row in found["paired"] if row["against"] == baseline
        }
        for point in found["points"]:
            name = point["arm"]
            less = text(other[name], "+") if name in other else ""
            lines.append(f"| {task} | {name} | {text(point['mean'])} | {less} |")
            if name in other:
                differences[name, task] = other[name]
    return lines, differences


def text(estimate: Mapping[str, float], sign: str = "") -> str:
    """Returns a number with its interval."""
    value, low, high = (f"{estimate[end]:{sign}.3f}" for end in ("value", "low", "high"))
    return f"{value} [{low}, {high}]"


def methods(workdir: pathlib.Path) -> list[str]:
    """Returns the section of the methods; does the runs that are missing."""
    arms = {run.name: [(str(run.run(workdir)), 0)] for run in METHODS}
    lines = [
        "## Self-supervision on real images: the methods",
        "",
        f"`{BACKBONE}` (half of a 50x1's width) before and after {EPOCHS} epochs by AdamW, or, as "
        f"`simclr-sgd`, {METHODS[2].epochs} by SGD at a rate of {METHODS[2].rate}; views "
        f"`{MILD.format(size=SIZE)}`. 10 draws of the labelled patients, of whom a quarter chooses "
        "the penalty. Intervals are over test patients and draws; how much another pretraining, or "
        "another backbone at its beginning, would differ is not in them.",
        "",
        *_about(workdir, METHODS),
        "",
    ]
    frozen = Frozen(workdir, "10%, 33%, 100%", 10)
    return lines + table(frozen, {"random weights": [(BACKBONE, 0)], **arms}, "random weights")[0]


def augmentations(workdir: pathlib.Path, seeds: int) -> list[str]:
    """Returns the section of the augmentations; does the runs that are missing."""
    runs = ablations(seeds)
    arms: dict[str, list[tuple[str, int]]] = {what: [] for what in runs}
    for seed in range(seeds):  # of few, rather all augmentations
        for what, those in runs.items():
            arms[what].append((str(those[seed].run(workdir)), seed))
    said = (
        f"{seeds} seeds, of the weights to begin with too; intervals are over test patients and "
        "seeds."
        if seeds > 1
        else "One seed; intervals are over test patients, and what another seed would do is not in "
        "them."
    )
    lines = [
        "## Self-supervision on real images: what each augmentation is for",
        "",
        f"SimCLR on `{SHALLOW}`, a shallow backbone, {SHORT} epoch by SGD, with the documented "
        f"views of radiographs, `{FULL}`, and without one operation each. {said} On grey "
        "images the colour distortion is brightness and contrast. The images are made small "
        "first, where the elastic deformation is some three times as strong as on those of 224 "
        "pixels.",
        "",
        *_about(workdir, [run for those in runs.values() for run in those]),
        "",
    ]
    random = {"random weights": [(SHALLOW, seed) for seed in range(seeds)]}
    rows, differences = table(Frozen(workdir, "100%", 1), arms | random, "all of them")
    left_out = {which: found for which, found in differences.items() if which[0] in runs}
    return [*lines, _shown(left_out), "", *rows]


def _shown(differences: Mapping[tuple[str, str], Mapping[str, float]]) -> str:
    """Returns in words which of the differences, by arm and task, are not around 0."""
    apart = [
        f"{arm}, {task}: {text(found, '+')}"
        for (arm, task), found in differences.items()
        if found["low"] > 0 or found["high"] < 0
    ]
    if apart:
        return (
            f"Of {len(differences)} differences of an operation left out, these have intervals "
            f"without 0: {'; '.join(apart)}."
        )
    return (
        f"Of {len(differences)} differences of an operation left out, none has an interval "
        "without 0: what any of them is for is not shown by trainings this short, features this "
        "good in distribution and test patients this few outside. The recipe's operations are kept "
        "as documented."
    )


def _about(workdir: pathlib.Path, runs: Sequence[Pretraining]) -> list[str]:
    """Returns what is true of all tables: the data, and how features are read."""
    found = [files.read_json(workdir / run.name / "results.json") for run in runs]
    (images,) = {one["data"]["images"] for one in found}
    (patients,) = {one["data"]["patients"] for one in found}
    steps = sorted({one["steps"] for one in found})
    return [
        f"Seen without labels: {images:,} images of {patients:,} patients of both hospitals, "
        f"{SIZE} pixels wide, {' or '.join(f'{one:,}' for one in steps)} steps of 64 images, none "
        "of which the tables are judged on. Linear probes on frozen features; a task is what they "
        "learn from and are judged on: `kermany`, children; `kermany to nih64`, of the children, "
        "on adults of another hospital; `nih64`, of so many labelled adults alone. Nothing is said "
        f"by what is not above the floors: kermany about 0.99, kermany to nih64 0.565, nih64 "
        f"{transfer.FLOOR}.",
    ]


PARTS = ("methods", "augmentations")


def main() -> None:
    """Does what is missing of a part, or of all, and writes its section."""
    parser = transfer.arguments(__doc__)
    parser.add_argument("--part", choices=PARTS)
    parser.add_argument("--seeds", type=int, default=3, help="of every augmentation left out")
    parsed = parser.parse_args()
    workdir = parsed.workdir.resolve()
    transfer.prepared(parsed.kermany, parsed.nih64, workdir / "data")
    # What is left out of every run is what the study is judged on, whatever its arms will be.
    if not (workdir / "study" / "config.json").is_file():
        curves = transfer.command(workdir, f"scratch={BACKBONE}", "scratch")
        subprocess.run([sys.executable, *curves, "--list"], cwd=transfer.ROOT, check=True)
    for name in [parsed.part] if parsed.part else PARTS:
        if name == "methods":
            lines, first = methods(workdir), METHODS[0]
        else:
            lines = augmentations(workdir, parsed.seeds)
            first = ablations(1)["all of them"][0]
        shown = shlex.join(["python", *first.command(workdir)]).replace(str(workdir), "DIR")
        lines += ["", "The first of the runs:", "", "```sh", shown, "```"]
        written = (
            "Written by `python benchmarks/pretraining.py --kermany=DIR --nih64=DIR --workdir=DIR "
            f"--out=docs/results.md --part={name}"
            f"{f' --seeds={parsed.seeds}' if name == 'augmentations' else ''}`."
        )
        section = "\n".join([*lines[:2], written, *lines[1:]])
        if parsed.out is None:
            print(section)
        else:
            results.write(parsed.out, f"pretraining-{name}", section)


if __name__ == "__main__":
    main()
