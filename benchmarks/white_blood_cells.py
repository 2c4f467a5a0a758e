"""Does self-supervision save labels? White blood cells of two laboratories, in both directions.

    python benchmarks/white_blood_cells.py --wbc=DIR --workdir=runs/cells --out=docs/results.md \
        [--part=pretraining-simclr]

DIR has a folder per laboratory, `tecom` and `bccd`, each with `manifest.csv` (path, patient_id,
mononuclear, lymphocyte, monocyte, eosinophil, neutrophil) and its images. No patients are known: a
`patient_id` is the name of a picture.

The parts, in their order: `pretraining-METHOD` (three runs of each method, with other seeds, on the
cells of both laboratories that no study validates or tests on), `floor`, `probe`, `finetune`,
`types` and `gains` (label-budget studies; three replicates of each, see `pooled_studies.py`), and
`section` (the section and the figure, from the parts that are finished). Finished runs are not
repeated, and a run that was killed resumes.
"""

import argparse
import dataclasses
import itertools
import json
import pathlib
import shlex
import sys
from collections.abc import Mapping
from typing import Any

import pooled_studies
import results
import white_blood_cells_section as pages
from pooled_studies import PooledArm
from white_blood_cells_runs import (
    BACKBONE,
    CAVEATS,
    DIRECTIONS,
    FLOOR,
    GENTLE,
    LABORATORIES,
    METHODS,
    RATES,
    REPLICATES,
    ROOT,
    SCRATCH,
    SIZE,
    SOURCES,
    STEPS,
    TYPES,
    VIEWS,
    pretrain,
    pretraining_command,
    studies,
    write_manifests,
)

from remedis.label_budget import run_study
from remedis.label_budget.study import Study
from remedis.reporting.figures import write as write_figure

# The configs import each other as `configs.NAME`.
sys.path.append(str(ROOT))
from configs import ood_own

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
GENTLE_PAIR = ("simclr, gentle", "scratch, gentle")
GAIN_ARMS = {
    GENTLE_PAIR[0]: ("gains", "simclr", "finetune"),
    GENTLE_PAIR[1]: ("gains", "scratch", "finetune"),
    "simclr, fine-tuned": ARMS["simclr, fine-tuned"],
    SCRATCH: ARMS[SCRATCH],
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
    gains, gained = _gains(workdir)
    blocks += gains
    minutes["studies"] += gained
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


def _gains(workdir: pathlib.Path) -> tuple[list[str], float]:
    """Returns the lines on what pretraining gains at fine-tuning, and the minutes it took."""
    inside, outside = DIRECTIONS[0]
    arms = pooled_arms(workdir, inside, outside, GAIN_ARMS)
    if len(arms) < len(GAIN_ARMS):
        return [], 0.0
    study = pooled_studies.pooled(arms, ADAPTED, SCRATCH)
    pairs = (GENTLE_PAIR, ("simclr, fine-tuned", SCRATCH))
    lines = [
        "",
        f"### {inside} to {outside}: what pretraining gains at fine-tuning",
        "",
        "Arms named `gentle` choose among six trainings, in distribution and per budget: all "
        "layers at one rate, earlier blocks at lower rates (each at 1 / 2.6 of the rate of the "
        "next), or the last two blocks and the head alone; and a decay that draws weights to 0 or "
        "to where they started (L2-SP). The rate is "
        f"{GENTLE['id.learning_rate']}, the decay {GENTLE['id.weight_decay']:.0f}, and the warm-up "
        "is 30 % of the steps. Both arms of a pair have the same candidates.",
        "",
        *pages.gains(study, pairs),
        "",
        *_block(study, arms, "All four arms", (GENTLE_PAIR[1], SCRATCH)),
    ]
    return lines, sum(arms[name].minutes() for name in GENTLE_PAIR)


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


STUDIES = ("floor", "probe", "finetune", "types", "gains")
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
