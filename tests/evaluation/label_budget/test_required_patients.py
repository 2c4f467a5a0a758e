import pytest
from study_helpers import RISING, find_answer, make_cells, make_scores, make_test_set

from remedis.evaluation.label_budget import Cell, Cost, analyse_study


def test_costs_are_of_whole_patients():
    assert Cost(minutes=2).for_patients(11.2) == {"minutes": 24, "price": None}
    assert Cost(minutes=2).for_patients(11 + 1e-12) == {"minutes": 22, "price": None}
    assert Cost(minutes=2.5, price=4).for_patients(12) == {"minutes": 30, "price": 48}
    assert Cost(price=4).for_patients(12) == {"minutes": None, "price": 48}
    assert Cost().for_patients(12) is None
    assert Cost(minutes=1).for_patients(None) is None


def test_an_arm_that_reaches_the_reference_at_an_earlier_budget():
    test = make_test_set()
    result = analyse_study(
        test,
        make_cells(test, {"base": (0.1, 0.4, 0.9, 1.2), "pretrained": (0.5, 1.2, 1.5, 1.9)}),
        "base",
        cost=Cost(minutes=2, price=10),
        resamples=100,
    )
    answer = find_answer(result)
    # Both arms have the same scores at these budgets, in every draw.
    assert answer["patients"] == pytest.approx({"value": 5, "low": 5, "high": 5})
    assert answer["fold"] == pytest.approx({"value": 12, "low": 12, "high": 12})
    assert answer["cost"] == pytest.approx({"minutes": 10, "price": 50})
    assert answer["level"] == result["reference"][0]["mean"]["value"]
    assert result["reference"][0]["patients"] == 60
    assert all(pair["p"] == pytest.approx(2 / 101) for pair in result["paired"])


def test_not_reached_says_at_least_how_many():
    test = make_test_set()
    grid = make_cells(test, {"base": RISING, "pretrained": (0.1, 0.3, 0.5, 0.7)})
    answer = find_answer(analyse_study(test, grid, "base", cost=Cost(1, 1), resamples=100))
    assert (answer["status"], answer["share_reached"]) == ("not reached", 0)
    assert (answer["patients"], answer["at_least"], answer["fold"]) == (None, None, None)
    assert answer["cost"] is None
    # Some draws reach this level: `at_least` is the lower end over these draws.
    level = analyse_study(test, grid, "base", resamples=40)["points"][-1]["mean"]["value"] + 0.005
    answer = find_answer(
        analyse_study(test, grid, "base", levels=(level,)), target=f"AUROC {level:g}"
    )
    assert answer["status"] == "not reached"
    assert 5 < answer["at_least"] < 60
    assert 0.2 < answer["share_reached"] < 0.5


def test_an_interval_is_open_where_draws_do_not_reach():
    test = make_test_set()
    grid = make_cells(test, {"base": RISING})
    level = analyse_study(test, grid, "base", resamples=40)["points"][-1]["mean"]["value"] - 0.002
    result = analyse_study(test, grid, "base", levels=(level,))
    answer = find_answer(result, "base", f"AUROC {level:g}")
    assert answer["status"] == "reached"
    assert answer["patients"]["low"] < answer["patients"]["value"] < 60
    assert answer["patients"]["high"] is None
    # The x-fold of the baseline is 1, but it is undefined in draws that do not reach the level.
    assert answer["fold"] == {"value": 1, "low": None, "high": None}


def test_zero_shot_above_the_level_needs_no_label():
    test = make_test_set()
    grid = make_cells(test, {"base": (0.1, 0.2, 0.3, 0.4), "pretrained": (1.5, 1.6, 1.7, 1.8)})
    answer = find_answer(analyse_study(test, grid, "base", resamples=100, cost=Cost(price=2)))
    assert answer["status"] == "below the first budget"
    assert answer["patients"] == {"value": 0, "low": 0, "high": 0}
    assert answer["fold"] is None
    assert answer["cost"] == {"minutes": None, "price": 0}


def test_extrapolation_is_on_request_and_marked():
    test = make_test_set(patients=200)
    budgets = (0, 5, 10, 20, 40)
    grid = {
        Cell(arm, "probe", n, 0): make_scores(test, top * (1 - 0.9 * (n + 1) ** -0.4))
        for arm, top in (("pretrained", 1.8), ("base", 2.2))
        for n in budgets
    }
    assert not find_answer(analyse_study(test, grid, "base", resamples=60))["extrapolated"]
    answer = find_answer(analyse_study(test, grid, "base", resamples=60, extrapolate=True))
    assert (answer["extrapolated"], answer["status"]) == (True, "not reached")
    assert answer["patients"]["value"] > 40
    assert answer["fold"]["value"] == pytest.approx(40 / answer["patients"]["value"])
    # Three budgets above 0 are too few for a power law.
    few = {cell: scores for cell, scores in grid.items() if cell.patients < 40}
    answer = find_answer(analyse_study(test, few, "base", resamples=60, extrapolate=True))
    assert not answer["extrapolated"]
