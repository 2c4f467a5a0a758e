import pytest
from study_helpers import BUDGETS, NAMES, RISING, find_answer, make_cells, make_test_set

from remedis.errors import UserError
from remedis.evaluation.label_budget import Primary, analyse_study


def test_identical_arms_save_nothing_and_do_not_differ():
    test = make_test_set()
    both = make_cells(test, {"pretrained": RISING, "base": RISING}, seeds=5)
    result = analyse_study(test, both, "base", targets=(0.8,), resamples=100)
    for target in ("80 % of the gain", "reference", "AUROC 0.8"):
        answer = find_answer(result, target=target)
        assert answer["ratio"] == {"value": 1, "low": 1, "high": 1}
        assert (answer["status"], answer["share_reached"]) == ("reached", 1)
        assert answer["fold"] is None
        reason = "one-sided" if target == "reference" else "interval contains 1"
        assert answer["fold_missing"] == reason
    assert find_answer(result)["patients"] == {"value": 60, "low": 60, "high": 60}
    assert [pair["patients"] for pair in result["paired"]] == list(BUDGETS)
    for pair in result["paired"]:
        assert (pair["arm"], pair["against"], pair["p"]) == ("pretrained", "base", 1)
        assert (pair["p_adjusted"], pair["primary"]) == (1, False)
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


def test_the_primary_comparison_stands_alone_and_the_others_are_adjusted():
    test = make_test_set()
    grid = make_cells(test, {"base": RISING, "better": (0.4, 0.9, 1.5, 1.9)}, seeds=5)

    def analysed(primary):
        return analyse_study(test, grid, "base", primary=primary, resamples=40)

    without = analysed(None)
    result = analysed(Primary("better", "probe", 20))
    stated = result["primary"]
    (row,) = [pair for pair in result["paired"] if pair["primary"]]
    assert row["patients"] == 20
    assert row["p"] == row["p_adjusted"] == stated["p"]
    assert stated["difference"] == row["difference"]
    assert (stated["against"], stated["labels"]) == ("base", list(NAMES))
    assert without["primary"] is None
    assert result["adjustment"] == "Holm"
    smallest = min((pair for pair in without["paired"]), key=lambda pair: pair["p"])
    assert smallest["p_adjusted"] == pytest.approx(4 * smallest["p"])
    others = [pair for pair in result["paired"] if not pair["primary"]]
    smallest = min(others, key=lambda pair: pair["p"])
    assert smallest["p_adjusted"] == pytest.approx(3 * smallest["p"])


def test_the_primary_comparison_may_be_about_one_label():
    test = make_test_set()
    grid = make_cells(test, {"base": RISING, "better": (0.4, 0.9, 1.5, 1.9)}, seeds=5)
    stated = Primary("better", "probe", 60, ("Fracture",))
    result = analyse_study(test, grid, "base", primary=stated, resamples=40)
    of_label = [
        point["labels"]["Fracture"]["value"]
        for arm in ("better", "base")
        for point in result["points"]
        if (point["arm"], point["patients"]) == (arm, 60)
    ]
    assert result["primary"]["labels"] == ["Fracture"]
    assert result["primary"]["difference"]["value"] == pytest.approx(of_label[0] - of_label[1])


@pytest.mark.parametrize(
    ("primary", "sentence"),
    [
        (Primary("bose", "probe", 5), "Unknown arm in config.primary 'bose'"),
        (Primary("base", "probe", 5), "Unknown arm in config.primary 'base'"),
        (Primary("other", "prob", 5), "mode in config.primary 'prob': did you mean 'probe'"),
        (Primary("other", "probe", 7), "budget of 7 patients, .* one of 0, 5, 20, 60"),
        (Primary("other", "probe", 5, ("Edma",)), "label in config.primary 'Edma'.*'Edema'"),
    ],
)
def test_a_primary_comparison_that_does_not_exist_is_refused(primary, sentence):
    test = make_test_set()
    grid = make_cells(test, {"base": RISING, "other": RISING})
    with pytest.raises(UserError, match=sentence):
        analyse_study(test, grid, "base", primary=primary, resamples=40)


def test_a_primary_comparison_about_a_rare_label_is_refused():
    test = make_test_set()
    test.targets[:, 1] = 0
    test.targets[:8, 1] = 1  # four patients
    grid = make_cells(test, {"base": RISING, "other": RISING})
    with pytest.raises(UserError, match="label 'Fracture', which has fewer than 5 positive"):
        analyse_study(
            test, grid, "base", primary=Primary("other", "probe", 5, ("Fracture",)), resamples=40
        )
