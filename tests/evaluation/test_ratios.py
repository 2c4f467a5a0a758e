import numpy as np
import pytest
from sklearn.metrics import accuracy_score, brier_score_loss, precision_score, recall_score

from remedis.evaluation import ratios
from remedis.evaluation.intervals import patient_counts


def case(seed, rows=90, columns=3):
    rng = np.random.default_rng(seed)
    labels = (rng.random((rows, columns)) < 0.4).astype(float)
    scores = np.round(np.clip(rng.random(labels.shape) * 0.7 + labels * 0.3, 0, 1), 1)
    labels[rng.random(labels.shape) < 0.2] = np.nan
    return labels, scores, np.sort(rng.integers(30, size=rows))


@pytest.mark.parametrize("seed", range(2))
def test_agree_with_scikit_learn_on_every_resample(seed):
    labels, scores, patients = case(seed)
    cut = np.array([0.3, 0.5, 0.8])
    metrics = ratios.operating_point(labels, scores, cut)
    metrics |= {"brier": ratios.brier(labels, scores), "accuracy": ratios.accuracy(labels, scores)}
    weights = patient_counts(int(patients.max()) + 1, 40, seed)[:8]
    resampled = ratios.ratios(metrics, patients, weights)
    rows = [np.arange(len(labels))]
    rows += [np.repeat(np.arange(len(labels)), draw[patients]) for draw in weights]
    for number, drawn in enumerate(rows):
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
                values, draws, _ = resampled[name]
                got = values[column] if number == 0 else draws[number - 1, column]
                assert got == pytest.approx(value, abs=1e-12, nan_ok=True)


def test_patients_of_a_proportion_are_counted():
    labels = np.array([[1.0], [1.0], [0.0], [np.nan], [0.0]])
    patients = np.array([0, 0, 1, 2, 3])
    metrics = ratios.operating_point(labels, np.full((5, 1), 0.7), np.array([0.5]))
    resampled = ratios.ratios(metrics, patients, np.ones((1, 4)))
    assert {
        name: patients_behind.tolist() for name, (_, _, patients_behind) in resampled.items()
    } == {
        "sensitivity": [1],
        "specificity": [2],
        "ppv": [3],
        "npv": [0],
    }
    assert np.isnan(resampled["npv"][0]).all()


def test_a_label_without_threshold_has_no_proportion():
    labels, scores, patients = case(0)
    metrics = ratios.operating_point(labels, scores, np.array([0.5, np.nan, 0.5]))
    for values, _, behind in ratios.ratios(metrics, patients, np.ones((1, 30))).values():
        assert np.isnan(values).tolist() == [False, True, False]
        assert behind[1] == 0


def test_accuracy_among_classes():
    labels = np.eye(3)[[0, 1, 2, 2]]
    scores = np.array([[0.5, 0.3, 0.2], [0.6, 0.3, 0.1], [0.1, 0.1, 0.8], [0.2, 0.2, 0.6]])
    numerator, denominator = ratios.top_accuracy(labels, scores)
    assert numerator.ravel().tolist() == [True, False, True, True]
    labels[3] = np.nan
    numerator, denominator = ratios.top_accuracy(labels, scores)
    assert (numerator.sum(), denominator.sum()) == (2, 3)
