import numpy as np
import pytest
from scipy.special import expit, softmax
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import NearestNeighbors
from threadpoolctl import threadpool_info

from remedis.errors import UserError
from remedis.evaluation import probes
from remedis.evaluation.auroc import auroc
from remedis.evaluation.evaluate import evaluate
from remedis.evaluation.threads import one_thread


def _case(seed, rows=150, columns=40, labels=3, unknown=0.0):
    """Embeddings whose variances span orders of magnitude, far from 0, and labels they tell of."""
    rng = np.random.default_rng(seed)
    turn = np.linalg.qr(rng.normal(size=(columns, columns)))[0]
    hidden = rng.normal(size=(rows, columns)) / np.arange(1, columns + 1)
    logits = hidden @ rng.normal(size=(columns, labels)) * 2 - 0.5
    y = (rng.random((rows, labels)) < expit(logits)).astype(float)
    y[rng.random(y.shape) < unknown] = np.nan
    return (hidden @ turn + rng.normal(size=columns) * 5).astype(np.float32), y


def _standardised(x):
    wide = x.astype(np.float64)
    return (wide - wide.mean(0)) / wide.std(0)


# More rows than columns, fewer, and so few that features are turned into their span.
@pytest.mark.parametrize(("rows", "columns"), [(150, 40), (60, 90), (30, 200)])
@pytest.mark.parametrize("penalty", [1.0, 1e-3])
def test_linear_probe_agrees_with_scikit_learn(rows, columns, penalty):
    x, y = _case(rows, rows, columns, unknown=0.2)
    probe = probes.linear_probe(x, y, penalties=(penalty,))
    assert probe.converged
    got, z = expit(probe.logits(x)), _standardised(x)
    for label in range(y.shape[1]):
        known = np.isfinite(y[:, label])
        twin = LogisticRegression(C=1 / (penalty * known.sum()), tol=1e-9, max_iter=5000)
        want = twin.fit(z[known], y[known, label]).predict_proba(z)[:, 1]
        assert np.abs(got[:, label] - want).max() < 1e-4


@pytest.mark.parametrize("columns", [30, 400])
def test_multi_class_probe_agrees_with_scikit_learn(columns):
    x, _ = _case(5, 90, columns)
    classes = np.random.default_rng(1).integers(3, size=90)
    x[:, 0] += classes
    y = np.eye(3)[classes]
    y[:4, 1] = np.nan
    probe = probes.linear_probe(x, y, task="multi_class", penalties=(0.03,))
    z = (x[4:].astype(float) - x[4:].mean(0)) / x[4:].std(0)
    twin = LogisticRegression(C=1 / (0.03 * 86), tol=1e-9, max_iter=5000).fit(z, classes[4:])
    got = softmax(probe.logits(x[4:]), axis=1)
    assert np.abs(got - twin.predict_proba(z)).max() < 1e-4


def test_penalty_is_chosen_on_validation_for_each_label():
    x, y = _case(7, 200, 20, labels=2)
    rng = np.random.default_rng(2)
    y[:, 1] = rng.integers(2, size=200)  # noise, but for what validation is told of it
    fit, held = slice(0, 100), slice(100, 200)
    penalties = (3.0, 0.1, 0.001)
    probe = probes.linear_probe(x[fit], y[fit], x[held], y[held], penalties=penalties)
    for label in range(2):
        areas = {}
        for penalty in penalties:
            one = probes.linear_probe(x[fit], y[fit, label, None], penalties=(penalty,))
            areas[penalty] = auroc(y[held, label, None], one.logits(x[held]))[0, 0]
        assert areas[probe.penalties[label]] >= max(areas.values()) - 0.01


def test_of_equal_penalties_the_largest_is_taken_and_without_a_choice_the_default():
    x = np.array([[-1.0], [-2], [1], [2]], np.float32)
    y = np.array([[0.0, 0], [0, 0], [1, 1], [1, 1]])
    asked = y.copy()
    asked[:, 1] = 1  # one class only
    probe = probes.linear_probe(x, y, x, asked)
    assert probe.penalties.tolist() == [max(probes.PENALTIES), probes.DEFAULT_PENALTY]
    assert set(probes.linear_probe(x, y).penalties) == {probes.DEFAULT_PENALTY}


def test_columns_that_do_not_vary_and_labels_of_one_class():
    x, y = _case(3, labels=2)
    x[:, 4] = 1e4
    y[:, 1] = 0
    probe = probes.linear_probe(x, y, penalties=(0.1,))
    assert probe.constant.tolist() == [False, True]
    assert not probe.kernel[4].any()
    assert not probe.kernel[:, 1].any()
    assert probe.bias[1] == pytest.approx(np.log(0.5 / 150.5))
    assert np.isfinite(probe.logits(x)).all()


def test_knn_agrees_with_a_plain_loop():
    x, y = _case(9, 80, 12, unknown=0.3)
    queries = _case(9, 95, 12)[0][80:]
    got = probes.knn(x, y, queries, k=7)
    for label in range(y.shape[1]):
        known = np.isfinite(y[:, label])
        near = NearestNeighbors(n_neighbors=7, metric="cosine").fit(x[known].astype(float))
        distances, rows = near.kneighbors(queries.astype(float))
        for query in range(len(queries)):
            weights = np.exp((1 - distances[query]) / 0.07)
            want = (weights * y[known, label][rows[query]]).sum() / weights.sum()
            assert got[query, label] == pytest.approx(want, abs=1e-3)


def test_knn_of_more_neighbours_than_there_are_and_of_an_empty_embedding():
    x = np.array([[1.0, 0], [0, 1]], np.float32)
    y = np.array([[1.0], [0]])
    got = probes.knn(x, y, np.array([[2.0, 0], [0, 0]], np.float32), k=9)
    assert got[0, 0] == pytest.approx(expit(1 / 0.07))
    assert got[1, 0] == pytest.approx(0.5)


def test_few_shot_draws_patients_and_improves_with_them():
    x, y = _case(11, 400, 8, labels=2)
    groups = np.arange(400) // 2
    y = np.repeat(y[::2], 2, axis=0)  # labels of patients
    fit, test = slice(0, 200), slice(200, 400)
    found = probes.few_shot(
        x[fit], y[fit], groups[fit], x[test], y[test], groups[test], (1, 20, 99), 6, seed=3
    )
    assert found[1].value < found[20].value
    assert all(found[n].low <= found[n].value <= found[n].high for n in (1, 20))
    assert found[20].patients == 100
    assert not found[99].estimable  # there are not so many
    again = probes.few_shot(
        x[fit], y[fit], groups[fit], x[test], y[test], groups[test], (20,), 6, seed=3
    )
    assert again[20].value == pytest.approx(found[20].value)


def test_few_shot_of_all_patients_is_the_probe_of_all():
    x, y = _case(13, 120, 6, labels=1)
    order = np.argsort(y[:60, 0])
    each = min((y[:60] == 1).sum(), (y[:60] == 0).sum())
    rows = np.concatenate([order[:each], order[-each:]])
    found = probes.few_shot(
        x[rows], y[rows], rows, x[60:], y[60:], np.arange(60), (int(each),), repeats=2
    )
    probe = probes.linear_probe(x[rows], y[rows], penalties=(probes.DEFAULT_PENALTY,))
    want = auroc(y[60:], probe.logits(x[60:]))[0, 0]
    of_all = found[int(each)]
    assert of_all.value == pytest.approx(want, abs=1e-6)
    # Repeats that do not differ leave the uncertainty of the test patients, as of any AUROC.
    alone = evaluate(y[60:], probe.logits(x[60:]), ("a",), range(60), resamples=40).mean
    np.testing.assert_allclose([of_all.low, of_all.high], [alone.low, alone.high], atol=1e-6)


def test_malformed_input_is_one_sentence():
    x, y = _case(0)
    with pytest.raises(UserError, match="of the same images, at least one"):
        probes.linear_probe(x[1:], y)
    with pytest.raises(UserError, match="expected one or more, all above 0"):
        probes.linear_probe(x, y, penalties=(1.0, 0.0))
    with pytest.raises(UserError, match="k is 0; expected 1 or more"):
        probes.knn(x, y, x, k=0)
    with pytest.raises(UserError, match="expected 1 or more of each"):
        probes.few_shot(x, y, range(150), x, y, range(150), shots=(0, 1))
    with pytest.raises(UserError, match="no images with known labels"):
        probes.linear_probe(x, np.full_like(y, np.nan), task="multi_class")
    y[5, 1] = -1
    with pytest.raises(UserError, match=r"Row 5 \(from 0\) has a label that is not"):
        probes.linear_probe(x, y)
    x[7, 2] = np.inf
    with pytest.raises(UserError, match="embedding in row 7"):
        probes.knn(x, y, x)
    y[:, 2] = np.nan
    with pytest.raises(UserError, match="Label number 2 is known of no image"):
        probes.knn(_case(0)[0], np.where(y == -1, 0, y), _case(0)[0])


def test_one_thread_ends_where_it_began():
    def threads():
        return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]

    before = threads()
    with one_thread():
        assert set(threads()) == {1}
        with one_thread():
            pass
        assert set(threads()) == {1}
    assert threads() == before
