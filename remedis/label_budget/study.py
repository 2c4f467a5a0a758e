"""A study of one out-of-distribution set, with its data prepared and its cells planned."""

import dataclasses
import logging
from collections.abc import Sequence
from typing import Any

from remedis import files
from remedis.data import judged_images
from remedis.errors import UserError
from remedis.evaluation.label_budget import Cell
from remedis.label_budget import (
    arm,
    arm_options,
    budgets,
    data,
    further_sets,
    rehearsal,
    set_list,
    summary,
)
from remedis.label_budget.cell_store import (
    CellStore,
    expected_seconds,
    plan_cells,
    time_in_words,
)
from remedis.label_budget.directory import StudyDirectory
from remedis.label_budget.settings import HOSPITALS, StudySettings

_LOG = logging.getLogger(__name__)


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
    def of_all_sets(
        cls, settings: StudySettings, values: dict[str, Any], workdir: files.Path
    ) -> "list[Study]":
        """Prepares the data and plans the cells of every out-of-distribution set, in their order.

        `judged.json` is written before the arms are looked at: a pretraining may need it.

        Args:
          settings: of the study of the first set.
          values: plain values of the config that they were made from.
          workdir: the study's directory.

        Raises:
          UserError: settings or data are at fault.
        """
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
        cells = planned_cells(settings, planned)
        shape = (len(study_data.test), len(study_data.test.labels))
        store = CellStore(run / "cells", cells, shape)
        return cls(settings, run, study_data, planned, store, first)

    def time_left(self, unfinished: Sequence[Cell]) -> str:
        """Returns an estimate, in words, of the time that unfinished cells will take."""
        return time_in_words(self.seconds_left(unfinished))

    def seconds_left(self, unfinished: Sequence[Cell]) -> dict[str, float | None]:
        """Returns the time that unfinished cells are expected to take, as `expected_seconds`."""
        seconds: dict[Cell, float | None] = {}
        for name in self.settings.arms:
            for mode in self.settings.modes_of(name):
                for training in range(self.settings.trainings(mode)):
                    seconds[Cell(name, mode, 0, training)] = self._seconds(name, mode, training)
        similar = None if self.first is None else self.first.cells
        return expected_seconds(self.cells, unfinished, seconds, similar)

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


def planned_cells(settings: StudySettings, planned: Sequence[budgets.Budget]) -> list[Cell]:
    """Returns all cells of a study with these budgets, finished or not."""
    trainings = {mode: settings.trainings(mode) for mode in settings.modes}
    cells = plan_cells(settings.arms, trainings, planned, settings.seeds)
    return [cell for cell in cells if cell.mode in settings.modes_of(cell.arm)]
