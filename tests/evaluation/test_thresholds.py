import itertools
import json

import numpy as np
import pytest
from scipy.special import expit

from remedis.errors import UserError
from remedis.evaluation import calibration
from remedis.evaluation.calibration import Calibration
from remedis.evaluation.thresholds import Thresholds, choose, choose_by_log_odds


def by_brute_force(labels, scores, target):
    """The scores that both thresholds lie directly below, by brute force over descending scores."""
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
def test_agrees_with_brute_force(seed, target):
    rng = np.random.default_rng(seed)
    labels = (rng.random((60, 2)) < 0.4).astype(float)
    scores = np.round(rng.normal(size=labels.shape) + labels, 1 + seed % 3).astype(np.float32)
    labels[rng.random(labels.shape) < 0.1] = np.nan
    chosen = choose(labels, scores, ("a", "b"), target)
    for column, name in enumerate(("a", "b")):
        use = ~np.isnan(labels[:, column])
        want = by_brute_force(labels[use, column], scores[use, column], target)
        for threshold, level in zip(
            (chosen.youden[name], chosen.target_sensitivity[name]), want, strict=True
        ):
            np.testing.assert_array_equal(
                scores[use, column] >= threshold, scores[use, column] >= level
            )
            # The midpoint to the next lower score; half of the absolute value below the lowest.
            lower = scores[use, column][scores[use, column] < level].astype(float)
            next_lower = lower.max() if lower.size else level - abs(float(level))
            assert threshold == (float(level) + next_lower) / 2


def test_the_target_is_reached_exactly():
    labels = np.repeat([1.0, 0.0], [10, 5])[:, None]
    scores = np.append(np.arange(10, 0, -1), [0.5] * 5)[:, None]
    for target, level in ((0.9, 1.5), (0.7, 3.5), (0.3, 7.5), (0.91, 0.75), (1.0, 0.75)):
        assert choose(labels, scores, ("a",), target).target_sensitivity["a"] == level


def test_scores_are_compared_in_single_precision():
    probability = np.array([[0.1], [0.7], [0.2], [0.7]])
    chosen = choose([[0.0], [1.0], [0.0], [1.0]], probability, ("a",))
    assert np.float32(0.7) >= np.float32(chosen.youden["a"])
    assert chosen == choose([[0.0], [1.0], [0.0], [1.0]], probability.astype(np.float32), ("a",))


def test_a_label_of_one_class_has_no_threshold_also_in_json():
    chosen = choose([[1.0, 1.0], [0.0, np.nan]], [[2.0, 1.0], [1.0, 2.0]], ("a", "b"), 0.8)
    assert chosen == Thresholds({"a": 1.5, "b": None}, {"a": 1.5, "b": None}, 0.8)
    assert Thresholds.from_json(json.loads(json.dumps(chosen.to_json()))) == chosen
    np.testing.assert_array_equal(chosen.arrays()["youden"], [1.5, np.nan])


@pytest.mark.parametrize("seed", range(5))
def test_rounded_and_recalibrated_scores_give_the_same_calls(seed):
    rng = np.random.default_rng(seed)
    labels = (rng.random((80, 1)) < 0.4).astype(float)
    logits = rng.normal(size=labels.shape) * 3 + 2 * labels
    before = Calibration("platt", (0.7,), (-1.0,), {}, ())
    after = Calibration("platt", (0.2,), (0.5,), {}, ())
    scores = before.probabilities(logits).astype(np.float32)
    assert np.diff(np.unique(scores)).min() > 1e-6
    chosen = choose(labels, scores, ("a",), 0.8)
    moved = Thresholds.from_json(
        calibration.move_thresholds(chosen.to_json(), ("a",), before, after)
    )
    recalibrated = after.probabilities(logits).astype(np.float32)
    for thresholds, known in ((chosen, scores), (moved, recalibrated)):
        for kind in ("youden", "target_sensitivity"):
            want = scores >= getattr(chosen, kind)["a"]
            # The precisions of results and exports, and rounding errors of another sigmoid.
            for threshold in (
                getattr(thresholds, kind)["a"],
                np.float32(getattr(thresholds, kind)["a"]),
            ):
                for towards in (-np.inf, np.inf):
                    rounded = np.nextafter(known, np.float32(towards))
                    np.testing.assert_array_equal(rounded >= threshold, want)


def test_scores_with_nothing_between_and_the_lowest_of_all():
    low = np.float32(0.7)
    high = np.nextafter(low, np.float32(1))
    for scores in ((low, high), (np.nextafter(low, np.float32(0)), low)):
        threshold = choose([[0.0], [1.0]], np.array([scores]).T, ("a",)).youden["a"]
        assert (np.array(scores) >= np.float32(threshold)).tolist() == [False, True]
    lowest = choose([[1.0], [0.0]], [[0.25], [0.5]], ("a",), 1.0).target_sensitivity["a"]
    assert lowest == 0.125
    assert choose([[1.0], [0.0]], [[-2.0], [0.5]], ("a",), 1.0).target_sensitivity["a"] == -3
    assert choose([[1.0], [0.0]], [[0.0], [0.5]], ("a",), 1.0).target_sensitivity["a"] == 0


def test_the_order_of_labels_can_be_chosen():
    chosen = choose([[1.0, 1.0], [0.0, np.nan]], [[2.0, 1.0], [1.0, 2.0]], ("a", "b"), 0.8)
    assert list(chosen.for_labels(("b", "a")).youden) == ["b", "a"]


@pytest.mark.parametrize("target", [0, -1, 1.5, float("nan")])
def test_a_target_out_of_range(target):
    with pytest.raises(UserError, match=r"target_sensitivity is .*; expected more than 0"):
        choose([[1.0], [0.0]], [[1.0], [0.0]], ("a",), target)


def test_a_label_without_an_entry():
    chosen = choose([[1.0], [0.0]], [[1.0], [0.0]], ("a",))
    with pytest.raises(UserError, match=r"No threshold was chosen for label 'b'; .* for a"):
        chosen.for_labels(("a", "b"))


def test_equal_youden_indices_are_not_told_apart_by_rounding():
    different = 0
    for positives, negatives in itertools.product(range(2, 16), repeat=2):
        for later in range(1, positives):
            # `first` positives score 3; `later` positives and `false` negatives score 2, in the
            # ratio of the classes, so that both thresholds have Youden's index first / positives.
            first, (false, rest) = positives - later, divmod(later * negatives, positives)
            if rest:
                continue
            scores = [3.0] * first + [2.0] * (later + false) + [1.0] * (negatives - false)
            labels = [1.0] * positives + [0.0] * negatives
            chosen = choose(np.array([labels]).T, np.array([scores]).T, ("a",))
            assert chosen.youden["a"] == 2.5  # the larger threshold, with the higher specificity
            different += positives / positives - false / negatives > first / positives
    assert different > 5  # by rounded rates, the lower threshold would have been better


@pytest.mark.parametrize(
    ("target", "positives", "needed"),
    [(0.55, 20, 11), (0.9, 10, 9), (0.7, 10, 7), (0.29, 100, 29), (1.0, 7, 7), (0.57, 100, 57)],
)
def test_a_target_is_the_decimal_number_that_was_written(target, positives, needed):
    scores = np.arange(positives + 1)[:, None]
    labels = (scores > 0).astype(float)
    chosen = choose(labels, scores, ("a",), target).target_sensitivity["a"]
    assert (scores >= chosen).sum() == needed
    odds = choose_by_log_odds(labels, scores, ("a",), target).log_odds["target_sensitivity"]["a"]
    assert (scores >= odds).sum() == needed


def test_thresholds_of_earlier_versions_are_read():
    fields = {"youden": {"a": 0.5}, "target_sensitivity": {"a": None}, "target": 0.9}
    assert Thresholds.from_json(fields).log_odds_arrays() is None
    chosen = choose_by_log_odds([[1.0], [0.0]], [[2.0], [1.0]], ("a",), 0.8)
    assert Thresholds.from_json(json.loads(json.dumps(chosen.to_json()))) == chosen
    assert chosen.for_labels(("a",)) == chosen


def test_log_odds_of_thresholds_move_with_the_calibration():
    before = Calibration("none", (1.0,), (0.0,), {}, ())
    after = Calibration("platt", (0.5,), (-40.0,), {}, ())
    chosen = choose_by_log_odds([[1.0], [0.0]], [[98.0], [96.0]], ("a",)).to_json()
    moved = calibration.move_thresholds(chosen, ("a",), before, after)
    assert moved["log_odds"]["youden"]["a"] == pytest.approx(97 / 2 - 40)
    assert moved["youden"]["a"] == pytest.approx(expit(97 / 2 - 40))
