"""The numbers of a suite's leaderboard, from the finished cells of its studies."""

import dataclasses
import os
import pathlib
from collections.abc import Mapping, Sequence

import numpy as np

from remedis import files
from remedis.errors import UserError, counted
from remedis.evaluation.label_budget import Cell
from remedis.evaluation.label_budget.grid import complete_grid
from remedis.evaluation.label_budget.learning_curves import LearningCurve, learning_curves
from remedis.evaluation.label_budget.quantities import Quantities
from remedis.evaluation.label_budget.test_set import TestSet, made_test_set
from remedis.evaluation.linear_probe import PENALTIES
from remedis.label_budget import thumbnail_arm
from remedis.label_budget.arm import InDistributionScores, scores_file
from remedis.label_budget.study import Study, planned_cells
from remedis.label_budget.summary import labelled_test_set
from remedis.suite import ranks
from remedis.suite.board_record import (
    FILE,
    BoardArm,
    BoardRecord,
    BoardSet,
    Contest,
    Difference,
    OverallContest,
    OverallStanding,
    Standing,
    Tried,
)

INTERVAL = (
    "Of a metric: 95 %, variance of patients and Student's t over draws of labelled patients or "
    "trainings. Of differences: paired by patient and draw, and wider, so that the intervals of "
    "all pairs of arms hold at once with 95 % (sup-t) in one set, mode and budget. There is no "
    "correction over sets, modes and budgets, except in the mean rank, whose interval needs all "
    "sets at once."
)


@dataclasses.dataclass(frozen=True)
class Measured:
    """One set of a suite, with the learning curves of the arms that are finished.

    Attributes:
      name: of the set.
      study: of the set.
      test: its out-of-distribution test set.
      curves: (arm, mode) -> curve.
      left_out: (arm, mode) -> number of cells that are not finished.
    """

    name: str
    study: Study
    test: TestSet
    curves: Mapping[tuple[str, str], LearningCurve]
    left_out: Mapping[tuple[str, str], int]

    @classmethod
    def of(cls, name: str, study: Study) -> "Measured":
        """Returns the curves of the arms and modes all of whose cells are finished."""
        settings = study.settings
        unfinished = study.cells.unfinished()
        missing: dict[tuple[str, str], int] = {}
        for cell in unfinished:
            missing[cell.arm, cell.mode] = missing.get((cell.arm, cell.mode), 0) + 1
        cells = [
            cell
            for cell in planned_cells(settings, study.budgets)
            if (cell.arm, cell.mode) not in missing
        ]
        test = made_test_set(labelled_test_set(study.data.test, settings), "out-of-distribution")
        return cls(name, study, test, _curves(study, test, cells), missing)

    def at(self, arm: str, mode: str, patients: int) -> Quantities | None:
        """Returns the metric of an arm at a budget; None if it is not measured."""
        curve = self.curves.get((arm, mode))
        if curve is None or patients not in curve.budgets:
            return None
        return curve.quantities().at(curve.budgets.index(patients))


def _curves(
    study: Study, test: TestSet, cells: Sequence[Cell]
) -> dict[tuple[str, str], LearningCurve]:
    if not cells:
        return {}
    settings, arms = study.settings, list(dict.fromkeys(cell.arm for cell in cells))
    found = {(cell.arm, cell.mode) for cell in cells}
    grid = complete_grid(
        cells,
        arms[0],
        {mode: settings.trainings(mode) for mode in settings.modes},
        {arm: [mode for of, mode in found if of == arm] for arm in arms},
    )
    return {(c.arm, c.mode): c for c in learning_curves(test, study.cells, grid, arms[0])}


def of(
    studies: Mapping[str, Study],
    title: str = "",
    workdir: files.Path = ".",
    left_out: Sequence[str] = (),
) -> BoardRecord:
    """Returns the numbers of a leaderboard.

    An arm takes part in a set and mode if all of its cells are finished there. It takes part over
    several sets in those where all arms do.

    Args:
      studies: of the data sets by name; arms, modes, seeds and budgets are common to them.
      title: of the page.
      workdir: the directory of the suite.
      left_out: sentences on what is left out, such as sets at fault.

    Raises:
      UserError: no arm is finished in any set, or a finished cell is damaged.
    """
    measured = [Measured.of(name, study) for name, study in studies.items()]
    if not any(one.curves for one in measured):
        raise UserError(
            "No arm has all of its cells in any data set yet, so that there is nothing to compare; "
            "run the suite longer."
        )
    settings = measured[0].study.settings
    arms_of = _arms_of(measured)
    contests: list[Contest] = []
    together: list[OverallContest] = []
    for mode, entrants in arms_of.items():
        for budget in _budgets(measured):
            draws: dict[str, ranks.SetDraws] = {}
            for number, one in enumerate(measured):
                patients = _patients(one, budget)
                if patients is None:
                    continue
                values = {arm: one.at(arm, mode, patients) for arm in entrants}
                arms = {arm: found for arm, found in values.items() if found is not None}
                if not arms:
                    continue
                drawn = ranks.SetDraws.of(
                    list(arms.values()), settings.resamples, settings.seed, number
                )
                contests.append(_contest(one.name, mode, budget, patients, list(arms), drawn))
                if len(arms) == len(entrants):
                    draws[one.name] = drawn
            if draws:
                metrics = {one.test.metric for one in measured if one.name in draws}
                together.append(
                    _overall(mode, budget, entrants, draws, one_metric=len(metrics) == 1)
                )
    return {
        "title": title or "Which checkpoint?",
        "interval": INTERVAL,
        "resamples": settings.resamples,
        "arms": {arm: _arm(arm, measured) for arm in _arms(measured)},
        "modes": list(arms_of),
        "sets": [_set(one, workdir) for one in measured],
        "contests": contests,
        "overall": together,
        "tuning": [_tried(arm, mode, measured) for mode, arms in arms_of.items() for arm in arms],
        "left_out": [
            *left_out,
            *(
                f"{one.name}: {arm} ({mode}) has {counted(count, 'cell')} to do and is left out."
                for one in measured
                for (arm, mode), count in one.left_out.items()
            ),
        ],
    }


def write(
    studies: Mapping[str, Study],
    workdir: files.Path,
    title: str = "",
    left_out: Sequence[str] = (),
) -> BoardRecord:
    """Writes `board.json`, whole or not at all; returns its content. Errors are those of `of`."""
    record = of(studies, title, workdir, left_out)
    files.write_json(pathlib.Path(workdir, FILE), record)
    return record


def _arms(measured: Sequence[Measured]) -> dict[str, str]:
    """Returns the checkpoints of the arms of all sets; a merged set may lack unfinished ones."""
    return {name: of for one in measured for name, of in one.study.settings.arms.items()}


def _arms_of(measured: Sequence[Measured]) -> dict[str, list[str]]:
    """Returns the arms that each mode has in some set."""
    modes = dict.fromkeys(mode for one in measured for mode in one.study.settings.modes)
    has = {
        (arm, mode)
        for one in measured
        for arm in one.study.settings.arms
        for mode in one.study.settings.modes_of(arm)
    }
    return {mode: [arm for arm in _arms(measured) if (arm, mode) in has] for mode in modes}


def _budgets(measured: Sequence[Measured]) -> list[str]:
    """Returns the names of all budgets, those of few patients first."""
    places: dict[str, int] = {}
    for one in measured:
        for place, budget in enumerate(one.study.budgets):
            places[budget.name] = max(places.get(budget.name, 0), place)
    return sorted(places, key=places.__getitem__)


def _patients(one: Measured, name: str) -> int | None:
    """Returns the patients of a budget in a set; None if the set does not have it."""
    found = [b.patients for b in one.study.budgets if b.name == name and b.left_out is None]
    return found[0] if found else None


def _contest(
    name: str, mode: str, budget: str, patients: int, arms: Sequence[str], drawn: ranks.SetDraws
) -> Contest:
    ranked = drawn.ranked()
    standings: list[Standing] = [
        {
            "arm": arm,
            "value": float(value),
            "low": float(low),
            "high": float(high),
            "rank": int(rank),
            "rank_high": int(rank_high),
        }
        for arm, value, (low, high), rank, rank_high in zip(
            arms, drawn.arms.values, drawn.arms.intervals(), ranked.low, ranked.high, strict=True
        )
    ]
    return {
        "set": name,
        "mode": mode,
        "budget": budget,
        "patients": patients,
        "standings": standings,
        "differences": _differences(arms, ranked),
        "factor": ranked.factor,
    }


def _differences(arms: Sequence[str], ranked: ranks.Ranked) -> list[Difference]:
    low, high = (ranked.differences + sign * ranked.halves for sign in (-1, 1))
    tied = np.abs(ranked.differences) <= ranked.halves
    return [
        {
            "arm": arms[first],
            "against": arms[second],
            "value": float(ranked.differences[i]),
            "low": float(max(low[i], -1)),
            "high": float(min(high[i], 1)),
            "tied": bool(tied[i]),
        }
        for i, (first, second) in enumerate(ranked.pairs.tolist())
    ]


def _overall(
    mode: str,
    budget: str,
    arms: Sequence[str],
    draws: Mapping[str, ranks.SetDraws],
    one_metric: bool,
) -> OverallContest:
    found = ranks.overall(list(draws.values()), one_metric)
    standings: list[OverallStanding] = []
    for i, arm in enumerate(arms):
        standing: OverallStanding = {
            "arm": arm,
            "value": None,
            "low": None,
            "high": None,
            "rank": None,
            "rank_high": None,
            "mean_rank": float(found.mean_ranks[i]),
            "mean_rank_low": float(found.rank_low[i]),
            "mean_rank_high": float(found.rank_high[i]),
            "unbeaten": int(found.unbeaten[i]),
        }
        if found.means is not None and found.mean_halves is not None and found.by_mean is not None:
            mean, half = float(found.means[i]), float(found.mean_halves[i])
            standing |= {"value": mean, "low": max(mean - half, 0), "high": min(mean + half, 1)}
            rank, rank_high = int(found.by_mean.low[i]), int(found.by_mean.high[i])
            standing |= {"rank": rank, "rank_high": rank_high}
        standings.append(standing)
    return {
        "mode": mode,
        "budget": budget,
        "sets": list(draws),
        "standings": standings,
        "differences": [] if found.by_mean is None else _differences(arms, found.by_mean),
    }


def _arm(arm: str, measured: Sequence[Measured]) -> BoardArm:
    """Returns checkpoint and kind of an arm, from its first finished scores."""
    checkpoint = _arms(measured)[arm]
    floor, random = thumbnail_arm.is_floor(checkpoint), False
    for one in (one for one in measured if arm in one.study.settings.arms):
        for mode in one.study.settings.modes_of(arm):
            file = scores_file(one.study.run, arm, mode)
            if file.is_file():
                random = random or InDistributionScores.read(file).provenance.random
    return {
        "checkpoint": checkpoint,
        "random_weights": random and not floor,
        "floor": floor,
    }


def _set(one: Measured, workdir: files.Path) -> BoardSet:
    settings, counts = one.study.settings, one.study.data.counts()["ood"]["test"]
    return {
        "name": one.name,
        "directory": os.path.relpath(one.study.run.path, workdir),
        "inside": settings.id.name,
        "outside": settings.ood.name,
        "metric": one.test.metric.title,
        "chance": float(one.test.chance),
        "labels": list(one.study.data.test.labels),
        "patients": counts["patients"],
        "images": counts["images"],
        "rehearsal": bool(settings.rehearsal),
        "seeds": settings.seeds,
    }


def _tried(arm: str, mode: str, measured: Sequence[Measured]) -> Tried:
    """Returns what was tried for an arm in a mode, by the records of its finished cells."""
    cells = candidates = models = 0
    for one in measured:
        if (arm, mode) not in one.curves:
            continue
        settings = one.study.settings
        models += settings.trainings(mode)
        for cell in planned_cells(settings, one.study.budgets):
            if (cell.arm, cell.mode) == (arm, mode) and cell.patients:
                choice = one.study.cells.choice(cell)
                cells += 1
                candidates += 0 if choice is None else len(choice.names)
    of_grid = len(measured[0].study.settings.select)
    return {
        "mode": mode,
        "arm": arm,
        "cells": cells,
        "candidates": candidates,
        "models": models,
        "per_model": len(PENALTIES) if mode == "probe" else of_grid,
    }
