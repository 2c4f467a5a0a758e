import json

import numpy as np
import pytest

from remedis.errors import UserError
from remedis.evaluation.thresholds import Thresholds, choose


def by_trying(labels, scores, target):
    """Both thresholds by trying every score, the largest first."""
    best, youden, sensitive = -2, None, None
    for level in sorted(set(scores), reverse=True):
        sensitivity = np.mean(scores[labels == 1] >= level)
        specificity = np.mean(scores[labels == 0] < level)
        if sensitivity + specificity > best + 1e-12:
            best, youden = sensitivity + specificity, level
        if sensitive is None and sensitivity >= target - 1e-12:
            sensitive = level
    return youden, sensitive


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("target", [0.5, 0.9, 1.0])
def test_agrees_with_trying_every_score(seed, target):
    rng = np.random.default_rng(seed)
    labels = (rng.random((60, 2)) < 0.4).astype(float)
    scores = np.round(rng.normal(size=labels.shape) + labels, 1 + seed % 3).astype(np.float32)
    labels[rng.random(labels.shape) < 0.1] = np.nan
    found = choose(labels, scores, ("a", "b"), target)
    for column, name in enumerate(("a", "b")):
        use = ~np.isnan(labels[:, column])
        want = by_trying(labels[use, column], scores[use, column], target)
        assert (found.youden[name], found.target_sensitivity[name]) == want


def test_the_target_is_reached_exactly():
    labels = np.repeat([1.0, 0.0], [10, 5])[:, None]
    scores = np.append(np.arange(10, 0, -1), [0.5] * 5)[:, None]
    for target, level in ((0.9, 2), (0.7, 4), (0.3, 8), (0.91, 1), (1.0, 1)):
        assert choose(labels, scores, ("a",), target).target_sensitivity["a"] == level


def test_scores_are_compared_in_single_precision():
    probability = np.array([[0.1], [0.7], [0.2], [0.7]])
    chosen = choose([[0.0], [1.0], [0.0], [1.0]], probability, ("a",))
    assert np.float32(0.7) >= np.float32(chosen.youden["a"])
    assert chosen == choose([[0.0], [1.0], [0.0], [1.0]], probability.astype(np.float32), ("a",))


def test_a_label_of_one_class_has_none_and_json_keeps_it():
    found = choose([[1.0, 1.0], [0.0, np.nan]], [[2.0, 1.0], [1.0, 2.0]], ("a", "b"), 0.8)
    assert found == Thresholds({"a": 2.0, "b": None}, {"a": 2.0, "b": None}, 0.8)
    assert Thresholds.from_json(json.loads(json.dumps(found.to_json()))) == found
    np.testing.assert_array_equal(found.arrays()["youden"], [2, np.nan])
    assert list(found.of(("b", "a")).youden) == ["b", "a"]


@pytest.mark.parametrize("target", [0, -1, 1.5, float("nan")])
def test_a_target_out_of_range(target):
    with pytest.raises(UserError, match=r"config\.target_sensitivity is .*; expected more than 0"):
        choose([[1.0], [0.0]], [[1.0], [0.0]], ("a",), target)


def test_a_label_without_an_entry():
    chosen = choose([[1.0], [0.0]], [[1.0], [0.0]], ("a",))
    with pytest.raises(UserError, match=r"No threshold was chosen for label 'b'; .* for a"):
        chosen.of(("a", "b"))
