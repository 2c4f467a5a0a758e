"""The cells of a study and their files: finished or not there."""

import pathlib
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from remedis import files
from remedis.errors import UserError
from remedis.evaluation.label_budget import Cell
from remedis.label_budget.budgets import Budget
from remedis.label_budget.settings import Shard

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


def time_left(
    cells: Cells, left: Iterable[Cell], homes: Mapping[tuple[str, str], float | None]
) -> str:
    """Returns in words how long cells will take, judged by what is finished.

    A cell takes what finished cells of its arm and mode took on average, or those of its mode where
    the arm has none; a zero-shot one takes nothing. An arm whose in-distribution model is not there
    takes what those of the mode that are there took.

    Args:
      cells: of the study.
      left: those that are to be done.
      homes: seconds that the in-distribution models took, by arm and mode; None if not there.
    """
    took: dict[tuple[str, ...], list[float]] = {}
    for cell in cells:
        if cell.patients:
            for of in ((cell.mode,), (cell.mode, cell.arm)):
                took.setdefault(of, []).append(cells.seconds(cell))
    means = {of: float(np.mean(found)) for of, found in took.items()}
    adapting: dict[str, list[float | None]] = {}
    for cell in left:
        found = means.get((cell.mode, cell.arm), means.get((cell.mode,)))
        adapting.setdefault(cell.mode, []).append(found if cell.patients else 0.0)
    for arm, mode in dict.fromkeys((cell.arm, cell.mode) for cell in left):
        if homes.get((arm, mode)) is None:
            known = [s for (_, of), s in homes.items() if of == mode and s is not None]
            adapting[mode].append(float(np.mean(known)) if known else None)
    unknown = [mode for mode, seconds in adapting.items() if None in seconds]
    total = sum(sum(filter(None, s)) for mode, s in adapting.items() if mode not in unknown)
    said = [] if len(unknown) == len(adapting) else [f"about {duration(total)}"]
    said += [
        f"for {mode} no time can be told before its first cells are finished" for mode in unknown
    ]
    return "; ".join(said)


def duration(seconds: float) -> str:
    """Returns for example `40 s`, `12 min` or `3.5 h`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
