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
    y = np.repeat(y[::2], 2, axis=0)  # labels of patients
    fit, test = slice(0, 200), slice(200, 400)
    found = few_shot(
        x[fit], y[fit], groups[fit], x[test], y[test], groups[test], (1, 20, 99), 6, seed=3
    )
    assert found[1].value < found[20].value
    assert all(found[n].low <= found[n].value <= found[n].high for n in (1, 20))
    assert found[20].patients == 100
    assert not found[99].estimable  # there are not so many
    again = few_shot(x[fit], y[fit], groups[fit], x[test], y[test], groups[test], (20,), 6, seed=3)
    assert again[20].value == pytest.approx(found[20].value)


def test_few_shot_of_all_patients_is_the_probe_of_all():
    x, y = make_embeddings(13, 120, 6, labels=1)
    order = np.argsort(y[:60, 0])
    each = min((y[:60] == 1).sum(), (y[:60] == 0).sum())
    rows = np.concatenate([order[:each], order[-each:]])
    found = few_shot(x[rows], y[rows], rows, x[60:], y[60:], np.arange(60), (int(each),), repeats=2)
    probe = linear_probe(x[rows], y[rows], penalties=(DEFAULT_PENALTY,))
    want = auroc(y[60:], probe.logits(x[60:]))[0, 0]
    of_all = found[int(each)]
    assert of_all.value == pytest.approx(want, abs=1e-6)
    # Repeats that do not differ leave the uncertainty of the test patients, as of any AUROC.
    alone = evaluate(y[60:], probe.logits(x[60:]), ("a",), range(60), resamples=40).mean
    np.testing.assert_allclose([of_all.low, of_all.high], [alone.low, alone.high], atol=1e-6)


def test_malformed_input_is_one_sentence():
    x, y = make_embeddings(0)
    with pytest.raises(UserError, match="expected 1 or more of each"):
        few_shot(x, y, range(150), x, y, range(150), shots=(0, 1))
