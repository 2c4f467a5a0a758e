"""What answers say about a model: decisions at thresholds, and where choices come from."""

import dataclasses
import json

import numpy as np
import scipy.special

from remedis.serving.served_facts import ServedFacts

BACKBONE = ServedFacts("m", "savedmodel", "ab" * 32, "RANDOM WEIGHTS (seed 0).", True)
CALIBRATION = {
    "method": "platt",
    "scale": [0.5, 2.0],
    "offset": [1.0, 0.0],
    "fitted_on": {
        "cases": 30,
        "labels": {"a": {"method": "platt", "cases": 30, "positives": 10, "negatives": 20}},
    },
    "left_out": ["b"],
}
THRESHOLDS = {
    "youden": {"a": 0.5, "b": None},
    "target_sensitivity": {"a": 0.25, "b": None},
    "target": 0.8,
    "chosen_on": {"a": {"data": "the validation split", "positives": 10, "negatives": 20}},
}
CLASSIFIER = dataclasses.replace(
    BACKBONE, labels=("a", "b"), calibration=CALIBRATION, thresholds=THRESHOLDS
)


def outputs(logits, facts=CLASSIFIER):
    logits = np.array(logits, np.float32)
    scale, offset = (np.array(facts.calibration[key]) for key in ("scale", "offset"))
    probabilities = scipy.special.expit(logits * scale + offset).astype(np.float32)
    return {"logits": logits, "probabilities": probabilities}


def test_a_score_at_its_threshold_is_positive_and_a_label_without_one_is_undecided():
    # sigmoid(0.5 * -2 + 1) is the threshold 0.5.
    found = CLASSIFIER.decisions(outputs([[-2.0, 9.0], [-2.001, -9.0], [-9.0, 0.0]]))
    assert found == {
        "youden": [[True, None], [False, None], [False, None]],
        "target_sensitivity": [[True, None], [True, None], [False, None]],
    }


def test_thresholds_as_log_odds_decide_where_probabilities_saturate():
    # Both probabilities are 1 in single precision; only the log odds, 30 and 40, differ.
    cut = {"a": 35.0, "b": None}
    saturated = {
        **THRESHOLDS,
        "youden": {"a": 1.0, "b": None},
        "log_odds": {"youden": cut, "target_sensitivity": cut},
    }
    facts = dataclasses.replace(CLASSIFIER, thresholds=saturated)
    scored = outputs([[58.0, 0.0], [78.0, 0.0]])
    assert (scored["probabilities"][:, 0] == 1).all()
    assert facts.decisions(scored)["youden"] == [[False, None], [True, None]]


def test_a_model_without_thresholds_decides_nothing():
    facts = dataclasses.replace(CLASSIFIER, thresholds=None)
    assert facts.decisions(outputs([[0.0, 0.0]])) == {}
    assert facts.to_json()["thresholds"] == {
        "statement": "The model has no thresholds.",
        "meanings": {},
        "labels": {},
    }


def test_an_answer_says_where_calibration_and_thresholds_come_from():
    found = json.loads(json.dumps(CLASSIFIER.to_json(), allow_nan=False))
    assert found["random_weights"] is True
    assert found["weights_sha256"] == "ab" * 32
    assert "not a diagnostic device" in found["use"]
    calibration, thresholds = found["calibration"], found["thresholds"]
    assert "by Platt's method on 30 patients of the validation split" in calibration["statement"]
    assert calibration["labels"]["a"]["positives"] == 10
    assert calibration["labels"]["b"]["method"] == "none"
    assert thresholds["labels"]["a"] == {
        "youden": 0.5,
        "target_sensitivity": 0.25,
        "data": "the validation split of the model's own run",
        "positives": 10,
        "negatives": 20,
    }
    assert thresholds["labels"]["b"]["youden"] is None
    assert "a sensitivity of 0.8 on the data" in thresholds["meanings"]["target_sensitivity"]


def test_a_backbone_embeds_and_says_nothing_of_scores():
    assert BACKBONE.outputs == ("embedding",)
    assert CLASSIFIER.outputs == ("probabilities", "logits", "embedding")
    assert not {"labels", "calibration", "thresholds"} & BACKBONE.to_json().keys()
