import numpy as np
import pytest
from sklearn.metrics import (
    accuracy_score,
    brier_score_loss,
    precision_score,
    recall_score,
    top_k_accuracy_score,
)

from remedis.evaluation import ratios


def case(seed, rows=90, columns=3):
    rng = np.random.default_rng(seed)
    labels = (rng.random((rows, columns)) < 0.4).astype(float)
    scores = np.round(np.clip(rng.random(labels.shape) * 0.7 + labels * 0.3, 0, 1), 1)
    labels[rng.random(labels.shape) < 0.2] = np.nan
    return labels, scores, np.sort(rng.integers(30, size=rows))


@pytest.mark.parametrize("seed", range(2))
def test_agree_with_scikit_learn(seed):
    labels, scores, patients = case(seed)
    cut = np.array([0.3, 0.5, 0.8])
    metrics = ratios.operating_point(labels, scores, cut)
    metrics |= {"brier": ratios.brier(labels, scores), "accuracy": ratios.accuracy(labels, scores)}
    by_patient = ratios.ratios(metrics, patients)
    # The data as they are, and without each of three patients.
    for left_out in (None, 3, 11, 20):
        drawn = np.flatnonzero(patients != left_out) if left_out else np.arange(len(labels))
        subset = ratios.ratios(
            {name: tuple(part[drawn] for part in of) for name, of in metrics.items()},
            patients[drawn],
        )
        for column in range(3):
            target, score = labels[drawn, column], scores[drawn, column]
            target, score = target[~np.isnan(target)], score[~np.isnan(target)]
            # As in `ratios`, scores are compared in single precision.
            called = score.astype(np.float32) >= np.float32(cut[column])
            want = {
                "sensitivity": recall_score(target, called, zero_division=np.nan),
                "specificity": recall_score(target, called, pos_label=0, zero_division=np.nan),
                "ppv": precision_score(target, called, zero_division=np.nan),
                "npv": precision_score(target, called, pos_label=0, zero_division=np.nan),
                "brier": brier_score_loss(target, score, pos_label=1),
                "accuracy": accuracy_score(target, score >= 0.5),
            }
            for name, value in want.items():
                got = subset[name].values[column]
                assert got == pytest.approx(value, abs=1e-12, nan_ok=True)
                if left_out is not None and not np.isnan(value):
                    # Leaving a patient out changes a ratio by its contribution, but for the
                    # smaller denominator.
                    whole = by_patient[name]
                    share = whole.denominators[left_out, column] / whole.denominators.sum(0)[column]
                    change = -whole.contributions[left_out, column] / (1 - share)
                    assert value - whole.values[column] == pytest.approx(change)


def test_patients_of_a_proportion_are_counted():
    labels = np.array([[1.0], [1.0], [0.0], [np.nan], [0.0]])
    patients = np.array([0, 0, 1, 2, 3])
    metrics = ratios.operating_point(labels, np.full((5, 1), 0.7), np.array([0.5]))
    by_patient = ratios.ratios(metrics, patients)
    assert {
        name: np.count_nonzero(of.denominators, axis=0).tolist() for name, of in by_patient.items()
    } == {
        "sensitivity": [1],
        "specificity": [2],
        "ppv": [3],
        "npv": [0],
    }
    assert np.isnan(by_patient["npv"].values).all()


def test_a_label_without_threshold_has_no_proportion():
    labels, scores, patients = case(0)
    metrics = ratios.operating_point(labels, scores, np.array([0.5, np.nan, 0.5]))
    for of in ratios.ratios(metrics, patients).values():
        assert np.isnan(of.values).tolist() == [False, True, False]
        assert not of.denominators[:, 1].any()


def test_accuracy_among_classes():
    labels = np.eye(3)[[0, 1, 2, 2]]
    scores = np.array([[0.5, 0.3, 0.2], [0.6, 0.3, 0.1], [0.1, 0.1, 0.8], [0.2, 0.2, 0.6]])
    numerator, denominator = ratios.top_accuracy(labels, scores)
    assert numerator.ravel().tolist() == [True, False, True, True]
    labels[3] = np.nan
    numerator, denominator = ratios.top_accuracy(labels, scores)
    assert (numerator.sum(), denominator.sum()) == (2, 3)


def test_top_k_accuracy_agrees_with_scikit_learn_and_does_not_depend_on_the_order_of_classes():
    rng = np.random.default_rng(0)
    true, scores = rng.integers(6, size=80), rng.normal(size=(80, 6))
    order = rng.permutation(6)
    for k in (1, 2, 3, 5, 6, 9):
        numerator, denominator = ratios.top_accuracy(np.eye(6)[true], scores, k)
        expected = top_k_accuracy_score(true, scores, k=min(k, 5), labels=range(6)) if k < 6 else 1
        assert numerator.sum() / denominator.sum() == pytest.approx(expected)
        again, _ = ratios.top_accuracy(np.eye(6)[true][:, order], scores[:, order], k)
        np.testing.assert_array_equal(again, numerator)


def test_ties_count_as_much_as_a_random_order_of_equal_classes():
    labels = np.eye(5)[[0, 1, 2, 3, 4]]
    equal = np.zeros((5, 5))
    for k in range(1, 6):
        assert ratios.top_accuracy(labels, equal, k)[0].sum() == pytest.approx(k)
    # One class above, two tied with the true one (class 0), one below.
    scores = np.array([[1.0, 2.0, 1.0, 1.0, 0.0]])
    shares = [ratios.top_accuracy(labels[:1], scores, k)[0].item() for k in range(1, 6)]
    assert shares == pytest.approx([0, 1 / 3, 2 / 3, 1, 1])
    rng = np.random.default_rng(1)
    noisy = scores + 1e-9 * rng.random((20_000, 5))
    drawn = [
        ratios.top_accuracy(np.tile(labels[0], (20_000, 1)), noisy, k)[0].mean()
        for k in range(1, 6)
    ]
    assert drawn == pytest.approx(shares, abs=0.015)


def test_recall_by_class_is_that_of_scikit_learn():
    rng = np.random.default_rng(2)
    true, scores = rng.integers(4, size=60), rng.normal(size=(60, 4))
    labels = np.eye(4)[true]
    labels[::7] = np.nan
    kept = np.isfinite(labels[:, 0])
    numerator, denominator = ratios.recall_by_class(labels, scores)
    shares = numerator.sum(axis=0) / denominator.sum(axis=0)
    expected = recall_score(true[kept], scores[kept].argmax(axis=1), average=None)
    np.testing.assert_allclose(shares, expected)
