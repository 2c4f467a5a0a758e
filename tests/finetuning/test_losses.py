import numpy as np
import pytest
import tensorflow as tf
from sklearn.utils.class_weight import compute_class_weight

from remedis.errors import UserError
from remedis.finetuning.losses import SupervisedLoss

GAMMAS = pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
WEIGHTS = pytest.mark.parametrize("weights", [None, (0.3, 1.0, 7.0)])


def multi_label_twin(labels, logits, weights, gamma):
    total = 0.0
    for row, scores in zip(labels, logits, strict=True):
        for y, z, w in zip(row, scores, weights, strict=True):
            if np.isfinite(y):
                p = 1 / (1 + np.exp(-np.float64(z)))
                total -= w * y * (1 - p) ** gamma * np.log(p)
                total -= (1 - y) * p**gamma * np.log(1 - p)
    return total


def multi_class_twin(labels, logits, weights, gamma):
    total = 0.0
    for row, scores in zip(labels, logits, strict=True):
        if np.isfinite(row).all():
            p = np.exp(np.float64(scores)) / np.exp(np.float64(scores)).sum()
            total -= sum(np.array(weights) * row * (1 - p) ** gamma * np.log(p))
    return total


TWINS = {"multi_label": multi_label_twin, "multi_class": multi_class_twin}
tasks = pytest.mark.parametrize("task", TWINS)


def drawn(task, soft=False, unknown=0.3):
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, (9, 3)).astype(np.float32)
    if task == "multi_class":
        labels = np.eye(3, dtype=np.float32)[rng.integers(0, 3, 9)]
    if soft:
        labels = (0.8 * labels + 0.2 * labels[::-1]).astype(np.float32)
    labels[rng.uniform(size=labels.shape) < unknown] = np.nan
    return labels, (rng.normal(size=(9, 3)) * 3).astype(np.float32)


def total_and_gradient(loss, labels, logits, dtype=tf.float32):
    logits = tf.constant(logits, dtype)
    with tf.GradientTape() as tape:
        tape.watch(logits)
        total = loss.total(tf.constant(labels, tf.float32), logits)
    assert total.dtype == tf.float32
    return float(total), np.asarray(tf.cast(tape.gradient(total, logits), tf.float32))


@tasks
@GAMMAS
@WEIGHTS
@pytest.mark.parametrize("soft", [False, True])
def test_total_and_its_gradient_agree_with_float64(task, gamma, weights, soft):
    labels, logits = drawn(task, soft)
    loss = SupervisedLoss(task, weights, gamma)

    def twin(logits):
        return TWINS[task](labels, logits, weights or (1, 1, 1), gamma)

    total, gradient = total_and_gradient(loss, labels, logits)
    assert total == pytest.approx(twin(logits), rel=1e-5)
    for i, j in np.ndindex(*logits.shape):
        nudge = np.zeros(logits.shape)
        nudge[i, j] = 1e-4
        slope = (twin(logits + nudge) - twin(logits - nudge)) / 2e-4
        assert gradient[i, j] == pytest.approx(slope, abs=1e-4)


@tasks
def test_without_gamma_and_weights_it_is_the_librarys_cross_entropy(task):
    labels, logits = drawn(task, unknown=0)
    total, _ = total_and_gradient(SupervisedLoss(task), labels, logits)
    library = {
        "multi_label": tf.nn.sigmoid_cross_entropy_with_logits,
        "multi_class": tf.nn.softmax_cross_entropy_with_logits,
    }[task]
    assert total == pytest.approx(float(tf.reduce_sum(library(labels, logits))), rel=1e-6)


@tasks
def test_sums_over_parts_are_those_of_the_whole(task):
    labels, logits = drawn(task)
    loss = SupervisedLoss(task, (0.5, 1.0, 2.0), 1.0)
    parts = [slice(0, 2), slice(2, 3), slice(3, 9)]
    weights = [float(loss.weight(labels[part])) for part in parts]
    totals = [float(loss.total(labels[part], logits[part])) for part in parts]
    assert sum(weights) == float(loss.weight(labels))
    assert sum(totals) == pytest.approx(float(loss.total(labels, logits)), rel=1e-5)


def test_weight_is_known_entries_or_wholly_known_rows():
    labels = np.array([[1, 0, np.nan], [0, 1, 0], [np.nan] * 3], np.float32)
    assert float(SupervisedLoss("multi_label").weight(labels)) == 5
    assert float(SupervisedLoss("multi_class").weight(labels)) == 1


@tasks
@GAMMAS
def test_what_is_unknown_has_no_gradient_whatever_its_logit(task, gamma):
    labels = np.array([[1, 0, 0], [np.nan] * 3], np.float32)
    logits = np.array([[0.5, 0, -1], [np.inf, -np.inf, np.nan]], np.float32)
    total, gradient = total_and_gradient(SupervisedLoss(task, None, gamma), labels, logits)
    assert np.isfinite(total)
    assert np.isfinite(gradient).all()
    assert (gradient[0] != 0).any()
    np.testing.assert_array_equal(gradient[1], 0)


@tasks
def test_nothing_known_is_no_loss_no_gradient_and_no_weight(task):
    labels = np.full((3, 2), np.nan, np.float32)
    total, gradient = total_and_gradient(SupervisedLoss(task), labels, np.ones((3, 2)))
    assert total == 0
    assert float(SupervisedLoss(task).weight(labels)) == 0
    np.testing.assert_array_equal(gradient, 0)


@tasks
@GAMMAS
def test_extreme_logits_give_finite_numbers(task, gamma):
    labels = np.array([[1, 0], [0, 1], [0.5, 0.5]], np.float32)
    logits = np.array([[-1e4, 1e4], [-1e4, 1e4], [1e4, -1e4]], np.float32)
    total, gradient = total_and_gradient(SupervisedLoss(task, None, gamma), labels, logits)
    twice = 2 if task == "multi_label" else 1
    missed = 1e4 * (2 if task == "multi_class" else 1)
    assert total == pytest.approx(missed * twice + missed * twice / 2, rel=1e-3)
    assert np.isfinite(gradient).all()


@tasks
@pytest.mark.parametrize("dtype", [tf.bfloat16, tf.float16])
def test_half_precision_logits_are_worked_on_in_float32(task, dtype):
    labels, logits = drawn(task)
    rounded = np.asarray(tf.cast(tf.constant(logits, dtype), tf.float32))
    loss = SupervisedLoss(task, None, 2.0)
    assert total_and_gradient(loss, labels, logits, dtype)[0] == pytest.approx(
        total_and_gradient(loss, labels, rounded)[0], rel=1e-6
    )


def test_balanced_labels_weigh_as_much_on_both_sides():
    targets = np.array([[1, 1, np.nan, 0], [0, 1, 1, 0], [0, np.nan, 0, 0], [0, 1, 0, 0]])
    loss = SupervisedLoss.from_targets("multi_label", targets, "balanced", 0.0)
    assert loss.positive_weights == (3.0, 1.0, 2.0, 1.0)


def test_balanced_classes_weigh_as_scikit_learn_has_them():
    classes = np.random.default_rng(0).choice(4, 50, p=[0.1, 0.2, 0.3, 0.4])
    unknown = np.full((2, 4), np.nan)
    targets = np.concatenate([np.eye(4)[classes], unknown])
    loss = SupervisedLoss.from_targets("multi_class", targets, "balanced", 0.0)
    expected = compute_class_weight("balanced", classes=np.arange(4), y=classes)
    np.testing.assert_allclose(loss.positive_weights, expected)
    never = SupervisedLoss.from_targets("multi_class", np.eye(3)[[0, 0, 1]], "balanced", 0.0)
    assert never.positive_weights == (0.5, 1.0, 1.0)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("multilabel", "none", 0), "Unknown value of config.task 'multilabel': did you mean"),
        (("multi_label", "balance", 0), "Unknown value of config.class_weights 'balance': did you"),
        (("multi_label", "none", -1), "config.focal_gamma is -1; expected 0 or more."),
    ],
)
def test_wrong_values(arguments, sentence):
    task, class_weights, gamma = arguments
    with pytest.raises(UserError) as caught:
        SupervisedLoss.from_targets(task, np.ones((2, 2)), class_weights, gamma)
    assert str(caught.value).startswith(sentence)
