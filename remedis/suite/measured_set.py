"""One set of a suite with the learning curves of the arms that are finished."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from remedis import files
from remedis.evaluation.label_budget import Cell
from remedis.evaluation.label_budget.grid import complete_grid
from remedis.evaluation.label_budget.learning_curves import LearningCurve, learning_curves
from remedis.evaluation.label_budget.quantities import Quantities
from remedis.evaluation.label_budget.test_set import TestSet, made_test_set
from remedis.label_budget.study import Study, planned_cells
from remedis.label_budget.summary import labelled_test_set
from remedis.suite import imported


@dataclasses.dataclass(frozen=True)
class Measured:
    """One set of a suite, with the learning curves of the arms that are finished.

    Attributes:
      name: of the set.
      study: of the set.
      test: its out-of-distribution test set.
      curves: (arm, mode) -> curve.
      left_out: (arm, mode) -> number of cells that are not finished.
    """

    name: str
    study: Study
    test: TestSet
    curves: Mapping[tuple[str, str], LearningCurve]
    left_out: Mapping[tuple[str, str], int]

    @classmethod
    def of(
        cls, name: str, study: Study, predictions: Mapping[str, files.Path] | None = None
    ) -> "Measured":
        """Returns the curves of the arms and modes all of whose cells are finished.

        Args:
          name: of the set.
          study: of the set.
          predictions: directories of others' predictions by name, which have every mode and budget.
        """
        settings = study.settings
        unfinished = study.cells.unfinished()
        missing: dict[tuple[str, str], int] = {}
        for cell in unfinished:
            missing[cell.arm, cell.mode] = missing.get((cell.arm, cell.mode), 0) + 1
        cells = [
            cell
            for cell in planned_cells(settings, study.budgets)
            if (cell.arm, cell.mode) not in missing
        ]
        test = made_test_set(labelled_test_set(study.data.test, settings), "out-of-distribution")
        curves = _curves(study, test, cells)
        for row, folder in (predictions or {}).items():
            curves |= _imported(study, test, row, folder, curves)
        return cls(name, study, test, curves, missing)

    def at(self, arm: str, mode: str, patients: int) -> Quantities | None:
        """Returns the metric of an arm at a budget; None if it is not measured."""
        curve = self.curves.get((arm, mode))
        if curve is None or patients not in curve.budgets:
            return None
        return curve.quantities().at(curve.budgets.index(patients))


def _curves(
    study: Study, test: TestSet, cells: Sequence[Cell]
) -> dict[tuple[str, str], LearningCurve]:
    if not cells:
        return {}
    settings, arms = study.settings, list(dict.fromkeys(cell.arm for cell in cells))
    found = {(cell.arm, cell.mode) for cell in cells}
    grid = complete_grid(
        cells,
        arms[0],
        {mode: settings.trainings(mode) for mode in settings.modes},
        {arm: [mode for of, mode in found if of == arm] for arm in arms},
    )
    return {(c.arm, c.mode): c for c in learning_curves(test, study.cells, grid, arms[0])}


def _imported(
    study: Study,
    test: TestSet,
    name: str,
    folder: files.Path,
    curves: Mapping[tuple[str, str], LearningCurve],
) -> dict[tuple[str, str], LearningCurve]:
    """Returns the curve of others' predictions in each mode, flat over the budgets of the arms."""
    images = study.data.test
    paths = images.table["path"]
    labels = dict(zip(images.labels, images.targets().T, strict=True))
    hashes = paths.map(study.data.hashes).tolist()
    scores = imported.scores(folder, paths.tolist(), labels, hashes, study.settings.task)
    areas = test.areas(test.check_scores(scores, name))
    flat = {}
    for like in {curve.mode: curve for curve in curves.values()}.values():
        shape = like.by_label.shape
        flat[name, like.mode] = dataclasses.replace(
            like,
            arm=name,
            by_label=np.broadcast_to(areas.values, shape),
            influence=np.repeat(areas.influence[:, None], shape[0], axis=1),
            per_seed=np.full_like(like.per_seed, areas.values.mean()),
            influence_per_seed=None,
        )
    return flat
