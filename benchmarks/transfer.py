"""A label-budget study on real images, from children of one hospital to adults of another.

    python benchmarks/transfer.py --kermany=DIR --nih64=DIR --workdir=runs/transfer \
        --out=docs/results.md [--arms='simclr=runs/pretrain/export; scratch=scratch:50x1']

`kermany` has chest radiographs of children, normal or pneumonia (a folder with `manifest.csv`:
path, patient_id, pneumonia); `nih64` has those of adults in the layout of ChestX-ray14, with any
finding or none. The label of both is called "abnormal". A finished study is not repeated, and a
study that was killed resumes. `--print` only prints the command of the study.
"""

import argparse
import os
import pathlib
import shlex
import subprocess
import sys
from typing import Any

import pandas as pd
import results

from remedis import files
from remedis.reporting.figures import write as write_figure
from remedis.reporting.label_budget_report import curve_figures as report_figures

ROOT = pathlib.Path(__file__).resolve().parents[1]
LABEL = "abnormal"
# Measured separately on the same images.
CAVEATS = (
    "The shift mixes age (children, adults), hospital and what the label means: pneumonia found by "
    "clinicians in one, any finding mined from reports in the other.",
    "The images are 64 pixels wide and the OOD set has no official split: no published number is "
    "reproduced.",
    "In distribution the task is nearly trivial: logistic regression on thumbnails has an AUROC of "
    "about 0.99.",
    "Floors of the OOD set: AP or PA alone 0.582, a thumbnail classifier of its own 0.592, one "
    "trained on the children 0.565. A learned model shows something only above them.",
)
ENTRIES = "Data_Entry_2017.csv"
FLOOR = 0.592  # AUROC of a classifier of thumbnails, trained on the OOD set itself
# Minutes, not hours, per model on two slow cores; random weights need larger steps than BiT's rule.
SHORT = {
    "optimizer": "adamw",
    "schedule": "cosine",
    "learning_rate_batch": "0",
    "cache_gb": "2.0",
}
# Learning rate, steps, and steps between evaluations.
TRAINED = {"id": ("0.001", 240, 60), "ood": ("0.0003", 24, 8)}


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
    budgets: str = "0, 10%, 33%, 100%",
) -> list[str]:
    """Returns the command line of the study."""
    data = workdir / "data"
    overrides = {
        "id_data_dir": str(data / "id"),
        "ood_data_dir": str(data / "ood"),
        "id_name": "kermany",
        "ood_name": "nih64",
        "labels": f"('{LABEL}',)",
        "image_size": "64",
        "arms": arms,
        "baseline": baseline,
        "modes": f"({', '.join(repr(mode) for mode in modes.split(','))},)",
        "budgets": budgets,
        "seeds": "10",
        "caveats": repr(CAVEATS),
        # Half of the 264 patients are test patients; even so, intervals are wide.
        "ood.splits.train": "0.4",
        "ood.splits.validation": "0.1",
        "ood.splits.test": "0.5",
    }
    for part, (rate, steps, every) in TRAINED.items():
        settings = {**SHORT, "learning_rate": rate, "steps": str(steps)}
        settings |= {"evaluate_every": str(every), "checkpoint_every": str(every)}
        overrides |= {f"{part}.{key}": value for key, value in settings.items()}
    return [
        "finetune/ood_curves.py",
        "--config=configs/ood_own.py",
        *(f"--config.{key}={value}" for key, value in overrides.items()),
        f"--workdir={workdir / 'study'}",
    ]


def section(study: dict[str, Any], shown: str, figure: str) -> str:
    """Returns the section of the document.

    Args:
      study: content of the study's `summary.json`.
      shown: command of the study.
      figure: file name of the curves, relative to the document.
    """
    lines = [
        "## From children to adults: label budgets, kermany to nih64",
        "",
        "Written by `python benchmarks/transfer.py --kermany=DIR --nih64=DIR --workdir=DIR "
        "--out=docs/results.md`, which runs the study below if it is given the same arms, "
        "baseline, modes and budgets.",
        "",
        f"![AUROC on the OOD test patients by labelled patients]({figure})",
        "",
        "Arms: "
        + "; ".join(
            f"**{name}**: " + arm["provenance"]["description"].rstrip(".")
            for name, arm in study["arms"].items()
        )
        + ".",
        "",
        f"AUROC on {study['data']['ood']['counts']['test']['patients']} OOD test patients, with "
        f"{study['seeds']} draws per budget; 95 % intervals cover patients and draws together. The "
        "last column is the paired difference of arm and baseline at the same budget, with its "
        "interval.",
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
            f"| {row['mode']} | {row['arm']} | in distribution | {results.number(row['mean'])} | |"
        )
    for point in study["points"]:
        difference = paired.get((point["mode"], point["arm"], point["patients"]))
        lines.append(
            f"| {point['mode']} | {point['arm']} | {point['patients']} | "
            f"{results.number(point['mean'])} | "
            f"{results.number(difference) if difference else ''} |"
        )
    above = [point for point in study["points"] if (point["mean"]["low"] or 0.0) > FLOOR]
    lines += [
        "",
        f"The whole interval lies above the OOD floor of {FLOOR} for {len(above)} of "
        f"{len(study['points'])} points.",
    ]
    lines += ["", *(answer(row, study["baseline"]) for row in study["answers"])]
    lines += ["", "Caveats:", "", *(f"- {caveat}" for caveat in study["caveats"])]
    return "\n".join([*lines, "", "```sh", shown, "```"])


def answer(row: dict[str, Any], baseline: str) -> str:
    """Returns a sentence for one of the study's answers.

    Args:
      row: one of `answers` in the study's `summary.json`.
      baseline: name of the baseline arm.
    """
    level = f"{row['level']:.3f}"
    if row["target"] == "reference":
        level = f"what {baseline} reaches with all labelled patients ({level})"
    subject = f"- {row['mode']}: {row['arm']} "
    if row["status"] != "reached":
        return f"{subject}does not reach {level} ({row['share_reached']:.0%} of the resamples do)."
    patients, fold = row["patients"], row["fold"]
    bounds = [patients["low"], patients["high"]]
    low, high = ("open" if bound is None else f"{bound:.0f}" for bound in bounds)
    sentence = f"{subject}reaches {level} with {patients['value']:.0f} [{low}, {high}] patients"
    if fold is None:
        return f"{sentence}."
    low, high = ("open" if fold[end] is None else f"{fold[end]:.1f}" for end in ("low", "high"))
    return f"{sentence}, {fold['value']:.1f}-fold [{low}, {high}] fewer."


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
    parser.add_argument("--budgets", default="0, 10%, 33%, 100%")
    parser.add_argument("--print", action="store_true", help="only print the command of the study")
    parsed = parser.parse_args()
    parsed.workdir = parsed.workdir.resolve()
    write_manifests(parsed.kermany, parsed.nih64, parsed.workdir / "data")
    study = command(parsed.workdir, parsed.arms, parsed.baseline, parsed.modes, parsed.budgets)
    if parsed.print:
        print(shlex.join(["python", *study]))
        return
    process = subprocess.run([sys.executable, *study], cwd=ROOT, check=False)
    if process.returncode:
        raise SystemExit(process.returncode)
    summary = files.read_json(parsed.workdir / "study" / "summary.json")
    shown = shlex.join(["python", *study]).replace(str(parsed.workdir), "DIR")
    if parsed.out is None:
        print(section(summary, shown, "curves.png"))
        return
    figure = parsed.out.parent / "ood-kermany-nih64.png"
    write_figure(report_figures.curves(summary), figure, dpi=110)
    results.write(parsed.out, "transfer", section(summary, shown, figure.name))


if __name__ == "__main__":
    main()
