import json

import numpy as np
import pandas as pd
import pytest
from study_helpers import BUDGETS, NAMES, RISING, make_cells, make_scores, make_test_set

from remedis.errors import UserError
from remedis.evaluation.label_budget import Cell, LabelledTestSet, analyse_study, curves_table


def test_neither_the_order_of_rows_nor_of_cells_matters():
    test = make_test_set()
    grid = make_cells(test, {"base": RISING, "pretrained": (0.5, 1.2, 1.5, 1.9)}, seeds=2)
    order = np.random.default_rng(0).permutation(len(test.targets))
    shuffled = LabelledTestSet(NAMES, test.targets[order], [test.patient_ids[i] for i in order])
    shuffled_grid = {cell: grid[cell][order] for cell in sorted(grid)}
    want = analyse_study(test, grid, "base", resamples=60)
    got = analyse_study(shuffled, shuffled_grid, "base", resamples=60)
    for key in ("points", "levels", "answers", "placebo", "paired"):
        for want_row, got_row in zip(want[key], got[key], strict=True):
            assert json.dumps(want_row) == json.dumps(got_row)


def test_a_rare_label_is_listed_and_not_in_the_mean():
    test = make_test_set()
    test.targets[:, 1] = 0
    test.targets[:8, 1] = 1  # four patients
    id_test = make_test_set(1)
    id_test.targets[:, 0] = np.nan
    grid = make_cells(test, {"base": RISING, "pretrained": RISING})
    id_scores = {("base", "probe"): make_scores(make_test_set(1), 1.0)}
    result = analyse_study(test, grid, "base", id_test=id_test, id_scores=id_scores, resamples=60)
    for point in result["points"]:
        rare = {"value": None, "low": None, "high": None, "patients": 80, "positives": 4}
        assert rare.items() <= point["labels"]["Fracture"].items()
        assert point["labels"]["Fracture"]["effective"] == 4
        assert "4" in point["labels"]["Fracture"]["reason"]
        assert point["mean"].items() > point["labels"]["Edema"].items()
    # No label is estimable on both test sets.
    assert result["id"][0]["mean"]["value"] is not None
    (gap,) = result["gap"]
    assert (gap["id"]["value"], gap["zero_shot"]["value"], gap["gap"]) == (None, None, None)
    assert gap["recovered"][0]["share"] is None
    json.dumps(result, allow_nan=False)


def test_images_with_an_unknown_label_are_left_out_of_it():
    """As where uncertain labels of a test set are ignored."""
    test = make_test_set()
    grid = make_cells(test, {"base": RISING, "pretrained": (0.5, 1.2, 1.5, 1.9)})
    unknown = np.arange(len(test.targets)) % 4 == 3  # one image of every other patient
    unknown[:20] = True  # ten patients
    test.targets[unknown, 0] = np.nan
    got = analyse_study(test, grid, "base", resamples=40)
    ids = [name for name, out in zip(test.patient_ids, unknown, strict=True) if not out]
    alone = LabelledTestSet(NAMES[:1], test.targets[~unknown, :1], ids)
    cells = {cell: scores[~unknown, :1] for cell, scores in grid.items()}
    want = analyse_study(alone, cells, "base", resamples=40)
    for got_point, want_point in zip(got["points"], want["points"], strict=True):
        for key, value in want_point["labels"]["Edema"].items():
            if not key.startswith("band"):  # its draws are of other patients
                assert got_point["labels"]["Edema"][key] == pytest.approx(value), key


def test_table_has_one_row_per_point_and_label(tmp_path):
    test = make_test_set()
    test.targets[8:, 1] = 0
    test.targets[:8, 1] = 1
    grid = make_cells(test, {"base": RISING})
    result = analyse_study(test, grid, "base", images={5: 11}, resamples=40)
    curves_table(result).to_csv(tmp_path / "curves.csv", index=False)
    table = pd.read_csv(tmp_path / "curves.csv")
    assert table["label"].tolist() == ["mean", *NAMES] * 4
    assert table["patients"].tolist() == np.repeat(BUDGETS, 3).tolist()
    assert table["images"].isna().tolist() == [True] * 3 + [False] * 3 + [True] * 6
    assert table["auroc"].isna().tolist() == [False, False, True] * 4
    assert table["auroc"][0] == pytest.approx(result["points"][0]["mean"]["value"])


def test_errors_name_the_cell_or_the_argument():
    test = make_test_set()
    grid = make_cells(test, {"base": RISING})

    def refused(sentence, **changed):
        arguments = {
            "ood_test": test,
            "cells": grid,
            "baseline": "base",
            "resamples": 40,
            **changed,
        }
        with pytest.raises(UserError, match=sentence):
            analyse_study(**arguments)

    broken = {**grid, Cell("base", "probe", 5, 0): make_scores(test, 1.0) * np.nan}
    refused(r"Scores of base-probe-5-0: The score in row 0 .*'Edema' is nan", cells=broken)
    short = {**grid, Cell("base", "probe", 5, 0): make_scores(test, 1.0)[1:]}
    refused(r"Scores of base-probe-5-0: Labels of shape \(160, 2\)", cells=short)
    refused("Unknown value of config.baseline 'bose': did you mean 'base'", baseline="bose")
    refused(r"config.target is 85; .* between 0\.5", targets=(85,))
    refused(r"config.levels has 80; .* such as \(0.8, 0.5, 0.9\)", levels=(80,))
    refused("4 in-distribution trainings per arm, but only 1 seeds", trainings={"probe": 4})
    refused("39 resamples are too few", resamples=39)
    refused("80 patient ids for 160 rows", ood_test=LabelledTestSet(NAMES, test.targets, range(80)))
    refused(
        "label 'Fracture' is 2", ood_test=LabelledTestSet(NAMES, test.targets * 2, test.patient_ids)
    )
    none = LabelledTestSet(NAMES, test.targets * 0, test.patient_ids)
    refused("None of Edema, Fracture has 5 positive .* out-of-distribution test set", ood_test=none)
    id_scores = {("base", "probe"): make_scores(test, 1.0)[1:]}
    refused("Scores of base-probe in distribution", id_test=test, id_scores=id_scores)
