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
from remedis.label_budget.finished_part import Unfinished
from remedis.label_budget.settings import Shard
from remedis.label_budget.study import Study
from remedis.options import spelled_for
from remedis.suite import suite_record
from remedis.suite.settings import SuiteSettings, name_set, study_configs

_LOG = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class SuiteResult:
    """The result of a run or a merge of a suite.

    Attributes:
      settings: of the suite.
      studies: the merged study of each set, by its name; empty after a shard. Arms and modes
        without all of their cells are not in it.
      faults: why sets were left out, a sentence by name of the set.
      unfinished: sentences on what a merge left out, since its cells are not finished.
    """

    settings: SuiteSettings
    studies: Mapping[str, Study]
    faults: Mapping[str, str]
    unfinished: tuple[str, ...] = ()


@spelled_for("config")
def run(
    config: ml_collections.ConfigDict, workdir: files.Path, shard: Shard | None = None
) -> SuiteResult:
    """Runs the unfinished cells of all sets of a suite, all of them or those of a shard.

    A set whose data are at fault is left out and named, and the others run. Finished cells are not
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
    suite = _Sets(config, workdir)
    for name, study in suite.settings.sets.items():  # before any data are read
        with suite.naming(name):
            check_settings(study, suite.directory(name))
    with contextlib.ExitStack() as held:
        held.enter_context(shard_locks.held(suite.root, shard, suite.values))
        studies = {}
        for name in suite.settings.sets:
            with suite.one(name), contextlib.ExitStack() as own:
                lock = shard_locks.held(suite.directory(name), shard, suite.settings.values[name])
                own.enter_context(lock)
                studies[name] = suite.studies_of(name)
                held.push(own.pop_all())  # until all sets are done
        suite.write_records()
        for sentence in suite.missing_arms():
            raise UserError(sentence)
        for name in list(studies):
            _LOG.info(f"Set {name}:")
            with suite.one(name):
                run_study.run_studies(studies[name], shard)
        suite.write_records()
    merged = {} if shard is not None else suite.without_faults(studies)
    return SuiteResult(suite.settings, merged, suite.faults)


@spelled_for("config")
def merge(config: ml_collections.ConfigDict, workdir: files.Path) -> SuiteResult:
    """Merges the finished cells of all sets, also while shards run; computes no cell.

    An arm without all cells of a mode in a set is left out of this mode and set, and named.

    Args:
      config: as `configs.common_suite.suite` makes it.
      workdir: the suite's directory.

    Raises:
      UserError: the config is at fault, no set has anything to merge, another process merges, or
        processes with another config run the suite.
    """
    suite = _Sets(config, workdir)
    with shard_locks.merging(suite.root, suite.values):
        studies: dict[str, list[Study]] = {}
        unfinished: list[str] = []
        for name in suite.settings.sets:
            values = suite.settings.values[name]
            with suite.one(name), shard_locks.merging(suite.directory(name), values):
                try:
                    studies[name], said = run_study.merge_studies(suite.studies_of(name))
                except Unfinished as error:
                    said = [f"{error} The set is left out."]
                    _LOG.warning(f"Set {name}: {said[0]}")
                unfinished += [f"Set {name}: {sentence}" for sentence in said]
        if not studies:
            raise UserError(unfinished[0])
        suite.write_records()
    merged = suite.without_faults(studies)
    return SuiteResult(suite.settings, merged, suite.faults, tuple(unfinished))


@spelled_for("config")
def list_cells(
    config: ml_collections.ConfigDict, workdir: files.Path, shard: Shard | None = None
) -> str:
    """Returns the cells of a suite, finished and not, and the expected time; runs none.

    Args and errors are those of `run`. The data are prepared, since budgets follow from them.
    """
    suite = _Sets(config, workdir)
    first = next(iter(suite.settings.sets.values()))
    lines = [tuning.budget(first, mode) for mode in suite.settings.modes]
    lines += suite.missing_arms()
    studies: dict[str, list[Study]] = {}
    planned, finished = 0, 0
    seconds: dict[str, float | None] = {}
    for name in suite.settings.sets:
        with suite.one(name):
            (study,) = studies[name] = suite.studies_of(name)
            lines += [f"Set {name}:", *cell_list.listed(study, shard or Shard())]
            left = study.cells.unfinished(shard or Shard())
            planned, finished = planned + study.cells.planned, finished + len(study.cells)
            seconds |= {f"{mode} of {name}": s for mode, s in study.seconds_left(left).items()}
    suite.write_records()
    lines += [f"Left out. {fault}" for fault in suite.faults.values()]
    time_left = f"; left here: {time_in_words(seconds)}" if seconds else ""
    lines.append(
        f"Together: {finished:,} of {planned:,} cells of {counted(len(studies), 'set')} are "
        f"finished{time_left}."
    )
    return "\n".join(lines)


class _Sets:
    """The sets of a suite, and the faults of those that are left out.

    Attributes:
      settings: of the suite.
      root: its directory.
      values: its config as plain values.
      faults: why sets are left out, a sentence by name of the set.
    """

    def __init__(self, config: ml_collections.ConfigDict, workdir: files.Path) -> None:
        self.settings = SuiteSettings.from_config(config)
        self.root = pathlib.Path(workdir)
        self.values = config.copy_and_resolve_references().to_dict()
        self.faults: dict[str, str] = {}
        self._config, self._studies = config, study_configs(config)

    def directory(self, name: str) -> pathlib.Path:
        """Returns the directory of the study of a set."""
        return self.root / suite_record.directory(name)

    def studies_of(self, name: str) -> list[Study]:
        """Returns the study of a set with its data prepared, in a list of one."""
        return run_study.studies_of(self._studies[name], self.directory(name))

    def missing_arms(self) -> list[str]:
        """Returns a sentence for each arm whose pretraining has not been run."""
        arms, made_by = self.settings.arms, self.settings.pretrained_by
        return list(arm_options.missing(arms, made_by, self.root).values())

    @contextlib.contextmanager
    def naming(self, name: str) -> Iterator[None]:
        """Puts the name of a set before its errors."""
        try:
            yield
        except UserError as error:
            name_set(error, name, self._config)
            raise

    @contextlib.contextmanager
    def one(self, name: str) -> Iterator[None]:
        """Keeps a user's mistake in one set from stopping the others: it is logged and recorded."""
        try:
            with limits.megapixels(self.values["sets"][name]["max_megapixels"]), self.naming(name):
                yield
        except UserError as error:
            self.faults[name] = str(error)
            if len(self.faults) == len(self.settings.sets):
                raise
            _LOG.warning(f"{error} The set is left out.")

    def without_faults(self, studies: Mapping[str, list[Study]]) -> dict[str, Study]:
        """Returns the study of each set that is not left out."""
        return {name: first for name, (first,) in studies.items() if name not in self.faults}

    def write_records(self) -> None:
        """Writes `suite.json`, and `judged.json` with the judged images of all sets so far."""
        suite_record.write(self.root, self.settings, self.faults)
        folders = sorted(file.parent for file in self.root.glob(suite_record.JUDGED))
        judged: list[JudgedSet] = [
            dataclasses.replace(one, split=f"{folder.name}/{one.split}")
            for folder in folders
            for one in judged_images.read(folder)
        ]
        if judged:
            judged_images.write(self.root, judged)
