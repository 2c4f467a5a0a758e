"""The cells of a study in lines of text: how many are finished, and the time that others take."""

import itertools
from collections.abc import Collection

from remedis.errors import counted
from remedis.evaluation.label_budget import Cell
from remedis.finetuning import gradient
from remedis.label_budget import arm
from remedis.label_budget.arm_checks import check_arms
from remedis.label_budget.settings import Shard
from remedis.label_budget.study import Study, planned_cells


def listed(study: Study, shard: Shard) -> list[str]:
    """Returns the lines of `list_cells` on one out-of-distribution set."""
    unfinished = set(study.cells.unfinished(shard))
    finished = set(study.cells)
    settings = study.settings
    check_arms(study, sorted(unfinished))
    planned = planned_cells(settings, study.budgets)
    lines = []
    if heading := study.sentence(""):
        lines.append(heading.rstrip())
    for (mode, name, patients), group in itertools.groupby(
        planned, key=lambda cell: (cell.mode, cell.arm, cell.patients)
    ):
        cells = list(group)
        lines.append(
            f"{mode:9} {name:20} {patients:7,} patients: {len(cells):3} cells, "
            f"{sum(c in finished for c in cells):3} finished, "
            f"{sum(c in unfinished for c in cells):3} to do"
        )
    lines += lengths(study)
    lines += _trainings_left(study, unfinished)
    left = f" here: {study.time_left(sorted(unfinished))}" if unfinished else ""
    lines.append(
        f"{len(finished):,} of {study.cells.planned:,} cells are finished, {len(unfinished):,} to "
        f"do{left}."
    )
    return lines


def lengths(study: Study) -> list[str]:
    """Returns a line per length of fine-tuning, in steps and epochs: in distribution, per budget.

    The numbers of images are those of a budget's first draw.
    """
    settings = study.settings
    if "finetune" not in settings.modes:
        return []
    inside = study.data.inside
    cases = [] if study.first else [("id", "ID data", len(inside.train), len(inside.validation))]
    for budget in study.budgets:
        for draw in () if budget.left_out else budget.draws[:1]:
            images = int(draw.train.sum()), int(draw.validation.sum())
            patients = counted(budget.patients, "patient")
            cases.append(("ood", patients, *images))
    return [
        study.sentence(f"Fine-tuning on {what}. {sentence}")
        for key, what, train, validation in cases
        for sentence in gradient.length(
            settings.finetuning(key, ""), settings.select.candidates(), train, validation
        )
    ]


def _trainings_left(study: Study, unfinished: Collection[Cell]) -> list[str]:
    """Returns a sentence on the trainings that unfinished cells of fine-tuning need, if any."""
    adapted = sum(cell.mode == "finetune" and cell.patients > 0 for cell in unfinished)
    settings, candidates = study.settings, len(study.settings.select)
    trainings = settings.trainings("finetune")
    models = {(cell.arm, cell.seed % trainings) for cell in unfinished if cell.mode == "finetune"}
    # Those that a further set needs are the first set's, which counts them.
    missing = sum(
        study.first is None and not arm.scores_file(study.run, name, "finetune", training).is_file()
        for name, training in models
    )
    if not adapted + missing:
        return []
    return [
        f"Fine-tunings to do: {missing:,} in-distribution models and {adapted:,} cells, "
        f"x {candidates} = {(missing + adapted) * candidates:,} trainings at most."
    ]
