"""Cells of a study and the grid of arms, modes, budgets and seeds that they must fill."""

import dataclasses
from collections.abc import Iterable
from typing import NamedTuple

from remedis.errors import UserError, unknown_choice


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
      zero_shot: (arm, mode) -> seed of the only zero-shot model, which stands for all seeds.
    """

    arms: tuple[str, ...]
    budgets: dict[str, tuple[int, ...]]
    seeds: tuple[int, ...]
    zero_shot: dict[tuple[str, str], int]

    def cells_at(self, arm: str, mode: str, patients: int) -> list[Cell]:
        """Returns the cells of one point of a learning curve, one per seed."""
        if patients == 0 and (arm, mode) in self.zero_shot:
            return [Cell(arm, mode, 0, self.zero_shot[arm, mode])] * len(self.seeds)
        return [Cell(arm, mode, patients, seed) for seed in self.seeds]


def complete_grid(cells: Iterable[Cell], baseline: str) -> Grid:
    """Returns the grid that the cells fill.

    Arms are compared within a seed. Therefore all arms need the same budgets in a mode, and all
    budgets the same seeds. A zero-shot model draws no patients, so one seed is enough for it.

    Args:
      cells: finished cells.
      baseline: name of the arm that the others are compared with.

    Raises:
      UserError: there are no cells, the baseline is not among the arms, or a cell is missing.
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
    grid = Grid(
        arms=arms,
        budgets={
            mode: tuple(sorted({cell.patients for cell in finished if cell.mode == mode}))
            for mode in dict.fromkeys(cell.mode for cell in finished)
        },
        seeds=tuple(sorted({cell.seed for cell in finished})),
        zero_shot={key: seeds[0] for key, seeds in zero_shot_seeds.items() if len(seeds) == 1},
    )
    required = {
        cell: None
        for mode, budgets in grid.budgets.items()
        for arm in arms
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
