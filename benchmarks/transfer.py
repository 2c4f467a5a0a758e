"""A label-budget study on real images, from children of one hospital to adults of another.

    python benchmarks/transfer.py --kermany=DIR --nih64=DIR --workdir=runs/transfer \
        --out=docs/results.md [--arms='simclr=runs/pretrain/export; scratch=scratch:50x1']

`kermany` has chest radiographs of children, normal or pneumonia (a folder with `manifest.csv`:
path, patient_id, pneumonia); `nih64` has those of adults in the layout of ChestX-ray14, with any
finding or none. The label of both is called "abnormal". A finished study is not repeated, and a
study that was killed resumes. `--print` only prints the command of the study.
"""

import argparse
import json
import os
import pathlib
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import frozen_features
import pandas as pd
import results
import thumbnails

from remedis.evaluation.intervals import Estimate, patient_codes
from remedis.evaluation.repeated_runs import auroc_over_runs
from remedis.reporting.figures import write as write_figure
from remedis.reporting.label_budget_report import answer_sentences, curve_figures, placebo
from remedis.reporting.label_budget_report.number_format import difference, three_decimals
from remedis.reporting.label_budget_report.old_summaries import completed

ROOT = pathlib.Path(__file__).resolve().parents[1]
LABEL = "abnormal"
CAVEATS = (
    "The shift mixes age (children, adults), hospital and what the label means: pneumonia found by "
    "clinicians in one, any finding mined from reports in the other.",
    "The images of nih64 are 64 pixels wide and have no official split: no published number is "
    "reproduced.",
    "Trainings are far shorter than those of a real study: {id} steps in distribution, {ood} steps "
    "per budget.",
)
ENTRIES = "Data_Entry_2017.csv"
# Minutes, not hours, per model on two slow cores.
SHORT = {
    "optimizer": "adamw",
    "schedule": "cosine",
    "learning_rate_batch": "0",
    "cache_gb": "2.0",
}
RATES = "learning_rate=0.0003,0.001"  # for every arm, in distribution and per budget
STEPS = {"id": (100, 50), "ood": (16, 8)}  # of a training, and between evaluations
SEEDS = 5


def write_manifests(kermany: pathlib.Path, nih64: pathlib.Path, target: pathlib.Path) -> None:
    """Writes `target/id` and `target/ood`, each with a `manifest.csv` and a link to the images.

    Raises:
      SystemExit: a table of the data is missing.
    """
    for option, file in (("kermany", kermany / "manifest.csv"), ("nih64", nih64 / ENTRIES)):
        if not file.is_file():
            raise SystemExit(f"error: {file} is missing; set --{option} to the folder of the data.")
    children = pd.read_csv(kermany / "manifest.csv")
    adults = pd.read_csv(nih64 / ENTRIES, index_col=False)
    tables = {
        "id": (kermany, children.rename(columns={"pneumonia": LABEL})),
        "ood": (
            nih64,
            pd.DataFrame(
                {
                    "path": "images/" + adults["Image Index"],
                    "patient_id": adults["Patient ID"],
                    LABEL: (adults["Finding Labels"] != "No Finding").astype(int),
                }
            ),
        ),
    }
    for part, (source, table) in tables.items():
        (target / part).mkdir(parents=True, exist_ok=True)
        link = target / part / "images"
        if not link.is_symlink():
            os.symlink(source.resolve() / "images", link)
        table[["path", "patient_id", LABEL]].to_csv(target / part / "manifest.csv", index=False)


def command(
    workdir: pathlib.Path,
    arms: str,
    baseline: str,
    modes: str = "probe,finetune",
    budgets: str = "0, 33%, 100%",
    size: int = 64,
) -> list[str]:
    """Returns the command line of the study; `size` is that of the images, in pixels."""
    data = workdir / "data"
    overrides = {
        "id_data_dir": str(data / "id"),
        "ood_data_dir": str(data / "ood"),
        "id_name": "kermany",
        "ood_name": "nih64",
        "labels": f"('{LABEL}',)",
        "image_size": str(size),
        "arms": arms,
        "baseline": baseline,
        "modes": f"({', '.join(repr(mode) for mode in modes.split(','))},)",
        "budgets": budgets,
        "seeds": str(SEEDS),
        "select": RATES,
        "id_trainings": "1",
        "caveats": repr(
            tuple(caveat.format(id=STEPS["id"][0], ood=STEPS["ood"][0]) for caveat in CAVEATS)
        ),
        # Half of the 264 patients are test patients; even so, intervals are wide.
        "ood.splits.train": "0.4",
        "ood.splits.validation": "0.1",
        "ood.splits.test": "0.5",
    }
    for part, (steps, every) in STEPS.items():
        settings = {**SHORT, "steps": str(steps)}
        settings |= {"evaluate_every": str(every), "checkpoint_every": str(every)}
        overrides |= {f"{part}.{key}": value for key, value in settings.items()}
    return [
        "finetune/ood_curves.py",
        "--config=configs/ood_own.py",
        *(f"--config.{key}={value}" for key, value in overrides.items()),
        f"--workdir={workdir / 'study'}",
    ]


def section(
    study: Mapping[str, Any], floors: Mapping[str, Estimate], shown: str, figure: str
) -> str:
    """Returns the section of the document.

    Args:
      study: content of the study's `summary.json`.
      floors: AUROC of thumbnails, by the labelled data that they learn from.
      shown: command of the study.
      figure: file name of the curves, relative to the document.
    """
    study = completed(study)
    there, here = (study["data"][key]["name"] for key in ("id", "ood"))
    test = study["data"]["ood"]["counts"]["test"]["patients"]
    lines = [
        f"## From children to adults: label budgets, {there} to {here}",
        "",
        "Written by `python benchmarks/transfer.py --kermany=DIR --nih64=DIR --workdir=DIR "
        "--out=docs/results.md`, which runs the study below if it is given the same arms, "
        "baseline, modes and budgets.",
        "",
        f"![{_seen(study, here)}]({figure})",
        "",
        "Arms: "
        + "; ".join(
            f"**{name}**: " + arm["provenance"]["description"].rstrip(".")
            for name, arm in study["arms"].items()
        )
        + ".",
        "",
        f"AUROC on {test} test patients of {here} (rows that say so: on those of {there}), seeds: "
        f"{study['seeds']}. Intervals: "
        f"{study['interval']}. The last column is the paired difference of arm and baseline at "
        "the same budget, with its interval.",
        "",
        "| mode | arm | labelled patients | AUROC | minus the baseline |",
        "|---|---|---|---|---|",
    ]
    paired = {
        (row["mode"], row["arm"], row["patients"]): row["difference"]
        for row in study["paired"]
        if row["against"] == study["baseline"]
    }
    for row in study["id"]:
        lines.append(
            f"| {row['mode']} | {row['arm']} | test patients of {there} | "
            f"{three_decimals(row['mean'])} | |"
        )
    for point in study["points"]:
        minus = paired.get((point["mode"], point["arm"], point["patients"]))
        lines.append(
            f"| {point['mode']} | {point['arm']} | {point['patients']} | "
            f"{three_decimals(point['mean'])} | {difference(minus) if minus else ''} |"
        )
    floor = max(estimate.value or 0.0 for estimate in floors.values())
    lines += [
        "",
        f"The floor is {thumbnails.DESCRIPTION}: "
        + ", ".join(f"{estimate.interval} ({name})" for name, estimate in floors.items())
        + f". {above_floor(study['points'], floor)}",
        "",
    ]
    for mode, sentences in answer_sentences.paragraphs(study).items():
        lines += [f"- {mode}: {sentence}" for sentence in sentences]
        lines += [f"- {mode}: {placebo.sentences(study)[mode]}"] * (
            mode in placebo.sentences(study)
        )
    if study["too_few_seeds"]:
        lines += ["", f"{answer_sentences.too_few(study)}: the intervals say little."]
    lines += ["", "Caveats:", "", *(f"- {caveat}" for caveat in study["caveats"])]
    return "\n".join([*lines, "", "```sh", shown, "```"])


def _seen(study: Mapping[str, Any], here: str) -> str:
    """Returns what the figure shows, in words."""
    curves: dict[str, list[Mapping[str, Any]]] = {}
    for point in study["points"]:
        curves.setdefault(f"{point['mode']}, {point['arm']}", []).append(point)
    ends = {
        name: [three_decimals(point["mean"]).partition(" [")[0] for point in (of[0], of[-1])]
        for name, of in curves.items()
    }
    last = max(point["patients"] for point in study["points"])
    return f"AUROC on test patients of {here} from 0 to {last:,} labelled patients: " + "; ".join(
        f"{name} {first} to {second}" for name, (first, second) in ends.items()
    )


def above_floor(points: Sequence[Mapping[str, Any]], floor: float) -> str:
    """Returns a sentence: how many points' intervals lie above a floor, below it and around it.

    Args:
      points: `points` of a study's `summary.json`.
      floor: an AUROC.
    """
    means = [point["mean"] for point in points if point["mean"]["low"] is not None]
    above = sum(mean["low"] > floor for mean in means)
    below = sum(mean["high"] is not None and mean["high"] < floor for mean in means)
    counts = {
        "lie above it": above,
        "lie below it": below,
        "include it": len(means) - above - below,
        "are not estimable": len(points) - len(means),
    }
    found = ", ".join(f"{count} {where}" for where, count in counts.items() if count)
    return f"Intervals of the {len(points)} points against the OOD floor of {floor:.3f}: {found}."


def measured_floors(workdir: pathlib.Path) -> dict[str, Estimate]:
    """Returns the AUROC of thumbnails on the test images of the study, by what they learn from."""
    features = frozen_features.FrozenFeatures(workdir, 64, "100%", SEEDS)
    scores = features.scores(frozen_features.FLOOR, 0)
    return {
        task: auroc_over_runs(test.targets, scores[task], patient_codes(test.patient_ids))
        for task, test in features.tests.items()
        if task != "kermany"
    }


def arguments(description: str) -> argparse.ArgumentParser:
    """Returns a parser of the directories of the data and of the work, and of the document."""
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    parser.add_argument("--kermany", required=True, type=pathlib.Path, metavar="DIR")
    parser.add_argument("--nih64", required=True, type=pathlib.Path, metavar="DIR")
    parser.add_argument("--workdir", required=True, type=pathlib.Path)
    parser.add_argument("--out", type=pathlib.Path, help="document to write into; else printed")
    return parser


def main() -> None:
    """Runs the study and writes its section and its figure."""
    parser = arguments(__doc__)
    parser.add_argument("--arms", default="r50=scratch:50x0.5; shallow=scratch:1-1-1-1x0.5")
    parser.add_argument("--baseline", default="shallow")
    parser.add_argument("--modes", default="probe,finetune")
    parser.add_argument("--budgets", default="0, 33%, 100%")
    parser.add_argument("--size", type=int, default=64, help="side of the images, in pixels; 64")
    parser.add_argument("--print", action="store_true", help="only print the command of the study")
    parsed = parser.parse_args()
    parsed.workdir = parsed.workdir.resolve()
    write_manifests(parsed.kermany, parsed.nih64, parsed.workdir / "data")
    study = command(
        parsed.workdir, parsed.arms, parsed.baseline, parsed.modes, parsed.budgets, parsed.size
    )
    if parsed.print:
        print(shlex.join(["python", *study]))
        return
    process = subprocess.run([sys.executable, *study], cwd=ROOT, check=False)
    if process.returncode:
        raise SystemExit(process.returncode)
    summary = json.loads((parsed.workdir / "study" / "summary.json").read_text())
    shown = shlex.join(["python", *study]).replace(str(parsed.workdir), "DIR")
    if parsed.out is None:
        print(section(summary, measured_floors(parsed.workdir), shown, "curves.png"))
        return
    figure = parsed.out.parent / "ood-kermany-nih64.png"
    write_figure(curve_figures.curves(summary), figure, dpi=110)
    text = section(summary, measured_floors(parsed.workdir), shown, figure.name)
    results.write(parsed.out, "transfer", text)


if __name__ == "__main__":
    main()
