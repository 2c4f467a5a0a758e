"""A label-budget study on real images: from children of one hospital to adults of another.

    python benchmarks/transfer.py --kermany=DIR --nih64=DIR --workdir=runs/transfer \
        --out=docs/results.md [--arms='simclr=runs/pretrain/export; scratch=scratch:50x1']

`kermany`: chest radiographs of children, normal or pneumonia (a folder with `manifest.csv`: path,
patient_id, pneumonia); `nih64`: adults' in the layout of ChestX-ray14, any finding or none. The
label of both is called "abnormal". A study that is finished is not done again; one that was killed
goes on. `--print` shows the command of the study alone.
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
from remedis.reporting.ood_report import curve_figures as report_figures

ROOT = pathlib.Path(__file__).resolve().parents[1]
LABEL = "abnormal"
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
"""As measured beside the data; see their README."""
FLOOR = 0.592  # of the OOD set, by a classifier of its own thumbnails
# Minutes, not hours, a model on two slow cores; random weights need larger steps than BiT's rule.
SHORT = {
    "optimizer": "adamw",
    "schedule": "cosine",
    "learning_rate_batch": "0",
    "cache_gb": "2.0",
}
TRAINED = {"id": ("0.001", 240, 60), "ood": ("0.0003", 24, 8)}  # rate, steps, evaluations


def prepared(kermany: pathlib.Path, nih64: pathlib.Path, target: pathlib.Path) -> None:
    """Writes `target/id` and `target/ood`: a `manifest.csv` each beside a link to the images."""
    for table in (kermany / "manifest.csv", nih64 / "Data_Entry_2017.csv"):
        if not table.is_file():
            raise SystemExit(f"error: {table} is missing; say where the data are that hold it.")
    children = pd.read_csv(kermany / "manifest.csv")
    adults = pd.read_csv(nih64 / "Data_Entry_2017.csv", index_col=False)
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
    given = {
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
        # Half of the patients of 264 to be judged on: intervals are wide enough.
        "ood.splits.train": "0.4",
        "ood.splits.validation": "0.1",
        "ood.splits.test": "0.5",
    }
    for part, (rate, steps, every) in TRAINED.items():
        own = {"learning_rate": rate, "steps": str(steps)}
        own |= {"evaluate_every": str(every), "checkpoint_every": str(every)}
        given |= {f"{part}.{key}": value for key, value in {**SHORT, **own}.items()}
    return [
        "finetune/ood_curves.py",
        "--config=configs/ood_own.py",
        *(f"--config.{key}={value}" for key, value in given.items()),
        f"--workdir={workdir / 'study'}",
    ]


def section(study: dict[str, Any], shown: str, figure: str) -> str:
    """Returns the section of the results."""
    lines = [
        "## From children to adults: label budgets, kermany to nih64",
        "",
        "Written by `python benchmarks/transfer.py --kermany=DIR --nih64=DIR --workdir=DIR "
        "--out=docs/results.md`, with the arms, baseline, modes and budgets of the study below, "
        "which it runs.",
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
        f"AUROC on {study['data']['ood']['counts']['test']['patients']} OOD test patients, "
        f"{study['seeds']} draws of every budget; 95 % intervals over patients and draws together. "
        "Difference: arm less baseline at the same budget, paired; in brackets its interval.",
        "",
        "| mode | arm | labelled patients | AUROC | less the baseline |",
        "|---|---|---|---|---|",
    ]
    differences = {
        (row["mode"], row["arm"], row["patients"]): row["difference"]
        for row in study["paired"]
        if row["against"] == study["baseline"]
    }
    for row in study["id"]:
        lines.append(
            f"| {row['mode']} | {row['arm']} | in distribution | {number(row['mean'])} | |"
        )
    for point in study["points"]:
        other = differences.get((point["mode"], point["arm"], point["patients"]))
        lines.append(
            f"| {point['mode']} | {point['arm']} | {point['patients']} | "
            f"{number(point['mean'])} | {number(other) if other else ''} |"
        )
    above = [point for point in study["points"] if (point["mean"]["low"] or 0.0) > FLOOR]
    lines += [
        "",
        f"Of {len(study['points'])} points, {len(above)} lie above the OOD floor of {FLOOR} with "
        "their whole interval.",
    ]
    lines += ["", *(answer(row, study["baseline"]) for row in study["answers"])]
    lines += ["", "Caveats:", "", *(f"- {caveat}" for caveat in study["caveats"])]
    return "\n".join([*lines, "", "```sh", shown, "```"])


def answer(row: dict[str, Any], baseline: str) -> str:
    """Returns a sentence for one of the study's answers."""
    level = f"{row['level']:.3f}"
    if row["target"] == "reference":
        level = f"what {baseline} reaches with all labelled patients ({level})"
    begin = f"- {row['mode']}: {row['arm']} "
    if row["status"] != "reached":
        return f"{begin}does not reach {level} ({row['share_reached']:.0%} of the resamples do)."
    patients, fold = row["patients"], row["fold"]
    ends = [patients["low"], patients["high"]]
    low, high = ("open" if end is None else f"{end:.0f}" for end in ends)
    said = f"{begin}reaches {level} with {patients['value']:.0f} [{low}, {high}] patients"
    if fold is None:
        return f"{said}."
    low, high = ("open" if fold[end] is None else f"{fold[end]:.1f}" for end in ("low", "high"))
    return f"{said}, {fold['value']:.1f}-fold [{low}, {high}] fewer."


def number(estimate: dict[str, Any]) -> str:
    """Returns a number with its interval."""
    if estimate["value"] is None:
        return "not estimable"
    return f"{estimate['value']:.3f} [{estimate['low']:.3f}, {estimate['high']:.3f}]"


def arguments(about: str) -> argparse.ArgumentParser:
    """Returns a parser of what says where the images are, to work in and to write to."""
    parser = argparse.ArgumentParser(description=about.splitlines()[0])
    parser.add_argument("--kermany", required=True, type=pathlib.Path, metavar="DIR")
    parser.add_argument("--nih64", required=True, type=pathlib.Path, metavar="DIR")
    parser.add_argument("--workdir", required=True, type=pathlib.Path)
    parser.add_argument("--out", type=pathlib.Path, help="document to write into; printed without")
    return parser


def main() -> None:
    """Runs the study and writes its section and its figure."""
    parser = arguments(__doc__)
    parser.add_argument("--arms", default="r50=scratch:50x0.5; shallow=scratch:1-1-1-1x0.5")
    parser.add_argument("--baseline", default="shallow")
    parser.add_argument("--modes", default="probe,finetune")
    parser.add_argument("--budgets", default="0, 10%, 33%, 100%")
    parser.add_argument("--print", action="store_true", help="the command of the study alone")
    parsed = parser.parse_args()
    parsed.workdir = parsed.workdir.resolve()
    prepared(parsed.kermany, parsed.nih64, parsed.workdir / "data")
    study = command(parsed.workdir, parsed.arms, parsed.baseline, parsed.modes, parsed.budgets)
    if parsed.print:
        print(shlex.join(["python", *study]))
        return
    done = subprocess.run([sys.executable, *study], cwd=ROOT, check=False)
    if done.returncode:
        raise SystemExit(done.returncode)
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
