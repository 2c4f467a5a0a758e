import numpy as np
import pytest

from remedis.evaluation.auroc import auroc
from remedis.evaluation.evaluate import evaluate
from remedis.evaluation.linear_probe import DEFAULT_PENALTY, linear_probe
from remedis.evaluation.selection import Selection
from remedis.finetuning.gradient import validation_score

NAMES = ("common", "rare", "absent")


def case(common=20, rare=4):
    """60 patients with two images each; `common` and `rare` of them are positive."""
    patients = np.arange(120) // 2
    labels = np.zeros((120, 3))
    labels[: 2 * common, 0] = 1
    labels[: 2 * rare, 1] = 1
    logits = np.random.default_rng(0).normal(size=labels.shape)
    return labels, logits, patients


def test_the_labels_of_the_report_select():
    labels, logits, patients = case()
    selection = Selection.of(labels, NAMES, patients)
    assert (selection.labels, selection.estimable) == (("common",), True)
    assert selection.auroc(labels, logits) == pytest.approx(auroc(labels, logits)[0, 0])
    report = evaluate(labels, logits, NAMES, patients, resamples=40)
    assert report.averaged == selection.labels
    assert report.mean.value == pytest.approx(selection.auroc(labels, logits))
    assert selection.sentence == (
        "The checkpoint is selected by the mean AUROC of common; rare, absent have fewer than 5 "
        "effective positive or negative patients in validation."
    )
    assert selection.to_json()["left_out"] == ["rare", "absent"]


def test_a_checkpoint_that_is_better_on_rare_labels_alone_is_not_selected():
    labels, logits, patients = case()
    selection = Selection.of(labels, NAMES, patients)
    by_common, by_rare = logits.copy(), logits.copy()
    by_common[:, 0] += labels[:, 0]
    by_rare[:, 1] += 20 * labels[:, 1]
    scores = [
        validation_score(labels, of, "multi_label", selection)[0] for of in (by_common, by_rare)
    ]
    assert scores[0] > scores[1]


def test_without_an_estimable_label_the_choice_says_so():
    labels, logits, patients = case(common=3, rare=2)
    selection = Selection.of(labels, NAMES, patients)
    assert (selection.labels, selection.estimable) == (("common", "rare"), False)
    assert selection.auroc(labels, logits) == pytest.approx(auroc(labels, logits)[0, :2].mean())
    assert selection.sentence.startswith("Every label has fewer than 5 effective positive or n")
    assert selection.sentence.endswith("which is not estimable; the choice is unreliable.")


def test_without_both_classes_the_loss_selects():
    labels, logits, patients = case()
    selection = Selection.of(labels * 0, NAMES, patients)
    assert (selection.labels, selection.auroc(labels * 0, logits)) == ((), None)
    assert "selected by the smallest loss" in selection.sentence
    value, logged = validation_score(labels * 0, logits, "multi_label", selection)
    assert value == -logged["validation/loss"] == pytest.approx(-np.logaddexp(0, logits).mean())
    assert logged["validation/auroc"] is None


def test_a_probe_takes_the_default_penalty_for_labels_with_few_validation_patients():
    rng = np.random.default_rng(1)
    labels, _, patients = case()
    x = (rng.normal(size=(120, 8)) + labels[:, [0] * 8]).astype(np.float32)
    y = labels[:, :2]
    probe = linear_probe(x, y, x, y, validation_groups=patients)
    assert probe.chosen.tolist() == [True, False]
    assert probe.penalties[1] == DEFAULT_PENALTY
    images = linear_probe(x, y, x, y)
    assert images.chosen.tolist() == [True, True]
    assert images.penalties[0] == probe.penalties[0]
    classes = np.stack([y[:, 0], 1 - y[:, 0]], axis=1)
    assert linear_probe(
        x, classes, x, classes, "multi_class", validation_groups=patients
    ).chosen.all()
