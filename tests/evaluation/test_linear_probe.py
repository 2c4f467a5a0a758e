import numpy as np
import pytest
from embedding_helpers import make_embeddings
from scipy.special import expit, softmax
from sklearn.linear_model import LogisticRegression

from remedis.errors import UserError
from remedis.evaluation.auroc import auroc
from remedis.evaluation.linear_probe import DEFAULT_PENALTY, PENALTIES, linear_probe


def _standardised(x):
    wide = x.astype(np.float64)
    return (wide - wide.mean(0)) / wide.std(0)


# More rows than columns, fewer, and so few that features are expressed in their span.
@pytest.mark.parametrize(("rows", "columns"), [(150, 40), (60, 90), (30, 200)])
@pytest.mark.parametrize("penalty", [1.0, 1e-3])
def test_linear_probe_agrees_with_scikit_learn(rows, columns, penalty):
    x, y = make_embeddings(rows, rows, columns, unknown=0.2)
    probe = linear_probe(x, y, penalties=(penalty,))
    assert probe.converged
    got, z = expit(probe.logits(x)), _standardised(x)
    for label in range(y.shape[1]):
        known = np.isfinite(y[:, label])
        twin = LogisticRegression(C=1 / (penalty * known.sum()), tol=1e-9, max_iter=5000)
        want = twin.fit(z[known], y[known, label]).predict_proba(z)[:, 1]
        assert np.abs(got[:, label] - want).max() < 1e-4


@pytest.mark.parametrize("columns", [30, 400])
def test_multi_class_probe_agrees_with_scikit_learn(columns):
    x, _ = make_embeddings(5, 90, columns)
    classes = np.random.default_rng(1).integers(3, size=90)
    x[:, 0] += classes
    y = np.eye(3)[classes]
    y[:4, 1] = np.nan
    probe = linear_probe(x, y, task="multi_class", penalties=(0.03,))
    z = (x[4:].astype(float) - x[4:].mean(0)) / x[4:].std(0)
    twin = LogisticRegression(C=1 / (0.03 * 86), tol=1e-9, max_iter=5000).fit(z, classes[4:])
    got = softmax(probe.logits(x[4:]), axis=1)
    assert np.abs(got - twin.predict_proba(z)).max() < 1e-4


def test_penalty_is_chosen_on_validation_for_each_label():
    x, y = make_embeddings(7, 200, 20, labels=2)
    rng = np.random.default_rng(2)
    y[:, 1] = rng.integers(2, size=200)  # labels independent of the embeddings
    train, held = slice(0, 100), slice(100, 200)
    penalties = (3.0, 0.1, 0.001)
    probe = linear_probe(x[train], y[train], x[held], y[held], penalties=penalties)
    for label in range(2):
        areas = {}
        for penalty in penalties:
            candidate = linear_probe(x[train], y[train, label, None], penalties=(penalty,))
            areas[penalty] = auroc(y[held, label, None], candidate.logits(x[held]))[0, 0]
        assert areas[probe.penalties[label]] >= max(areas.values()) - 0.01


def test_the_largest_of_equally_good_penalties_is_taken_and_without_validation_the_default():
    x = np.array([[-1.0], [-2], [1], [2]], np.float32)
    y = np.array([[0.0, 0], [0, 0], [1, 1], [1, 1]])
    validation_y = y.copy()
    validation_y[:, 1] = 1  # one class only
    probe = linear_probe(x, y, x, validation_y)
    assert probe.penalties.tolist() == [max(PENALTIES), DEFAULT_PENALTY]
    assert set(linear_probe(x, y).penalties) == {DEFAULT_PENALTY}


def test_constant_features_and_labels_of_one_class():
    x, y = make_embeddings(3, labels=2)
    x[:, 4] = 1e4
    y[:, 1] = 0
    probe = linear_probe(x, y, penalties=(0.1,))
    assert probe.constant.tolist() == [False, True]
    assert not probe.kernel[4].any()
    assert not probe.kernel[:, 1].any()
    assert probe.bias[1] == pytest.approx(np.log(0.5 / 150.5))
    assert np.isfinite(probe.logits(x)).all()


def test_malformed_input_is_one_sentence():
    x, y = make_embeddings(0)
    with pytest.raises(UserError, match="of the same images, at least one"):
        linear_probe(x[1:], y)
    with pytest.raises(UserError, match="expected one or more, all above 0"):
        linear_probe(x, y, penalties=(1.0, 0.0))
    with pytest.raises(UserError, match="no images with known labels"):
        linear_probe(x, np.full_like(y, np.nan), task="multi_class")
    y[5, 1] = -1
    with pytest.raises(UserError, match=r"Row 5 \(from 0\) has a label that is not"):
        linear_probe(x, y)
