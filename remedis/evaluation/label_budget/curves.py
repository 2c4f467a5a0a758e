"""The curves of a study: AUROC over budgets, in every draw of patients and seeds."""

import dataclasses
from collections.abc import Iterator, Mapping

import numpy as np
import numpy.typing as npt

from remedis.evaluation.auroc import Floats
from remedis.evaluation.label_budget.cells import Cell, Grid
from remedis.evaluation.label_budget.resampling import seed_draws
from remedis.evaluation.label_budget.test_set import TestSet


@dataclasses.dataclass(frozen=True)
class Curve:
    """AUROC of an arm over the budgets of a mode, mean over seeds, in every draw.

    Attributes:
      arm: name of the checkpoint.
      mode: how it was adapted.
      budgets: [K] patients, growing.
      labels: [1 + B, K, estimable labels].
      per_seed: [K, seeds], mean over the labels, of the study as it is.
    """

    arm: str
    mode: str
    budgets: tuple[int, ...]
    labels: Floats
    per_seed: Floats

    @property
    def mean(self) -> Floats:
        """The mean over the labels, [1 + B, K]."""
        return np.asarray(self.labels.mean(axis=2))


def curves(
    test: TestSet, cells: Mapping[Cell, npt.ArrayLike], grid: Grid, seed: int
) -> Iterator[Curve]:
    """Yields the curve of every arm and mode.

    Args:
      test: the test set.
      cells: scores [n, L] of each; looked up once each, a curve at a time.
      grid: that they fill.
      seed: of the draws of seeds, which are the same for all curves.

    Raises:
      UserError: scores are not finite, or not of the shape of the targets.
    """
    weights = seed_draws(len(grid.seeds), test.draws - 1, seed)
    for mode, budgets in grid.budgets.items():
        for arm in grid.arms:
            points, per_seed = [], []
            for patients in budgets:
                row = grid.row(arm, mode, patients)
                own = list(dict.fromkeys(row))
                areas = test.areas([test.check(cells[cell], str(cell)) for cell in own])
                if len(own) < len(row):
                    areas = np.repeat(areas, len(row), axis=1)
                points.append(np.einsum("bsl,bs->bl", areas, weights))
                per_seed.append(areas[0].mean(axis=1))
            yield Curve(arm, mode, budgets, np.stack(points, axis=1), np.array(per_seed))
