import subprocess
import sys
import time

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from remedis.errors import UserError
from remedis.evaluation import auroc as auroc_module
from remedis.evaluation.auroc import auroc, mean_auroc


def _case(seed, rows=200, columns=3, levels=12, unknown=0.2):
    """Labels, some unknown, and coarse scores with ties within and between classes."""
    rng = np.random.default_rng(seed)
    labels = (rng.random((rows, columns)) < [0.1, 0.5, 0.9][:columns]).astype(float)
    scores = np.floor((rng.normal(size=(rows, columns)) + labels) * levels / 6)
    labels[rng.random((rows, columns)) < unknown] = np.nan
    return labels, scores


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("levels", [2, 12, 10_000])
def test_agrees_with_scikit_learn_under_ties_and_weights(seed, levels):
    labels, scores = _case(seed, levels=levels)
    weights = np.random.default_rng(seed).integers(0, 4, size=(5, len(labels)))
    got = auroc(labels, scores, weights)
    for column in range(labels.shape[1]):
        use = ~np.isnan(labels[:, column])
        for row, weight in enumerate(weights):
            want = roc_auc_score(
                labels[use, column], scores[use, column], sample_weight=weight[use]
            )
            assert got[row, column] == pytest.approx(want, abs=1e-12)


def test_a_weight_per_group_is_the_weight_of_its_rows():
    labels, scores = _case(0)
    rng = np.random.default_rng(1)
    groups = rng.integers(40, size=len(labels))
    weights = rng.integers(0, 4, size=(9, 40))
    np.testing.assert_array_equal(
        auroc(labels, scores, weights, groups), auroc(labels, scores, weights[:, groups])
    )


def test_blocks_of_resamples_do_not_change_the_result(monkeypatch):
    labels, scores = _case(3)
    weights = np.random.default_rng(0).integers(0, 3, size=(10, len(labels)))
    whole = auroc(labels, scores, weights)
    monkeypatch.setattr(auroc_module, "_BLOCK", 3)
    np.testing.assert_array_equal(auroc(labels, scores, weights), whole)
    monkeypatch.setattr(auroc_module, "_MEMORY", 1)
    np.testing.assert_array_equal(auroc(labels, scores, weights), whole)


@pytest.mark.parametrize(
    ("scores", "area"),
    [
        ([1, 2, 3, 4], 1.0),
        ([4, 3, 2, 1], 0.0),
        ([7, 7, 7, 7], 0.5),
        ([1, 3, 2, 4], 0.75),
        ([1, 2, 2, 3], 0.875),
    ],
)
def test_closed_forms(scores, area):
    labels = np.array([[0.0], [0.0], [1.0], [1.0]])
    assert auroc(labels, np.array(scores)[:, None])[0, 0] == area


def test_depends_on_the_order_of_the_scores_only():
    labels, scores = _case(1, levels=10_000)
    want = auroc(labels, scores)
    np.testing.assert_array_equal(auroc(labels, np.exp(scores / 1_000) - 5), want)
    shuffled = np.random.default_rng(0).permutation(len(labels))
    np.testing.assert_array_equal(auroc(labels[shuffled], scores[shuffled]), want)
    np.testing.assert_allclose(auroc(1 - labels, scores), 1 - want)


def test_unknown_labels_are_left_out_of_their_label_only():
    labels, scores = _case(2, unknown=0)
    want = auroc(labels, scores)
    partly_known = np.full((50, 3), np.nan)
    partly_known[:, 1] = 1.0
    got = auroc(np.vstack([labels, partly_known]), np.vstack([scores, np.full((50, 3), 99.0)]))
    assert got[0, [0, 2]].tolist() == want[0, [0, 2]].tolist()
    assert got[0, 1] > want[0, 1]


def test_one_class_is_nan():
    labels = np.array([[1.0, 0.0, np.nan, 1.0], [1.0, 0.0, np.nan, 0.0]])
    scores = np.arange(8.0).reshape(2, 4)
    np.testing.assert_array_equal(auroc(labels, scores)[0, :3], [np.nan] * 3)
    drawn = auroc(labels, scores, [[2, 0], [0, 2], [1, 1], [0, 0]])[:, 3]
    np.testing.assert_array_equal(drawn, [np.nan, np.nan, 0.0, np.nan])


def test_mean_is_over_the_labels_that_have_both_classes():
    labels, scores = _case(4)
    labels[:, 2] = 1
    assert mean_auroc(labels, scores) == pytest.approx(auroc(labels, scores)[0, :2].mean())
    assert mean_auroc(labels[:, 2:], scores[:, 2:]) is None
    assert mean_auroc(np.full((5, 2), np.nan), np.zeros((5, 2))) is None


def test_malformed_input_is_one_sentence_that_says_where():
    labels, scores = _case(5)
    broken = scores.copy()
    broken[17, 1] = np.nan
    with pytest.raises(UserError, match=r"row 17 .*label number 1 is nan, as are 1 of 600"):
        auroc(labels, broken)
    broken[17, 1] = np.inf
    with pytest.raises(UserError, match="is inf"):
        mean_auroc(labels, broken)
    with pytest.raises(UserError, match=r"shape \(200, 3\) and scores of shape \(199, 3\)"):
        auroc(labels, scores[:-1])
    with pytest.raises(UserError, match=r"must be \[images, labels\]"):
        auroc(labels[:, 0], scores[:, 0])
    with pytest.raises(UserError, match="not empty"):
        auroc(labels[:0], scores[:0])
    uncertain = labels.copy()
    uncertain[3, 2] = -1
    with pytest.raises(UserError, match=r"row 3 .* is -1; expected 1, 0 .*policy"):
        auroc(uncertain, scores)


def test_does_not_import_tensorflow():
    code = "import remedis.evaluation.evaluate, sys; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.slow
def test_thousand_resamples_of_the_chestxray14_test_set_take_under_ten_seconds():
    rng = np.random.default_rng(0)
    labels = (rng.random((25_596, 14)) < np.linspace(0.01, 0.4, 14)).astype(float)
    scores = rng.normal(size=labels.shape) + labels
    patients = rng.integers(2_797, size=len(labels))
    weights = rng.poisson(1.0, size=(1_000, 2_797))
    start = time.perf_counter()
    auroc(labels, scores, weights, patients)
    assert time.perf_counter() - start < 10
