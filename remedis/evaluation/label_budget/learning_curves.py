"""Learning curves of a study: its metric over budgets, with the errors of patients and seeds."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from remedis.evaluation.auroc import Floats, Integers
from remedis.evaluation.delong import low_at_one
from remedis.evaluation.intervals import Estimate
from remedis.evaluation.label_budget.grid import Cell, Grid
from remedis.evaluation.label_budget.quantities import Quantities, floors
from remedis.evaluation.label_budget.study_metric import AUROC_CHANCE
from remedis.evaluation.label_budget.test_set import Areas, TestSet

_ROUNDING = 1e-9


@dataclasses.dataclass(frozen=True)
class Curve:
    """Draws of the metric of an arm over the budgets of a mode.

    Attributes:
      arm: name of the checkpoint.
      mode: method of adaptation.
      budgets: [K] patients, ascending.
      draws: [1 + B, K]; row 0 is the study as it is.
      lows: [K] lower ends of the intervals.
      chance: the metric of scores that say nothing.
    """

    arm: str
    mode: str
    budgets: tuple[int, ...]
    draws: Floats
    lows: Floats
    chance: float = AUROC_CHANCE

    @property
    def above_chance(self) -> bool:
        """Whether the interval at the largest budget is above chance."""
        return self.beats_chance(self.lows[-1])

    def beats_chance(self, low: float | None) -> bool:
        """Whether the lower end of an interval is above chance, by more than rounding.

        Scores that all tie have exactly chance, with an interval that is a point.
        """
        return low is not None and bool(low > self.chance + _ROUNDING)


@dataclasses.dataclass(frozen=True)
class LearningCurve:
    """AUROCs, or the top-k accuracy (E = 1), of an arm over the budgets of a mode.

    Attributes:
      arm: name of the checkpoint.
      mode: method of adaptation.
      budgets: [K] patients, ascending.
      by_label: [K, U, E] of every unit; a unit is a training or a seed.
      influence: [G, K, E] of the mean over units.
      pairs: [E] numbers of disjoint pairs of patients.
      per_seed: [K, seeds], mean over the labels.
      influence_per_seed: [G, K, seeds], mean over the labels; None unless asked for.
      chance: the metric of scores that say nothing.
    """

    arm: str
    mode: str
    budgets: tuple[int, ...]
    by_label: Floats
    influence: Floats
    pairs: Floats
    per_seed: Floats
    influence_per_seed: Floats | None = None
    chance: float = AUROC_CHANCE

    def quantities(self, labels: Integers | None = None) -> Quantities:
        """Returns the K means over some of the E labels, or over all."""
        chosen = np.arange(len(self.pairs)) if labels is None else labels
        by_label, pairs = self.by_label[:, :, chosen], self.pairs[chosen]
        per_unit = by_label.mean(axis=2)
        values = by_label.mean(axis=1)
        floor = np.sqrt((floors(values, pairs) ** 2).sum(axis=1)) / len(chosen)
        return Quantities(
            per_unit.mean(axis=1),
            self.influence[:, :, chosen].mean(axis=2),
            floor,
            per_unit,
            np.full(len(values), low_at_one(pairs.min())),
        )

    def points(self, test: TestSet, resamples: int, seed: int) -> list[dict[str, Any]]:
        """Returns the estimates of each budget: `mean` with its band, `labels` and `per_seed`.

        Args:
          test: the test set.
          resamples: draws that the band is made of.
          seed: of these draws.
        """
        mean = self.quantities()
        of_label = {
            label: estimates(self.quantities(np.array([column])), test, [label])
            for column, label in enumerate(test.estimable.tolist())
        }
        unknown = {i: test.estimate([i]) for i in range(len(test.names)) if i not in of_label}
        band = mean.intervals(mean.band_factor(resamples, seed))
        rows = zip(estimates(mean, test), band, self.per_seed, strict=True)
        return [
            {
                "mean": {
                    **estimate.to_json(),
                    "band_low": float(ends[0]),
                    "band_high": float(ends[1]),
                },
                "labels": {
                    name: (of_label[i][k] if i in of_label else unknown[i]).to_json()
                    for i, name in enumerate(test.names)
                },
                "per_seed": per_seed.tolist(),
            }
            for k, (estimate, ends, per_seed) in enumerate(rows)
        ]

    def drawn(self, resamples: int, seed: int, stream: int) -> Curve:
        """Returns draws of the mean over labels; `stream` is the number of this curve."""
        mean = self.quantities()
        draws = mean.draws(resamples, seed, stream)
        lows = mean.intervals()[:, 0]
        return Curve(self.arm, self.mode, self.budgets, draws, lows, self.chance)


def estimates(
    quantities: Quantities, test: TestSet, labels: Sequence[int] | None = None
) -> list[Estimate]:
    """Returns the estimates of means over some labels of a test set, or over all estimable.

    Args:
      quantities: the means.
      test: the test set, which counts the patients.
      labels: column numbers of its L labels.
    """
    chosen = test.estimable.tolist() if labels is None else labels
    return [
        test.estimate(chosen, (float(value), float(low), float(high)))
        for value, (low, high) in zip(quantities.values, quantities.intervals(), strict=True)
    ]


def averaged(areas: Sequence[Areas], weights: Floats) -> tuple[Floats, Floats]:
    """Returns values of every unit [U, E] and influences of the mean over units [G, E].

    Args:
      areas: of every seed.
      weights: [seeds, U], see `Grid.units`; those within a unit are equal. A product with them
        could round the mean of values of 1 to less than 1, whose interval is another.
    """
    values = np.stack([one.values for one in areas])
    units = np.stack([values[own > 0].mean(axis=0) for own in weights.T])
    share = weights.mean(axis=1)
    influence = sum(w * one.influence for w, one in zip(share, areas, strict=True))
    return units, np.asarray(influence)


def learning_curves(
    test: TestSet, cells: Mapping[Cell, npt.ArrayLike], grid: Grid, baseline: str
) -> Iterator[LearningCurve]:
    """Yields the learning curve of every arm and mode.

    Args:
      test: the test set.
      cells: cell -> scores [n, L]; each cell is looked up once, one curve at a time.
      grid: the grid that the cells fill.
      baseline: name of the arm whose influences are kept seed by seed.

    Raises:
      UserError: scores are not finite, or not of the shape of the targets.
    """
    for mode, budgets in grid.budgets.items():
        for arm in grid.arms_of(mode):
            by_label, influence, per_seed, of_seeds = [], [], [], []
            for patients in budgets:
                row = grid.cells_at(arm, mode, patients)
                distinct = {
                    cell: test.areas(test.check_scores(cells[cell], str(cell)))
                    for cell in dict.fromkeys(row)
                }
                areas = [distinct[cell] for cell in row]
                values, influences = averaged(areas, grid.units(mode))
                by_label.append(values)
                influence.append(influences)
                per_seed.append([one.values.mean() for one in areas])
                if arm == baseline:
                    of_seeds.append(np.stack([one.influence.mean(axis=1) for one in areas], axis=1))
            yield LearningCurve(
                arm,
                mode,
                budgets,
                np.stack(by_label),
                np.stack(influence, axis=1),
                test.pairs,
                np.array(per_seed),
                np.stack(of_seeds, axis=1) if of_seeds else None,
                test.chance,
            )
