import numpy as np
import pytest
from sklearn.metrics import roc_auc_score
from study_helpers import NAMES, RISING, make_cells, make_scores, make_test_set

from remedis.evaluation.intervals import patient_codes, patient_counts
from remedis.evaluation.label_budget import Cell, analyse_study
from remedis.evaluation.label_budget.resampling import seed_draws


def test_points_agree_with_scikit_learn_in_a_loop_over_resamples():
    test = make_test_set(patients=40)
    grid = make_cells(test, {"base": RISING}, seeds=2)
    result = analyse_study(test, grid, "base", resamples=40, seed=7)
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
        draws_of = np.array(drawn)
        by_name = {"mean": draws_of.mean(axis=1), **dict(zip(NAMES, draws_of.T, strict=True))}
        for name, draws in by_name.items():
            estimate = point["mean"] if name == "mean" else point["labels"][name]
            low, high = np.clip(np.quantile(draws[1:], [0.025, 0.975]), 0, 1)
            assert (estimate["value"], estimate["low"], estimate["high"]) == pytest.approx(
                (draws[0], low, high)
            )
    assert point["mean"]["patients"] == 40


def test_one_zero_shot_model_stands_for_all_seeds():
    test = make_test_set()
    single = make_cells(test, {"base": RISING}, seeds=3)
    copies = {**single, **{Cell("base", "probe", 0, s): make_scores(test, 0.3) for s in range(3)}}
    of_single, of_copies = (
        analyse_study(test, cells, "base", resamples=60)["points"][0] for cells in (single, copies)
    )
    assert of_single["mean"]["low"] == pytest.approx(of_copies["mean"]["low"])
    assert of_single["per_seed"] == pytest.approx(of_copies["per_seed"])
