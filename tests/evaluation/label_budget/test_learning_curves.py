import numpy as np
import pytest
from sklearn.metrics import roc_auc_score
from study_helpers import NAMES, RISING, make_cells, make_scores, make_test_set

from remedis.evaluation.label_budget import Cell, analyse_study
from remedis.evaluation.repeated_runs import auroc_over_runs


@pytest.mark.parametrize("seeds", [1, 6])
def test_points_agree_with_scikit_learn_and_with_auroc_over_runs(seeds):
    test = make_test_set(patients=60)
    grid = make_cells(test, {"base": RISING}, seeds=seeds)
    points = analyse_study(test, grid, "base", resamples=40)["points"]
    for point in points[1:]:
        runs = np.stack(
            [grid[Cell("base", "probe", point["patients"], seed)] for seed in range(seeds)]
        )
        areas = [
            [roc_auc_score(test.targets[:, label], run[:, label]) for label in range(2)]
            for run in runs
        ]
        assert point["per_seed"] == pytest.approx(np.mean(areas, axis=1))
        by_name = {"mean": np.mean(areas), **dict(zip(NAMES, np.mean(areas, axis=0), strict=True))}
        for name, area in by_name.items():
            estimate = point["mean"] if name == "mean" else point["labels"][name]
            assert estimate["value"] == pytest.approx(area)
        codes = np.arange(len(test.targets)) // 2
        twin = auroc_over_runs(test.targets, runs, codes)
        width = point["mean"]["high"] - point["mean"]["low"]
        assert width == pytest.approx(twin.high - twin.low, rel=0.15)
    assert points[0]["mean"]["patients"] == 60


def test_one_zero_shot_model_stands_for_all_seeds():
    test = make_test_set()
    single = make_cells(test, {"base": RISING}, seeds=3)
    copies = {**single, **{Cell("base", "probe", 0, s): make_scores(test, 0.3) for s in range(3)}}
    of_single, of_copies = (
        analyse_study(test, cells, "base", resamples=60)["points"][0] for cells in (single, copies)
    )
    assert of_single["mean"]["low"] == pytest.approx(of_copies["mean"]["low"])
    assert of_single["per_seed"] == pytest.approx(of_copies["per_seed"])


@pytest.mark.parametrize("seeds", [12, 14, 36])
def test_perfect_models_of_several_trainings_have_an_auroc_of_1(seeds):
    test = make_test_set()
    grid = make_cells(
        test, {"base": (9.0,) * 4, "other": (9.0,) * 4}, seeds=seeds, zero_shot_seeds=2
    )
    grid = dict.fromkeys(grid, np.nan_to_num(test.targets))
    summary = analyse_study(test, grid, "base", trainings={"probe": 2}, resamples=60)
    for point in summary["points"]:
        mean = point["mean"]
        assert (mean["value"], mean["high"]) == (1, 1)
        assert mean["band_low"] <= mean["low"] < 0.95
    assert all(row["difference"]["low"] < -0.05 for row in summary["paired"])


def test_trainings_are_the_unit_where_there_are_several():
    test = make_test_set()
    grid = make_cells(test, {"base": RISING, "other": RISING}, seeds=6, zero_shot_seeds=3)
    # Models of one training are alike; those of another differ.
    for arm in ("base", "other"):
        for patients in (5, 20, 60):
            for seed in range(6):
                grid[Cell(arm, "probe", patients, seed)] = make_scores(
                    test, patients**0.2 + 0.4 * (seed % 3), seed
                )
    of_seeds, of_trainings = (
        analyse_study(test, cells, "base", trainings=trainings, resamples=60)
        for cells, trainings in (
            ({c: s for c, s in grid.items() if c.patients or c.seed == 0}, None),
            (grid, {"probe": 3}),
        )
    )
    assert (of_seeds["trainings"], of_trainings["trainings"]) == ({"probe": 1}, {"probe": 3})
    for by_seed, by_training in zip(of_seeds["points"], of_trainings["points"], strict=True):
        if by_seed["patients"]:
            assert by_training["mean"]["value"] == pytest.approx(by_seed["mean"]["value"])
            width, wider = (p["mean"]["high"] - p["mean"]["low"] for p in (by_seed, by_training))
            # t(2) instead of t(5), and three means instead of six numbers.
            assert wider > 1.5 * width
    zero_shot = of_trainings["points"][0]
    areas = [
        np.mean([roc_auc_score(test.targets[:, k], grid[cell][:, k]) for k in range(2)])
        for cell in (Cell("base", "probe", 0, training) for training in (0, 1, 2, 0, 1, 2))
    ]
    assert zero_shot["per_seed"] == pytest.approx(areas)


def test_the_band_of_a_curve_contains_its_intervals():
    test = make_test_set()
    grid = make_cells(test, {"base": RISING}, seeds=6)
    means = [p["mean"] for p in analyse_study(test, grid, "base", resamples=400)["points"]]
    for mean in means:
        assert 0 <= mean["band_low"] <= mean["low"] < mean["value"]
        assert mean["value"] < mean["high"] <= mean["band_high"] <= 1
    assert any(mean["band_low"] < mean["low"] - 0.005 for mean in means)


def test_a_perfect_arm_has_the_interval_of_its_pairs():
    test = make_test_set()
    grid = make_cells(test, {"base": RISING, "perfect": (9, 9, 9, 9)}, seeds=5)
    result = analyse_study(test, grid, "base", resamples=400)
    points = [p for p in result["points"] if p["arm"] == "perfect"]
    pairs = min(
        min(len(set(np.arange(160)[test.targets[:, k] == value] // 2)) for value in (0, 1))
        for k in range(2)
    )
    for point in points:
        assert (point["mean"]["value"], point["mean"]["high"]) == (1, 1)
        assert point["mean"]["low"] == pytest.approx(0.025 ** (1 / pairs))
        assert point["mean"]["band_low"] == pytest.approx(0.00625 ** (1 / pairs))
