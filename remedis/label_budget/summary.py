"""From finished cells to `summary.json` and `curves.csv`."""

import datetime
import shlex
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import ml_collections

from remedis import files
from remedis.data.manifest import Manifest
from remedis.evaluation import label_budget
from remedis.label_budget import settings
from remedis.label_budget.arm import Home, path
from remedis.label_budget.budgets import Budget
from remedis.label_budget.cell_store import Cells
from remedis.label_budget.data import Hospitals
from remedis.label_budget.directory import StudyDirectory

_FEW = 100  # test patients, below which intervals are wide whatever else is right


def write(
    config: ml_collections.ConfigDict,
    run: StudyDirectory,
    hospitals: Hospitals,
    budgets: Sequence[Budget],
    cells: Cells,
) -> None:
    """Writes `summary.json` and `curves.csv`.

    Raises:
      UserError: a cell is not finished, or the test set is too small for any estimate.
    """
    arms = settings.arms(config)
    homes = {
        (name, mode): Home.read(path(run, name, mode)) for mode in config.modes for name in arms
    }
    provenance = {name: homes[name, config.modes[0]].provenance for name in arms}
    # Loading weights and counting patients is done; what is left is the statistics.
    found = label_budget.analyse_study(
        labelled_test_set(hospitals.test),
        cells,
        config.baseline,
        id_test=labelled_test_set(hospitals.inside.test),
        id_scores={of: home.inside for of, home in homes.items()},
        levels=() if config.target is None else (config.target,),
        images={budget.patients: budget.images for budget in budgets},
        cost=label_budget.Cost(config.minutes, config.price),
        extrapolate=config.extrapolate,
        resamples=config.resamples,
        seed=config.seed,
    )
    seconds = sum(home.seconds for home in homes.values()) + sum(map(cells.seconds, cells))
    counts = hospitals.counts()
    written = {
        "title": config.title or f"How many labelled patients of {config.ood_name}?",
        "command": shlex.join(sys.argv),
        "created": datetime.date.today().isoformat(),
        "labels": list(hospitals.test.labels),
        "metric": "mean AUROC",
        "seeds": config.seeds,
        "resamples": config.resamples,
        "arms": {
            name: {
                "checkpoint": spec,
                "random_weights": provenance[name].random,
                "provenance": provenance[name].to_json(),
            }
            for name, spec in arms.items()
        },
        "baseline": config.baseline,
        "modes": list(config.modes),
        "data": {
            part: {
                "name": config[f"{part}_name"],
                "source": config[part].source,
                "counts": counts[part],
                "leaks": hospitals.receipts[part],
            }
            for part in settings.PARTS
        },
        "between": hospitals.receipts["between"],
        "budgets": [
            {
                "budget": budget.name,
                "patients": budget.patients,
                "images": budget.images,
                "positives": budget.positives,
                "left_out": budget.left_out,
            }
            for budget in budgets
        ],
        **found,
        "caveats": list(_caveats(config, hospitals)),
        "cells": {"done": len(cells), "planned": cells.planned},
        "minutes": seconds / 60,
    }
    if not (run / "environment.json").is_file():
        run.write_environment({name: of.to_json() for name, of in provenance.items()})
    files.write_json(run / "summary.json", written)
    with files.whole_file(run / "curves.csv") as temporary:
        label_budget.curves_table(written).to_csv(temporary, index=False)


def check(hospitals: Hospitals) -> None:
    """Raises a UserError if a test set is too small for any estimate, whatever the cells give."""
    labelled_test_set(hospitals.inside.test).check("in-distribution")
    labelled_test_set(hospitals.test).check("out-of-distribution")


def labelled_test_set(manifest: Manifest) -> label_budget.LabelledTestSet:
    """Returns a test set as the statistics take it."""
    ids: Any = manifest.table["patient_id"].fillna(manifest.table["path"])
    return label_budget.LabelledTestSet(
        manifest.labels, manifest.targets(), ids.to_numpy(dtype=object)
    )


def _caveats(config: ml_collections.ConfigDict, hospitals: Hospitals) -> list[str]:
    """Returns what a reader of the numbers has to know about them."""
    said = []
    if config.rehearsal:
        said.append(
            "The images are drawn by a program: the numbers say that everything runs, and nothing "
            "about medicine."
        )
    said += config.caveats
    said += [
        f"In every budget of labelled patients, about {config.validation_share:.0%} (of each label "
        "one with and one without, if there are two) choose the model and train none; they count "
        "as labelled.",
        "A patient of a budget is labelled with all of the patient's images; drawing patients "
        "keeps the shares of the labels, which needs to be known beforehand only roughly.",
        "Intervals hold for one in-distribution model an arm and mode: how much another training "
        "of it would differ is not in them. Nor is how much other patients to draw from would: "
        "draws of large budgets share most of their patients, and with all labelled all of them.",
        "What is saved against the baseline with all patients counts all of them, also where its "
        "curve is flat at its end and fewer would have done for it too; a level that "
        "config.target sets is compared at what each of the two needs.",
    ]
    if "probe" in config.modes:
        said.append(
            "Linear probes stand on embeddings of the checkpoint as it is, and are held to the "
            "in-distribution probe as strongly as validation asks for."
        )
    said.append(_compared(hospitals.receipts["between"]))
    patients = hospitals.counts()["ood"]["test"]["patients"]
    if patients < _FEW:
        said.append(f"The OOD test set has {patients} patients only: intervals are wide.")
    if (mined := config.ood.uncertain) != "ignore" or config.ood.unmentioned != "ignore":
        said.append(
            f"OOD labels that are uncertain were taken as '{mined}', those not mentioned as "
            f"'{config.ood.unmentioned}'."
        )
    return said


def _compared(receipt: Mapping[str, Any]) -> str:
    """Returns what was looked for in both hospitals' images, and what could not be."""
    if receipt["unchecked"]:
        return (
            "The images that in-distribution models learn from were compared with the OOD images "
            "by hash: none is identical. Patients could not be compared, since the ids of two "
            "hospitals say nothing of each other: whoever was at both may be on both sides."
        )
    return (
        "Both hospitals' images come from one directory: patients and images that in-distribution "
        "models learn from were compared with the OOD ones, and none is on both sides."
    )
