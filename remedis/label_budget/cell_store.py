"""The cells of a study and their files; a file exists only if its cell is finished."""

import contextlib
import json
import pathlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from remedis import files, json_records
from remedis.errors import UserError
from remedis.evaluation.label_budget import Cell
from remedis.evaluation.results_record import TuningRecord
from remedis.finetuning.tuning_grid import Choice
from remedis.label_budget.budgets import Budget
from remedis.label_budget.settings import Shard
from remedis.npz_files import DamagedNpz, NpzFile
from remedis.progress import duration

_OptionalChoice: Any = TuningRecord | None
_AGAIN = "remove it, so that its cell is run again"
Scores = npt.NDArray[np.float32]


class CellStore(Mapping[Cell, Scores]):
    """Scores [test images, labels] of finished cells, read from disk on access."""

    def __init__(self, directory: files.Path, planned: Iterable[Cell], shape: tuple[int, int]):
        """Opens the store.

        Args:
          directory: of the files.
          planned: all cells of the study.
          shape: of each cell's scores.
        """
        self._directory, self._planned = pathlib.Path(directory), tuple(planned)
        self._shape = shape
        self._of_study = len(self._planned)

    def part(self, cells: Iterable[Cell]) -> "CellStore":
        """Returns a store of some of the cells alone, which still knows how many are planned."""
        store = CellStore(self._directory, cells, self._shape)
        store._of_study = self._of_study
        return store

    def __iter__(self) -> Iterator[Cell]:
        return (cell for cell in self._planned if self._file(cell).is_file())

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __getitem__(self, cell: Cell) -> Scores:
        if cell not in self._planned:
            raise KeyError(cell)
        with self._opened(cell) as content:
            scores = content.expect("scores", "f", (None, None))
        if scores.shape != self._shape:
            raise UserError(
                f"{self._file(cell)} has scores of shape {scores.shape}; the test set has "
                f"{self._shape[0]:,} images and {self._shape[1]} labels: the data have changed "
                "since. Start the study in a new directory."
            )
        return scores

    def write(
        self, cell: Cell, scores: npt.ArrayLike, seconds: float, choice: Choice | None = None
    ) -> None:
        """Writes a finished cell, whole or not at all.

        Args:
          cell: the cell.
          scores: of its model.
          seconds: that it took.
          choice: of its settings on validation; None for zero-shot.
        """
        with files.whole_file(self._file(cell)) as temporary:
            np.savez(
                temporary,
                scores=np.asarray(scores, np.float32),
                seconds=seconds,
                choice=json.dumps(choice and choice.to_json()),
            )

    def choice(self, cell: Cell) -> Choice | None:
        """Returns the choice of a finished cell; None for zero-shot and for version 0.1."""
        with self._opened(cell) as content:
            if "choice" not in content:
                return None
            values = json_records.parse(
                content.text("choice"), _OptionalChoice, f"choice in {self._file(cell)}", _AGAIN
            )
        return None if values is None else Choice.from_json(values)

    def seconds(self, cell: Cell) -> float:
        """Returns the seconds that a finished cell took."""
        with self._opened(cell) as content:
            return float(content.expect("seconds", "fi", ()))

    def unfinished(self, shard: Shard = Shard()) -> list[Cell]:  # noqa: B008, it is frozen
        """Returns the cells of a shard that are not finished, in order."""
        cells = self._planned[shard.number - 1 :: shard.count]
        return [cell for cell in cells if not self._file(cell).is_file()]

    @contextlib.contextmanager
    def _opened(self, cell: Cell) -> Iterator[NpzFile]:
        """Yields the file of a finished cell.

        Raises:
          UserError: it cannot be read in the block.
        """
        file = self._file(cell)
        try:
            with NpzFile(file) as content:
                yield content
        except (OSError, DamagedNpz) as error:
            raise UserError(f"{file} is damaged ({error}); {_AGAIN}.") from error

    @property
    def planned(self) -> int:
        """Number of cells of the study."""
        return self._of_study

    def _file(self, cell: Cell) -> pathlib.Path:
        return self._directory / f"{cell}.npz"


def plan_cells(
    arms: Iterable[str],
    trainings: Mapping[str, int],
    budgets: Sequence[Budget],
    seeds: int,
) -> list[Cell]:
    """Returns the cells of a study.

    They are one zero-shot cell per mode, arm and in-distribution training, and one per budget and
    seed.

    Args:
      arms: their names.
      trainings: number of in-distribution trainings by mode.
      budgets: those that are left out have no cells.
      seeds: number of draws per budget.
    """
    return [
        Cell(arm, mode, budget.patients, seed)
        for mode, models in trainings.items()
        for arm in arms
        for budget in budgets
        if budget.left_out is None
        for seed in range(seeds if budget.patients else models)
    ]


def time_left(
    store: CellStore,
    unfinished: Iterable[Cell],
    model_seconds: Mapping[Cell, float | None],
    similar: CellStore | None = None,
) -> str:
    """Returns `expected_seconds` in words."""
    return time_in_words(expected_seconds(store, unfinished, model_seconds, similar))


def time_in_words(seconds: Mapping[str, float | None]) -> str:
    """Returns a time in words.

    Args:
      seconds: of each part of the work by its name, such as a mode; None if it is not known.
    """
    known = [of for of in seconds.values() if of is not None]
    sentences = [f"about {duration(sum(known))}"] if known or not seconds else []
    sentences += [
        f"for {name} the time is known after the first cells"
        for name, of in seconds.items()
        if of is None
    ]
    return "; ".join(sentences)


def expected_seconds(
    store: CellStore,
    unfinished: Iterable[Cell],
    model_seconds: Mapping[Cell, float | None],
    similar: CellStore | None = None,
) -> dict[str, float | None]:
    """Returns an estimate of the time that unfinished cells will take, by mode.

    A cell is expected to take the mean time of finished cells of its arm and mode, or of its mode
    if the arm has none. A zero-shot cell takes no time. An in-distribution model that does not
    exist yet is expected to take the mean time of those of its mode. The time of a mode is None if
    nothing tells it yet.

    Args:
      store: of the study.
      unfinished: the cells to estimate.
      model_seconds: that each in-distribution model took, by its zero-shot cell; None if it is not
        trained yet. Training every candidate of a grid is part of the time, here and in cells.
      similar: cells of another out-of-distribution set, by whose times an arm and mode without
        finished cells is judged; None for no such set.
    """
    cell_seconds: dict[tuple[str, ...], list[float]] = {}
    for cells in [store] if similar is None else [store, similar]:
        known_before = set(cell_seconds)
        for cell in cells:
            for group in ((cell.mode,), (cell.mode, cell.arm)) if cell.patients else ():
                if group not in known_before:
                    cell_seconds.setdefault(group, []).append(cells.seconds(cell))
    means = {group: float(np.mean(seconds)) for group, seconds in cell_seconds.items()}
    expected: dict[str, list[float | None]] = {}
    unfinished = list(unfinished)
    for cell in unfinished:
        mean = means.get((cell.mode, cell.arm), means.get((cell.mode,)))
        expected.setdefault(cell.mode, []).append(mean if cell.patients else 0.0)
    arms = {(cell.arm, cell.mode) for cell in unfinished}
    for model, seconds in model_seconds.items():
        if seconds is None and (model.arm, model.mode) in arms:
            known = [s for m, s in model_seconds.items() if m.mode == model.mode and s is not None]
            expected[model.mode].append(float(np.mean(known)) if known else None)
    return {
        mode: None if None in seconds else sum(filter(None, seconds))
        for mode, seconds in expected.items()
    }
