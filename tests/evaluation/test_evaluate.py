import collections
import dataclasses
import json
import time

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, softmax
from sklearn.metrics import (
    average_precision_score,
    brier_score_loss,
    roc_auc_score,
    top_k_accuracy_score,
)

from remedis.errors import UserError
from remedis.evaluation.evaluate import evaluate, evaluate_table
from remedis.evaluation.evaluation_result import Result
from remedis.evaluation.thresholds import Thresholds, choose

NAMES = ("Edema", "Fracture", "Effusion")


def _hospital(seed, patients=60, images=3, shared=1.0, columns=3):
    """Labels per patient, and scores; `shared` is the share of the variance due to the patient."""
    rng = np.random.default_rng(seed)
    labels = rng.random((patients, columns)) < 0.4
    person = labels + rng.normal(size=labels.shape) * np.sqrt(shared)
    rows = np.repeat(np.arange(patients), images)
    noise = rng.normal(size=(len(rows), columns)) * np.sqrt(1 - shared)
    return labels[rows].astype(float), person[rows] + noise, [f"p{row:03}" for row in rows]


def _width(estimate):
    return estimate.high - estimate.low


def test_value_counts_and_mean():
    labels, scores, patients = _hospital(0, shared=0.5)
    labels[:6, 0] = np.nan  # two patients
    result = evaluate(labels, scores, NAMES, patients)
    known = ~np.isnan(labels[:, 0])
    first = result.labels["Edema"]
    assert first.value == pytest.approx(roc_auc_score(labels[known, 0], scores[known, 0]))
    assert (first.patients, first.positives) == (58, int((labels[6::3, 0] == 1).sum()))
    assert first.low < first.value < first.high
    values = [estimate.value for estimate in result.labels.values()]
    assert result.mean.value == pytest.approx(np.mean(values))
    assert (result.mean.patients, result.averaged, result.left_out) == (60, NAMES, ())
    # The labels are independent: the interval of their mean is narrower than each of theirs.
    assert _width(result.mean) < min(_width(estimate) for estimate in result.labels.values())


def test_a_patient_is_positive_by_any_image():
    labels, scores, patients = _hospital(1)
    labels[1::3] = 0
    result = evaluate(labels, scores, NAMES, patients)
    assert result.labels["Edema"].positives == int((labels[::3, 0] == 1).sum())


def test_copies_of_images_do_not_narrow_the_interval():
    labels, scores, patients = _hospital(2, images=1)
    once = evaluate(labels, scores, NAMES, patients, seed=5)
    copied = evaluate(np.tile(labels, (4, 1)), np.tile(scores, (4, 1)), NAMES, patients * 4, seed=5)
    pairs = [(copied.labels[name], once.labels[name]) for name in NAMES]
    for four_images, one_image in [*pairs, (copied.mean, once.mean)]:
        assert (four_images.largest_patient_images, one_image.largest_patient_images) == (4, 1)
        want = dataclasses.replace(one_image, largest_patient_images=4)
        assert four_images.to_json() == pytest.approx(want.to_json())
    by_image = evaluate(
        np.tile(labels, (4, 1)), np.tile(scores, (4, 1)), NAMES, [None] * len(labels) * 4, seed=5
    )
    # Treated as patients of their own, four times the images give half the width.
    assert _width(by_image.mean) == pytest.approx(_width(once.mean) / 2, rel=0.15)


def test_labels_share_their_resamples():
    labels, scores, patients = _hospital(3)
    twice = evaluate(labels[:, [0, 0]], scores[:, [0, 0]], ("a", "b"), patients)
    assert twice.labels["a"] == twice.labels["b"]
    assert _width(twice.mean) == pytest.approx(_width(twice.labels["a"]))


def test_order_of_rows_does_not_matter_and_the_seed_does():
    labels, scores, patients = _hospital(4, shared=0.5)
    want = evaluate(labels, scores, NAMES, patients)
    order = np.random.default_rng(0).permutation(len(labels))
    got = evaluate(labels[order], scores[order], NAMES, np.array(patients)[order])
    assert got.to_json()["mean"] == pytest.approx(want.to_json()["mean"])
    average_precision = [
        evaluate(labels[rows], scores[rows], NAMES, np.array(patients)[rows], seed=seed).metrics[
            "average_precision"
        ]
        for rows, seed in ((slice(None), 0), (order, 0), (slice(None), 1))
    ]
    assert average_precision[1].mean.to_json() == pytest.approx(average_precision[0].mean.to_json())
    assert average_precision[2].mean.low != pytest.approx(average_precision[0].mean.low)


@pytest.mark.parametrize("flip", [False, True])
def test_fewer_than_five_patients_of_a_class_are_not_estimable(flip):
    labels, scores, patients = _hospital(5)
    labels[:, 0] = 0
    labels[: 4 * 3, 0] = 1  # four patients, twelve images
    labels[:, 1] = 0
    labels[: 5 * 3, 1] = 1
    if flip:
        labels = 1 - labels
    result = evaluate(labels, scores, NAMES, patients)
    kind, positives = ("negative", 56) if flip else ("positive", 4)
    assert str(result.labels["Edema"]) == (
        f"not estimable (4 {kind} patients, 5 are needed), 60 patients, {positives} positive"
    )
    assert result.labels["Fracture"].estimable
    assert (result.averaged, result.left_out) == (NAMES[1:], NAMES[:1])
    values = [result.labels[name].value for name in NAMES[1:]]
    assert result.mean.value == pytest.approx(np.mean(values))


def _uneven(seed, largest=100):
    """Labels, probabilities and patients; one of ten positive patients has most images."""
    rng = np.random.default_rng(seed)
    images = np.ones(120, int)
    images[0] = largest
    rows = np.repeat(np.arange(120), images)
    positive = (np.arange(120) < 10).astype(float)
    scores = expit(positive * 1.5 + rng.normal(size=120))
    return positive[rows][:, None], scores[rows][:, None], rows


def test_patients_are_counted_by_their_images():
    labels, scores, patients = _uneven(0)
    chosen = Thresholds({"a": 0.5}, {"a": 0.5}, 0.9)
    result = evaluate(labels, scores, ("a",), patients, thresholds=chosen, resamples=40)
    area = result.labels["a"]
    reason = "10 positive patients count as 1.2 because one has 100 of 109 images, 5 are needed"
    assert str(area) == f"not estimable ({reason}), 120 patients, 10 positive"
    assert area.effective_patients == pytest.approx(219**2 / (100**2 + 119))
    assert (area.effective_positives, area.effective) == pytest.approx((109**2 / 10_009,) * 2)
    assert area.largest_patient_images == 100
    estimable = {name for name, of in result.metrics.items() if of.labels["a"].estimable}
    kinds = ("youden", "target_sensitivity")
    assert estimable == {f"{kind}/specificity" for kind in kinds}
    assert result.metrics["youden/specificity"].labels["a"].effective == pytest.approx(110)
    assert result.metrics["youden/sensitivity"].labels["a"].reason == (
        reason.replace("positive ", "")
    )
    assert result.metrics["brier"].labels["a"].reason == (
        "120 patients count as 4.7 because one has 100 of 219 images, 5 are needed"
    )


def test_patients_of_equal_weight_are_estimable_however_many_images_they_have():
    labels, scores, patients = _uneven(0)
    once = np.unique(patients, return_index=True)[1]
    want = evaluate(labels[once], scores[once], ("a",), patients[once], resamples=40)
    got = evaluate(labels, scores, ("a",), patients, weighting="patients", resamples=40)
    area, of_patients = got.labels["a"], want.labels["a"]
    # The images of a patient have one score here: more of them change nothing.
    ends = (area.value, area.low, area.high, area.effective)
    assert ends == pytest.approx(
        (of_patients.value, of_patients.low, of_patients.high, of_patients.effective)
    )
    assert (got.weighting, got.to_json()["weighting"]) == ("patients", "patients")
    assert "equal weight" in got.interval
    assert Result.from_json(json.loads(json.dumps(got.to_json()))) == got
    fields = want.to_json()
    del fields["weighting"]
    assert Result.from_json(fields).weighting == "images"
    with pytest.raises(UserError, match="weighting 'patient': did you mean 'patients'"):
        evaluate(labels, scores, ("a",), patients, weighting="patient")


def test_each_metric_needs_patients_of_its_own_denominator():
    # Four positive patients: neither AUROC nor sensitivity, but Brier score, ECE and accuracy.
    labels, scores, patients = _predicted(3)
    labels[:] = 0
    labels[: 4 * 3] = 1
    chosen = Thresholds(dict.fromkeys(NAMES, 0.0), dict.fromkeys(NAMES, 0.0), 0.9)
    result = evaluate(labels, scores, NAMES, patients, thresholds=chosen, resamples=40)
    estimable = {name for name, of in result.metrics.items() if of.labels["Edema"].estimable}
    assert not result.labels["Edema"].estimable
    assert estimable == {
        *("brier", "calibration_error", "accuracy"),
        *(f"{kind}/specificity" for kind in ("youden", "target_sensitivity")),
    }
    few = evaluate(labels[:12], scores[:12], NAMES, patients[:12], thresholds=chosen, resamples=40)
    assert not any(of.labels["Edema"].estimable for of in few.metrics.values())
    assert few.metrics["brier"].labels["Edema"].reason == "4 patients, 5 are needed"


def test_effective_numbers_have_no_noise_of_rounding():
    rng = np.random.default_rng(0)
    labels = (rng.random((300, 1)) < 0.5).astype(float)
    area = evaluate(labels, rng.random((300, 1)), ("a",), np.arange(300), resamples=40).labels["a"]
    assert area.effective_patients == 300
    assert area.effective == min(area.positives, 300 - area.positives)


def test_nothing_estimable():
    labels, scores, patients = _hospital(6)
    result = evaluate(np.full_like(labels, np.nan), scores, NAMES, patients)
    assert str(result.mean) == ("not estimable (no label is estimable), 0 patients, 0 positive")
    assert result.left_out == NAMES
    few = evaluate(labels[:6], scores[:6], NAMES, patients[:6])
    assert few.mean.value is None
    assert few.mean.patients == 2
    json.dumps(few.to_json(), allow_nan=False)


def test_result_prints_and_becomes_json():
    labels, scores, patients = _hospital(7)
    result = evaluate(labels, scores, NAMES, patients, seed=2, resamples=50)
    fields = json.loads(json.dumps(result.to_json(), allow_nan=False))
    assert list(fields["labels"]) == list(NAMES)
    assert fields["averaged"] == list(NAMES)
    assert (fields["images"], fields["resamples"], fields["seed"]) == (180, 50, 2)
    assert Result.from_json(fields) == result
    assert str(result).splitlines()[-1] == f"mean of 3: {result.mean}"


def test_malformed_input_is_one_sentence():
    labels, scores, patients = _hospital(8)
    with pytest.raises(UserError, match="179 patient ids for 180 rows"):
        evaluate(labels, scores, NAMES, patients[1:])
    with pytest.raises(UserError, match="2 label names for 3 columns"):
        evaluate(labels, scores, NAMES[:2], patients)
    with pytest.raises(UserError, match="names must differ; got a, b, a"):
        evaluate(labels, scores, ("a", "b", "a"), patients)
    scores[7, 2] = np.nan
    with pytest.raises(UserError, match=r"row 7 .*label 'Effusion' is nan"):
        evaluate(labels, scores, NAMES, patients)


def _predicted(seed, classes=False):
    """Labels, probabilities and patients; one class per row if `classes`."""
    labels, scores, patients = _hospital(seed, shared=0.5)
    if classes:
        rng = np.random.default_rng(seed)
        labels = np.eye(3)[rng.integers(3, size=len(labels))]
        scores = np.exp(rng.normal(size=labels.shape) + labels)
        return labels, scores / scores.sum(axis=1, keepdims=True), patients
    return labels, expit(scores), patients


def test_every_metric_is_there_and_agrees_with_scikit_learn():
    labels, scores, patients = _predicted(9)
    labels[4:9, 1] = np.nan
    chosen = choose(labels, scores, NAMES)
    result = evaluate(labels, scores, NAMES, patients, thresholds=chosen)
    points = [
        f"{kind}/{name}"
        for kind in ("youden", "target_sensitivity")
        for name in ("sensitivity", "specificity", "ppv", "npv")
    ]
    line = ["calibration_slope", "calibration_intercept"]
    others = ["average_precision", "brier", "calibration_error", *line, "accuracy"]
    assert sorted(result.metrics) == sorted([*others, *points])
    for column, name in enumerate(NAMES):
        use = ~np.isnan(labels[:, column])
        target, score = labels[use, column], scores[use, column]
        for metric, value in (
            ("average_precision", average_precision_score(target, score)),
            ("brier", brier_score_loss(target, score)),
            ("accuracy", np.mean((score >= 0.5) == target)),
        ):
            assert result.metrics[metric].labels[name].value == pytest.approx(value)
        assert result.metrics["target_sensitivity/sensitivity"].labels[name].value >= 0.9
    for metric, found in result.metrics.items():
        assert (found.averaged, list(found.labels)) == (NAMES, list(NAMES))
        assert found.interval
        values = [estimate.value for estimate in found.labels.values()]
        assert found.mean.value == pytest.approx(np.mean(values))
        for estimate in (*found.labels.values(), found.mean):
            assert estimate.low < estimate.high
            assert estimate.low <= estimate.value <= estimate.high
            assert metric in line or 0 <= estimate.low < estimate.high <= 1
    assert Result.from_json(json.loads(json.dumps(result.to_json()))) == result


def test_scores_outside_0_to_1_have_no_calibration():
    labels, scores, patients = _hospital(10)
    assert list(evaluate(labels, scores, NAMES, patients, resamples=40).metrics) == [
        "average_precision"
    ]


def test_classes_have_one_accuracy():
    labels, scores, patients = _predicted(11, classes=True)
    result = evaluate(labels, scores, NAMES, patients, task="multi_class")
    accuracy = result.metrics["accuracy"]
    assert accuracy.labels == {}
    assert accuracy.mean.value == np.mean(labels.argmax(axis=1) == scores.argmax(axis=1))
    assert accuracy.mean.low < accuracy.mean.value < accuracy.mean.high
    top = result.metrics["top_3_accuracy"].mean  # there are three classes
    assert (top.value, top.reason) == (None, "of 3 classes, the true one is always among 3")
    recalls = result.metrics["balanced_accuracy"]
    assert recalls.mean.value == pytest.approx(
        np.mean([recalls.labels[name].value for name in NAMES])
    )
    with pytest.raises(UserError, match=r"task 'multiclass': did you mean 'multi_class'"):
        evaluate(labels, scores, NAMES, patients, task="multiclass")


def test_top_k_accuracies_have_gates_and_intervals_of_the_accuracy():
    rng = np.random.default_rng(5)
    true = rng.integers(7, size=150)
    labels, names = np.eye(7)[true], tuple("abcdefg")
    scores = softmax(rng.normal(size=labels.shape) + 1.5 * labels, axis=1)
    patients = np.arange(150) // 2
    result = evaluate(labels, scores, names, patients, task="multi_class", top_k=(2, 5))
    assert [name for name in result.metrics if "accuracy" in name] == [
        *("accuracy", "balanced_accuracy", "top_2_accuracy", "top_5_accuracy")
    ]
    for k in (2, 5):
        found = result.metrics[f"top_{k}_accuracy"]
        assert found.labels == {}
        assert found.mean.value == pytest.approx(top_k_accuracy_score(true, scores, k=k))
        assert found.mean.low < found.mean.value < found.mean.high < 1
        assert found.mean.effective == result.metrics["accuracy"].mean.effective == 75
    # Probabilities that are 0 in single precision still rank by their log odds.
    saturated = np.where(labels == 1, 1.0, 0.0)
    ranked = evaluate(
        labels, saturated, names, patients, task="multi_class", ranking=scores, top_k=(2,)
    )
    assert ranked.metrics["top_2_accuracy"] == result.metrics["top_2_accuracy"]
    # A rare class is not left out of the balanced accuracy, which is then not estimable.
    rare = np.flatnonzero((true != 6) | (np.cumsum(true == 6) <= 3))
    of_rare = evaluate(labels[rare], scores[rare], names, patients[rare], task="multi_class")
    balanced = of_rare.metrics["balanced_accuracy"]
    assert balanced.labels["a"].value is not None
    assert (balanced.mean.value, balanced.mean.reason) == (None, "too few patients with g")
    few = evaluate(labels[:8], scores[:8], names, patients[:8], task="multi_class", top_k=(2,))
    assert few.metrics["top_2_accuracy"].mean.reason == few.metrics["accuracy"].mean.reason
    assert "4 patients, 5 are needed" in few.metrics["accuracy"].mean.reason
    with pytest.raises(UserError, match=r"top_k is \(0,\); expected whole numbers of cl"):
        evaluate(labels, scores, names, patients, task="multi_class", top_k=(0,))


@pytest.mark.parametrize("certain", [True, False])
def test_perfect_scores_are_not_certain(certain):
    labels, _, patients = _hospital(12)
    scores = labels if certain else labels * 0.8 + 0.1
    chosen = Thresholds(dict.fromkeys(NAMES, 0.5), dict.fromkeys(NAMES, 0.5), 0.9)
    result = evaluate(labels, scores, NAMES, patients, thresholds=chosen, resamples=40)
    ones = ("average_precision", "accuracy", "youden/sensitivity", "youden/specificity")
    perfect = [result.mean, *result.labels.values()]
    for name in ones:
        perfect += [result.metrics[name].mean, *result.metrics[name].labels.values()]
    for estimate in perfect:
        assert estimate.value == 1
        assert 0.75 < estimate.low < 0.97
        assert estimate.high == 1
    # Every image has the same error; a share of unseen patients may have any.
    zero_or_little = {"brier": 0.0 if certain else 0.01, "calibration_error": 0 if certain else 0.1}
    for name, value in zero_or_little.items():
        mean = result.metrics[name].mean
        assert mean.value == pytest.approx(value)
        assert 0 <= mean.low <= mean.value < mean.high < value + 0.08
        for estimate in result.metrics[name].labels.values():
            # 60 patients: 1 - 0.025^(1/60) is 0.06.
            assert value + 0.04 < estimate.high < value + 0.08


def test_equal_probabilities_have_no_calibration_slope():
    labels = np.repeat([0.0, 1.0], 10)[:, None]
    result = evaluate(labels, np.full_like(labels, 0.3), ("a",), range(20), resamples=40)
    slope = result.metrics["calibration_slope"].labels["a"]
    assert slope.value is None
    assert slope.reason == "the probabilities separate the classes, or are all equal"


def test_a_label_without_threshold_has_no_operating_point():
    labels, scores, patients = _predicted(13)
    chosen = Thresholds(
        {**dict.fromkeys(NAMES, 0.5), "Edema": None}, dict.fromkeys(NAMES, 0.5), 0.9
    )
    metrics = evaluate(labels, scores, NAMES, patients, thresholds=chosen, resamples=40).metrics
    assert metrics["youden/ppv"].labels["Edema"].value is None
    assert metrics["youden/ppv"].averaged == NAMES[1:]
    assert metrics["target_sensitivity/ppv"].averaged == NAMES


def _table(seed):
    labels, scores, patients = _predicted(seed)
    table = pd.DataFrame({"patient_id": patients, "split": "test"})
    table["sex"] = np.where(np.arange(len(table)) // 3 % 2, "F", "M")
    for column, name in enumerate(NAMES):
        table[f"label/{name}"], table[f"score/{name}"] = labels[:, column], scores[:, column]
    return table


def test_a_table_is_evaluated_by_split():
    table = _table(14)
    other = _table(15).assign(split="validation")
    chosen = choose(_columns(other, "label"), _columns(other, "score"), NAMES)
    both = pd.concat([table, other])
    evaluated = evaluate_table(both, NAMES, "test", thresholds=chosen, resamples=40)
    want = evaluate(
        *(_columns(table, kind) for kind in ("label", "score")),
        NAMES,
        table["patient_id"],
        thresholds=chosen,
        resamples=40,
    )
    assert list(evaluated.pop("subgroups")) == ["sex"]
    assert evaluated.pop("ranked_by") == "scores"
    assert evaluated.pop("ties") == {name: {"images": 0, "pairs": 0.0} for name in NAMES}
    assert evaluated.pop("warnings") == []
    assert evaluated.pop("label_notes") == []
    assert evaluated.pop("choice_notes") == []
    assert evaluated == want.to_json()
    with pytest.raises(UserError, match=r"no rows of split 'train'; it has test, validation\."):
        evaluate_table(both, NAMES, "train")
    with pytest.raises(UserError, match="no column 'label/Effusions'"):
        evaluate_table(both, ("Effusions",), "test")


def _columns(table, kind):
    return table[[f"{kind}/{name}" for name in NAMES]].to_numpy()


@pytest.mark.slow
def test_all_metrics_of_the_chestxray14_test_set_take_under_ten_seconds():
    rng = np.random.default_rng(0)
    labels = (rng.random((25_596, 14)) < np.linspace(0.01, 0.4, 14)).astype(float)
    scores = expit(rng.normal(size=labels.shape) + labels)
    names = [f"label {i}" for i in range(14)]
    chosen = choose(labels, scores, names)
    start = time.perf_counter()
    evaluate(labels, scores, names, rng.integers(2_797, size=len(labels)), thresholds=chosen)
    assert time.perf_counter() - start < 10


@pytest.mark.slow
@pytest.mark.parametrize("area", [0.8, 0.95])
@pytest.mark.parametrize("population", ["even", "zipf", "few", "two-labels"])
def test_intervals_of_all_metrics_cover_the_truth(area, population, load_benchmark):
    module = load_benchmark("coverage")
    found = collections.defaultdict(list)
    for seed in range(300):
        for name, bounds in module.draw(population, area, dict(module.AREAS)[area], seed, 200):
            found[name].append(bounds)
    for name, all_bounds in found.items():
        hits = [low <= truth <= high for low, high, truth in filter(None, all_bounds)]
        # Two standard errors below 93 %; percentiles are there for comparison.
        assert np.mean(hits) >= (0.85 if "bootstrap" in name else 0.90), (name, np.mean(hits))


@pytest.mark.parametrize("population", ["one-of-10", "zipf"])
def test_uneven_patients_are_covered_or_not_estimable(population, load_benchmark):
    module = load_benchmark("coverage")
    uneven = module.POPULATIONS[population]
    distance, hits, values = module.shift(0.8), [], 0
    for seed in range(60):
        labels, scores, rows = uneven.sample(np.random.default_rng(seed), distance)
        area = evaluate(labels, scores, ("a",), rows, resamples=40).labels["a"]
        values += area.estimable
        if area.estimable:
            hits.append(area.low <= 0.8 <= area.high)
    if population == "one-of-10":
        assert values == 0
    else:
        # 0.95 less three standard errors is 0.86; with patients counted, 0.87 of 1,120 covered.
        assert values > 40
        assert np.mean(hits) >= 0.9
