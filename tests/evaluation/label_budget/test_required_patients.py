import dataclasses
import itertools

import numpy as np
import pytest
from study_helpers import RISING, find_answer, make_cells, make_scores, make_test_set

from remedis.evaluation.label_budget import Cell, Cost, analyse_study
from remedis.evaluation.label_budget.learning_curves import Curve
from remedis.evaluation.label_budget.required_patients import (
    REASONS,
    STATUSES,
    Questions,
    required_patients,
)

BUDGETS = (0, 5, 20, 60)
GOOD = (0.6, 0.7, 0.8, 0.9)


def curve(arm, means, spread=0.005, low=None, seed=0):
    """A curve whose draws are normal around `means`, each budget on its own."""
    noise = np.random.default_rng(seed).normal(size=(200, len(means))) * spread
    means = np.asarray(means, dtype=float)
    lows = np.full(len(means), low) if low is not None else means - 2 * spread
    return Curve(arm, "probe", BUDGETS, np.vstack([means, means + noise]), lows)


def answers(arm, base, **asked):
    questions = Questions(**{"shares": (0.8, 0.5), **asked})
    rows = required_patients({("arm", "probe"): arm, ("base", "probe"): base}, "base", questions)
    return {row["target"]: row for row in rows if row["arm"] == "arm"}


def headline(arm, base=None, **asked):
    return answers(arm, base or curve("base", GOOD, seed=1), **asked)["80 % of the gain"]


def test_costs_are_of_whole_patients():
    assert Cost(minutes=2).for_patients(11.2) == {"minutes": 24, "price": None}
    assert Cost(minutes=2).for_patients(11 + 1e-12) == {"minutes": 22, "price": None}
    assert Cost(minutes=2.5, price=4).for_patients(12) == {"minutes": 30, "price": 48}
    assert Cost(price=4).for_patients(12) == {"minutes": None, "price": 48}
    assert Cost().for_patients(12) is None
    assert Cost(minutes=1).for_patients(None) is None


def test_both_arms_are_held_against_the_same_share_of_the_baselines_gain():
    answer = headline(curve("arm", (0.6, 0.84, 0.88, 0.9), spread=1e-4))
    # 0.6 + 0.8 x 0.3 is where the arm is with 5 patients; the baseline is there between 20 and 60.
    assert answer["level"] == pytest.approx(0.84)
    assert (answer["status"], answer["headline"], answer["share_of_gain"]) == ("reached", True, 0.8)
    assert answer["patients"]["value"] == 5
    assert 20 < answer["baseline_patients"]["value"] < 60
    ratio = answer["baseline_patients"]["value"] / 5
    assert answer["fold"]["value"] == pytest.approx(ratio)
    assert (answer["fold"], answer["fold_missing"]) == (answer["ratio"], None)


def test_the_gain_counts_as_far_as_both_arms_get():
    answer = headline(curve("arm", (0.5, 0.6, 0.7, 0.8), spread=1e-3))
    # The baseline ends at 0.9, the arm at 0.8: 0.6 + 0.8 x 0.2.
    assert answer["level"] == pytest.approx(0.76)
    assert answer["level_lowered"]
    assert answer["baseline_patients"]["value"] < 20 < answer["patients"]["value"] < 60
    assert not headline(curve("arm", (0.5, 0.6, 0.7, 0.95)))["level_lowered"]


def test_an_arm_that_needs_more_has_a_fold_below_1():
    answer = headline(curve("arm", (0.5, 0.55, 0.62, 0.88), spread=1e-3))
    assert answer["fold"]["high"] < 1


@pytest.mark.parametrize("first", [0, 5])
def test_no_multiple_where_the_baseline_starts_above_the_level(first):
    # An AUROC of 0.65: the baseline has it with the first budget, and perhaps with less.
    arm, base = curve("arm", (0.5, 0.6, 0.7, 0.8)), curve("base", (0.7, 0.8, 0.85, 0.9))
    budgets = (first, 10, 20, 60)
    arm, base = (dataclasses.replace(one, budgets=budgets) for one in (arm, base))
    answer = answers(arm, base, values=(0.65,))["AUROC 0.65"]
    assert (answer["status"], answer["baseline_patients"]["value"]) == ("reached", first)
    assert (answer["fold"], answer["fold_missing"]) == (None, "baseline below the first budget")


CASES = {
    "reached": (curve("arm", (0.6, 0.84, 0.88, 0.9)), None, "reached", None),
    "lower level": (curve("arm", (0.5, 0.6, 0.7, 0.8), spread=1e-3), None, "reached", None),
    "not reached": (curve("arm", (0.5, 0.53, 0.56, 0.58)), None, "not reached", "not reached"),
    "below": (
        curve("arm", (0.88, 0.9, 0.9, 0.9)),
        None,
        *("below the first budget", "below the first budget"),
    ),
    "same": (curve("arm", GOOD), None, "reached", "interval contains 1"),
    "baseline at chance": (
        curve("arm", (0.5, 0.52, 0.54, 0.55), low=0.4),
        curve("base", (0.5, 0.51, 0.53, 0.54), low=0.3),
        *("level not above chance", "level not above chance"),
    ),
    "level at chance": (
        curve("arm", (0.4, 0.5, 0.6, 0.7)),
        curve("base", (0.3, 0.4, 0.45, 0.52), spread=0.001),
        *("level not above chance", "level not above chance"),
    ),
    "no gain": (
        curve("arm", (0.6, 0.7, 0.8, 0.9)),
        curve("base", (0.7, 0.69, 0.7, 0.701)),
        *("no gain shown", "no gain shown"),
    ),
    "arm at chance": (
        curve("arm", (0.6, 0.7, 0.8, 0.9), low=0.45),
        None,
        *("arm not above chance", "arm not above chance"),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_each_status_and_the_reason_against_a_multiple(case):
    arm, base, status, missing = CASES[case]
    answer = headline(arm, base)
    assert (answer["status"], answer["fold_missing"]) == (status, missing)
    assert (answer["fold"] is None) == (missing is not None)
    answerable = status in ("reached", "not reached", "below the first budget")
    for key in ("share_reached", "baseline_patients"):
        assert (answer[key] is not None) == answerable, key
    assert (answer["patients"] is None) == (status not in ("reached", "below the first budget"))


def test_statuses_and_reasons_are_closed_sets():
    arms = {case: arm for case, (arm, *_) in CASES.items()}
    bases = [base for _, base, *_ in CASES.values() if base is not None]
    seen = set()
    for arm, base in itertools.product(arms.values(), [curve("base", GOOD, seed=1), *bases]):
        for few in ((), ("probe",)):
            rows = answers(arm, base, values=(0.65, 0.95), too_few_seeds=few).values()
            seen |= {(row["status"], row["fold_missing"]) for row in rows}
            both = {("arm", "probe"): arm, ("base", "probe"): base}
            own = [r for r in required_patients(both, "base", Questions((0.8,))) if r["headline"]]
            assert own[1]["fold_missing"] == "baseline"
    statuses, reasons = zip(*seen, strict=True)
    assert set(statuses) == set(STATUSES)
    assert set(reasons) - {None} == set(REASONS) - {"baseline"}


def test_no_multiple_from_few_seeds_or_against_the_baseline_with_all():
    arm, base = curve("arm", (0.6, 0.84, 0.88, 0.95)), curve("base", GOOD, seed=1)
    few = answers(arm, base, too_few_seeds=("probe",))["80 % of the gain"]
    assert (few["fold"], few["fold_missing"]) == (None, "too few seeds")
    assert few["ratio"]["low"] > 1
    reference = answers(arm, base)["reference"]
    assert reference["ratio"]["low"] > 1
    assert reference["baseline_patients"] == {"value": 60, "low": 60, "high": 60}
    assert (reference["fold"], reference["fold_missing"]) == (None, "one-sided")


def test_a_study_at_chance_has_no_answer():
    # 12 test patients, AUROC about 0.54 for both arms.
    test = make_test_set(patients=24, images=1)
    flat = (0.0, 0.05, 0.1, 0.12)
    result = analyse_study(
        test, make_cells(test, {"pretrained": flat, "base": flat}, seeds=5), "base", resamples=200
    )
    assert not result["reference"][0]["above_chance"]
    for answer in result["answers"]:
        assert answer["status"] == "level not above chance"
        assert (answer["arm_above_chance"], answer["baseline_above_chance"]) == (False, False)
        assert (answer["patients"], answer["ratio"], answer["fold"]) == (None, None, None)
    assert result["placebo"][0]["missing"] == "level not above chance"


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
    # Both arms have the same scores at these budgets, in every draw: whole numbers stay whole.
    assert answer["patients"] == {"value": 5, "low": 5, "high": 5}
    assert answer["ratio"] == {"value": 12, "low": 12, "high": 12}
    assert answer["cost"] == {"minutes": 10, "price": 50}
    assert answer["level"] == pytest.approx(result["reference"][0]["mean"]["value"])
    assert result["reference"][0]["patients"] == 60
    assert result["too_few_seeds"]


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
        analyse_study(test, grid, "base", targets=(level,)), target=f"AUROC {level:g}"
    )
    assert answer["status"] == "not reached"
    assert 5 < answer["at_least"] < 60
    assert 0.2 < answer["share_reached"] < 0.5


def test_an_interval_is_open_where_draws_do_not_reach():
    test = make_test_set()
    grid = make_cells(test, {"base": RISING})
    level = analyse_study(test, grid, "base", resamples=40)["points"][-1]["mean"]["value"] - 0.002
    result = analyse_study(test, grid, "base", targets=(level,))
    answer = find_answer(result, "base", f"AUROC {level:g}")
    assert answer["status"] == "reached"
    assert answer["patients"]["low"] < answer["patients"]["value"] < 60
    assert answer["patients"]["high"] is None
    # The ratio of the baseline is 1, but it is undefined in draws that do not reach the level.
    assert answer["ratio"] == {"value": 1, "low": None, "high": None}


def test_zero_shot_above_the_level_needs_no_label():
    test = make_test_set()
    grid = make_cells(test, {"base": (0.5, 0.6, 0.7, 0.8), "pretrained": (1.5, 1.6, 1.7, 1.8)})
    answer = find_answer(analyse_study(test, grid, "base", resamples=100, cost=Cost(price=2)))
    assert answer["status"] == "below the first budget"
    assert answer["patients"] == {"value": 0, "low": 0, "high": 0}
    assert (answer["fold"], answer["ratio"]) == (None, None)
    assert answer["cost"] == {"minutes": None, "price": 0}


def extrapolated(spread, means=(0.75, 0.8, 0.83, 0.85)):
    base = Curve("base", "probe", (5, 10, 20, 40), np.full((201, 4), 0.9), np.full(4, 0.8))
    arm = curve("arm", means, spread=spread)
    arm = Curve("arm", "probe", (5, 10, 20, 40), arm.draws, arm.lows)
    rows = required_patients(
        {("arm", "probe"): arm, ("base", "probe"): base},
        "base",
        Questions(values=(0.87,), extrapolate=True),
    )
    return next(row for row in rows if (row["arm"], row["target"]) == ("arm", "AUROC 0.87"))


def test_extrapolation_has_a_narrow_interval_or_is_not_given():
    answer = extrapolated(1e-4)
    assert (answer["status"], answer["patients"]) == ("not reached", None)
    given = answer["extrapolation"]["patients"]
    assert 40 < given["low"] < given["value"] < given["high"] < 4 * given["low"]
    assert answer["extrapolation"]["missing"] is None
    reasons = {
        0.001: "interval too wide",
        0.01: "interval open",
    }
    for spread, reason in reasons.items():
        assert extrapolated(spread)["extrapolation"] == {"patients": None, "missing": reason}
    flat = extrapolated(1e-4, (0.84, 0.845, 0.846, 0.846))["extrapolation"]
    assert flat == {"patients": None, "missing": "law does not reach it"}


def test_extrapolation_is_on_request_and_needs_budgets():
    test = make_test_set(patients=200)
    budgets = (0, 5, 10, 20, 40)
    grid = {
        Cell(arm, "probe", n, 0): make_scores(test, top * (1 - 0.9 * (n + 1) ** -0.4))
        for arm, top in (("pretrained", 1.8), ("base", 2.2))
        for n in budgets
    }
    assert find_answer(analyse_study(test, grid, "base", resamples=60))["extrapolation"] is None
    # Three budgets above 0 are too few for a power law.
    few = {cell: scores for cell, scores in grid.items() if cell.patients < 40}
    answer = find_answer(analyse_study(test, few, "base", resamples=60, extrapolate=True))
    assert answer["extrapolation"] == {"patients": None, "missing": "too few budgets"}


def test_between_zero_shot_and_the_first_budget_nothing_is_known():
    answer = headline(curve("arm", (0.6, 0.86, 0.9, 0.9), spread=1e-4))
    assert 0 < answer["patients"]["value"] < 5
    assert (answer["patients"]["low"], answer["patients"]["high"]) == (0, 5)
    # At least as many times fewer as with five patients.
    assert answer["fold"]["low"] == pytest.approx(answer["baseline_patients"]["low"] / 5, rel=0.01)
    assert answer["fold"]["high"] is None
    both = curve("base", (0.6, 0.86, 0.9, 0.9), spread=1e-4, seed=1)
    assert headline(curve("arm", (0.6, 0.89, 0.9, 0.9), spread=1e-4), both)["fold"] is None
