"""Runs the unfinished cells of a study, and merges the finished ones."""

import gc
import logging
import shutil
import time
from collections.abc import Iterator, Sequence

import ml_collections

from remedis import files, limits
from remedis.errors import UserError
from remedis.evaluation.label_budget import Cell
from remedis.label_budget import arm, cell_list, shard_locks, summary, tuning
from remedis.label_budget.arm_checks import check_arms, check_settings
from remedis.label_budget.finetune_arm import FinetuneArm
from remedis.label_budget.finished_part import finished_part
from remedis.label_budget.probe_arm import ProbeArm
from remedis.label_budget.settings import Shard, StudySettings
from remedis.label_budget.shared_models import SharedModelArm
from remedis.label_budget.study import Study
from remedis.options import spelled_for
from remedis.progress import progress

_LOG = logging.getLogger(__name__)


def studies_of(config: ml_collections.ConfigDict, workdir: files.Path) -> list[Study]:
    """Returns the studies of the out-of-distribution sets of a config, the first set's first.

    Args:
      config: as `configs.common_study.ood` makes it.
      workdir: the study's directory.

    Raises:
      UserError: config or data are at fault.
    """
    settings = StudySettings.from_config(config)
    return Study.of_all_sets(settings, config.copy_and_resolve_references().to_dict(), workdir)


@spelled_for("config")
@limits.of_config
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
      UserError: config, data or checkpoints are at fault, or other processes run the study, or this
        shard of it.
    """
    # Before the data are read, which may take hours. `list_cells` does without: a study has to be
    # listed before the pretraining of an arm, which leaves out its test images.
    check_settings(StudySettings.from_config(config), workdir)
    values = config.copy_and_resolve_references().to_dict()
    with shard_locks.held(workdir, shard, values):
        run_studies(studies_of(config, workdir), shard)
    return shard is None


def run_studies(studies: Sequence[Study], shard: Shard | None) -> None:
    """Runs the unfinished cells of the studies of all sets of a config, and merges them.

    The caller has the lock of `shard_locks`.

    Args:
      studies: of `studies_of`.
      shard: as for `run`.

    Raises:
      UserError: an arm or its checkpoint is at fault.
    """
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
        check_arms(study, own)
        if own:
            for line in cell_list.lengths(study):
                _LOG.info(line)
    for study, own in zip(studies, cells, strict=True):
        _run_cells(study, own, shard or Shard())
        if shard is None:
            with shard_locks.merging_at_the_end(studies[0].run.path):
                summary.write(study.settings, study.run, study.data, study.budgets, study.cells)
    if shard is not None:
        others = sum(len(study.cells.unfinished()) for study in studies)
        _LOG.info(
            f"Shard {shard.number}/{shard.count} is done; {others:,} cells are left to others. "
            "Without --shard the study is merged."
        )


@spelled_for("config")
@limits.of_config
def merge(config: ml_collections.ConfigDict, workdir: files.Path) -> list[str]:
    """Merges the finished cells of a study, also while shards run; computes no cell.

    An arm without all cells of a mode is left out of this mode. Of a study that is finished the
    files are those of `run`.

    Args:
      config: as `configs.common_study.ood` makes it.
      workdir: the study's directory.

    Returns:
      A sentence on each arm and mode that is left out.

    Raises:
      UserError: config or data are at fault, nothing can be merged yet, another process merges, or
        processes with another config run the study.
    """
    with shard_locks.merging(workdir, config.copy_and_resolve_references().to_dict()):
        _, left_out = merge_studies(studies_of(config, workdir))
    return left_out


def merge_studies(studies: Sequence[Study]) -> tuple[list[Study], list[str]]:
    """Merges the finished parts of the studies of all sets of a config.

    The caller has the lock of `shard_locks.merging`.

    Args:
      studies: of `studies_of`.

    Returns:
      The studies of `finished_part`, and a sentence on each arm and mode that is left out.

    Raises:
      UserError: as `merge`.
    """
    parts = [finished_part(study) for study in studies]  # of all before any is written
    for part, left_out in parts:
        summary.write(part.settings, part.run, part.data, part.budgets, part.cells, left_out)
    said = [sentence for _, left_out in parts for sentence in left_out]
    for sentence in said:
        _LOG.warning(sentence)
    return [part for part, _ in parts], said


@spelled_for("config")
@limits.of_config
def list_cells(
    config: ml_collections.ConfigDict, workdir: files.Path, shard: Shard | None = None
) -> str:
    """Returns the cells of a study, finished and not, and the expected time; runs none.

    Args and errors are those of `run`. The data are prepared, since budgets follow from them.
    """
    studies = studies_of(config, workdir)
    lines = [tuning.budget(studies[0].settings, mode) for mode in studies[0].settings.modes]
    lines += studies[0].missing_arms().values()
    for study in studies:
        lines += cell_list.listed(study, shard or Shard())
    if len(studies) > 1:
        planned = sum(study.cells.planned for study in studies)
        finished = sum(len(study.cells) for study in studies)
        lines.append(
            f"Together: {finished:,} of {planned:,} cells of {len(studies)} out-of-distribution "
            "sets are finished; in-distribution models are trained once for all of them."
        )
    return "\n".join(lines)


def _run_cells(study: Study, cells: Sequence[Cell], shard: Shard) -> None:
    def left() -> str:
        # Arms and modes differ in their times, so that the mean of all cells says little.
        return f"left: {study.time_left(study.cells.unfinished(shard))}"

    done = 0
    with progress("Cells", len(cells)) as report:
        for prepared_arm, own_cells in _by_arm(study, cells, shard):
            for cell in own_cells:
                _run_cell(study, prepared_arm, cell)
                done += 1
                report(done, f"done, last {cell}", left)


def _run_cell(study: Study, prepared_arm: arm.Arm, cell: Cell) -> None:
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
    if cell.mode == "finetune":
        # Each training traces its own input pipelines, in reference cycles of megabytes that
        # Python, which counts objects, collects too late (benchmarks/long_study.py).
        gc.collect()


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
