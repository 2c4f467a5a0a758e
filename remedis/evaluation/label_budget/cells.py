"""What a study hands in: the scores of its cells on one test set, which must fill a grid."""

import dataclasses
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from remedis.errors import UserError, unknown_choice
from remedis.evaluation.auroc import checked
from remedis.evaluation.estimates import Cases
from remedis.evaluation.intervals import MIN_PATIENTS, patient_codes


class Cell(NamedTuple):
    """One model of the study.

    Attributes:
      arm: the checkpoint it started from.
      mode: how it was adapted, such as `probe` or `finetune`.
      patients: labelled out-of-distribution patients it was adapted with; 0 for zero-shot.
      seed: of the draw of these patients and of the training.
    """

    arm: str
    mode: str
    patients: int
    seed: int

    def __str__(self) -> str:
        return f"{self.arm}-{self.mode}-{self.patients}-{self.seed}"


@dataclasses.dataclass(frozen=True)
class Examined:
    """The images that models are scored on.

    Attributes:
      names: of the L labels.
      targets: [n, L]; 1 positive, 0 negative, NaN unknown.
      patient_ids: [n]; a row whose id is missing counts as a patient of its own.
    """

    names: Sequence[str]
    targets: npt.ArrayLike
    patient_ids: Iterable[object]

    def cases(self) -> Cases:
        """Returns targets and patients as the metrics take them.

        Raises:
          UserError: shapes differ, or a target is not 1, 0 or NaN.
        """
        targets = np.asarray(self.targets, dtype=np.float64)
        known, _ = checked(targets, np.zeros_like(targets), self.names)
        cases = Cases(known, patient_codes(self.patient_ids))
        if len(cases.patients) != len(known):
            raise UserError(f"{len(cases.patients)} patient ids for {len(known)} rows of labels.")
        return cases

    def check(self, title: str) -> None:
        """Raises a UserError unless some label has patients enough for an estimate.

        Args:
          title: what these images are, for the message.
        """
        if not self.cases().both_classes().any():
            raise UserError(
                f"None of {', '.join(self.names)} has {MIN_PATIENTS} positive and {MIN_PATIENTS} "
                f"negative patients in the {title} test set, so that nothing can be estimated; "
                "give it more patients."
            )


@dataclasses.dataclass(frozen=True)
class Grid:
    """The cells of a study.

    Attributes:
      arms: in the order they came in.
      budgets: mode -> budgets in patients, growing; the same for all arms.
      seeds: the same for all arms, modes and budgets.
      zero_shot: the seed of a zero-shot model that stands for all seeds, by arm and mode.
    """

    arms: tuple[str, ...]
    budgets: dict[str, tuple[int, ...]]
    seeds: tuple[int, ...]
    zero_shot: dict[tuple[str, str], int]

    def row(self, arm: str, mode: str, patients: int) -> list[Cell]:
        """Returns the cells of one point of a curve, a seed each."""
        if patients == 0 and (arm, mode) in self.zero_shot:
            return [Cell(arm, mode, 0, self.zero_shot[arm, mode])] * len(self.seeds)
        return [Cell(arm, mode, patients, seed) for seed in self.seeds]


def whole_grid(cells: Iterable[Cell], baseline: str) -> Grid:
    """Returns the grid that the cells fill.

    All arms need the same budgets in a mode, and all budgets the same seeds, as arms are compared
    within a seed. Zero-shot, where no patients are drawn, one seed is enough.

    Raises:
      UserError: there are no cells, the baseline is not among the arms, or a cell is missing.
    """
    found = dict.fromkeys(cells)
    if not found:
        raise UserError("The study has no finished cell; run it before it is evaluated.")
    arms = tuple(dict.fromkeys(cell.arm for cell in found))
    if baseline not in arms:
        raise unknown_choice("value of config.baseline", baseline, arms)
    alone: dict[tuple[str, str], list[int]] = {}
    for cell in found:
        if cell.patients == 0:
            alone.setdefault((cell.arm, cell.mode), []).append(cell.seed)
    grid = Grid(
        arms=arms,
        budgets={
            mode: tuple(sorted({cell.patients for cell in found if cell.mode == mode}))
            for mode in dict.fromkeys(cell.mode for cell in found)
        },
        seeds=tuple(sorted({cell.seed for cell in found})),
        zero_shot={of: seeds[0] for of, seeds in alone.items() if len(seeds) == 1},
    )
    wanted = {
        cell: None
        for mode, budgets in grid.budgets.items()
        for arm in arms
        for patients in budgets
        for cell in grid.row(arm, mode, patients)
    }
    if missing := [cell for cell in wanted if cell not in found]:
        raise UserError(
            f"{len(missing)} of the study's {len(wanted)} cells are missing, such as "
            f"{missing[0]}; arms are compared on the same budgets and seeds only. Run the study "
            "until no cell is left."
        )
    return grid
