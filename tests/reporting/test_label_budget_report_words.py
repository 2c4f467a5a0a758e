"""Sentences of the report beside the answers: meaning, tuning, receipts and the gap."""

import copy

import pytest
from ood_example import interval, make_answer, make_study

from remedis.reporting.label_budget_report import data_tables, lay_summary, tuning_tables
from remedis.reporting.label_budget_report.estimate_tables import curve_tables, gap_table
from remedis.reporting.label_budget_report.number_format import percent
from remedis.reporting.label_budget_report.page import page
from remedis.reporting.label_budget_report.study_summary import with_hospital


def study_of(**changes):
    return {**make_study(("remedis", "scratch"), ("Edema",), ("probe",)), **changes}


def test_what_an_answer_means():
    assert lay_summary.meaning(study_of()) == [
        "An arm is a network with certain initial weights. Each arm is trained on images of "
        "University Clinic and then adapted to General Hospital: labelled patients of General "
        "Hospital train its last layer alone (linear probe). It is tested on other patients of "
        "General Hospital.",
        "A labelled patient is a patient of whom an expert has labelled all images. Some labelled "
        "patients select the model and do not train it; they are counted.",
        "AUROC is the probability that an image with a finding has a higher score than an image "
        "without it: 0.5 is chance, 1 is perfect.",
        "'80 % of the gain' (Linear probe): scratch gains +0.129 in AUROC from none to all 310 "
        "labelled patients. The level, 0.743, is 80 % of the way.",
        "'2.0 times fewer' means that the arm reaches the level with half of the labelled patients "
        "that scratch needs for the same level.",
        "The measured budgets are 0, 3, 16, 31, 62, 102, 155 and 310 labelled patients. A number "
        "between them is interpolated by a smooth curve that never falls, and rounded up. It can "
        "differ from where the straight lines of the figure cross the level.",
        "A 95 % interval contains the values that fit the measurements. It covers chance in the "
        "test patients and in the draws of labelled patients. A resample repeats the calculation "
        "on other random draws.",
    ]


@pytest.mark.parametrize(
    ("changes", "present", "words"),
    [
        ({"modes": ("probe", "finetune")}, True, "(linear probe) or all of its layers (end-to-end"),
        ({"seeds": 1}, True, "It covers chance in the test patients alone."),
        ({"levels": []}, False, "of the gain' ("),
        (
            {"levels": [{**study_of()["levels"][0], "gains": False}]},
            False,
            "of the gain' (",
        ),
        ({"answers": []}, False, "times fewer"),
        ({"answers": []}, False, "the level is lower"),
        (
            {
                "answers": [
                    make_answer(
                        "remedis", "probe", "scratch", "80 % of the gain", level_lowered=True
                    )
                ]
            },
            True,
            "Where an arm ends below scratch, the level is lower: the same share of the gain up to "
            "where the arm ends. Both can reach it.",
        ),
    ],
)
def test_a_meaning_is_given_where_it_applies(changes, present, words):
    assert (words in " ".join(lay_summary.meaning(study_of(**changes)))) is present


@pytest.mark.parametrize(
    ("random", "words"),
    [
        ((), None),
        (("scratch",), "scratch has random weights: it was not pretrained."),
        (
            ("remedis", "scratch"),
            "No arm is pretrained: nothing here is about pretrained networks.",
        ),
    ],
)
def test_what_an_answer_does_not_mean(random, words):
    study = study_of()
    for name, arm in study["arms"].items():
        arm["random_weights"] = name in random
    said = lay_summary.no_meaning(study)
    assert said[:4] == [
        "The numbers are no evidence of a benefit to patients: AUROC ranks images, and no decision "
        "was tested.",
        "They hold for General Hospital, its labels and its 214 test patients. Another hospital "
        "may need more patients, or fewer.",
        "'Not shown' does not mean 'no difference': more test patients or more seeds may show one.",
        "An arm's number belongs to how it was trained, too. Another recipe may need fewer.",
    ]
    assert said[4:] == ([words] if words else [])


def test_several_arms_with_random_weights_are_named_together():
    study = make_study(("remedis", "bit", "scratch"), ("Edema",), ("probe",))
    study["arms"]["bit"]["random_weights"] = True
    assert "bit and scratch have random weights: they were not pretrained." in (
        lay_summary.no_meaning(study)
    )


def test_sentences_of_the_summary_name_the_first_hospital():
    text = (
        "In-distribution models are chosen on in-distribution validation: 3 in-distribution "
        "trainings, another in-distribution training set."
    )
    assert with_hospital(text, study_of()) == (
        "Models of University Clinic are chosen on validation of University Clinic: 3 trainings on "
        "University Clinic, another training set of University Clinic."
    )


@pytest.mark.parametrize(
    ("share", "text"),
    [(0.994, "99 %"), (0.995, "99.5 %"), (0.9999, "99.9 %"), (1.0, "100 %"), (0.005, "0.5 %")],
)
def test_only_all_of_them_is_100_percent(share, text):
    assert percent(share) == text


def test_caveats_do_not_repeat_the_section_on_tuning():
    study = study_of(caveats=["Tuning, probe: 3 penalties.", "Few patients."])
    assert "Tuning, probe" not in page(study, {})
    assert "Tuning, probe" in page({**study, "tuning": {}}, {})


def test_tuning_says_the_budget_the_rule_and_what_was_not_tuned():
    study = study_of()
    (tuning,) = tuning_tables.tunings(study)
    assert (tuning.heading, len(tuning.tables)) == ("Linear probe", 2)
    assert tuning.sentences == [
        "Tuning budget: 3 penalties per cell, the same for every arm.",
        "The candidate of the highest mean AUROC is chosen; the earlier one of equals.",
        "Step 0 is kept where no label has both classes among the validation patients: in 2 of 70 "
        "cells of remedis and 2 of 70 cells of scratch.",
    ]
    assert tuning.tables[1].header == ["arm", "training", "penalty, Edema"]
    assert tuning.tables[1].rows[0] == ["remedis", "1", "1"]
    study["tuning"] = copy.deepcopy(study["tuning"])
    arms = study["tuning"]["probe"]["arms"]
    arms["remedis"] |= {"unranked": 0, "cells": 60, "unrecorded": 10}
    arms["scratch"] |= {"unranked": 0}
    arms["scratch"]["ood"][1] |= {"score": None, "chosen": 0}
    del arms["scratch"]["ood"][3]
    (tuning,) = tuning_tables.tunings(study)
    assert tuning.sentences[2:] == [
        "Cells of an earlier version have no record: 10 of 70 cells of remedis."
    ]
    rows = tuning.tables[0].rows
    assert rows[1] == ["penalty 10", "0.720; 20 of 60", "no score; 0 of 70"]
    assert rows[3] == ["penalty 0.1", "0.760; 10 of 60", ""]
    assert tuning_tables.tunings({**study, "tuning": {}}) == []


def test_trainings_that_diverged_say_so():
    (tuning,) = tuning_tables.tunings(make_study(("remedis", "scratch"), ("Edema",), ("finetune",)))
    first = tuning.tables[1]
    assert first.header[:3] == ["arm", "training", "chosen"]
    assert first.rows[2] == ["remedis", "3", "learning rate 0.02", "0.810", "0.840", "diverged"]


def test_every_finding_of_the_leak_gate_is_a_line():
    leaks = study_of()["data"]["ood"]["leaks"] | {
        "ok": False,
        "overlaps": [
            {"column": "sha256", "splits": ["train", "test"], "count": 1, "ids": []},
        ],
        "similar_ids": [{"column": "patient_id", "count": 20, "pairs": []}],
    }
    receipt = data_tables.receipt(leaks)
    assert not receipt.passed
    text = "\n".join(receipt.lines)
    assert "1 image in both train and test" in text
    assert "20 pairs of patients may be one of each, written in two ways" in text
    assert "2 pairs of images that look the same in train and test" in text
    assert "4 images of train identical to another image of train (allowed)" in text
    assert data_tables.receipt(None) is None


def test_the_check_between_hospitals_names_them():
    study = study_of()
    study["between"] = study["between"] | {
        "overlaps": [
            {"column": "sha256", "splits": ["ID train", "OOD pool"], "count": 2, "ids": []}
        ],
        "near_duplicates": [{"splits": ["ID train", "OOD test"], "count": 3, "pairs": []}],
        "unchecked": [
            "Patients of ID and OOD data could not be compared: their ids are of two hospitals."
        ],
    }
    assert data_tables.receipt_between(study).lines == [
        "2 images in both images of University Clinic that train and images of General Hospital "
        "that adapt",
        "Patients of University Clinic and General Hospital could not be compared: their ids are "
        "of two hospitals.",
        "3 pairs of images that look the same in images of University Clinic that train and test "
        "images of General Hospital: a person must look at them",
    ]
    assert data_tables.receipt_between({**study, "between": None}) is None


def test_uneven_test_patients_are_stated_with_the_curves():
    study = study_of()
    assert curve_tables(study)[0].caption.endswith("[95 % interval], 214 patients, 37 positive.")
    study["points"][0]["mean"] |= {"effective_patients": 214.0, "effective_positives": 37.0}
    assert curve_tables(study)[0].caption.endswith("[95 % interval], 214 patients, 37 positive.")
    study["points"][0]["mean"] |= {"effective_patients": 40.3, "effective_positives": 8.07}
    assert curve_tables(study)[0].caption.endswith(
        "214 patients, 37 positive (effectively 40.3 and 8.1, because patients have different "
        "numbers of images)."
    )
    study["points"][0]["mean"]["largest_patient_images"] = 143
    assert curve_tables(study)[0].caption.endswith(
        "because patients have different numbers of images, up to 143)."
    )


@pytest.mark.parametrize("gap", [None, interval(None, None, None)])
def test_a_gap_that_is_not_estimable_says_so(gap):
    study = study_of()
    study["gap"][0]["gap"] = gap
    assert gap_table(study).rows[0][-1] == "not estimable"
