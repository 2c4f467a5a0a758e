"""Runs the unfinished cells of a study, and merges the finished ones."""

import dataclasses
import itertools
import logging
import shutil
import time
from collections.abc import Collection, Iterator, Sequence

import ml_collections

from remedis import files
from remedis.errors import UserError
from remedis.evaluation.label_budget import Cell
from remedis.finetuning import gradient, scratch_rates
from remedis.label_budget import arm, budgets, data, rehearsal, summary, tuning
from remedis.label_budget.cell_store import CellStore, plan_cells, time_left
from remedis.label_budget.directory import StudyDirectory
from remedis.label_budget.finetune_arm import FinetuneArm
from remedis.label_budget.probe_arm import ProbeArm
from remedis.label_budget.settings import Shard, StudySettings
from remedis.zoo import resolve

_LOG = logging.getLogger(__name__)
_SECONDS_BETWEEN_LINES = 10.0


@dataclasses.dataclass(frozen=True)
class Study:
    """A study with its data prepared and its cells planned.

    Attributes:
      settings: with the made-up data of a rehearsal.
      run: the study's directory.
      data: of both hospitals.
      budgets: all, also those that are left out.
      cells: all, finished or not.
    """

    settings: StudySettings
    run: StudyDirectory
    data: data.StudyData
    budgets: tuple[budgets.Budget, ...]
    cells: CellStore

    @classmethod
    def from_config(cls, config: ml_collections.ConfigDict, workdir: files.Path) -> "Study":
        """Prepares the data and plans the cells.

        Raises:
          UserError: config or data are at fault.
        """
        settings = StudySettings.from_config(config)
        run = StudyDirectory(workdir, config.to_dict())
        settings = settings.as_begun(run)
        if settings.rehearsal:
            settings = rehearsal.prepared(settings, run)
        study_data = data.prepare(settings, run)
        summary.check(settings, study_data)
        data.refuse_seen(settings, study_data)
        planned = budgets.plan(
            study_data.pool,
            settings.budgets,
            settings.seeds,
            settings.seed,
            settings.validation_share,
        )
        for budget in planned:
            if budget.left_out:
                _LOG.info(f"Budget {budget.name} is left out: {budget.left_out}.")
        if settings.primary is not None:
            settings.primary.among(planned)
        cells = plan_cells(settings.arms, _trainings(settings), planned, settings.seeds)
        shape = (len(study_data.test), len(study_data.test.labels))
        return cls(settings, run, study_data, planned, CellStore(run / "cells", cells, shape))

    def time_left(self, unfinished: Sequence[Cell]) -> str:
        """Returns an estimate, in words, of the time that unfinished cells will take."""
        seconds: dict[Cell, float | None] = {}
        for mode in self.settings.modes:
            for name in self.settings.arms:
                for training in range(self.settings.trainings(mode)):
                    file = arm.scores_file(self.run, name, mode, training)
                    model = Cell(name, mode, 0, training)
                    finished = file.is_file()
                    seconds[model] = (
                        arm.InDistributionScores.read(file).seconds if finished else None
                    )
        return time_left(self.cells, unfinished, seconds)


def run(config: ml_collections.ConfigDict, workdir: files.Path, shard: Shard | None = None) -> bool:
    """Runs the unfinished cells of a study, all of them or those of a shard.

    Finished cells are not repeated, and a killed one resumes. Several processes may share one
    directory, each with a shard of its own. Without a shard all unfinished cells are run and then
    merged into `summary.json` and `curves.csv`.

    Args:
      config: as `configs.common_study.ood` makes it.
      workdir: the study's directory.
      shard: the cells of this process; None for all cells, and merging.

    Returns:
      Whether the study was merged.

    Raises:
      UserError: config, data or checkpoints are at fault.
    """
    study = Study.from_config(config, workdir)
    cells = study.cells.unfinished(shard or Shard())
    _LOG.info(
        f"{study.cells.planned - len(study.cells.unfinished()):,} of {study.cells.planned:,} cells "
        f"are finished; {len(cells):,} to do here."
    )
    for mode in study.settings.modes:
        _LOG.info(tuning.budget(study.settings, mode))
    _check_arms(study, cells)
    _run_cells(study, cells, shard or Shard())
    if shard is not None:
        others = len(study.cells.unfinished())
        _LOG.info(
            f"Shard {shard.number}/{shard.count} is done; {others:,} cells are left to others. "
            "Without --shard the study is merged."
        )
        return False
    summary.write(study.settings, study.run, study.data, study.budgets, study.cells)
    return True


def list_cells(
    config: ml_collections.ConfigDict, workdir: files.Path, shard: Shard | None = None
) -> str:
    """Returns the cells of a study, finished and not, and the expected time; runs none.

    Args and errors are those of `run`. The data are prepared, since budgets follow from them.
    """
    study = Study.from_config(config, workdir)
    unfinished = set(study.cells.unfinished(shard or Shard()))
    finished = set(study.cells)
    settings = study.settings
    _check_arms(study, sorted(unfinished))
    planned = plan_cells(settings.arms, _trainings(settings), study.budgets, settings.seeds)
    lines = [tuning.budget(settings, mode) for mode in settings.modes]
    for (mode, name, patients), group in itertools.groupby(
        planned, key=lambda cell: (cell.mode, cell.arm, cell.patients)
    ):
        cells = list(group)
        lines.append(
            f"{mode:9} {name:20} {patients:7,} patients: {len(cells):3} cells, "
            f"{sum(c in finished for c in cells):3} finished, "
            f"{sum(c in unfinished for c in cells):3} to do"
        )
    lines += _trainings_left(study, unfinished)
    lines.append(
        f"{len(finished):,} of {study.cells.planned:,} cells are finished, {len(unfinished):,} to "
        f"do{f' here: {study.time_left(sorted(unfinished))}' if unfinished else ''}."
    )
    return "\n".join(lines)


def _trainings(settings: StudySettings) -> dict[str, int]:
    """Returns the number of in-distribution trainings per arm, by mode."""
    return {mode: settings.trainings(mode) for mode in settings.modes}


def _trainings_left(study: Study, unfinished: Collection[Cell]) -> list[str]:
    """Returns a sentence on the trainings that unfinished cells of fine-tuning need, if any."""
    adapted = sum(cell.mode == "finetune" and cell.patients > 0 for cell in unfinished)
    settings, candidates = study.settings, len(study.settings.select)
    trainings = settings.trainings("finetune")
    models = {(cell.arm, cell.seed % trainings) for cell in unfinished if cell.mode == "finetune"}
    missing = sum(
        not arm.scores_file(study.run, name, "finetune", training).is_file()
        for name, training in models
    )
    if not adapted + missing:
        return []
    return [
        f"Fine-tunings to do: {missing:,} in-distribution models and {adapted:,} cells, "
        f"x {candidates} = {(missing + adapted) * candidates:,} trainings at most."
    ]


def _check_arms(study: Study, cells: Sequence[Cell]) -> None:
    """Raises a UserError for faults of arms that would otherwise show hours later."""
    for name in dict.fromkeys(cell.arm for cell in cells):
        resolve.check(study.settings.arms[name])
    if not any(cell.mode == "finetune" for cell in cells):
        return
    for key, train in (("id", study.data.inside.train), ("ood", study.data.pool)):
        base = study.settings.finetuning(key, checkpoint="")
        base.images.operations()
        try:
            for candidate in study.settings.select.candidates():
                gradient.check(candidate.of(base), train)
        except UserError as error:
            raise UserError(f"Fine-tuning by config.{key}: {error}") from None
    for name in dict.fromkeys(cell.arm for cell in cells if cell.mode == "finetune"):
        _check_rates(study.settings, name)


def _check_rates(settings: StudySettings, name: str) -> None:
    """Raises a UserError if an untrained arm would be trained at rates of pretrained ones only."""
    if not resolve.is_random(settings.arms[name]):
        return
    asked = settings.finetuning("id", "").optimization
    rates = settings.select.values.get("learning_rate") or (asked.learning_rate,)
    if fault := scratch_rates.fault(asked, rates):
        named = "config.select" if settings.select.values else "config.id.learning_rate"
        raise UserError(
            f"config.arms has {name}={settings.arms[name]}, whose weights are random, but {fault}; "
            f"add such a rate to {named}, from which validation chooses for every arm alike."
        )


def _run_cells(study: Study, cells: Sequence[Cell], shard: Shard) -> None:
    done, last = 0, time.monotonic()
    for prepared_arm, own_cells in _by_arm(study, cells, shard):
        for cell in own_cells:
            trainings = study.settings.trainings(cell.mode)
            before = prepared_arm.in_distribution(cell.seed % trainings)  # has its own seconds
            start = time.monotonic()
            if cell.patients == 0:
                study.cells.write(cell, before.zero_shot, time.monotonic() - start)
            else:
                budget = next(b for b in study.budgets if b.patients == cell.patients)
                adapted = prepared_arm.adapt(budget.draws[cell.seed], cell)
                seconds = time.monotonic() - start
                study.cells.write(cell, adapted.scores, seconds, adapted.choice)
            shutil.rmtree(study.run / "work" / str(cell), ignore_errors=True)
            done += 1
            if done == len(cells) or time.monotonic() - last >= _SECONDS_BETWEEN_LINES:
                last = time.monotonic()
                unfinished = study.cells.unfinished(shard)
                left = f" Left: {study.time_left(unfinished)}." if unfinished else ""
                _LOG.info(f"Cell {done:,} of {len(cells):,} is done: {cell}.{left}")


def _by_arm(
    study: Study, cells: Sequence[Cell], shard: Shard
) -> Iterator[tuple[arm.Arm, list[Cell]]]:
    """Yields every arm that has unfinished cells, ready to be adapted, with these cells.

    Shards start with different arms, so that each finds the models that the others trained
    meanwhile.
    """
    settings = study.settings
    names = list(settings.arms)
    turn = (shard.number - 1) % len(names)
    for mode in settings.modes:
        for name in names[turn:] + names[:turn]:
            own_cells = [cell for cell in cells if (cell.arm, cell.mode) == (name, mode)]
            # Cells of one in-distribution training together: its weights are loaded once.
            trainings = settings.trainings(mode)
            own_cells.sort(key=lambda cell: cell.seed % trainings)
            if not own_cells:
                continue
            _LOG.info(f"{name}, {mode}: {len(own_cells):,} cells.")
            if mode == "probe":
                probe_arm = ProbeArm(settings, study.run, study.data, name)
                probe_arm.in_distribution(0).write(arm.scores_file(study.run, name, mode))
                yield probe_arm, own_cells
            else:
                yield FinetuneArm(settings, study.run, study.data, name, shard), own_cells
