"""Runs the unfinished cells of a study, and merges the finished ones."""

import dataclasses
import itertools
import logging
import shutil
import time
from collections.abc import Collection, Iterator, Sequence

import ml_collections

from remedis import files
from remedis.data import judged_images
from remedis.errors import UserError
from remedis.evaluation.label_budget import Cell
from remedis.finetuning import gradient, scratch_rates
from remedis.label_budget import (
    arm,
    arm_options,
    budgets,
    data,
    further_sets,
    rehearsal,
    set_list,
    summary,
    tuning,
)
from remedis.label_budget.cell_store import CellStore, plan_cells, time_left
from remedis.label_budget.directory import StudyDirectory
from remedis.label_budget.finetune_arm import FinetuneArm
from remedis.label_budget.probe_arm import ProbeArm
from remedis.label_budget.settings import HOSPITALS, Shard, StudySettings
from remedis.label_budget.shared_models import SharedModelArm
from remedis.training.distribution import Distribution
from remedis.zoo import resolve

_LOG = logging.getLogger(__name__)
_SECONDS_BETWEEN_LINES = 10.0


@dataclasses.dataclass(frozen=True)
class Study:
    """A study of one out-of-distribution set, with its data prepared and its cells planned.

    Attributes:
      settings: with the made-up data of a rehearsal.
      run: the study's directory.
      data: of both hospitals.
      budgets: all, also those that are left out.
      cells: all, finished or not.
      first: the study of the first out-of-distribution set, whose in-distribution models this one
        shares; None if it is the first itself.
    """

    settings: StudySettings
    run: StudyDirectory
    data: data.StudyData
    budgets: tuple[budgets.Budget, ...]
    cells: CellStore
    first: "Study | None" = None

    @classmethod
    def from_config(cls, config: ml_collections.ConfigDict, workdir: files.Path) -> "Study":
        """Returns the study of the first out-of-distribution set; see `all_from_config`."""
        return cls.all_from_config(config, workdir)[0]

    @classmethod
    def all_from_config(
        cls, config: ml_collections.ConfigDict, workdir: files.Path
    ) -> "list[Study]":
        """Prepares the data and plans the cells of every out-of-distribution set, in their order.

        `judged.json` is written before the arms are looked at: a pretraining may need it.

        Raises:
          UserError: config or data are at fault.
        """
        settings = StudySettings.from_config(config)
        values = config.copy_and_resolve_references().to_dict()
        run = StudyDirectory(workdir, values)
        settings = settings.as_begun(run)
        if settings.rehearsal:
            settings = rehearsal.prepared(settings, run)
        first = cls._prepared(settings, run)
        studies = [first]
        for name, alone in further_sets.studies(values).items():
            _LOG.info(f"Further out-of-distribution set {name}:")
            directory = run.of_further_set(name, alone)
            try:
                studies.append(cls._prepared(settings.of_further_set(name), directory, first))
            except UserError as error:
                error.args = (f"{name}: {error}",)  # of its own kind still
                raise
        for study in studies[1:]:
            judged_images.write(study.run.path, study.data.judged)
        by_name = {study.settings.ood.name: study.data for study in studies}
        set_list.write(run, by_name, settings.title, settings.caveats)
        for study in studies:
            data.refuse_seen(
                study.settings,
                study.data,
                HOSPITALS if study.first is None else ("ood",),
                [name for name in settings.arms if name not in first.missing_arms()],
                named=len(studies) > 1,
            )
        return studies

    @classmethod
    def _prepared(
        cls, settings: StudySettings, run: StudyDirectory, first: "Study | None" = None
    ) -> "Study":
        study_data = data.prepare(settings, run, None if first is None else first.data)
        summary.check(settings, study_data)
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
        store = CellStore(run / "cells", cells, shape)
        return cls(settings, run, study_data, planned, store, first)

    def time_left(self, unfinished: Sequence[Cell]) -> str:
        """Returns an estimate, in words, of the time that unfinished cells will take."""
        seconds: dict[Cell, float | None] = {}
        for mode in self.settings.modes:
            for name in self.settings.arms:
                for training in range(self.settings.trainings(mode)):
                    seconds[Cell(name, mode, 0, training)] = self._seconds(name, mode, training)
        similar = None if self.first is None else self.first.cells
        return time_left(self.cells, unfinished, seconds, similar)

    def _seconds(self, name: str, mode: str, training: int) -> float | None:
        """Returns the seconds of an in-distribution model; None if no such model is finished.

        A further set only scores the images by it. Embedding them, for a probe, takes at most as
        long as it did with the in-distribution images; scoring by a fine-tuned model is not
        counted.
        """
        file = arm.scores_file(self.run, name, mode, training)
        if file.is_file():
            return arm.InDistributionScores.read(file).seconds
        if self.first is None:
            return None
        return self.first._seconds(name, mode, training) if mode == "probe" else 0.0

    def missing_arms(self) -> dict[str, str]:
        """Returns a sentence for each arm whose pretraining has not been run, by name."""
        workdir = self.run.models
        return arm_options.missing(self.settings.arms, self.settings.pretrained_by, workdir)

    def sentence(self, text: str) -> str:
        """Returns a sentence that begins with the name of the set, if there are several."""
        several = self.first is not None or self.settings.further
        return f"{self.settings.ood.name}: {text}" if several else text


def run(config: ml_collections.ConfigDict, workdir: files.Path, shard: Shard | None = None) -> bool:
    """Runs the unfinished cells of a study, all of them or those of a shard.

    Finished cells are not repeated, and a killed one resumes. Several processes may share one
    directory, each with a shard of its own. Without a shard all unfinished cells are run and then
    merged into `summary.json` and `curves.csv`, one out-of-distribution set after the other.

    Args:
      config: as `configs.common_study.ood` makes it.
      workdir: the study's directory.
      shard: the cells of this process, a share of those of every set; None for all cells, and
        merging.

    Returns:
      Whether the study was merged.

    Raises:
      UserError: config, data or checkpoints are at fault.
    """
    studies = Study.all_from_config(config, workdir)
    for sentence in studies[0].missing_arms().values():
        raise UserError(sentence)
    cells = [study.cells.unfinished(shard or Shard()) for study in studies]
    for study, own in zip(studies, cells, strict=True):
        done = study.cells.planned - len(study.cells.unfinished())
        _LOG.info(
            study.sentence(
                f"{done:,} of {study.cells.planned:,} cells are finished; {len(own):,} to do here."
            )
        )
    for mode in studies[0].settings.modes:
        _LOG.info(tuning.budget(studies[0].settings, mode))
    for study, own in zip(studies, cells, strict=True):
        _check_arms(study, own)
    for study, own in zip(studies, cells, strict=True):
        _run_cells(study, own, shard or Shard())
        if shard is None:
            summary.write(study.settings, study.run, study.data, study.budgets, study.cells)
    if shard is not None:
        others = sum(len(study.cells.unfinished()) for study in studies)
        _LOG.info(
            f"Shard {shard.number}/{shard.count} is done; {others:,} cells are left to others. "
            "Without --shard the study is merged."
        )
    return shard is None


def list_cells(
    config: ml_collections.ConfigDict, workdir: files.Path, shard: Shard | None = None
) -> str:
    """Returns the cells of a study, finished and not, and the expected time; runs none.

    Args and errors are those of `run`. The data are prepared, since budgets follow from them.
    """
    studies = Study.all_from_config(config, workdir)
    lines = [tuning.budget(studies[0].settings, mode) for mode in studies[0].settings.modes]
    lines += studies[0].missing_arms().values()
    for study in studies:
        lines += _listed(study, shard or Shard())
    if len(studies) > 1:
        planned = sum(study.cells.planned for study in studies)
        finished = sum(len(study.cells) for study in studies)
        lines.append(
            f"Together: {finished:,} of {planned:,} cells of {len(studies)} out-of-distribution "
            "sets are finished; in-distribution models are trained once for all of them."
        )
    return "\n".join(lines)


def _listed(study: Study, shard: Shard) -> list[str]:
    """Returns the lines of `list_cells` on one out-of-distribution set."""
    unfinished = set(study.cells.unfinished(shard))
    finished = set(study.cells)
    settings = study.settings
    _check_arms(study, sorted(unfinished))
    planned = plan_cells(settings.arms, _trainings(settings), study.budgets, settings.seeds)
    lines = []
    if heading := study.sentence(""):
        lines.append(heading.rstrip())
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
    left = f" here: {study.time_left(sorted(unfinished))}" if unfinished else ""
    lines.append(
        f"{len(finished):,} of {study.cells.planned:,} cells are finished, {len(unfinished):,} to "
        f"do{left}."
    )
    return lines


def _trainings(settings: StudySettings) -> dict[str, int]:
    """Returns the number of in-distribution trainings per arm, by mode."""
    return {mode: settings.trainings(mode) for mode in settings.modes}


def _trainings_left(study: Study, unfinished: Collection[Cell]) -> list[str]:
    """Returns a sentence on the trainings that unfinished cells of fine-tuning need, if any."""
    adapted = sum(cell.mode == "finetune" and cell.patients > 0 for cell in unfinished)
    settings, candidates = study.settings, len(study.settings.select)
    trainings = settings.trainings("finetune")
    models = {(cell.arm, cell.seed % trainings) for cell in unfinished if cell.mode == "finetune"}
    # Those that a further set needs are the first set's, which counts them.
    missing = sum(
        study.first is None and not arm.scores_file(study.run, name, "finetune", training).is_file()
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
    missing = study.missing_arms()
    cells = [cell for cell in cells if cell.arm not in missing]
    for name in dict.fromkeys(cell.arm for cell in cells):
        resolve.check(study.settings.arms[name])
    if not any(cell.mode == "finetune" for cell in cells):
        return
    finetuned = list(dict.fromkeys(cell.arm for cell in cells if cell.mode == "finetune"))
    for key, train in (("id", study.data.inside.train), ("ood", study.data.pool)):
        base = study.settings.finetuning(key, checkpoint="")
        base.images.operations()
        try:
            for candidate in study.settings.select.candidates():
                gradient.check(candidate.of(base), train)
        except UserError as error:
            raise UserError(study.sentence(f"Fine-tuning by config.{key}: {error}")) from None
        for name in finetuned:
            asked = study.settings.finetuning(key, "", arm=name).optimization
            try:
                Distribution.from_name("none").check_batch(asked.batch_size, asked.accumulate)
            except UserError as error:
                what = f"Fine-tuning the arm {name} by config.{key}: {error}"
                raise UserError(study.sentence(what)) from None
    for name in finetuned:
        _check_memory(study.settings, name)
        _check_rates(study.settings, name)


def _check_memory(settings: StudySettings, name: str) -> None:
    """Raises a UserError if gradients of an arm are to be checkpointed that cannot be."""
    asked = any(
        settings.finetuning(key, "", arm=name).model.gradient_checkpointing for key in HOSPITALS
    )
    if asked and resolve.parse(settings.arms[name]).scheme == "keras":
        raise UserError(
            f"config.arms has {name}={settings.arms[name]}, and gradient_checkpointing works for "
            "BiT backbones only; set "
            f"config.arm_options='{name}: gradient_checkpointing=False, accumulate=1'."
        )


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
            _LOG.info(study.sentence(f"{name}, {mode}: {len(own_cells):,} cells."))
            if mode == "probe":
                probe_arm = ProbeArm(settings, study.run, study.data, name)
                probe_arm.in_distribution(0).write(arm.scores_file(study.run, name, mode))
                yield probe_arm, own_cells
            else:
                yield _finetune_arm(study, name, shard), own_cells


def _finetune_arm(study: Study, name: str, shard: Shard) -> FinetuneArm:
    own = (study.settings, study.run, study.data, name, shard)
    if study.first is None:
        return FinetuneArm(*own)
    return SharedModelArm(*own, first=_finetune_arm(study.first, name, shard))
