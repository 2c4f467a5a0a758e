import numpy as np
import pytest
from sklearn.metrics import accuracy_score, brier_score_loss, precision_score, recall_score

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
