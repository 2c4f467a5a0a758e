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
    assert curve[1].value < curve[20].value
    assert all(curve[n].low <= curve[n].value <= curve[n].high for n in (1, 20))
    assert curve[20].patients == 100
    assert not curve[99].estimable  # more than there are patients of a class
    repeated = few_shot(
        x[fit], y[fit], groups[fit], x[test], y[test], groups[test], (20,), 6, seed=3
    )
    assert repeated[20].value == pytest.approx(curve[20].value)


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
    of_all = curve[int(per_class)]
    assert of_all.value == pytest.approx(area, abs=1e-6)
    # Repeats are equal here, so that only the variance over test patients is left.
    want = evaluate(y[60:], probe.logits(x[60:]), ("a",), range(60), resamples=40).mean
    np.testing.assert_allclose([of_all.low, of_all.high], [want.low, want.high], atol=1e-6)


def test_malformed_input_is_one_sentence():
    x, y = make_embeddings(0)
    with pytest.raises(UserError, match="expected 1 or more of each"):
        few_shot(x, y, range(150), x, y, range(150), shots=(0, 1))
