"""Runs the cells of a study, whatever is left of them, and merges what is finished."""

import dataclasses
import itertools
import shutil
import time
from collections.abc import Iterator, Sequence

import ml_collections

from remedis import files
from remedis.errors import UserError
from remedis.evaluation.label_budget import Cell
from remedis.finetuning import gradient
from remedis.label_budget import arm, budgets, data, rehearsal, settings, summary
from remedis.label_budget.cell_store import Cells, grid, time_left
from remedis.label_budget.directory import StudyDirectory
from remedis.label_budget.finetune_arm import TunedArm
from remedis.label_budget.probe_arm import ProbedArm
from remedis.label_budget.settings import Shard
from remedis.training import checks
from remedis.zoo import resolve

_SECONDS_BETWEEN_LINES = 10.0


@dataclasses.dataclass(frozen=True)
class Study:
    """A study whose data are there, planned to the last cell.

    Attributes:
      config: of the study, with the data made up for a rehearsal.
      run: its directory.
      hospitals: its data.
      budgets: all, also those left out.
      cells: all, finished or not.
    """

    config: ml_collections.ConfigDict
    run: StudyDirectory
    hospitals: data.Hospitals
    budgets: tuple[budgets.Budget, ...]
    cells: Cells

    @classmethod
    def of(cls, config: ml_collections.ConfigDict, workdir: files.Path) -> "Study":
        """Prepares the data and plans the cells.

        Raises:
          UserError: anything about config or data that the user can mend.
        """
        settings.check(config)
        run = StudyDirectory(workdir, config.to_dict())
        if config.rehearsal:
            config = rehearsal.prepared(config, run)
        found = data.prepare(config, run)
        summary.check(found)
        data.refuse_seen(config, found)
        planned = budgets.plan(
            found.pool, config.budgets, config.seeds, config.seed, config.validation_share
        )
        for budget in planned:
            if budget.left_out:
                print(f"Budget {budget.name} is left out: {budget.left_out}.", flush=True)
        cells = grid(settings.arms(config), config.modes, planned, config.seeds)
        shape = (len(found.test), len(found.test.labels))
        return cls(config, run, found, planned, Cells(run / "cells", cells, shape))

    def time_left(self, cells: Sequence[Cell]) -> str:
        """Returns in words how long cells that are to be done will take."""
        homes = {}
        for mode in self.config.modes:
            for name in settings.arms(self.config):
                file = arm.path(self.run, name, mode)
                homes[name, mode] = arm.Home.read(file).seconds if file.is_file() else None
        return time_left(self.cells, cells, homes)


def run(config: ml_collections.ConfigDict, workdir: files.Path, shard: Shard | None = None) -> bool:
    """Runs the cells that are left, all of them or those of a shard.

    Finished cells are not done again; what was killed goes on where it was. Several processes may
    work on one directory with a shard each. Without a shard everything left is done and then
    merged into `summary.json` and `curves.csv`.

    Args:
      config: as `configs.common_study.ood` makes it.
      workdir: the study's directory.
      shard: the part of the cells to see to; None for all, and merging.

    Returns:
      Whether the study was merged.

    Raises:
      UserError: anything about config, data or checkpoints that the user can mend.
    """
    study = Study.of(config, workdir)
    left = study.cells.left(shard or Shard())
    print(
        f"{study.cells.planned - len(study.cells.left()):,} of {study.cells.planned:,} cells are "
        f"finished; {len(left):,} to do here.",
        flush=True,
    )
    _check_arms(study, left)
    _run_cells(study, left, shard or Shard())
    if shard is not None:
        others = len(study.cells.left())
        print(
            f"Shard {shard.number}/{shard.count} is done; {others:,} cells are left to others. "
            "Without --shard the study is merged.",
            flush=True,
        )
        return False
    summary.write(study.config, study.run, study.hospitals, study.budgets, study.cells)
    return True


def list_cells(
    config: ml_collections.ConfigDict, workdir: files.Path, shard: Shard | None = None
) -> str:
    """Returns what would run, what is finished, and how long the rest may take; runs nothing.

    Args and errors are those of `run`. The data are prepared, since budgets follow from them.
    """
    study = Study.of(config, workdir)
    left = set(study.cells.left(shard or Shard()))
    finished = set(study.cells)
    lines = []
    planned = grid(
        settings.arms(study.config), study.config.modes, study.budgets, study.config.seeds
    )
    for (mode, name, patients), group in itertools.groupby(
        planned, key=lambda c: (c.mode, c.arm, c.patients)
    ):
        own = list(group)
        lines.append(
            f"{mode:9} {name:20} {patients:7,} patients: {len(own):3} cells, "
            f"{sum(c in finished for c in own):3} finished, {sum(c in left for c in own):3} to do"
        )
    lines.append(
        f"{len(finished):,} of {study.cells.planned:,} cells are finished, {len(left):,} to do"
        f"{f' here: {study.time_left(sorted(left))}' if left else ''}."
    )
    return "\n".join(lines)


def _check_arms(study: Study, cells: Sequence[Cell]) -> None:
    """Raises a UserError for what an arm would fail of when its turn comes, hours later."""
    config, found = study.config, study.hospitals
    checkpoints = settings.arms(config)
    for name in dict.fromkeys(cell.arm for cell in cells):
        resolve.check(checkpoints[name])
    if not any(cell.mode == "finetune" for cell in cells):
        return
    for part, train in (("id", found.inside.train), ("ood", found.pool)):
        recipe = settings.recipe(config, part)
        checks.operations(recipe)
        try:
            gradient.check(recipe, train)
        except UserError as error:
            raise UserError(f"Fine-tuning by config.{part}: {error}") from None


def _run_cells(study: Study, cells: Sequence[Cell], shard: Shard) -> None:
    done, last = 0, time.monotonic()
    for one, own in _by_arm(study, cells, shard):
        for cell in own:
            started = time.monotonic()
            if cell.patients == 0:
                scores = one.home.zero_shot
            else:
                budget = next(b for b in study.budgets if b.patients == cell.patients)
                scores = one.adapted(budget.draws[cell.seed], cell.seed, str(cell))
            study.cells.write(cell, scores, time.monotonic() - started)
            shutil.rmtree(study.run / "work" / str(cell), ignore_errors=True)
            done += 1
            if done == len(cells) or time.monotonic() - last >= _SECONDS_BETWEEN_LINES:
                last = time.monotonic()
                left = study.cells.left(shard)
                about = f" Left: {study.time_left(left)}." if left else ""
                print(f"Cell {done:,} of {len(cells):,} is done: {cell}.{about}", flush=True)


def _by_arm(
    study: Study, cells: Sequence[Cell], shard: Shard
) -> Iterator[tuple[arm.Arm, list[Cell]]]:
    """Yields every arm that has cells left, ready to be adapted, with these.

    Shards begin with different arms, so that each finds what the others have made meanwhile.
    """
    checkpoints = settings.arms(study.config)
    names = list(checkpoints)
    turn = (shard.number - 1) % len(names)
    for mode in study.config.modes:
        for name in names[turn:] + names[:turn]:
            own = [cell for cell in cells if (cell.arm, cell.mode) == (name, mode)]
            if not own:
                continue
            print(f"{name}, {mode}: {len(own):,} cells.", flush=True)
            if mode == "probe":
                one: arm.Arm = ProbedArm(
                    study.config, study.run, study.hospitals, name, checkpoints[name]
                )
                one.home.write(arm.path(study.run, name, mode))
            else:
                one = TunedArm(
                    study.config, study.run, study.hospitals, name, checkpoints[name], shard
                )
            yield one, own
