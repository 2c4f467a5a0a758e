import numpy as np
import pytest
import scipy.optimize
from scipy.special import expit

from remedis.evaluation.auroc import mean_auroc
from remedis.evaluation.l2sp import PENALTIES, ProjectedImages, StartingPoint, adapt
from remedis.evaluation.linear_probe import linear_probe
from remedis.evaluation.logistic import Regression


def hospitals(seed=0, columns=12, rows=1200, angle=1.2):
    """Embeddings and labels of two hospitals whose separating planes differ by an angle."""
    rng = np.random.default_rng(seed)
    in_distribution = rng.normal(size=(columns, 2))
    out_of_distribution = np.cos(angle) * in_distribution
    out_of_distribution += np.sin(angle) * rng.normal(size=(columns, 2))
    x = rng.normal(size=(2, rows, columns)) * np.linspace(0.5, 3, columns)
    y = [
        (rng.random((rows, 2)) < expit(2 * x[i] @ w / np.sqrt(columns))).astype(float)
        for i, w in enumerate((in_distribution, out_of_distribution))
    ]
    return [a.astype(np.float32) for a in x], y


@pytest.mark.parametrize("rows", [60, 9])  # with 9 rows, features are expressed in their span
@pytest.mark.parametrize("penalty", [1.0, 0.01])
def test_a_regression_with_offset_agrees_with_a_plain_minimum(rows, penalty):
    rng = np.random.default_rng(rows)
    x = rng.normal(size=(rows, 40)).astype(np.float32)
    y = (np.arange(rows * 2).reshape(rows, 2) % 2).astype(float)
    y[:, 1] = rng.permutation(np.arange(rows) % 3 == 0)
    y[:, 0] = rng.permutation(np.arange(rows) % 2)
    y[1, 0] = np.nan
    offset = rng.normal(size=(rows, 2)) * 2
    got = Regression(x, y, offset=offset).solve(penalty, exact=True)
    for label in range(2):
        known = np.isfinite(y[:, label])

        def loss(w, label=label, known=known):
            logits = offset[known, label] + x[known] @ w[1:] + w[0]
            t = y[known, label]
            return np.mean(np.logaddexp(0, logits) - t * logits) + penalty / 2 * w[1:] @ w[1:]

        want = scipy.optimize.minimize(loss, np.zeros(41), options={"gtol": 1e-7}).x
        np.testing.assert_allclose(got.kernel[:, label], want[1:], atol=2e-4)
        assert got.bias[label] == pytest.approx(want[0], abs=2e-4)


def test_an_offset_of_zeros_changes_nothing():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(50, 5)).astype(np.float32), rng.integers(2, size=(50, 3)).astype(float)
    without = Regression(x, y).solve(0.1, exact=True)
    with_it = Regression(x, y, offset=np.zeros_like(y)).solve(0.1, exact=True)
    np.testing.assert_allclose(with_it.kernel, without.kernel, atol=1e-5)
    np.testing.assert_allclose(with_it.bias, without.bias, atol=1e-5)


def case(seed=0, **kwargs):
    (x, ood), (y, labels) = hospitals(seed, **kwargs)
    start = StartingPoint.from_probe(linear_probe(x, y, penalties=(0.01,)), x)
    pool, test = (start.project(images) for images in (ood[:600], ood[600:]))
    return start, pool, labels[:600], test, labels[600:]


def mask(*rows):
    selected = np.zeros(600, bool)
    selected[slice(*rows)] = True
    return selected


def test_labels_of_the_other_hospital_improve_the_probe():
    _, pool, y, test, judged = case()
    before = mean_auroc(judged, test.logits)
    areas = [
        mean_auroc(judged, adapt(pool, y, mask(0, n), mask(n, n + n // 3), test).logits)
        for n in (30, 120, 450)
    ]
    assert before < 0.75
    assert before < areas[0] < areas[1] < areas[2]
    assert areas[2] > 0.9


def test_the_starting_point_stays_where_no_penalty_is_better():
    _, pool, y, test, _ = case(angle=0.0)
    flipped = y.copy()
    flipped[:40] = 1 - flipped[:40]  # wrong labels in training, correct ones in validation
    got = adapt(pool, flipped, mask(0, 40), mask(40, 240), test)
    assert (got.logits == test.logits).all()
    assert got.penalty == np.inf
    assert max(got.scores, key=got.scores.get) == np.inf


def test_the_starting_point_stays_without_both_classes_in_validation():
    _, pool, y, test, _ = case()
    rows = np.zeros(600, bool)
    rows[np.flatnonzero((y[300:] == 1).all(axis=1))[:5] + 300] = True
    for validation in (rows, mask(0, 0)):
        got = adapt(pool, y, mask(0, 100), validation, test)
        assert (got.logits == test.logits).all()
        assert got.scores == dict.fromkeys((np.inf, *PENALTIES))


def test_the_penalty_is_the_best_on_validation():
    start, pool, y, test, _ = case(3)
    train, held = mask(0, 80), mask(80, 200)
    adapted = adapt(pool, y, train, held, test)
    got = adapted.logits
    candidates = {np.inf: (pool.logits[held], test.logits)}
    means = pool.z[train].mean(axis=0)
    for penalty in PENALTIES:
        solved = Regression(pool.z[train] - means, y[train], offset=pool.logits[train]).solve(
            penalty, exact=True
        )
        candidates[penalty] = tuple(
            images.logits + (images.z - means) @ solved.kernel + solved.bias
            for images in (ProjectedImages(pool.z[held], pool.logits[held]), test)
        )
    areas = {p: mean_auroc(y[held], scores[0]) for p, scores in candidates.items()}
    best = max(areas, key=areas.get)
    np.testing.assert_allclose(got, candidates[best][1], atol=0.05)
    assert adapted.penalty == best
    assert list(adapted.scores) == [np.inf, *PENALTIES]
    for penalty, area in areas.items():
        assert adapted.scores[penalty] == pytest.approx(area, abs=2e-3)
    assert np.isfinite(start.axes).all()


def test_a_constant_feature_is_dropped():
    x = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)
    x[:, 1] = 7.0
    y = (x[:, [0]] > 0).astype(float)
    start = StartingPoint.from_probe(linear_probe(x, y, penalties=(0.1,)), x)
    assert not start.axes[1].any()
    # With as many axes as features, the projection keeps the lengths of standardised embeddings.
    want = np.linalg.norm((x - x.mean(axis=0))[:, [0, 2]] / x.std(axis=0)[[0, 2]], axis=1)
    got = np.linalg.norm((x - x.mean(axis=0)) @ start.axes, axis=1)
    np.testing.assert_allclose(got, want, rtol=1e-4)
