"""The top-k accuracy of exclusive classes as the metric of a study."""

import json

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.metrics import top_k_accuracy_score

from remedis.errors import UserError
from remedis.evaluation.evaluate import evaluate
from remedis.evaluation.label_budget import (
    Cell,
    LabelledTestSet,
    Primary,
    StudyMetric,
    analyse_study,
    curves_table,
)
from remedis.evaluation.label_budget.grid import complete_grid
from remedis.evaluation.label_budget.learning_curves import learning_curves
from remedis.evaluation.label_budget.test_set import made_test_set, top_accuracy

NAMES = tuple("abcdef")
SHARES = np.array([0.3, 0.2, 0.2, 0.1, 0.1, 0.1])


def make_classes(seed=0, patients=80, images=2, top=2):
    rng = np.random.default_rng(seed)
    true = rng.choice(len(NAMES), size=patients, p=SHARES).repeat(images)
    ids = np.repeat(np.arange(patients), images)
    metric = StudyMetric(top)
    return LabelledTestSet(NAMES, np.eye(len(NAMES))[true], ids, "multi_class", metric)


def make_logits(test, shift, seed=0):
    rng = np.random.default_rng(seed)
    of_patient = rng.normal(size=(max(test.patient_ids) + 1, len(NAMES)))[test.patient_ids]
    return test.targets * shift + (of_patient + rng.normal(size=test.targets.shape)) / np.sqrt(2)


def test_value_gate_and_chance_are_those_of_the_evaluation():
    test = make_classes()
    logits = make_logits(test, 1.0)
    found = made_test_set(test, "test").areas(logits)
    true = test.targets.argmax(axis=1)
    assert found.values == [pytest.approx(top_k_accuracy_score(true, logits, k=2))]
    evaluated = evaluate(
        test.targets,
        softmax(logits, axis=1),
        NAMES,
        test.patient_ids,
        task="multi_class",
        top_k=(2,),
    ).metrics["top_2_accuracy"]
    assert found.values[0] == pytest.approx(evaluated.mean.value)
    assert made_test_set(test, "test").pairs == [evaluated.mean.effective] == [80]
    # Always naming the two most frequent classes.
    naming = np.tile(-np.bincount(true, minlength=6).argsort().argsort(), (len(true), 1)) * -1.0
    assert made_test_set(test, "test").chance == top_k_accuracy_score(true, naming, k=2)
    # Logits are known up to a constant per image.
    shifted = logits + np.random.default_rng(1).normal(size=(len(logits), 1))
    np.testing.assert_array_equal(found.influence, made_test_set(test, "").areas(shifted).influence)
    few = make_classes(patients=4)
    with pytest.raises(UserError, match="The top-2 accuracy of the OOD test set cannot be estimat"):
        made_test_set(few, "OOD")


@pytest.mark.parametrize("top", [2, 1])
def test_a_test_set_in_which_chance_is_always_right_is_refused(top):
    test = make_classes(top=top)
    test.targets[:, :2] = np.eye(2)[test.targets.argmax(axis=1) % 2] if top == 2 else (1, 0)
    test.targets[:, 2:] = 0
    cells = {Cell("base", "probe", n, 0): make_logits(test, 1.0) for n in (0, 9)}
    named = "the 2 most frequent classes" if top == 2 else "the most frequent class"
    with pytest.raises(UserError, match=f"The top-{top} accuracy of always naming {named} is 1 in"):
        analyse_study(test, cells, "base", resamples=40)
    # A difference of two models is well defined all the same.
    assert 0 < made_test_set(test, "").areas(make_logits(test, 0.5)).values[0] < 1


def test_variance_is_that_of_the_jackknife_by_patient():
    test = make_classes(3, patients=30)
    logits, cases = make_logits(test, 1.0, 3), test.cases()
    found = top_accuracy(cases, logits, 2)
    assert found.influence.sum() == pytest.approx(0, abs=1e-12)
    left_out = []
    for patient in range(30):
        rows = np.asarray(test.patient_ids) != patient
        true = test.targets[rows].argmax(axis=1)
        left_out.append(top_k_accuracy_score(true, logits[rows], k=2, labels=range(6)))
    jackknife = 29 / 30 * np.square(np.array(left_out) - np.mean(left_out)).sum()
    assert np.square(found.influence).sum() == pytest.approx(jackknife)


def test_a_study_of_classes_has_all_estimates():
    test = make_classes(patients=150)
    shifts = {"base": (0.1, 0.4, 1.0, 1.4), "arm": (0.3, 1.0, 1.4, 1.5)}
    cells = {
        Cell(arm, "probe", patients, seed): make_logits(test, shift, seed)
        for arm, of_arm in shifts.items()
        for patients, shift in zip((0, 5, 20, 60), of_arm, strict=True)
        for seed in range(6 if patients else 1)
    }
    inside = make_classes(9)
    id_scores = {("base", "probe"): make_logits(inside, 1.8, 5)}
    primary = Primary("arm", "probe", 20)
    result = analyse_study(
        test, cells, "base", id_test=inside, id_scores=id_scores, targets=(0.6,), primary=primary,
        resamples=200,
    )  # fmt: skip
    json.dumps(result, allow_nan=False)
    assert result["metric"] == "top-2 accuracy"
    assert result["chance"] == made_test_set(test, "").chance
    assert result["id_chance"] == made_test_set(inside, "").chance != result["chance"]
    assert result["interval"].startswith("95 %: variance by patient and Student's t over seeds")
    assert all(point["labels"] == {} for point in result["points"])
    assert result["primary"]["labels"] == []
    assert result["primary"]["difference"]["low"] > 0
    assert result["gap"][0]["gap"]["value"] > 0
    assert result["reference"][0]["above_chance"]
    (answer,) = (
        a
        for a in result["answers"]
        if (a["arm"], a["target"]) == ("arm", "top-2 accuracy 0.6")
    )  # fmt: skip
    assert 0 < answer["patients"]["value"] < 60
    assert list(curves_table(result)["label"]) == ["mean"] * 8
    assert "top_2_accuracy" in curves_table(result)
    with pytest.raises(UserError, match=r"config.target is 0.4; expected a top-2 accuracy between"):
        analyse_study(test, cells, "base", targets=(0.4,), resamples=40)
    with pytest.raises(UserError, match="names the label 'a', and the top-2 accuracy is one num"):
        analyse_study(
            test, cells, "base", primary=Primary("arm", "probe", 20, ("a",)), resamples=40
        )
    # An arm that always names the frequent classes is not above chance.
    constant = {cell: np.tile(SHARES, (len(test.targets), 1)) for cell in cells}
    unable = analyse_study(test, constant, "base", resamples=40)
    assert not unable["reference"][0]["above_chance"]
    assert {a["status"] for a in unable["answers"]} == {"level not above chance"}
    assert unable["id_chance"] is None  # there is no in-distribution test set


def test_scores_that_tie_are_not_above_chance_by_rounding():
    true = np.arange(9 * 23) % 9
    test = LabelledTestSet(
        "abcdefghi", np.eye(9)[true], np.arange(len(true)), "multi_class", StudyMetric(8)
    )
    tied = made_test_set(test, "").areas(np.zeros((len(true), 9))).values[0]
    assert tied == pytest.approx(8 / 9)
    assert tied > made_test_set(test, "").chance  # by 2e-16
    cells = {Cell("base", "probe", n, 0): np.zeros((len(true), 9)) for n in (0, 10)}
    found = analyse_study(test, cells, "base", resamples=40)
    assert not found["reference"][0]["above_chance"]
    assert {a["status"] for a in found["answers"]} == {"level not above chance"}


@pytest.mark.parametrize(("patients", "shift"), [(40, 2.4), (120, 1.0)])
def test_intervals_cover_and_p_values_are_rare_without_a_difference(patients, shift):
    rng = np.random.default_rng(0)
    held, differ, small = [], [], []
    many = make_classes(2, 50_000, 1)
    truth = made_test_set(many, "").areas(make_logits(many, shift)).values[0]
    for draw in range(120):
        test = make_classes(draw + 2, patients)
        logits = [make_logits(test, shift, int(rng.integers(2**31))) for _ in range(2)]
        cells = {Cell(a, "probe", 5, 0): x for a, x in zip(("base", "arm"), logits, strict=True)}
        prepared, grid = made_test_set(test, "test"), complete_grid(cells, "base")
        base, arm = (c.quantities() for c in learning_curves(prepared, cells, grid, "base"))
        ((low, high),) = base.intervals()
        held.append(low <= truth <= high)
        (difference,), (p,) = arm.minus(base).differences()
        differ.append(difference.low <= 0 <= difference.high)
        small.append(p < 0.05)
    # 1,000 draws: 0.977 and 0.949, 0.987 and 0.956, 0.013 and 0.044; the error here is 0.02.
    assert np.mean(held) > 0.91
    assert np.mean(differ) > 0.91
    assert np.mean(small) < 0.09
