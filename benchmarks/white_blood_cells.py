"""Does self-supervision save labels? White blood cells of two laboratories, in both directions.

    python benchmarks/white_blood_cells.py --wbc=DIR --workdir=runs/cells --out=docs/results.md \
        [--part=pretraining]

DIR has a folder per laboratory, `tecom` and `bccd`, each with `manifest.csv` (path, patient_id,
mononuclear, lymphocyte, monocyte, eosinophil, neutrophil) and its images. No patients are known: a
`patient_id` is the name of a picture.

The parts, in their order: `pretraining` (three runs of each method, with other seeds, on the cells
of both laboratories that no study validates or tests on), `probe`, `finetune` and `types` (label-
budget studies; three replicates of each, see `pooled_studies.py`), and `section` (the section and
the figure, from the parts that are finished). Finished runs are not repeated, and a run that was
killed resumes.
"""

import argparse
import dataclasses
import itertools
import json
import os
import pathlib
import shlex
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import pandas as pd
import pooled_studies
import results
import white_blood_cells_section as pages
from pooled_studies import PooledArm

from remedis.label_budget import run_study
from remedis.label_budget.study import Study
from remedis.reporting.figures import write as write_figure

ROOT = pathlib.Path(__file__).resolve().parents[1]
# The configs import each other as `configs.NAME`.
sys.path.append(str(ROOT))
from configs import ood_own  # noqa: E402

LABORATORIES = ("tecom", "bccd")
DIRECTIONS = (("tecom", "bccd"), ("bccd", "tecom"))
TYPES = ("lymphocyte", "monocyte", "eosinophil", "neutrophil")
TWICE = "tecom_139"  # the same picture as tecom_112
SCRATCH, FLOOR = "scratch, fine-tuned", "thumbnails"  # arms
REPLICATES = 3
DRAWS = {"probe": 4, "finetune": 2}  # of labelled cells, per replicate and budget
SIZE, BACKBONE, EPOCHS = 64, "scratch:50x0.5", 40
VIEWS = (
    "random_resized_crop({size}, area=(0.3, 1.0)) | flip_left_right() | quarter_turns() | "
    "colour_distortion(0.5)"
)
# Options of the two methods; everything else of their pretraining is the same.
METHODS = {"simclr": "temperature=0.2", "relic": "temperature=0.2; widths=(512, 128)"}
RATES = "learning_rate=0.0003,0.001"  # for every fine-tuned arm, in distribution and per budget
STEPS = {"id": (100, 25, 32), "ood": (16, 8, 16)}  # of a training, between evaluations; the batch
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
    """

    name: str
    inside: str
    outside: str
    replicate: int
    arms: tuple[str, ...]
    mode: str = "probe"
    budgets: str = "0, 16, 32, 64, 128, 100%"
    labels: tuple[str, ...] = ("mononuclear",)

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
        return values

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
    types = {"labels": TYPES, "budgets": "0, 32, 64, 128, 100%"}
    groups: Mapping[str, list[tuple[str, tuple[str, ...], Mapping[str, Any]]]] = {
        "probe": [("probe", ("simclr", "scratch"), {}), ("probe-relic", ("relic",), {})],
        "finetune": [("finetune", ("simclr", "scratch"), few)],
        "types": [("types", ("simclr",), types)],
        "floor": [("floor", (FLOOR,), {}), ("floor-types", (FLOOR,), types)],
    }
    return [
        StudyRun(name, inside, outside, replicate, arms, **options)
        for name, arms, options in groups[part]
        for inside, outside in DIRECTIONS
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


TITLE, FIGURE = "White blood cells: labels of another laboratory", "white-blood-cells.png"
ADAPTED = "adapted"  # the one mode of the pooled studies
# Names of the arms of the pooled studies: the group of studies, the arm and the mode they are of.
ARMS = {
    "simclr, probe": ("probe", "simclr", "probe"),
    "simclr, fine-tuned": ("finetune", "simclr", "finetune"),
    "relic, probe": ("probe-relic", "relic", "probe"),
    SCRATCH: ("finetune", "scratch", "finetune"),
    FLOOR: ("floor", FLOOR, "probe"),
    "scratch, probe": ("probe", "scratch", "probe"),
}
TYPE_ARMS = {"simclr, probe": ("types", "simclr", "probe"), FLOOR: ("floor-types", FLOOR, "probe")}


def pooled_arms(
    workdir: pathlib.Path, inside: str, outside: str, named: Mapping[str, tuple[str, str, str]]
) -> dict[str, PooledArm]:
    """Returns the arms of one direction with at least two replicates that are finished."""
    runs = {study.path(workdir): study for part in STUDIES for study in studies(part)}
    opened: dict[pathlib.Path, Study] = {}
    found = {}
    for name, (group, arm, mode) in named.items():
        own = [
            path
            for path, run in runs.items()
            if (run.name, run.inside, run.outside) == (group, inside, outside)
        ]
        own = list(itertools.takewhile(lambda path: runs[path].finished(workdir), own))
        if len(own) < 2:
            continue
        for path in own:
            if path not in opened:
                config = ood_own.get_config()
                config.update_from_flattened_dict(runs[path].values(workdir))
                (opened[path],) = run_study.studies_of(config, path)
        found[name] = PooledArm([opened[path] for path in own], arm, mode)
    return found


def section(workdir: pathlib.Path) -> tuple[str, list[Mapping[str, Any]]]:
    """Returns the section, from the studies that are finished, and the studies of its figure."""
    minutes = {"pretraining": _pretraining_minutes(workdir), "studies": 0.0}
    drawn: list[Mapping[str, Any]] = []
    blocks: list[str] = []
    missing: list[str] = []
    study: Mapping[str, Any]
    for inside, outside in DIRECTIONS:
        arms = pooled_arms(workdir, inside, outside, ARMS)
        missing += [
            f"{name} ({inside} to {outside}"
            + (f", {len(arms[name].studies)} of {REPLICATES} replicates)" if name in arms else ")")
            for name in ARMS
            if name not in arms or len(arms[name].studies) < REPLICATES
        ]
        probes = {name: arm for name, arm in arms.items() if arm.mode == "probe"}
        minutes["studies"] += sum(arm.minutes() for arm in arms.values())
        study = pooled_studies.pooled(probes, ADAPTED, FLOOR)
        blocks += ["", f"### {inside} to {outside}: mononuclear or granulocyte", ""]
        blocks += _block(study, probes, "Linear probes", (FLOOR,))
        if SCRATCH in arms:
            whole = pooled_studies.pooled(arms, ADAPTED, SCRATCH)
            blocks += ["", *_block(whole, arms, "All arms", (SCRATCH, FLOOR))]
            study = pages.joined(study, whole)
        drawn.append(study)
    for inside, outside in DIRECTIONS:
        arms = pooled_arms(workdir, inside, outside, TYPE_ARMS)
        if len(arms) == len(TYPE_ARMS):
            minutes["studies"] += sum(arm.minutes() for arm in arms.values())
            study = pooled_studies.pooled(arms, ADAPTED, FLOOR)
            blocks += ["", f"### {inside} to {outside}: {len(TYPES)} cell types", ""]
            blocks += _block(study, arms, "Linear probes, mean AUROC of the types", (FLOOR,))
    unlabelled = json.loads((workdir / "simclr-0" / "results.json").read_text())
    lines = [
        "## White blood cells of two laboratories: does self-supervision save labels?",
        "",
        "Written by `python benchmarks/white_blood_cells.py --wbc=DIR --workdir=DIR "
        "--out=docs/results.md`.",
        "",
        f"![{'; '.join(map(pages.seen, drawn))}]({FIGURE})",
        "",
        f"The data are pictures of single cells of two laboratories, {' and '.join(LABORATORIES)}. "
        f"{SOURCES} The task is to tell mononuclear cells (lymphocytes and monocytes) from "
        "granulocytes. All labels of the first laboratory are known, and labelled cells of the "
        "second are added. "
        + " ".join(pages.counts(study) for study in drawn)
        + f" Each of the {REPLICATES} pretrainings of a method sees "
        f"{unlabelled['data']['images']} cells of both laboratories without labels, and none that "
        f"validates or tests, in {unlabelled['steps']} steps of 64 cells: `{BACKBONE}`, {SIZE} "
        f"pixels, views `{VIEWS.format(size=SIZE)}`. Arms named `simclr` start from such a "
        "pretraining, arms named `scratch` from random weights.",
        "",
        "A replicate has its own pretraining, its own random weights and its own draws. Student's "
        "t runs over the replicates, so that intervals contain what another pretraining would "
        "change; with three they are wide. `thumbnails` is the floor: "
        "a linear probe on 12x12 pixels and a histogram of each channel. Fine-tuned arms choose "
        f"among the same rates ({RATES.partition('=')[2]}) of AdamW, with the same views and "
        f"{STEPS['id'][0]} steps in distribution, then {STEPS['ood'][0]} per budget; probes choose "
        "a penalty. The unchanged model of the first laboratory is always a candidate, too."
        + (f" Not finished: {', '.join(missing)}." if missing else ""),
        *blocks,
        "",
        "Caveats:",
        "",
        *(f"- {caveat}" for caveat in CAVEATS),
        "- The trainings are short and the pretraining sees few cells: a longer one may say "
        "something else. No setting was tuned on the test cells, and no method on any label.",
        "- Intervals and multiples are 95 % each and are not adjusted for their number.",
        "",
        f"Computing took {minutes['pretraining']:.0f} minutes for the pretrainings and "
        f"{minutes['studies']:.0f} for the studies, on 2 cores that other work shared.",
        "",
        "The commands of the first pretraining and of its studies of probes and of fine-tuning:",
        "",
        "```sh",
        *(
            shlex.join(["python", *command]).replace(str(workdir), "DIR")
            for command in (
                pretraining_command(workdir, "simclr", 0),
                studies("probe")[0].command(workdir),
                studies("finetune")[0].command(workdir),
            )
        ),
        "```",
    ]
    return "\n".join(lines), drawn


def _block(
    study: Mapping[str, Any], arms: Mapping[str, PooledArm], title: str, against: tuple[str, ...]
) -> list[str]:
    """Returns the lines about one pooled study: answers, needs, points, and each replicate."""
    budgets = sorted({point["patients"] for point in study["points"]})
    replicates = study["trainings"][ADAPTED]
    draws = study["seeds"] // replicates
    analysed = {
        name: dataclasses.replace(arm, studies=arm.studies[:replicates])
        for name, arm in arms.items()
    }
    alone = {
        name: {n: pooled_studies.per_replicate(arm, n, draws) for n in budgets}
        for name, arm in analysed.items()
    }
    return [
        f"{title}, against {study['baseline']}: {study['seeds']} draws per budget, from "
        f"{replicates} replicates. Intervals: "
        + pages.cells_for_patients(
            study["interval"].replace("in-distribution trainings", "replicates")
        )
        + ".",
        "",
        *pages.answers(study),
        "",
        *pages.needs(study),
        "",
        *pages.table(study, against),
        "",
        "The AUROC of each replicate alone, the mean over its draws:",
        "",
        *pages.replicates(alone),
    ]


def _pretraining_minutes(workdir: pathlib.Path) -> float:
    """Returns the minutes between the first and the last file of the finished pretrainings."""
    finished = [
        workdir / f"{method}-{replicate}"
        for method in METHODS
        for replicate in range(REPLICATES)
        if (workdir / f"{method}-{replicate}" / "results.json").is_file()
    ]
    seconds = (
        (run / "results.json").stat().st_mtime - (run / "config.json").stat().st_mtime
        for run in finished
    )
    return sum(seconds) / 60


STUDIES = ("floor", "probe", "finetune", "types")
PARTS = (*(f"pretraining-{method}" for method in METHODS), *STUDIES)


def main() -> None:
    """Runs a part, or all parts, and writes the section and the figure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--wbc", required=True, type=pathlib.Path, metavar="DIR")
    parser.add_argument("--workdir", required=True, type=pathlib.Path)
    parser.add_argument("--out", type=pathlib.Path, help="document to write into; else printed")
    parser.add_argument("--part", choices=(*PARTS, "section"), help="default: all of them")
    parsed = parser.parse_args()
    workdir = parsed.workdir.resolve()
    write_manifests(parsed.wbc, workdir / "data")
    for part in [parsed.part] if parsed.part else PARTS:
        if part.startswith("pretraining-"):
            pretrain(workdir, part.partition("-")[2])
        elif part != "section":
            for study in studies(part):
                study.run(workdir)
    if not parsed.part or parsed.part == "section":
        text, drawn = section(workdir)
        if parsed.out is None:
            print(text)
            return
        target = parsed.out.parent / FIGURE
        write_figure(pages.figure(drawn, TITLE), target, dpi=110)
        results.write(parsed.out, "white-blood-cells", text)


if __name__ == "__main__":
    main()
