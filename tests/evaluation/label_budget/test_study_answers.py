"""The study as a whole: closed forms, scikit-learn in a loop, and what is refused."""

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from remedis.errors import UserError
from remedis.evaluation.intervals import patient_codes, patient_counts
from remedis.evaluation.label_budget import Cell, Cost, Examined, curves_table, study
from remedis.evaluation.label_budget.resampling import seed_draws

NAMES = ("Edema", "Fracture")
BUDGETS = (0, 5, 20, 60)


def examined(seed=0, patients=80, images=2):
    rng = np.random.default_rng(seed)
    targets = (rng.random((patients, 2)) < 0.4).repeat(images, axis=0).astype(float)
    ids = [f"p{i // images:03}" for i in range(patients * images)]
    return Examined(NAMES, targets, ids)


def scores(test, shift, seed=0):
    """The same noise for every shift: more shift is a higher AUROC in whatever patients."""
    noise = np.random.default_rng(seed).normal(size=test.targets.shape)
    return test.targets * shift + noise


def cells(test, shifts, mode="probe", seeds=1, zero_shot_seeds=1):
    """An arm each with its shift at each budget."""
    return {
        Cell(arm, mode, patients, seed): scores(test, shift, seed)
        for arm, of in shifts.items()
        for patients, shift in zip(BUDGETS, of, strict=True)
        for seed in range(seeds if patients else zero_shot_seeds)
    }


RISING = (0.3, 0.8, 1.4, 1.8)


def answer(result, arm="own", target="reference"):
    (found,) = [a for a in result["answers"] if (a["arm"], a["target"]) == (arm, target)]
    return found


def test_identical_arms_save_nothing_and_do_not_differ():
    test = examined()
    both = cells(test, {"own": RISING, "base": RISING})
    result = study(test, both, "base", levels=(0.7,), resamples=100)
    for target, patients in (("reference", 60), ("AUROC 0.7", None)):
        found = answer(result, target=target)
        assert found["fold"] == pytest.approx({"value": 1, "low": 1, "high": 1})
        assert (found["status"], found["share_reached"]) == ("reached", 1)
        if patients:
            assert found["patients"] == pytest.approx({"value": 60, "low": 60, "high": 60})
    assert [pair["patients"] for pair in result["paired"]] == list(BUDGETS)
    for pair in result["paired"]:
        assert (pair["arm"], pair["against"], pair["p"]) == ("own", "base", 1)
        assert pair["difference"] == {"value": 0, "low": 0, "high": 0}


def test_an_arm_that_knows_at_a_budget_what_the_baseline_knows_at_the_end():
    test = examined()
    result = study(
        test,
        cells(test, {"base": (0.1, 0.4, 0.9, 1.2), "own": (0.5, 1.2, 1.5, 1.9)}),
        "base",
        cost=Cost(minutes=2, price=10),
        resamples=100,
    )
    found = answer(result)
    # The same scores, so in every draw.
    assert found["patients"] == pytest.approx({"value": 5, "low": 5, "high": 5})
    assert found["fold"] == pytest.approx({"value": 12, "low": 12, "high": 12})
    assert found["cost"] == pytest.approx({"minutes": 10, "price": 50})
    assert found["level"] == result["reference"][0]["mean"]["value"]
    assert result["reference"][0]["patients"] == 60
    assert all(pair["p"] == pytest.approx(2 / 101) for pair in result["paired"])


def test_points_are_scikit_learns_in_a_loop_over_resamples():
    test = examined(patients=40)
    grid = cells(test, {"base": RISING}, seeds=2)
    result = study(test, grid, "base", resamples=40, seed=7)
    codes = patient_codes(test.patient_ids)
    patients = np.vstack([np.ones(40), patient_counts(40, 40, seed=7)])
    seeds = seed_draws(2, 40, seed=7)
    for point in result["points"][3:]:
        drawn = []
        for counts, weights in zip(patients, seeds, strict=True):
            rows = np.repeat(np.arange(len(codes)), counts[codes].astype(int))
            areas = [
                [roc_auc_score(test.targets[rows, label], score[rows, label]) for label in range(2)]
                for score in (grid[Cell("base", "probe", point["patients"], s)] for s in (0, 1))
            ]
            drawn.append(weights @ np.array(areas))
            if len(drawn) == 1:
                assert point["per_seed"] == pytest.approx(np.mean(areas, axis=1))
        drawn = np.array(drawn)
        wanted = {"mean": drawn.mean(axis=1), **dict(zip(NAMES, drawn.T, strict=True))}
        for name, draws in wanted.items():
            found = point["mean"] if name == "mean" else point["labels"][name]
            low, high = np.clip(np.quantile(draws[1:], [0.025, 0.975]), 0, 1)
            assert (found["value"], found["low"], found["high"]) == pytest.approx(
                (draws[0], low, high)
            )
    assert point["mean"]["patients"] == 40


def test_neither_the_order_of_rows_nor_of_cells_matters():
    test = examined()
    grid = cells(test, {"base": RISING, "own": (0.5, 1.2, 1.5, 1.9)}, seeds=2)
    order = np.random.default_rng(0).permutation(len(test.targets))
    other = Examined(NAMES, test.targets[order], [test.patient_ids[i] for i in order])
    turned = {cell: grid[cell][order] for cell in sorted(grid)}
    want = study(test, grid, "base", resamples=60)
    found = study(other, turned, "base", resamples=60)
    for key in ("points", "answers", "paired"):
        for one, two in zip(want[key], found[key], strict=True):
            assert json.dumps(one) == json.dumps(two)


def test_not_reached_says_at_least_how_many():
    test = examined()
    grid = cells(test, {"base": RISING, "own": (0.1, 0.3, 0.5, 0.7)})
    found = answer(study(test, grid, "base", cost=Cost(1, 1), resamples=100))
    assert (found["status"], found["share_reached"]) == ("not reached", 0)
    assert (found["patients"], found["at_least"], found["fold"]) == (None, None, None)
    assert found["cost"] is None
    # A level that some draws reach: at least as many as the quickest of them need.
    level = study(test, grid, "base", resamples=40)["points"][-1]["mean"]["value"] + 0.005
    found = answer(study(test, grid, "base", levels=(level,)), target=f"AUROC {level:g}")
    assert found["status"] == "not reached"
    assert 5 < found["at_least"] < 60
    assert 0.2 < found["share_reached"] < 0.5


def test_an_interval_is_open_where_draws_do_not_reach():
    test = examined()
    grid = cells(test, {"base": RISING})
    level = study(test, grid, "base", resamples=40)["points"][-1]["mean"]["value"] - 0.002
    result = study(test, grid, "base", levels=(level,))
    found = answer(result, "base", f"AUROC {level:g}")
    assert found["status"] == "reached"
    assert found["patients"]["low"] < found["patients"]["value"] < 60
    assert found["patients"]["high"] is None
    # The baseline's own x-fold is 1, but nothing is known of it where it does not arrive.
    assert found["fold"] == {"value": 1, "low": None, "high": None}


def test_zero_shot_above_the_level_needs_no_label():
    test = examined()
    grid = cells(test, {"base": (0.1, 0.2, 0.3, 0.4), "own": (1.5, 1.6, 1.7, 1.8)})
    found = answer(study(test, grid, "base", resamples=100, cost=Cost(price=2)))
    assert found["status"] == "below the first budget"
    assert found["patients"] == {"value": 0, "low": 0, "high": 0}
    assert found["fold"] is None
    assert found["cost"] == {"minutes": None, "price": 0}


def test_extrapolation_only_on_request_and_said():
    test = examined(patients=200)
    budgets = (0, 5, 10, 20, 40)
    grid = {
        Cell(arm, "probe", n, 0): scores(test, top * (1 - 0.9 * (n + 1) ** -0.4))
        for arm, top in (("own", 1.8), ("base", 2.2))
        for n in budgets
    }
    assert not answer(study(test, grid, "base", resamples=60))["extrapolated"]
    found = answer(study(test, grid, "base", resamples=60, extrapolate=True))
    assert (found["extrapolated"], found["status"]) == (True, "not reached")
    assert found["patients"]["value"] > 40
    assert found["fold"]["value"] == pytest.approx(40 / found["patients"]["value"])
    # Without budgets enough for a law nothing is said.
    few = {cell: of for cell, of in grid.items() if cell.patients < 40}
    assert not answer(study(test, few, "base", resamples=60, extrapolate=True))["extrapolated"]


def test_gap_and_share_recovered():
    test, home = examined(patients=300), examined(1, patients=300)
    grid = cells(test, {"base": (0.2, 0.6, 1.0, 1.4)})
    inside = {("base", "probe"): scores(home, 1.4, seed=9)}
    result = study(test, grid, "base", id_test=home, id_scores=inside, resamples=300)
    (found,) = result["gap"]
    areas = [point["mean"]["value"] for point in result["points"]]
    own = result["id"][0]["mean"]["value"]
    assert (found["id"]["value"], found["zero_shot"]["value"]) == (own, areas[0])
    assert found["gap"]["value"] == pytest.approx(own - areas[0])
    assert 0 < found["gap"]["low"] < found["gap"]["value"] < found["gap"]["high"]
    assert [of["patients"] for of in found["recovered"]] == [5, 20, 60]
    for of, area in zip(found["recovered"], areas[1:], strict=True):
        want = (area - areas[0]) / (own - areas[0])
        assert of["share"]["value"] == pytest.approx(want)
        assert of["share"]["low"] < want < of["share"]["high"]
    # Independent patients: the errors of the two add up.
    widths = [of["high"] - of["low"] for of in (found["id"], found["zero_shot"])]
    gap = found["gap"]["high"] - found["gap"]["low"]
    assert gap == pytest.approx(np.hypot(*widths), rel=0.15)


def test_no_share_of_a_gap_that_may_be_none():
    test, home = examined(), examined(1)
    grid = cells(test, {"base": RISING})
    inside = {("base", "probe"): scores(home, 0.3, seed=9)}
    (found,) = study(test, grid, "base", id_test=home, id_scores=inside)["gap"]
    assert found["gap"]["low"] < 0 < found["gap"]["high"]
    assert {str(of["share"]) for of in found["recovered"]} == {"None"}


def test_a_rare_label_is_listed_and_not_in_the_mean():
    test = examined()
    test.targets[:, 1] = 0
    test.targets[:8, 1] = 1  # four patients
    home = examined(1)
    home.targets[:, 0] = np.nan
    grid = cells(test, {"base": RISING, "own": RISING})
    inside = {("base", "probe"): scores(examined(1), 1.0)}
    result = study(test, grid, "base", id_test=home, id_scores=inside, resamples=60)
    for point in result["points"]:
        rare = {"value": None, "low": None, "high": None, "patients": 80, "positives": 4}
        assert point["labels"]["Fracture"] == rare
        assert point["mean"] == point["labels"]["Edema"]
    # No label is left that is estimable in both.
    assert result["id"][0]["mean"]["value"] is not None
    (gap,) = result["gap"]
    assert (gap["id"]["value"], gap["zero_shot"]["value"], gap["gap"]) == (None, None, None)
    assert gap["recovered"][0]["share"] is None
    json.dumps(result, allow_nan=False)


def test_every_pair_of_arms_is_compared_against_the_baseline_last():
    test = examined()
    grid = cells(test, {"base": RISING, "a": RISING, "b": RISING})
    grid |= cells(test, {"base": RISING, "a": RISING, "b": RISING}, mode="finetune")
    pairs = study(test, grid, "base", resamples=40)["paired"]
    found = {(pair["mode"], pair["arm"], pair["against"]) for pair in pairs}
    wanted = {("a", "b"), ("a", "base"), ("b", "base")}
    assert found == {(mode, *pair) for mode in ("probe", "finetune") for pair in wanted}
    assert len(pairs) == 2 * 3 * len(BUDGETS)


def test_one_zero_shot_model_stands_for_all_seeds():
    test = examined()
    alone = cells(test, {"base": RISING}, seeds=3)
    alone = {cell: of for cell, of in alone.items() if cell.patients or not cell.seed}
    copies = {**alone, **{Cell("base", "probe", 0, s): scores(test, 0.3) for s in range(3)}}
    one, two = (study(test, of, "base", resamples=60)["points"] for of in (alone, copies))
    assert one[0]["mean"]["low"] == pytest.approx(two[0]["mean"]["low"])
    assert one[0]["per_seed"] == pytest.approx(two[0]["per_seed"])


def test_table_has_a_row_a_point_and_label(tmp_path):
    test = examined()
    test.targets[8:, 1] = 0
    test.targets[:8, 1] = 1
    grid = cells(test, {"base": RISING})
    result = study(test, grid, "base", images={5: 11}, resamples=40)
    curves_table(result).to_csv(tmp_path / "curves.csv", index=False)
    table = pd.read_csv(tmp_path / "curves.csv")
    assert table["label"].tolist() == ["mean", *NAMES] * 4
    assert table["patients"].tolist() == np.repeat(BUDGETS, 3).tolist()
    assert table["images"].isna().tolist() == [True] * 3 + [False] * 3 + [True] * 6
    assert table["auroc"].isna().tolist() == [False, False, True] * 4
    assert table["auroc"][0] == pytest.approx(result["points"][0]["mean"]["value"])


def test_a_hole_in_the_grid_is_refused():
    test = examined()
    grid = cells(test, {"base": RISING, "own": RISING}, seeds=3)
    del grid[Cell("own", "probe", 20, 1)]
    sentence = r"1 of the study's 20 cells are missing, such as own-probe-20-1; .* Run the study"
    with pytest.raises(UserError, match=sentence):
        study(test, grid, "base", resamples=40)
    with pytest.raises(UserError, match="no finished cell"):
        study(test, {}, "base")


def test_what_is_wrong_is_said_with_its_cell():
    test = examined()
    grid = cells(test, {"base": RISING})

    def refused(sentence, **changed):
        arguments = {"ood": test, "cells": grid, "baseline": "base", "resamples": 40, **changed}
        with pytest.raises(UserError, match=sentence):
            study(**arguments)

    broken = {**grid, Cell("base", "probe", 5, 0): scores(test, 1.0) * np.nan}
    refused(r"Scores of base-probe-5-0: The score in row 0 .*'Edema' is nan", cells=broken)
    short = {**grid, Cell("base", "probe", 5, 0): scores(test, 1.0)[1:]}
    refused(r"Scores of base-probe-5-0: Labels of shape \(160, 2\)", cells=short)
    refused("Unknown value of config.baseline 'bose': did you mean 'base'", baseline="bose")
    refused(r"config.target asks for an AUROC of 85; .* between 0\.5", levels=(85,))
    refused("39 resamples are too few", resamples=39)
    refused("80 patient ids for 160 rows", ood=Examined(NAMES, test.targets, range(80)))
    refused("label 'Fracture' is 2", ood=Examined(NAMES, test.targets * 2, test.patient_ids))
    none = Examined(NAMES, test.targets * 0, test.patient_ids)
    refused("None of Edema, Fracture has 5 positive .* out-of-distribution test set", ood=none)
    inside = {("base", "probe"): scores(test, 1.0)[1:]}
    refused("Scores of base-probe in distribution", id_test=test, id_scores=inside)
