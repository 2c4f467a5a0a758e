"""Sentences on calibration and thresholds, from real fits on small validation splits."""

import dataclasses
import io
import json

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from remedis.evaluation import calibration, choice_sentences, thresholds
from remedis.evaluation.choice_sentences import (
    VALIDATION,
    calibration_sentence,
    chosen_on_this_data,
    thresholds_sentence,
)
from remedis.evaluation.evaluate import evaluate_table
from remedis.reporting import results_table

NAMES = ("common", "rare", "absent", "always")
PATIENTS = np.arange(60) // 2


@pytest.fixture(scope="module")
def split():
    """Labels and logits [60, 4] of 30 patients: 15, 2, 0 and 30 of them are positive."""
    labels = np.zeros((60, 4))
    labels[::4, 0] = labels[1::4, 0] = 1
    labels[:4, 1] = 1
    labels[:, 3] = 1
    return labels, 4 * np.random.default_rng(0).normal(size=labels.shape) + 3 * labels


def chosen_on(split, method="platt", names=NAMES):
    columns = [NAMES.index(name) for name in names]
    labels, logits = (of[:, columns] for of in split)
    fitted = calibration.fit(logits, labels, names, method, patient_ids=PATIENTS)
    chosen = thresholds.choose_by_log_odds(labels, fitted.log_odds(logits), names)
    origin = thresholds.origin(labels, names, VALIDATION, PATIENTS)
    return fitted.to_json(), dataclasses.replace(chosen, chosen_on=origin).to_json(), names


def test_the_sentences_say_what_was_not_possible_for_each_label_and_why(split):
    of_calibration, of_thresholds = choice_sentences.choice_notes(*chosen_on(split))
    assert of_calibration == (
        "The probabilities of common are calibrated by Platt's method on 30 patients of the "
        "validation split; those of rare, absent, always are not calibrated (too few patients, 5 "
        "of each class are needed: rare has 2 positive, 28 negative, absent has 0 positive, 30 "
        "negative, always has 30 positive, 0 negative)."
    )
    assert of_thresholds == (
        "Thresholds of common, rare were chosen on the validation split; there is none of absent "
        "(no positive patient in the validation split), always (no negative patient in the "
        "validation split)."
    )


def test_scores_that_say_nothing_are_named(split):
    labels, logits = split
    turned = labels, np.stack([-logits[:, 0], *logits.T[1:]], axis=1)
    fitted, _, names = chosen_on(turned, names=("common",))
    assert fitted["scale"] == [pytest.approx(calibration.SCALES[0])]
    assert calibration_sentence(fitted, names).endswith(
        "of the validation split. The scores of common do not tell positive from negative images "
        "of these patients: the fit gives all images nearly the same probability, the share of "
        "positives."
    )
    assert choice_sentences.flat_sentence(chosen_on(split)[0], NAMES) == ""
    assert choice_sentences.flat_sentence(None, NAMES) == ""


@pytest.mark.parametrize(
    ("names", "method", "of_calibration", "of_thresholds"),
    [
        (
            ("absent",),
            "platt",
            "The probabilities are not calibrated (too few patients, 5 of each class are needed: "
            "absent has 0 positive, 30 negative).",
            "No threshold could be chosen: absent (no positive patient in the validation split).",
        ),
        (
            ("common",),
            "temperature",
            "The probabilities are calibrated by temperature scaling on 30 patients of the "
            "validation split.",
            "Thresholds were chosen on the validation split.",
        ),
        (
            ("common",),
            "none",
            "The probabilities are not calibrated.",
            "Thresholds were chosen on the validation split.",
        ),
    ],
)
def test_the_sentences_of_one_label(split, names, method, of_calibration, of_thresholds):
    notes = choice_sentences.choice_notes(*chosen_on(split, method, names))
    assert notes == [of_calibration, of_thresholds]
    warning = chosen_on_this_data(*chosen_on(split, method, names))
    assert ("the calibration" in warning) == ("are calibrated" in of_calibration)
    assert ("the thresholds" in warning) == ("were chosen" in of_thresholds)


def test_a_fit_that_does_not_help_is_named_as_such():
    fits = {"a": {"method": "none", "cases": 40, "positives": 20, "negatives": 20}}
    fitted = {"method": "platt", "fitted_on": {"cases": 40, "labels": fits}, "left_out": []}
    assert calibration_sentence(fitted, ["a"]) == (
        "The probabilities are not calibrated (no fit made the labels more likely: a)."
    )


def test_models_of_earlier_versions_have_sentences():
    assert calibration_sentence(None, ["a"]) == "The probabilities are not calibrated."
    assert thresholds_sentence(None, ["a"]) == "The model has no thresholds."
    old = {"youden": {"a": 0.4, "b": None}, "target_sensitivity": {"a": 0.2, "b": None}}
    assert thresholds_sentence(old | {"target": 0.9}, ["a", "b"]) == (
        "Thresholds of a were chosen on the validation split; there is none of b (no positive or "
        "no negative patient in the validation split)."
    )
    assert "the calibration" in chosen_on_this_data(None, old, ["a"])


def test_thresholds_of_two_places_are_told_apart():
    one, other = {"data": "site.csv", "positives": 9, "negatives": 30}, {"data": VALIDATION}
    chosen = {"youden": {"a": 0.4, "b": 0.3}, "chosen_on": {"a": one, "b": other}}
    assert thresholds_sentence(chosen, ["a", "b"]) == (
        "Thresholds of a were chosen on site.csv; those of b on the validation split."
    )


def test_the_origin_of_thresholds_survives_json_and_the_choice_of_labels(split):
    fields = chosen_on(split)[1]
    again = thresholds.Thresholds.from_json(json.loads(json.dumps(fields)))
    assert again.to_json() == fields
    assert again.for_labels(["rare"]).chosen_on == {"rare": fields["chosen_on"]["rare"]}
    assert fields["chosen_on"]["rare"] == {"data": VALIDATION, "positives": 2, "negatives": 28}


def test_an_evaluation_carries_the_sentences_and_prints_no_empty_table(split):
    labels, _ = split
    table = pd.DataFrame({"patient_id": PATIENTS, "split": "test"})
    table["label/absent"], table["score/absent"] = labels[:, 2], 0.5
    fitted, chosen, names = chosen_on(split, names=("absent",))
    notes = choice_sentences.choice_notes(fitted, chosen, names)
    evaluated = evaluate_table(
        table,
        names,
        "test",
        thresholds=thresholds.Thresholds.from_json(chosen),
        resamples=40,
        choice_notes=notes,
    )
    assert evaluated["choice_notes"] == notes
    stream = io.StringIO()
    report = results_table.results_report(evaluated, random_weights=False)
    Console(file=stream, width=100).print(report, highlight=False)
    text = " ".join(stream.getvalue().split())
    assert all(note in text for note in notes)
    assert "At thresholds" not in text


def test_beside_other_data_the_validation_split_is_that_of_the_models_run():
    calibration = {"method": "platt", "scale": [1.0], "offset": [0.0]}
    chosen = {"youden": {"a": 0.5}, "target_sensitivity": {"a": 0.4}, "target": 0.9}
    notes, origins = choice_sentences.of_its_run(calibration, chosen, ["a"])
    ends = "on the validation split of the model's own run."
    assert len(notes) == 2
    assert all(note.endswith(ends) for note in notes)
    assert origins == {"a": {"data": "the validation split of the model's own run"}}
    chosen["chosen_on"] = {"a": {"data": "site.csv", "cases": 3}}
    _, origins = choice_sentences.of_its_run(calibration, chosen, ["a"])
    assert origins == chosen["chosen_on"]
