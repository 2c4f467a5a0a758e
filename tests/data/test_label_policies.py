"""Labels that are uncertain, unmentioned or missing altogether, in training and in evaluation."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from remedis.data import label_policies, labels
from remedis.data.label_policies import LabelPolicies, Meaning
from remedis.errors import UserError
from remedis.evaluation import thresholds

NAN = np.nan
# Certain; uncertain beside a negative; unmentioned beside a positive; no label at all.
ILL, OLD = [1, -1, NAN, NAN], [0, 0, 1, NAN]
REPORTS = LabelPolicies("zeros; ill=ones", "zeros")


@pytest.fixture
def found(make):
    manifest = make(8, split=["train"] * 4 + ["test"] * 4, ill=ILL * 2, old=np.float32(OLD * 2))
    return label_policies.keep_found(dataclasses.replace(manifest, labels=("ill", "old")))


def by_split(manifest, policies):
    decided = label_policies.decide(manifest, policies.training)
    return label_policies.decide_by_split(decided, policies)


def test_the_test_split_has_policies_of_its_own(found):
    decided = by_split(found, REPORTS)
    train, test = decided.targets()[:4].T, decided.targets()[4:].T
    np.testing.assert_array_equal(train, [[1, 1, 0, 0], [0, 0, 1, 0]])
    # Only the value beside a positive label follows training's policy for unmentioned ones.
    np.testing.assert_array_equal(test, [[1, NAN, 0, NAN], [0, 0, 1, NAN]])


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"eval_uncertain": "ones"}, [1, 1, 0, NAN]),
        ({"eval_uncertain": "zeros; old=ones"}, [1, 0, 0, NAN]),
        ({"eval_unmentioned": "ignore"}, [1, NAN, NAN, NAN]),
        ({"eval_unlabelled": "zeros"}, [1, NAN, 0, 0]),
        # Empty texts follow training.
        ({"eval_uncertain": "", "eval_unlabelled": ""}, [1, 1, 0, 0]),
    ],
)
def test_each_key(found, changes, expected):
    decided = by_split(found, dataclasses.replace(REPORTS, **changes))
    np.testing.assert_array_equal(decided.targets()[4:, 0], expected)
    np.testing.assert_array_equal(decided.targets()[:4, 0], [1, 1, 0, 0])


def test_a_config_of_an_earlier_version_has_one_policy_for_all():
    policies = LabelPolicies.from_config({"uncertain": "ones", "unmentioned": "zeros"})
    assert policies.evaluation == policies.training == Meaning("ones", "zeros", "zeros")
    assert LabelPolicies.from_config(REPORTS.to_json()) == REPORTS


def test_labels_can_be_decided_again_but_only_from_those_found(found):
    once = label_policies.decide(found, REPORTS.training)
    again = label_policies.decide(once, Meaning("ignore", "ignore", "ignore"))
    np.testing.assert_array_equal(again.targets()[:4, 0], [1, NAN, NAN, NAN])
    with pytest.raises(UserError, match="Label 'ill' has had a policy already"):
        label_policies.keep_found(once)


def test_a_source_says_that_an_image_has_labels_beside_those_asked_for(found):
    column = [1.0, 1.0, 1.0, 1.0, NAN, NAN, NAN, 0.0]
    known = dataclasses.replace(found, table=found.table.assign(any_label=column))
    assert labels.without_labels(found).tolist() == [False, False, False, True] * 2
    assert labels.without_labels(known).tolist() == [False] * 7 + [True]


def test_sentences_name_each_kind_that_occurs(found):
    test = found.select("test")
    assert label_policies.kinds(test) == ["uncertain", "unmentioned", "unlabelled"]
    assert label_policies.notes(test, REPORTS.evaluation) == [
        "Uncertain labels, of 1 image of 1 patient, are ignored.",
        "Empty labels beside others, of 1 image of 1 patient, count as negative.",
        "Without any label: 1 image of 1 patient, which is left out.",
    ]
    assert label_policies.notes(test, REPORTS.training) == [
        "Uncertain labels, of 1 image of 1 patient, count by the policy 'zeros; ill=ones'.",
        "Empty labels beside others, of 1 image of 1 patient, count as negative.",
        "Without any label: 1 image of 1 patient, which count as negative for every label.",
    ]
    assert label_policies.notes(test, Meaning()) == [
        "Uncertain labels, of 1 image of 1 patient, are ignored.",
        "Without any label: 1 image of 1 patient, which is left out.",
    ]
    certain = test.subset([True, False, False, False])
    assert label_policies.kinds(certain) == label_policies.notes(certain, Meaning()) == []


def test_counts_of_images_that_are_left_out(found):
    both = found.subset([False, False, False, True] * 2)
    same = dataclasses.replace(both, table=both.table.assign(patient_id="p"))
    assert label_policies.left_out(same, Meaning()) == {"images": 2, "patients": 1}
    kept = Meaning(unlabelled="zeros")
    assert label_policies.left_out(same, kept) == {"images": 0, "patients": 0}
    assert label_policies.notes(same, Meaning()) == [
        "Without any label: 2 images of 1 patient, which are left out."
    ]


def test_a_wrong_policy_is_named(found):
    with pytest.raises(UserError, match="Unknown policy for unlabelled values 'zero'"):
        label_policies.decide(found, Meaning(unlabelled="zero"))


def test_why_validation_follows_the_test_split():
    """A threshold for a sensitivity must be chosen on the kind of cases that it is judged on."""
    rng = np.random.default_rng(0)

    def drawn(certain, uncertain):
        means = np.repeat([0.0, 2.2, 1.1], [3000, certain, uncertain])
        found = np.repeat([0.0, 1.0, -1.0], [3000, certain, uncertain])
        return found, 1 / (1 + np.exp(-(means - 1 + rng.normal(size=len(means)))))

    reached: dict[str, list[tuple[float, float]]] = {"ignore": [], "ones": []}
    for _ in range(40):
        found, scores = drawn(480, 120)
        test_found, test_scores = drawn(480, 120)
        for policy, value in (("ignore", NAN), ("ones", 1.0)):
            targets = np.where(found == -1, value, found)[:, None]
            chosen = thresholds.choose(targets, scores[:, None], ("ill",), 0.9)
            above = test_scores >= chosen.target_sensitivity["ill"]
            reached[policy].append((above[test_found == 1].mean(), above[test_found == 0].mean()))
    means = pd.DataFrame({k: np.mean(v, axis=0) for k, v in reached.items()}, ["tpr", "fpr"])
    assert abs(means.loc["tpr", "ignore"] - 0.9) < 0.01
    assert means.loc["tpr", "ones"] > 0.93
    assert means.loc["fpr", "ones"] > means.loc["fpr", "ignore"] + 0.05
