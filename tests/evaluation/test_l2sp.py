import numpy as np
import pytest
import scipy.optimize
from scipy.special import expit

from remedis.evaluation.auroc import mean_auroc
from remedis.evaluation.l2sp import PENALTIES, ProjectedImages, StartingPoint, adapt
from remedis.evaluation.linear_probe import linear_probe
from remedis.evaluation.logistic import Regression


def hospitals(seed=0, columns=12, rows=1200, turn=1.2):
    """Embeddings and labels of two hospitals whose separating planes differ by an angle."""
    rng = np.random.default_rng(seed)
    at_home = rng.normal(size=(columns, 2))
    away = np.cos(turn) * at_home + np.sin(turn) * rng.normal(size=(columns, 2))
    x = rng.normal(size=(2, rows, columns)) * np.linspace(0.5, 3, columns)
    y = [
        (rng.random((rows, 2)) < expit(2 * x[i] @ w / np.sqrt(columns))).astype(float)
        for i, w in enumerate((at_home, away))
    ]
    return [a.astype(np.float32) for a in x], y


@pytest.mark.parametrize("rows", [60, 9])  # the second so few that features are turned
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


def test_an_offset_of_nothing_changes_nothing():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(50, 5)).astype(np.float32), rng.integers(2, size=(50, 3)).astype(float)
    without = Regression(x, y).solve(0.1, exact=True)
    with_it = Regression(x, y, offset=np.zeros_like(y)).solve(0.1, exact=True)
    np.testing.assert_allclose(with_it.kernel, without.kernel, atol=1e-5)
    np.testing.assert_allclose(with_it.bias, without.bias, atol=1e-5)


def case(seed=0, **kwargs):
    (x, away), (y, labels) = hospitals(seed, **kwargs)
    start = StartingPoint.from_probe(linear_probe(x, y, penalties=(0.01,)), x)
    pool, test = (start.project(images) for images in (away[:600], away[600:]))
    return start, pool, labels[:600], test, labels[600:]


def mask(*rows):
    found = np.zeros(600, bool)
    found[slice(*rows)] = True
    return found


def test_labels_heal_what_the_other_hospital_breaks():
    _, pool, y, test, judged = case()
    before = mean_auroc(judged, test.logits)
    areas = [
        mean_auroc(judged, adapt(pool, y, mask(0, n), mask(n, n + n // 3), test))
        for n in (30, 120, 450)
    ]
    assert before < 0.75
    assert before < areas[0] < areas[1] < areas[2]
    assert areas[2] > 0.9


def test_where_nothing_is_better_the_prior_stays():
    _, pool, y, test, _ = case(turn=0.0)
    fooled = y.copy()
    fooled[:40] = 1 - fooled[:40]  # training that points the other way; validation is right
    got = adapt(pool, fooled, mask(0, 40), mask(40, 240), test)
    assert (got == test.logits).all()


def test_without_both_classes_in_validation_the_prior_stays():
    _, pool, y, test, _ = case()
    rows = np.zeros(600, bool)
    rows[np.flatnonzero((y[300:] == 1).all(axis=1))[:5] + 300] = True
    assert (adapt(pool, y, mask(0, 100), rows, test) == test.logits).all()
    assert (adapt(pool, y, mask(0, 100), mask(0, 0), test) == test.logits).all()


def test_it_is_the_best_on_validation_of_all_penalties():
    start, pool, y, test, _ = case(3)
    train, held = mask(0, 80), mask(80, 200)
    got = adapt(pool, y, train, held, test)
    candidates = {np.inf: (pool.logits[held], test.logits)}
    means = pool.z[train].mean(axis=0)
    for penalty in PENALTIES:
        solved = Regression(pool.z[train] - means, y[train], offset=pool.logits[train]).solve(
            penalty, exact=True
        )
        candidates[penalty] = tuple(
            part.logits + (part.z - means) @ solved.kernel + solved.bias
            for part in (ProjectedImages(pool.z[held], pool.logits[held]), test)
        )
    areas = {p: mean_auroc(y[held], scores[0]) for p, scores in candidates.items()}
    best = max(areas, key=areas.get)
    np.testing.assert_allclose(got, candidates[best][1], atol=0.05)
    assert np.isfinite(start.axes).all()


def test_a_feature_that_does_not_vary_is_left_alone():
    x = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)
    x[:, 1] = 7.0
    y = (x[:, [0]] > 0).astype(float)
    start = StartingPoint.from_probe(linear_probe(x, y, penalties=(0.1,)), x)
    assert not start.axes[1].any()
    # As many axes as features: lengths are those of standardised embeddings.
    want = np.linalg.norm((x - x.mean(axis=0))[:, [0, 2]] / x.std(axis=0)[[0, 2]], axis=1)
    got = np.linalg.norm((x - x.mean(axis=0)) @ start.axes, axis=1)
    np.testing.assert_allclose(got, want, rtol=1e-4)
