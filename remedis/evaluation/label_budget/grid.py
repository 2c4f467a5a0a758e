"""Cells of a study and the grid of arms, modes, budgets and seeds that they must fill."""

import dataclasses
from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

import numpy as np

from remedis.errors import UserError, unknown_choice
from remedis.evaluation.auroc import Floats


class Cell(NamedTuple):
    """One model of the study.

    Attributes:
      arm: name of the checkpoint the model started from.
      mode: method of adaptation, such as `probe` or `finetune`.
      patients: number of labelled out-of-distribution patients it was adapted with; 0 for
        zero-shot.
      seed: seed of the draw of these patients and of the training.
    """

    arm: str
    mode: str
    patients: int
    seed: int

    def __str__(self) -> str:
        return f"{self.arm}-{self.mode}-{self.patients}-{self.seed}"


@dataclasses.dataclass(frozen=True)
class Grid:
    """The cells of a study.

    Attributes:
      arms: names of the arms, in the order of the cells.
      budgets: mode -> budgets in patients, ascending; the same for all arms.
      seeds: the same for all arms, modes and budgets.
      trainings: mode -> number R of in-distribution trainings; seed s starts from training s % R.
      zero_shot: (arm, mode) -> numbers of the trainings with a zero-shot model: R of them, or one
        that stands for all seeds.
      modes_of: arm -> its modes; None if every arm has all of them.
    """

    arms: tuple[str, ...]
    budgets: dict[str, tuple[int, ...]]
    seeds: tuple[int, ...]
    trainings: dict[str, int]
    zero_shot: dict[tuple[str, str], tuple[int, ...]]
    modes_of: Mapping[str, Collection[str]] | None = None

    def arms_of(self, mode: str) -> tuple[str, ...]:
        """Returns the arms that have a mode."""
        return tuple(a for a in self.arms if self.modes_of is None or mode in self.modes_of[a])

    def units(self, mode: str) -> Floats:
        """Returns [seeds, U]: weights of the seeds in each unit, a training or (if one) a seed."""
        trainings = self.trainings[mode]
        if trainings == 1:
            return np.eye(len(self.seeds))
        members = np.array([seed % trainings for seed in self.seeds])
        weights = (members[:, None] == np.arange(trainings)).astype(np.float64)
        return np.asarray(weights / weights.sum(axis=0))

    def cells_at(self, arm: str, mode: str, patients: int) -> list[Cell]:
        """Returns the cells of one point of a learning curve, one per seed."""
        if patients == 0 and (arm, mode) in self.zero_shot:
            of = self.zero_shot[arm, mode]
            return [Cell(arm, mode, 0, of[seed % len(of)]) for seed in self.seeds]
        return [Cell(arm, mode, patients, seed) for seed in self.seeds]


def complete_grid(
    cells: Iterable[Cell],
    baseline: str,
    trainings: Mapping[str, int] | None = None,
    modes_of: Mapping[str, Collection[str]] | None = None,
) -> Grid:
    """Returns the grid that the cells fill.

    Arms are compared within a seed. Therefore all arms need the same budgets in a mode, and all
    budgets the same seeds. A zero-shot model draws no patients, so one per training is enough.

    Args:
      cells: finished cells.
      baseline: name of the arm that the others are compared with.
      trainings: mode -> number R of in-distribution trainings per arm; 1 for other modes.
      modes_of: arm -> its modes; None if every arm has all of them.

    Raises:
      UserError: there are no cells, the baseline is not among the arms, a cell is missing, or there
        are fewer seeds than trainings.
    """
    finished = dict.fromkeys(cells)
    if not finished:
        raise UserError("The study has no finished cell; run it before it is evaluated.")
    arms = tuple(dict.fromkeys(cell.arm for cell in finished))
    if baseline not in arms:
        raise unknown_choice("value of config.baseline", baseline, arms)
    zero_shot_seeds: dict[tuple[str, str], list[int]] = {}
    for cell in finished:
        if cell.patients == 0:
            zero_shot_seeds.setdefault((cell.arm, cell.mode), []).append(cell.seed)
    modes = dict.fromkeys(cell.mode for cell in finished)
    of_mode = {mode: (trainings or {}).get(mode, 1) for mode in modes}
    grid = Grid(
        arms=arms,
        budgets={
            mode: tuple(sorted({cell.patients for cell in finished if cell.mode == mode}))
            for mode in modes
        },
        seeds=tuple(sorted({cell.seed for cell in finished})),
        trainings=of_mode,
        zero_shot={
            key: tuple(sorted(of))
            for key, of in zero_shot_seeds.items()
            if len(of) in (1, of_mode[key[1]])
        },
        modes_of=modes_of,
    )
    if len(grid.seeds) < (most := max(of_mode.values())):
        raise UserError(
            f"The study has {most} in-distribution trainings per arm, but only {len(grid.seeds)} "
            f"seeds start from them; set config.seeds to {most} or more."
        )
    required = {
        cell: None
        for mode, budgets in grid.budgets.items()
        for arm in grid.arms_of(mode)
        for patients in budgets
        for cell in grid.cells_at(arm, mode, patients)
    }
    if missing := [cell for cell in required if cell not in finished]:
        raise UserError(
            f"{len(missing)} of the study's {len(required)} cells are missing, such as "
            f"{missing[0]}; arms are compared on the same budgets and seeds only. Run the study "
            "until no cell is left."
        )
    return grid
