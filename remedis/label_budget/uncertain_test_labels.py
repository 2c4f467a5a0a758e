"""AUROC of a study's arms with uncertain test labels ignored, as negative and as positive."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from remedis.data import label_policies
from remedis.data.manifest import Manifest
from remedis.evaluation.estimates import Cases
from remedis.evaluation.label_budget import Cell
from remedis.evaluation.repeated_runs import auroc_over_runs
from remedis.evaluation.uncertain_labels import WAYS
from remedis.label_budget.cell_store import Scores
from remedis.models.tasks import MULTI_LABEL


def three_ways(
    test: Manifest, cells: Mapping[Cell, Scores], task: str = MULTI_LABEL
) -> list[dict[str, Any]]:
    """Returns the mean AUROC of every arm with all labelled patients, in each of `WAYS`.

    Args:
      test: of `label_policies.keep_found`: the images that the cells scored.
      cells: scores [n, L] of every cell.
      task: of the study. A class that is uncertain has no three ways: nothing is returned for
        `multi_class`.

    Returns:
      Nothing without uncertain labels, or if no label is estimable in every way. Else per arm and
      mode `arm`, `mode`, `patients` (labelled), `images` (of the test set, with uncertain labels),
      `labels` (those averaged) and an estimate as JSON per way, over patients and seeds.
    """
    if task != MULTI_LABEL:
        return []
    uncertain = label_policies.as_found(test).targets() == -1
    ids = test.table["patient_id"].fillna(test.table["path"])
    cases = {
        way: Cases.from_ids(np.where(uncertain, value, test.targets()).astype(np.float64), ids)
        for way, value in WAYS.items()
    }
    averaged = np.flatnonzero(np.all([of.both_classes() for of in cases.values()], axis=0))
    if not uncertain.any() or not len(averaged):
        return []
    largest = max(cell.patients for cell in cells)
    arms: dict[tuple[str, str], list[Scores]] = {}
    for cell in sorted(cells):
        if cell.patients == largest:
            arms.setdefault((cell.arm, cell.mode), []).append(cells[cell])
    return [
        {
            "arm": arm,
            "mode": mode,
            "patients": largest,
            "images": int(uncertain.any(axis=1).sum()),
            "labels": [test.labels[i] for i in averaged],
            **{
                way: auroc_over_runs(
                    of.known[:, averaged],
                    np.stack(scores)[:, :, averaged].astype(np.float64),
                    of.patients,
                ).to_json()
                for way, of in cases.items()
            },
        }
        for (arm, mode), scores in arms.items()
    ]
