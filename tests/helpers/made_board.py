"""A made-up leaderboard: arms whose values are given, on sets without studies."""

import numpy as np

from remedis.evaluation.label_budget.quantities import Quantities
from remedis.suite import board, ranks


def quantity(value, spread, seed, patients=60, units=5):
    """A metric whose error of patients is `spread`."""
    influence = np.random.default_rng(seed).normal(size=(patients, 1))
    influence *= spread / np.sqrt((influence**2).sum())
    return Quantities(
        np.array([value]), influence, np.zeros(1), np.full((1, units), value), np.array([0.5])
    )


def made_board(values, spread=0.02, kinds=None, modes=("probe",), seeds=10, **changes):
    """Returns a board.

    Args:
      values: set -> mode or none -> arm -> the metric with all labelled patients; without any
        label it is halfway to chance.
      spread: standard error of each.
      kinds: arm -> `random` or `floor`.
      modes: of the suite.
      seeds: draws of labelled patients.
      **changes: keys of the board.
    """
    kinds = kinds or {}
    contests, together = [], []
    for mode in modes:
        for budget, share in (("0", 0.5), ("100%", 1.0)):
            draws = {}
            for number, (name, arms) in enumerate(values.items()):
                arms = {a: v for a, v in arms.items() if mode == "probe" or kinds.get(a) != "floor"}
                drawn = ranks.SetDraws.of(
                    [
                        quantity(0.5 + share * (v - 0.5), spread, [number, i])
                        for i, v in enumerate(arms.values())
                    ],
                    400,
                    0,
                    number,
                )
                patients = 64 * (budget != "0")
                contests.append(board._contest(name, mode, budget, patients, list(arms), drawn))
                draws[name] = drawn
            together.append(board._overall(mode, budget, list(arms), draws, one_metric=True))
    first = next(iter(values.values()))
    return {
        "title": "Which checkpoint?",
        "interval": board.INTERVAL,
        "resamples": 400,
        "arms": {
            arm: {
                "checkpoint": "thumbnails:12" if kinds.get(arm) == "floor" else f"/runs/{arm}",
                "random_weights": kinds.get(arm) == "random",
                "floor": kinds.get(arm) == "floor",
                "imported": kinds.get(arm) == "imported",
            }
            for arm in first
        },
        "modes": list(modes),
        "sets": [
            {
                "name": name,
                "directory": f"sets/{name}",
                "inside": f"{name} A",
                "outside": f"{name} B",
                "metric": "mean AUROC",
                "chance": 0.5,
                "labels": ["x"],
                "patients": 120,
                "images": 240,
                "without_patient": 0,
                "rehearsal": False,
                "seeds": seeds,
            }
            for name in values
        ],
        "contests": contests,
        "overall": together,
        "tuning": [
            {"mode": mode, "arm": arm, "cells": 10, "candidates": 60, "models": 1, "per_model": 11}
            for mode in modes
            for arm in first
        ],
        "left_out": [],
        **changes,
    }
