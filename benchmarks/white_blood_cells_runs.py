"""The runs of `benchmarks/white_blood_cells.py`: data, pretrainings and label-budget studies."""

import dataclasses
import json
import os
import pathlib
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import pandas as pd

ROOT = pathlib.Path(__file__).resolve().parents[1]
LABORATORIES = ("tecom", "bccd")
DIRECTIONS = (("tecom", "bccd"), ("bccd", "tecom"))
TYPES = ("lymphocyte", "monocyte", "eosinophil", "neutrophil")
TWICE = "tecom_139"  # the same picture as tecom_112
SCRATCH, FLOOR = "scratch, fine-tuned", "thumbnails"  # arms
REPLICATES = 3
DRAWS = {"probe": 4, "finetune": 4}  # of labelled cells, per replicate and budget
SIZE, BACKBONE, EPOCHS = 64, "scratch:50x0.5", 40
VIEWS = (
    "random_resized_crop({size}, area=(0.3, 1.0)) | flip_left_right() | quarter_turns() | "
    "colour_distortion(0.5)"
)
# Options of the two methods; everything else of their pretraining is the same.
METHODS = {"simclr": "temperature=0.2", "relic": "temperature=0.2; widths=(512, 128)"}
RATES = "learning_rate=0.0003,0.001"  # for every fine-tuned arm, in distribution and per budget
STEPS = {"id": (100, 25, 32), "ood": (16, 8, 16)}  # of a training, between evaluations; the batch
# What papers do to keep more of a pretraining: lower rates or none for early layers, a decay that
# draws weights to where they started (L2-SP) and a longer warm-up. For both arms, too.
GENTLE = {
    "select": "layers=all,decaying,upper; decay_to=zero,start",
    **{f"{side}.learning_rate": 0.001 for side in STEPS},
    **{f"{side}.weight_decay": 10.0 for side in STEPS},
    **{f"{side}.warmup": 3 * steps // 10 for side, (steps, _, _) in STEPS.items()},
}
SPLITS = {"train": 0.42, "validation": 0.13, "test": 0.45}
SOURCES = (
    "The cells of tecom are dataset 1 of segmentation_WBC (Zheng et al., Micron 107, 2018; GPL-3; "
    "Jiangxi Tecom Science Corporation). Those of bccd are cut from the pictures of BCCD_Dataset "
    "(MIT); their labels are those of wbc-classification by dhruvp, which states no licence."
)
CAVEATS = (
    "No patients are known. Splits are by picture, so that a patient's cells may be on both sides "
    "of a split, and intervals count cells where they should count patients: they are too narrow "
    "by an unknown amount. Every 'patient' of this study is one cell.",
    "Stain, camera and the scale of a cell differ between the laboratories; the authors of tecom "
    "say that some of its labels are their own, unchecked.",
)


@dataclasses.dataclass(frozen=True)
class StudyRun:
    """One label-budget study.

    Attributes:
      name: of the group of arms that it has.
      inside: the laboratory whose labels are all known.
      outside: the laboratory that labelled cells are added of.
      replicate: from 0; it decides about the pretraining, the initial weights and the draws.
      arms: names; each is a method, `scratch` or `thumbnails`.
      mode: of adaptation.
      budgets: of labelled cells.
      labels: to predict.
      recipe: keys of the config that differ from those of the other studies.
    """

    name: str
    inside: str
    outside: str
    replicate: int
    arms: tuple[str, ...]
    mode: str = "probe"
    budgets: str = "0, 16, 32, 64, 128, 100%"
    labels: tuple[str, ...] = ("mononuclear",)
    recipe: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def path(self, workdir: pathlib.Path) -> pathlib.Path:
        """Returns its directory."""
        return workdir / "studies" / f"{self.name}-{self.inside}-{self.outside}-{self.replicate}"

    def values(self, workdir: pathlib.Path) -> dict[str, Any]:
        """Returns the keys of the config that it sets."""
        checkpoints = {"scratch": BACKBONE, FLOOR: "thumbnails:12"}
        arms = {
            arm: checkpoints.get(arm, str(workdir / f"{arm}-{self.replicate}" / "export"))
            for arm in self.arms
        }
        values: dict[str, Any] = {
            "id_data_dir": str(workdir / "data" / self.inside),
            "ood_data_dir": str(workdir / "data" / self.outside),
            "id_name": self.inside,
            "ood_name": self.outside,
            "labels": self.labels,
            "task": "multi_class" if len(self.labels) > 1 else "multi_label",
            "image_size": SIZE,
            "arms": "; ".join(f"{arm}={checkpoint}" for arm, checkpoint in arms.items()),
            "baseline": self.arms[-1],
            "modes": (self.mode,),
            "budgets": self.budgets,
            "seeds": DRAWS[self.mode],
            "seed": max(DRAWS.values()) * self.replicate,  # no two replicates share a draw
            "select": RATES,
            "id_trainings": 1,
            "caveats": CAVEATS,
        }
        for side, (steps, every, batch) in STEPS.items():
            settings = {
                "train_preprocess": VIEWS,
                "stratify": TYPES,
                "optimizer": "adamw",
                "schedule": "cosine",
                "learning_rate_batch": 0,
                "batch_size": batch,
                "steps": steps,
                "evaluate_every": every,
                "checkpoint_every": steps,
            }
            values |= {f"{side}.{key}": value for key, value in settings.items()}
            values |= {f"{side}.splits.{split}": share for split, share in SPLITS.items()}
        return {**values, **self.recipe}

    def command(self, workdir: pathlib.Path) -> list[str]:
        """Returns its command line."""
        return [
            "finetune/ood_curves.py",
            "--config=configs/ood_own.py",
            *(f"--config.{key}={value}" for key, value in self.values(workdir).items()),
            f"--workdir={self.path(workdir)}",
        ]

    def finished(self, workdir: pathlib.Path) -> bool:
        """Returns whether its summary has all draws."""
        file = self.path(workdir) / "summary.json"
        return file.is_file() and json.loads(file.read_text())["seeds"] == DRAWS[self.mode]

    def run(self, workdir: pathlib.Path) -> None:
        """Runs it unless it is finished."""
        if not self.finished(workdir):
            _call(self.command(workdir), self.path(workdir).name, workdir)


def studies(part: str) -> list[StudyRun]:
    """Returns the studies of a part: all replicates of one direction, then those of the other."""
    few = {"mode": "finetune", "budgets": "0, 16, 64, 100%"}
    gentle = {"mode": "finetune", "budgets": "0, 16", "recipe": GENTLE}
    types = {"labels": TYPES, "budgets": "0, 32, 64, 128, 100%"}
    groups: Mapping[str, list[tuple[str, tuple[str, ...], Mapping[str, Any]]]] = {
        "probe": [("probe", ("simclr", "scratch"), {}), ("probe-relic", ("relic",), {})],
        "finetune": [("finetune", ("simclr", "scratch"), few)],
        "types": [("types", ("simclr",), types)],
        "gains": [("gains", ("simclr", "scratch"), gentle)],
        "floor": [("floor", (FLOOR,), {}), ("floor-types", (FLOOR,), types)],
    }
    return [
        StudyRun(name, inside, outside, replicate, arms, **options)
        for name, arms, options in groups[part]
        for inside, outside in (DIRECTIONS[:1] if name == "gains" else DIRECTIONS)
        for replicate in range(REPLICATES)
    ]


def write_manifests(wbc: pathlib.Path, target: pathlib.Path) -> None:
    """Writes a folder per laboratory with a `manifest.csv` and a link to the images.

    Raises:
      SystemExit: a table of the data is missing.
    """
    for laboratory in LABORATORIES:
        source = wbc / laboratory
        if not (source / "manifest.csv").is_file():
            raise SystemExit(
                f"error: {source / 'manifest.csv'} is missing; set --wbc to the folder of the data."
            )
        table = pd.read_csv(source / "manifest.csv")
        (target / laboratory).mkdir(parents=True, exist_ok=True)
        link = target / laboratory / "images"
        if not link.is_symlink():
            os.symlink(source.resolve() / "images", link)
        table = table[table["patient_id"] != TWICE]
        table.to_csv(target / laboratory / "manifest.csv", index=False)


def judged() -> list[StudyRun]:
    """Returns a study per direction, of which only the lists of cells are made.

    They name the cells that studies validate or test on. All studies of a direction have the same
    ones: they do not depend on arms, labels or draws.
    """
    return [StudyRun("judged", *direction, 0, ("scratch",)) for direction in DIRECTIONS]


def pretraining_command(workdir: pathlib.Path, method: str, replicate: int) -> list[str]:
    """Returns the command line of a pretraining."""
    overrides = {
        "data": "; ".join(f"csv={workdir / 'data' / name}" for name in LABORATORIES),
        "leave_out": "; ".join(str(study.path(workdir)) for study in judged()),
        "checkpoint": BACKBONE,
        "image_size": SIZE,
        "preprocess": VIEWS,
        "method_options": METHODS[method],
        "epochs": EPOCHS,
        "warmup_epochs": 2,
        "batch_size": 64,
        "optimizer": "sgd",
        "learning_rate": 0.1,
        "learning_rate_batch": 0,
        "learning_rates": "",
        "weight_decay": 1e-6,
        "seed": replicate,
    }
    return [
        "pretrain/pretrain.py",
        f"--config=configs/pretrain_own.py:{method}",
        *(f"--config.{key}={value}" for key, value in overrides.items()),
        f"--workdir={workdir / f'{method}-{replicate}'}",
    ]


def pretrain(workdir: pathlib.Path, method: str) -> None:
    """Does the pretrainings of a method that are not finished."""
    for study in judged():
        if not (study.path(workdir) / "judged.json").is_file():
            _call([*study.command(workdir), "--list"], study.path(workdir).name, workdir)
    for replicate in range(REPLICATES):
        name = f"{method}-{replicate}"
        if not (workdir / name / "results.json").is_file():
            _call(pretraining_command(workdir, method, replicate), name, workdir)


def _call(command: list[str], name: str, workdir: pathlib.Path) -> None:
    """Runs a job; its output goes to a file. Ends this program if the job fails."""
    print(f"{name} ...", flush=True)
    (workdir / "logs").mkdir(parents=True, exist_ok=True)
    with open(workdir / "logs" / f"{name}.log", "a") as log:
        job = [sys.executable, *command]
        process = subprocess.run(job, cwd=ROOT, stdout=log, stderr=log, check=False)
    if process.returncode:
        raise SystemExit(f"{name} failed; see {log.name}.")
