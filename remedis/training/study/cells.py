"""The cells of a study and their files: finished or not there."""

import pathlib
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from remedis import files
from remedis.errors import UserError
from remedis.evaluation.label_budget import Cell
from remedis.training.study.budgets import Budget
from remedis.training.study.settings import Shard

Scores = npt.NDArray[np.float32]


class Cells(Mapping[Cell, Scores]):
    """Scores [test images, labels] of finished cells, read from disk when they are asked for."""

    def __init__(self, directory: files.Path, planned: Iterable[Cell], shape: tuple[int, int]):
        """Takes the study's cells.

        Args:
          directory: of the files.
          planned: all cells of the study.
          shape: of the scores of each.
        """
        self._directory, self._planned = pathlib.Path(directory), tuple(planned)
        self._shape = shape

    def __iter__(self) -> Iterator[Cell]:
        return (cell for cell in self._planned if self._file(cell).is_file())

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __getitem__(self, cell: Cell) -> Scores:
        if cell not in self._planned:
            raise KeyError(cell)
        with np.load(self._file(cell), allow_pickle=False) as content:
            scores = np.asarray(content["scores"])
        if scores.shape != self._shape:
            raise UserError(
                f"{self._file(cell)} has scores of shape {scores.shape}; the test set has "
                f"{self._shape[0]:,} images and {self._shape[1]} labels: the data have changed "
                "since. Start the study in a new directory."
            )
        return scores

    def write(self, cell: Cell, scores: npt.ArrayLike, seconds: float) -> None:
        """Writes a finished cell, whole or not at all; `seconds` is what it took."""
        with files.whole_file(self._file(cell)) as temporary:
            np.savez(temporary, scores=np.asarray(scores, np.float32), seconds=seconds)

    def seconds(self, cell: Cell) -> float:
        """Returns what a finished cell took."""
        with np.load(self._file(cell), allow_pickle=False) as content:
            return float(content["seconds"])

    def left(self, shard: Shard = Shard()) -> list[Cell]:  # noqa: B008, it is frozen
        """Returns the cells of a shard that are not finished, in order."""
        own = self._planned[shard.number - 1 :: shard.count]
        return [cell for cell in own if not self._file(cell).is_file()]

    @property
    def planned(self) -> int:
        """How many cells the study has."""
        return len(self._planned)

    def _file(self, cell: Cell) -> pathlib.Path:
        return self._directory / f"{cell}.npz"


def grid(
    arms: Iterable[str], modes: Sequence[str], budgets: Sequence[Budget], seeds: int
) -> list[Cell]:
    """Returns the cells of a study: arm by arm, one zero-shot and one a budget and seed."""
    return [
        Cell(arm, mode, budget.patients, seed)
        for mode in modes
        for arm in arms
        for budget in budgets
        if budget.left_out is None
        for seed in range(seeds if budget.patients else 1)
    ]


def seconds_left(cells: Cells, left: Sequence[Cell]) -> float | None:
    """Returns how long cells will take, judged by finished ones; None without one to judge by.

    A cell takes what the finished cells of its mode took on average, zero-shot ones apart.
    """
    took: dict[tuple[str, bool], list[float]] = {}
    for cell in cells:
        took.setdefault((cell.mode, cell.patients > 0), []).append(cells.seconds(cell))
    total = 0.0
    for cell in left:
        known = took.get((cell.mode, cell.patients > 0))
        if known is None:
            return None
        total += float(np.mean(known))
    return total


def duration(seconds: float) -> str:
    """Returns for example `40 s`, `12 min` or `3.5 h`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
