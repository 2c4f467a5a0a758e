import numpy as np
import pytest
from embedding_helpers import make_embeddings

from remedis.errors import UserError
from remedis.evaluation.auroc import auroc
from remedis.evaluation.evaluate import evaluate
from remedis.evaluation.few_shot import few_shot
from remedis.evaluation.linear_probe import DEFAULT_PENALTY, linear_probe


def test_few_shot_draws_patients_and_improves_with_them():
    x, y = make_embeddings(11, 400, 8, labels=2)
    groups = np.arange(400) // 2
    y = np.repeat(y[::2], 2, axis=0)  # both images of a patient have the same labels
    fit, test = slice(0, 200), slice(200, 400)
    curve = few_shot(
        x[fit], y[fit], groups[fit], x[test], y[test], groups[test], (1, 20, 99), 6, seed=3
    )
    of = {n: measured.estimate for n, measured in curve.items()}
    assert of[1].value < of[20].value
    assert all(of[n].low <= of[n].value <= of[n].high for n in (1, 20))
    assert of[20].patients == 100
    assert not of[99].estimable  # more than there are patients of a class
    assert curve[99].share is None
    assert str(curve[99]) == "not estimable: too few training patients"
    repeated = few_shot(
        x[fit], y[fit], groups[fit], x[test], y[test], groups[test], (20,), 6, seed=3
    )
    assert repeated[20].estimate.value == pytest.approx(of[20].value)


def test_labels_that_are_not_estimable_in_test_have_no_curve():
    x, y = make_embeddings(12, 80, 6, labels=2)
    test_y = y[:40].copy()
    test_y[:, 1] = 0
    test_y[:4, 1] = 1  # four positive patients; five are needed
    fit, test = (x[40:], y[40:], range(40)), x[:40]
    both = few_shot(*fit, test, test_y, range(40), (5,), repeats=2)[5].estimate
    assert both == few_shot(*fit, test, test_y[:, :1], range(40), (5,), repeats=2)[5].estimate
    (one,) = few_shot(*fit, test, test_y[:, 1:], range(40), (5,), repeats=2).values()
    assert str(one) == "not estimable: no label is estimable in test"


def test_few_shot_of_all_patients_is_the_probe_of_all():
    x, y = make_embeddings(13, 120, 6, labels=1)
    order = np.argsort(y[:60, 0])
    per_class = min((y[:60] == 1).sum(), (y[:60] == 0).sum())
    rows = np.concatenate([order[:per_class], order[-per_class:]])
    curve = few_shot(
        x[rows], y[rows], rows, x[60:], y[60:], np.arange(60), (int(per_class),), repeats=2
    )
    probe = linear_probe(x[rows], y[rows], penalties=(DEFAULT_PENALTY,))
    area = auroc(y[60:], probe.logits(x[60:]))[0, 0]
    of_all = curve[int(per_class)].estimate
    assert curve[int(per_class)].conditional_on_pool
    assert str(curve[int(per_class)]).endswith(
        "a draw has 100% of the pool; the interval holds for this pool alone"
    )
    assert of_all.value == pytest.approx(area, abs=1e-6)
    # Repeats are equal here, so that only the variance over test patients is left.
    want = evaluate(y[60:], probe.logits(x[60:]), ("a",), range(60), resamples=40).mean
    np.testing.assert_allclose([of_all.low, of_all.high], [want.low, want.high], atol=1e-6)


def test_the_share_is_that_of_the_smaller_class_and_widens_the_interval():
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(60, 4)), np.zeros((60, 2))
    y[:12, 0] = y[8:48, 1] = 1  # the smaller classes: 12 positive and 20 negative patients
    x[:, :2] += y
    test_y = rng.permutation(np.repeat([[0.0, 1.0], [1.0, 0.0]], 200, axis=0))
    test_x = rng.normal(size=(400, 4))
    test_x[:, :2] += test_y
    curve = few_shot(x, y, range(60), test_x, test_y, range(400), (3, 12, 20, 21))
    assert [curve[n].share for n in (3, 12, 20, 21)] == [0.25, 1.0, 1.0, None]
    assert not curve[3].conditional_on_pool
    assert "a draw has 25% of the pool" in str(curve[3])
    # Ten times as many patients, each ten times, are the same population in a larger pool.
    x, y = np.tile(x, (10, 1)), np.tile(y, (10, 1))
    many = few_shot(x, y, range(600), test_x, test_y, range(400), (3,))
    assert many[3].share == 0.025
    width = [measured[3].estimate.high - measured[3].estimate.low for measured in (curve, many)]
    assert width[0] > width[1]


def test_intervals_cover_the_expected_auroc_of_another_pool(load_benchmark):
    benchmark = load_benchmark("few_shot_coverage")
    (cell,) = benchmark.coverage(26, (10,), draws=50, probes=400, seed=1)
    assert cell.coverage >= 0.9  # nominal 0.95
    assert cell.uncorrected <= 0.85


def test_malformed_input_is_one_sentence():
    x, y = make_embeddings(0)
    with pytest.raises(UserError, match="expected 1 or more of each"):
        few_shot(x, y, range(150), x, y, range(150), shots=(0, 1))
