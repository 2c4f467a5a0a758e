"""The numbers of a suite's leaderboard, from the finished cells of its studies."""

import os
import pathlib
from collections.abc import Mapping, Sequence

from remedis import files
from remedis.errors import UserError, counted
from remedis.evaluation.linear_probe import PENALTIES
from remedis.label_budget import thumbnail_arm
from remedis.label_budget.arm import InDistributionScores, scores_file
from remedis.label_budget.study import Study, planned_cells
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
from remedis.suite.measured_set import Measured

INTERVAL = (
    "Intervals of a metric: 95 %, variance of patients and Student's t over draws of labelled "
    "patients or trainings. Intervals of differences: paired by patient and draw, and wider, so "
    "that those of all pairs of arms hold at once with 95 % (sup-t) in one set, mode and budget. "
    "There is no correction over sets, modes and budgets, except in the mean rank, whose interval "
    "needs rank intervals that hold in all sets at once. Sets are independent in the interval of "
    "their mean, unless they have the same test images, or the same in-distribution data for "
    "several trainings per arm."
)


def of(
    studies: Mapping[str, Study],
    title: str = "",
    workdir: files.Path = ".",
    left_out: Sequence[str] = (),
    predictions: Mapping[str, Mapping[str, files.Path]] | None = None,
) -> BoardRecord:
    """Returns the numbers of a leaderboard.

    An arm takes part in a set and mode if all of its cells are finished there. It takes part over
    several sets in those where all arms do.

    Args:
      studies: of the data sets by name; arms, modes, seeds and budgets are common to them.
      title: of the page.
      workdir: the directory of the suite.
      left_out: sentences on what is left out, such as sets at fault.
      predictions: directories of others' predictions, by name of the row and of the set. A row
        takes part over several sets if it is in all of them.

    Raises:
      UserError: no arm is finished in any set, or a finished cell is damaged.
    """
    given = predictions or {}
    measured = [
        Measured.of(name, study, {row: of[name] for row, of in given.items() if name in of})
        for name, study in studies.items()
    ]
    if not any(one.curves for one in measured):
        raise UserError(
            "No arm has all of its cells in any data set yet, so that there is nothing to compare; "
            "run the suite longer."
        )
    settings = measured[0].study.settings
    arms_of = _arms_of(measured)
    contests: list[Contest] = []
    together: list[OverallContest] = []
    everywhere = [row for row, of in given.items() if set(studies) <= set(of)]
    for mode, own in arms_of.items():
        entrants = [*own, *everywhere]
        for budget in _budgets(measured):
            draws: dict[str, ranks.SetDraws] = {}
            for number, one in enumerate(measured):
                patients = _patients(one, budget)
                if patients is None:
                    continue
                values = {arm: one.at(arm, mode, patients) for arm in (*own, *given)}
                arms = {arm: found for arm, found in values.items() if found is not None}
                if not arms:
                    continue
                drawn = ranks.SetDraws.of(
                    list(arms.values()), settings.resamples, settings.seed, number
                )
                contests.append(_contest(one.name, mode, budget, patients, list(arms), drawn))
                if all(arm in arms for arm in entrants):
                    kept = [arms[arm] for arm in entrants]
                    draws[one.name] = (
                        drawn
                        if len(kept) == len(arms)
                        else ranks.SetDraws.of(kept, settings.resamples, settings.seed, number)
                    )
            if draws:
                metrics = {one.test.metric for one in measured if one.name in draws}
                together.append(
                    _overall(
                        mode,
                        budget,
                        entrants,
                        draws,
                        one_metric=len(metrics) == 1,
                        groups=_groups([one for one in measured if one.name in draws], mode),
                    )
                )
    return {
        "title": title or "Which checkpoint?",
        "interval": INTERVAL,
        "resamples": settings.resamples,
        "arms": {
            **{arm: _arm(arm, measured) for arm in _arms(measured)},
            **{row: _row(of) for row, of in given.items()},
        },
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
    predictions: Mapping[str, Mapping[str, files.Path]] | None = None,
) -> BoardRecord:
    """Writes `board.json`, whole or not at all; returns its content. Errors are those of `of`."""
    record = of(studies, title, workdir, left_out, predictions)
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


def _groups(measured: Sequence[Measured], mode: str) -> list[int]:
    """Returns a number per set; sets of one number have errors in common.

    These are errors of the test patients, in sets with a test image in common, or of several
    trainings per arm, in sets with an in-distribution image in common.
    """
    groups: list[int] = []
    held: list[set[str]] = []
    for one in measured:
        data = one.study.data
        own = {f"test {sha256}" for sha256 in data.test.table["path"].map(data.hashes)}
        if one.study.settings.trainings(mode) > 1:
            inside = data.inside
            own |= {f"train {sha256}" for sha256 in inside.train.table["path"].map(inside.hashes)}
        same = [number for number, others in enumerate(held) if own & others]
        held.append(own)
        groups.append(len(groups))
        for number in same:  # joins all sets that are joined to it
            groups = [groups[-1] if group == groups[number] else group for group in groups]
    return groups


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
    return [
        {
            "arm": arms[first],
            "against": arms[second],
            "value": float(ranked.differences[i]),
            "low": float(max(low[i], -1)),
            "high": float(min(high[i], 1)),
            "tied": bool(ranked.tied[i]),
        }
        for i, (first, second) in enumerate(ranked.pairs.tolist())
    ]


def _overall(
    mode: str,
    budget: str,
    arms: Sequence[str],
    draws: Mapping[str, ranks.SetDraws],
    one_metric: bool,
    groups: Sequence[int] | None = None,
) -> OverallContest:
    found = ranks.overall(list(draws.values()), one_metric, groups)
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
        if found.means is not None and found.mean_ends is not None and found.by_mean is not None:
            low, high = found.mean_ends[i].tolist()
            standing |= {"value": float(found.means[i]), "low": low, "high": high}
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
        "imported": False,
    }


def _row(folders: Mapping[str, files.Path]) -> BoardArm:
    named = "; ".join(f"{name}: {folder}" for name, folder in folders.items())
    return {"checkpoint": named, "random_weights": False, "floor": False, "imported": True}


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
        "without_patient": int(one.study.data.test.table["patient_id"].isna().sum()),
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
