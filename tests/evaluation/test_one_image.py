"""Splits of one image, one patient or one class: no number without a reason, and no error."""

import json

import numpy as np
import pandas as pd
import pytest

from remedis.evaluation import calibration, choice_sentences, thresholds
from remedis.evaluation.evaluate import evaluate_table
from remedis.evaluation.selection import Selection

# Labels and patients of a split.
SPLITS = {
    "one_negative": ([0], ["a"]),
    "one_positive": ([1], ["a"]),
    "one_unknown": ([np.nan], ["a"]),
    "only_positives": ([1, 1, 1, 1], ["a", "b", "c", "d"]),
    "one_patient": ([0, 1, 0, 1, 1], ["a"] * 5),
}


def numbers(value, place=""):
    """Yields every estimate of a result with its place."""
    if isinstance(value, dict):
        if "value" in value:
            yield place, value
        for name, part in value.items():
            yield from numbers(part, f"{place}/{name}")


@pytest.mark.parametrize("method", ["temperature", "platt"])
@pytest.mark.parametrize("name", SPLITS)
def test_every_number_of_a_tiny_split_has_a_value_or_a_reason(name, method):
    values, patients = SPLITS[name]
    targets = np.array(values, np.float32)[:, None]
    logits = np.linspace(-1, 2, len(values), dtype=np.float32)[:, None]
    groups = pd.Series(patients)
    assert not Selection.of(targets, ("ill",), groups).estimable
    fitted = calibration.fit(logits, targets, ("ill",), method, "multi_label", groups)
    chosen = thresholds.choose_by_log_odds(targets, fitted.log_odds(logits), ("ill",), 0.9)
    table = pd.DataFrame(
        {
            "path": [f"{i}.png" for i in range(len(values))],
            "patient_id": patients,
            "study_id": None,
            "site": None,
            "split": "test",
            "label/ill": targets[:, 0],
            "score/ill": fitted.probabilities(logits)[:, 0],
            "logit/ill": logits[:, 0],
            "log_odds/ill": fitted.log_odds(logits)[:, 0],
        }
    )
    notes = choice_sentences.choice_notes(fitted.to_json(), chosen.to_json(), ("ill",))
    result = evaluate_table(
        table, ("ill",), "test", thresholds=chosen, seed=0, resamples=40, choice_notes=notes
    )
    json.dumps(result, allow_nan=False)
    found = dict(numbers(result))
    assert len(found) > 10
    for place, number in found.items():
        assert number["value"] is not None or number["reason"], place
    assert any(number["value"] is None for number in found.values())
