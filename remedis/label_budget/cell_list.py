"""The cells of a study in lines of text: how many are finished, and the time that others take."""

import itertools
from collections.abc import Collection

from remedis.evaluation.label_budget import Cell
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
    lines += _trainings_left(study, unfinished)
    left = f" here: {study.time_left(sorted(unfinished))}" if unfinished else ""
    lines.append(
        f"{len(finished):,} of {study.cells.planned:,} cells are finished, {len(unfinished):,} to "
        f"do{left}."
    )
    return lines


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
