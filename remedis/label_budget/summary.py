"""Statistics of the finished cells, written to `summary.json` and `curves.csv`."""

import datetime
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from remedis import csv_text, files, invocation
from remedis.data import label_policies
from remedis.data.manifest import Manifest
from remedis.errors import counted
from remedis.evaluation import label_budget
from remedis.label_budget import thumbnail_arm, tuning, uncertain_test_labels
from remedis.label_budget.arm import InDistributionScores, scores_file
from remedis.label_budget.budgets import Budget
from remedis.label_budget.cell_store import CellStore
from remedis.label_budget.data import StudyData
from remedis.label_budget.directory import StudyDirectory
from remedis.label_budget.settings import HOSPITALS, StudySettings

_FEW = 100  # test patients; with fewer, intervals are wide in any study


def write(
    settings: StudySettings,
    run: StudyDirectory,
    data: StudyData,
    budgets: Sequence[Budget],
    cells: CellStore,
    left_out: Sequence[str] = (),
) -> None:
    """Writes `summary.json` and `curves.csv`.

    Args:
      settings: of the study.
      run: its directory.
      data: of the study.
      budgets: all, also those that are left out.
      cells: of the study; all must be finished.
      left_out: sentences on arms and modes without all of their cells, for the caveats.

    Raises:
      UserError: a cell is not finished, or the test set is too small for any estimate.
    """
    models = {
        (name, mode): [
            InDistributionScores.read(scores_file(run, name, mode, training))
            for training in range(settings.trainings(mode))
        ]
        for mode in settings.modes
        for name in settings.arms
        if mode in settings.modes_of(name)
    }
    provenance = {
        name: models[name, settings.modes_of(name)[0]][0].provenance for name in settings.arms
    }
    estimates = label_budget.analyse_study(
        labelled_test_set(data.test, settings),
        cells,
        settings.baseline,
        id_test=labelled_test_set(data.inside.test, settings),
        id_scores={key: np.stack([s.id_test for s in scores]) for key, scores in models.items()},
        trainings={mode: settings.trainings(mode) for mode in settings.modes},
        modes_of={name: settings.modes_of(name) for name in settings.arms},
        levels=settings.levels,
        targets=settings.targets,
        primary=None if settings.primary is None else settings.primary.among(budgets),
        images={budget.patients: budget.images for budget in budgets},
        cost=label_budget.Cost(settings.minutes, settings.price),
        extrapolate=settings.extrapolate,
        resamples=settings.resamples,
        seed=settings.seed,
    )
    seconds = sum(one.seconds for scores in models.values() for one in scores)
    seconds += sum(map(cells.seconds, cells))
    counts = data.counts()
    values = {
        "title": settings.title or f"How many labelled patients of {settings.ood.name} are needed?",
        "rehearsal": bool(settings.rehearsal),
        "command": invocation.command(),
        "created": datetime.date.today().isoformat(),
        "labels": list(data.test.labels),
        "task": settings.task,
        "seeds": settings.seeds,
        "resamples": settings.resamples,
        "arms": {
            name: {
                "checkpoint": checkpoint,
                "random_weights": provenance[name].random,
                "floor": thumbnail_arm.is_floor(checkpoint),
                "provenance": provenance[name].to_json(),
            }
            for name, checkpoint in settings.arms.items()
        },
        "baseline": settings.baseline,
        "modes": list(settings.modes),
        "data": {
            key: {
                "name": settings.hospital(key).name,
                "source": settings.hospital(key).finetuning.data.source,
                "counts": counts[key],
                "leaks": data.receipts[key],
                "label_notes": data.label_notes[key],
            }
            for key in HOSPITALS
        },
        "between": data.receipts["between"],
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
        **estimates,
        "uncertain_labels": uncertain_test_labels.three_ways(data.test, cells, settings.task),
        "tuning": tuning.summary(settings, cells, models),
        "caveats": [
            *left_out,
            *_caveats(settings, data),
            *(said for mode in settings.modes for said in tuning.caveats(settings, mode, cells)),
        ],
        "cells": {"done": len(cells), "planned": cells.planned},
        "minutes": seconds / 60,
    }
    if not (run / "environment.json").is_file():
        run.write_environment({name: one.to_json() for name, one in provenance.items()})
    files.write_json(run / "summary.json", values)
    with files.whole_file(run / "curves.csv") as temporary:
        text = csv_text.from_frame(label_budget.curves_table(values))
        temporary.write_text(text, encoding="utf-8")


def check(settings: StudySettings, data: StudyData) -> None:
    """Raises a UserError if a test set is too small for any estimate, or for the primary one.

    Also if `config.target` is a top-k accuracy that always naming the same classes has.
    """
    labelled_test_set(data.inside.test, settings).check("in-distribution")
    labelled = labelled_test_set(data.test, settings)
    labelled.check("out-of-distribution")
    if settings.primary is not None:
        labelled.check_labels(settings.primary.labels)
    label_budget.check_levels((), settings.targets, settings.metric, labelled.chance())


def labelled_test_set(manifest: Manifest, settings: StudySettings) -> label_budget.LabelledTestSet:
    """Returns a test set in the form that the statistics take."""
    ids: Any = manifest.table["patient_id"].fillna(manifest.table["path"])
    return label_budget.LabelledTestSet(
        manifest.labels,
        manifest.targets(),
        ids.to_numpy(dtype=object),
        settings.task,
        settings.metric,
    )


def _caveats(settings: StudySettings, data: StudyData) -> list[str]:
    """Returns the caveats that a reader of the numbers has to know."""
    caveats: list[str] = []
    if settings.rehearsal:
        caveats.append(
            "The images are drawn by a program: the numbers say that everything runs, and nothing "
            "about medicine."
        )
    caveats += settings.caveats
    caveats += [
        f"In every budget of labelled patients, about {settings.validation_share:.0%} (for each "
        "label one patient with it and one without, if there are two) select the model and do not "
        "train it; they count as labelled.",
        "A patient of a budget is labelled with all of the patient's images; draws of patients "
        "keep the shares of the labels, which must be known beforehand only roughly.",
        "Intervals hold for these patients in training: they do not contain the difference that "
        "another in-distribution training set or another pool of patients would make. Draws of "
        "large budgets share most of their patients, and with all labelled all of them.",
        "Levels are shares of what the baseline gains between its first and its largest budget, "
        "and both arms' own needs are compared. The baseline with all patients is a one-sided "
        "level: it counts all of them even if fewer would have been enough.",
    ]
    caveats += [_comparison(data.receipts["between"], settings), _baseline(settings)]
    patients = data.counts()["ood"]["test"]["patients"]
    if patients < _FEW:
        caveats.append(
            f"{settings.ood.name} has {patients} test patients only: intervals are wide."
        )
    for key, test in (("id", data.inside.test), ("ood", data.test)):
        name, unknown = settings.hospital(key).name, int(test.table["patient_id"].isna().sum())
        if unknown:
            caveats.append(
                f"{name}, test set: the patient of {unknown:,} of {counted(len(test), 'image')} is "
                "not known. Each of them counts as a patient, and a patient with several images "
                "may be on both sides of a split: intervals are then too narrow."
            )
        caveats += [f"{name}, test set: {note}" for note in data.label_notes[key]]
    caveats += _training_policies(settings, data)
    return caveats


def _training_policies(settings: StudySettings, data: StudyData) -> list[str]:
    """Returns what labels of each hospital count as in training, where its test set differs."""
    caveats = []
    for key, train in (("id", data.inside.train), ("ood", data.pool)):
        policies = settings.hospital(key).finetuning.data.policies
        caveats += [
            f"{settings.hospital(key).name}, training: {note}"
            for note in label_policies.notes(train, policies.training)
            if policies.training != policies.evaluation
        ]
    return caveats


def _baseline(settings: StudySettings) -> str:
    """Returns with which baseline multiples of labelled patients compare, and with which not."""
    return (
        f"A multiple of labelled patients here is against {settings.baseline}, the baseline of "
        "this study. The strong supervised baseline of Azizi et al. 2023 (REMEDIS) is BiT-L, "
        "trained on JFT-300M, whose weights are not public: their multiples and those here have "
        "different baselines."
    )


def _comparison(receipt: Mapping[str, Any], settings: StudySettings) -> str:
    """Returns a description of the leak checks between the hospitals, done and impossible ones."""
    there, here = settings.id.name, settings.ood.name
    if receipt["unchecked"]:
        return (
            f"The images of {there} that train models were compared with those of {here} by hash: "
            "none is identical. Patients could not be compared, since the ids of two hospitals are "
            "unrelated: a patient of both hospitals may be on both sides."
        )
    return (
        f"The images of {there} and {here} come from one directory: patients and images that train "
        f"models at {there} were compared with those of {here}, and none is on both sides."
    )
