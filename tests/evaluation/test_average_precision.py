import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from remedis.evaluation import auroc as auroc_module
from remedis.evaluation.average_precision import average_precision


def case(seed, rows=150, levels=10):
    rng = np.random.default_rng(seed)
    labels = (rng.random((rows, 3)) < [0.1, 0.5, 0.9]).astype(float)
    scores = np.floor((rng.normal(size=labels.shape) + labels) * levels / 4)
    labels[rng.random(labels.shape) < 0.2] = np.nan
    return labels, scores


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("levels", [2, 10, 10_000])
def test_agrees_with_scikit_learn_under_ties_and_weights(seed, levels):
    labels, scores = case(seed, levels=levels)
    weights = np.random.default_rng(seed).integers(0, 4, size=(5, len(labels)))
    got = average_precision(labels, scores, weights)
    for column in range(3):
        use = ~np.isnan(labels[:, column])
        for row, weight in enumerate(weights):
            want = average_precision_score(
                labels[use, column], scores[use, column], sample_weight=weight[use]
            )
            assert got[row, column] == pytest.approx(want, abs=1e-12)


def test_a_weight_per_group_is_the_weight_of_its_rows(monkeypatch):
    labels, scores = case(0)
    rng = np.random.default_rng(1)
    groups, weights = rng.integers(40, size=len(labels)), rng.integers(0, 4, size=(9, 40))
    want = average_precision(labels, scores, weights[:, groups])
    np.testing.assert_allclose(average_precision(labels, scores, weights, groups), want)
    monkeypatch.setattr(auroc_module, "_BLOCK", 2)
    np.testing.assert_allclose(average_precision(labels, scores, weights, groups), want)


@pytest.mark.parametrize(
    ("scores", "value"),
    [
        ([1, 2, 3, 4], 1.0),
        # Both positives rank last: precision 1 of 3, then 2 of 4.
        ([3, 4, 1, 2], (1 / 3 + 1 / 2) / 2),
        ([7, 7, 7, 7], 0.5),
    ],
)
def test_closed_forms(scores, value):
    labels = np.array([[0.0], [0.0], [1.0], [1.0]])
    got = average_precision(labels, np.array(scores)[:, None])
    assert got[0, 0] == pytest.approx(value)


def test_without_positives_it_is_undefined_and_without_negatives_1():
    labels = np.array([[0.0, 1.0, np.nan], [0.0, 1.0, np.nan]])
    got = average_precision(labels, np.zeros((2, 3)))[0]
    np.testing.assert_array_equal(got, [np.nan, 1, np.nan])
