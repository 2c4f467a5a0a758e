import pytest
from study_helpers import BUDGETS, RISING, find_answer, make_cells, make_test_set

from remedis.evaluation.label_budget import analyse_study


def test_identical_arms_save_nothing_and_do_not_differ():
    test = make_test_set()
    both = make_cells(test, {"pretrained": RISING, "base": RISING})
    result = analyse_study(test, both, "base", levels=(0.7,), resamples=100)
    for target, patients in (("reference", 60), ("AUROC 0.7", None)):
        answer = find_answer(result, target=target)
        assert answer["fold"] == pytest.approx({"value": 1, "low": 1, "high": 1})
        assert (answer["status"], answer["share_reached"]) == ("reached", 1)
        if patients:
            assert answer["patients"] == pytest.approx({"value": 60, "low": 60, "high": 60})
    assert [pair["patients"] for pair in result["paired"]] == list(BUDGETS)
    for pair in result["paired"]:
        assert (pair["arm"], pair["against"], pair["p"]) == ("pretrained", "base", 1)
        assert pair["difference"] == {"value": 0, "low": 0, "high": 0}


def test_every_pair_of_arms_is_compared_against_the_baseline_last():
    test = make_test_set()
    grid = make_cells(test, {"base": RISING, "a": RISING, "b": RISING})
    grid |= make_cells(test, {"base": RISING, "a": RISING, "b": RISING}, mode="finetune")
    pairs = analyse_study(test, grid, "base", resamples=40)["paired"]
    compared = {(pair["mode"], pair["arm"], pair["against"]) for pair in pairs}
    expected = {("a", "b"), ("a", "base"), ("b", "base")}
    assert compared == {(mode, *pair) for mode in ("probe", "finetune") for pair in expected}
    assert len(pairs) == 2 * 3 * len(BUDGETS)
