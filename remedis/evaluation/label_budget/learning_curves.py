"""Learning curves of a study: AUROC over budgets, in every draw of patients and seeds."""

import dataclasses
from collections.abc import Iterator, Mapping

import numpy as np
import numpy.typing as npt

from remedis.evaluation.auroc import Floats
from remedis.evaluation.label_budget.grid import Cell, Grid
from remedis.evaluation.label_budget.resampling import seed_draws
from remedis.evaluation.label_budget.test_set import ResampledTestSet


@dataclasses.dataclass(frozen=True)
class LearningCurve:
    """AUROC of an arm over the budgets of a mode, averaged over seeds, in every draw.

    Attributes:
      arm: name of the checkpoint.
      mode: method of adaptation.
      budgets: [K] patients, ascending.
      by_label: [1 + B, K, estimable labels].
      per_seed: [K, seeds], mean over the labels, of the study as it is.
    """

    arm: str
    mode: str
    budgets: tuple[int, ...]
    by_label: Floats
    per_seed: Floats

    @property
    def mean(self) -> Floats:
        """The mean over the labels, [1 + B, K]."""
        return np.asarray(self.by_label.mean(axis=2))


def learning_curves(
    test: ResampledTestSet, cells: Mapping[Cell, npt.ArrayLike], grid: Grid, seed: int
) -> Iterator[LearningCurve]:
    """Yields the learning curve of every arm and mode.

    Args:
      test: the test set.
      cells: cell -> scores [n, L]; each cell is looked up once, one curve at a time.
      grid: the grid that the cells fill.
      seed: seed of the draws of seeds, which are the same for all curves.

    Raises:
      UserError: scores are not finite, or not of the shape of the targets.
    """
    weights = seed_draws(len(grid.seeds), test.draws - 1, seed)
    for mode, budgets in grid.budgets.items():
        for arm in grid.arms:
            points, per_seed = [], []
            for patients in budgets:
                row = grid.cells_at(arm, mode, patients)
                distinct = list(dict.fromkeys(row))
                aurocs = test.aurocs(
                    [test.check_scores(cells[cell], str(cell)) for cell in distinct]
                )
                if len(distinct) < len(row):
                    aurocs = np.repeat(aurocs, len(row), axis=1)
                points.append(np.einsum("bsl,bs->bl", aurocs, weights))
                per_seed.append(aurocs[0].mean(axis=1))
            yield LearningCurve(arm, mode, budgets, np.stack(points, axis=1), np.array(per_seed))
