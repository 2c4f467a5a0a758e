"""Runs the unfinished cells of the studies of a suite, and merges the finished ones."""

import contextlib
import dataclasses
import logging
import pathlib
from collections.abc import Iterator, Mapping

import ml_collections

from remedis import files, limits
from remedis.data import judged_images
from remedis.data.judged_images import JudgedSet
from remedis.errors import UserError, counted
from remedis.label_budget import arm_options, cell_list, run_study, shard_locks, tuning
from remedis.label_budget.arm_checks import check_settings
from remedis.label_budget.cell_store import time_in_words
from remedis.label_budget.settings import Shard
from remedis.label_budget.study import Study
from remedis.options import spelled_for
from remedis.suite import suite_record
from remedis.suite.settings import SuiteSettings, name_set, study_configs

_LOG = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class SuiteResult:
    """The result of a run of a suite.

    Attributes:
      settings: of the suite.
      studies: the merged study of each set, by its name; empty after a shard.
      faults: why sets were left out, a sentence by name of the set.
    """

    settings: SuiteSettings
    studies: Mapping[str, Study]
    faults: Mapping[str, str]


@spelled_for("config")
def run(
    config: ml_collections.ConfigDict, workdir: files.Path, shard: Shard | None = None
) -> SuiteResult:
    """Runs the unfinished cells of all sets of a suite, all of them or those of a shard.

    A set whose data are at fault is left out and said, and the others run. Finished cells are not
    repeated, also after arms, budgets, seeds or sets were added. Several processes may share one
    directory, each with a shard of its own. Without a shard the cells are merged.

    Args:
      config: as `configs.common_suite.suite` makes it.
      workdir: the suite's directory.
      shard: the cells of this process, a share of those of every set; None for all cells, and
        merging.

    Raises:
      UserError: the config or an arm is at fault, no set can be run, or other processes run the
        suite, or this shard of it.
    """
    settings = SuiteSettings.from_config(config)
    root = pathlib.Path(workdir)
    values = config.copy_and_resolve_references().to_dict()
    for name, study_settings in settings.sets.items():  # before any data are read
        try:
            check_settings(study_settings, root / suite_record.directory(name))
        except UserError as error:
            name_set(error, name, config)
            raise
    with contextlib.ExitStack() as held:
        held.enter_context(shard_locks.held(root, shard, values))
        studies: dict[str, list[Study]] = {}
        faults: dict[str, str] = {}
        for name, study_config in study_configs(config).items():
            with _one_set(config, name, faults):
                directory = root / suite_record.directory(name)
                own = held.enter_context(contextlib.ExitStack())
                own.enter_context(shard_locks.held(directory, shard, settings.values[name]))
                try:
                    studies[name] = run_study.studies_of(study_config, directory)
                except UserError:
                    own.close()
                    raise
        _write_records(root, settings, studies, faults)
        for sentence in missing_arms(settings, root).values():
            raise UserError(sentence)
        for name in list(studies):
            _LOG.info(f"Set {name}:")
            with _one_set(config, name, faults):
                run_study.run_studies(studies[name], shard)
        for name in faults:
            studies.pop(name, None)
        _write_records(root, settings, studies, faults)
    if shard is not None:
        return SuiteResult(settings, {}, faults)
    return SuiteResult(settings, {name: first for name, (first,) in studies.items()}, faults)


@spelled_for("config")
def list_cells(
    config: ml_collections.ConfigDict, workdir: files.Path, shard: Shard | None = None
) -> str:
    """Returns the cells of a suite, finished and not, and the expected time; runs none.

    Args and errors are those of `run`. The data are prepared, since budgets follow from them.
    """
    settings = SuiteSettings.from_config(config)
    root = pathlib.Path(workdir)
    studies: dict[str, list[Study]] = {}
    faults: dict[str, str] = {}
    lines = [tuning.budget(next(iter(settings.sets.values())), mode) for mode in settings.modes]
    lines += missing_arms(settings, root).values()
    planned, finished = 0, 0
    seconds: dict[str, float | None] = {}
    for name, study_config in study_configs(config).items():
        with _one_set(config, name, faults):
            prepared = run_study.studies_of(study_config, root / suite_record.directory(name))
            (study,) = studies[name] = prepared
            lines += [f"Set {name}:", *cell_list.listed(study, shard or Shard())]
            left = study.cells.unfinished(shard or Shard())
            planned, finished = planned + study.cells.planned, finished + len(study.cells)
            seconds |= {f"{mode} of {name}": s for mode, s in study.seconds_left(left).items()}
    _write_records(root, settings, studies, faults)
    lines += [f"Left out. {fault}" for fault in faults.values()]
    left_words = f"; left here: {time_in_words(seconds)}" if seconds else ""
    lines.append(
        f"Together: {finished:,} of {planned:,} cells of {counted(len(studies), 'set')} are "
        f"finished{left_words}."
    )
    return "\n".join(lines)


def missing_arms(settings: SuiteSettings, workdir: files.Path) -> dict[str, str]:
    """Returns a sentence for each arm whose pretraining has not been run, by name."""
    return arm_options.missing(settings.arms, settings.pretrained_by, workdir)


@contextlib.contextmanager
def _one_set(
    config: ml_collections.ConfigDict, name: str, faults: dict[str, str]
) -> Iterator[None]:
    """Keeps a user's mistake of one set from stopping the others: it is said and recorded."""
    try:
        with limits.megapixels(config.sets[name].get("max_megapixels")):
            yield
    except UserError as error:
        name_set(error, name, config)
        faults[name] = str(error)
        if len(faults) == len(study_configs(config)):
            raise
        _LOG.warning(f"{faults[name]} The set is left out.")


def _write_records(
    root: pathlib.Path,
    settings: SuiteSettings,
    studies: Mapping[str, list[Study]],
    faults: Mapping[str, str],
) -> None:
    """Writes `suite.json`, and `judged.json` with the judged images of all sets."""
    suite_record.write(root, settings, faults)
    judged: list[JudgedSet] = [
        dataclasses.replace(one, split=f"{name}/{one.split}")
        for name, (study,) in studies.items()
        for one in study.data.judged
    ]
    judged_images.write(root, judged)
