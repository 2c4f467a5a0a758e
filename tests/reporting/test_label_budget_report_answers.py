"""The answers of a label-budget study in words and in tables: one case per branch."""

import pytest
from ood_example import interval, make_answer, make_study, without_later_keys

from remedis.evaluation.label_budget import power_law, required_patients
from remedis.reporting import comparison_report
from remedis.reporting.label_budget_report import (
    answer_sentences,
    answer_table,
    lay_summary,
    number_format,
)
from remedis.reporting.label_budget_report.answer_table import answer_tables
from remedis.reporting.label_budget_report.old_summaries import completed

GAIN = "80 % of the gain that scratch makes with all 310 labelled patients (an AUROC of 0.743)"
NEEDS = f"To reach {GAIN}, remedis needs 20 labelled patients of General Hospital"
SURE = f"{NEEDS} (95 % interval 12 to 41)"
FAILED = {
    "status": "not reached",
    "patients": None,
    "at_least": 180.2,
    "share_reached": 0.004,
    "ratio": None,
    "fold": None,
    "fold_missing": "not reached",
    "cost": None,
}
BEYOND = (
    f"remedis does not reach {GAIN} with up to 310 labelled patients of General Hospital (0.4 % of "
    "the resamples do); scratch needs 91 (61 to 122)"
)
BELOW = {
    "status": "below the first budget",
    "patients": interval(0.0, 0.0, 0.0),
    "ratio": None,
    "fold": None,
    "fold_missing": "below the first budget",
}
ZERO_SHOT = (
    f"Without any labelled patient of General Hospital (zero-shot), remedis already reaches {GAIN}"
)
NO_NUMBERS = {
    "patients": None,
    "share_reached": None,
    "baseline_patients": None,
    "ratio": None,
    "fold": None,
    "cost": None,
}


def study_of(*answers, **changes):
    """A study with these answers, by probe; scratch is the baseline."""
    study = make_study(("remedis", "bit", "scratch"), ("Edema",), ("probe",))
    return {**study, "answers": list(answers), **changes}


def answer(arm="remedis", target="80 % of the gain", **changes):
    return make_answer(arm, "probe", "scratch", target, **changes)


def row(**changes):
    ((cells,),) = (table.rows for table in answer_tables(study_of(answer(**changes))))
    return cells


def last_estimates(study, **of_arms):
    """Sets the AUROC of each arm at its largest budget."""
    for point in study["points"]:
        if point["patients"] == 310 and point["arm"] in of_arms:
            point["mean"] |= of_arms[point["arm"]]
    return study


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        # The multiple is stated.
        (
            {},
            f"{SURE}, and scratch needs 91 (61 to 122): remedis needs 4.7 times fewer (1.7 to "
            "9.2).",
        ),
        (
            {"fold": interval(0.5, 0.25, 0.8)},
            f"{SURE}, and scratch needs 91 (61 to 122): remedis needs 2.0 times more (1.2 to 4.0).",
        ),
        (
            {"fold": interval(12.0, 3.0, None)},
            f"{SURE}, and scratch needs 91 (61 to 122): remedis needs at least 3.0 times fewer.",
        ),
        (
            {"fold": interval(0.25, None, 0.5)},
            f"{SURE}, and scratch needs 91 (61 to 122): remedis needs at least 2.0 times more.",
        ),
        (
            {"level": 0.73, "level_lowered": True, "fold": interval(0.5, 0.25, 0.8)},
            "To reach 80 % of the gain that scratch makes with all 310 labelled patients (an AUROC "
            "of 0.730, lowered because remedis ends below scratch), remedis needs 20 labelled "
            "patients of General Hospital (95 % interval 12 to 41), and scratch needs 91 (61 to "
            "122): remedis needs 2.0 times more (1.2 to 4.0).",
        ),
        # It is not, for a reason each.
        (
            {"fold": None, "fold_missing": "interval contains 1", "ratio": interval(1.1, 0.6, 2.0)},
            f"{SURE}, and scratch needs 91 (61 to 122): the study does not show that either needs "
            "fewer (interval of the ratio: 0.6 to 2.0).",
        ),
        (
            {"fold": None, "fold_missing": "interval contains 1", "ratio": None},
            f"{SURE}, and scratch needs 91 (61 to 122): the study does not show that either needs "
            "fewer.",
        ),
        (
            {
                "fold": None,
                "fold_missing": "baseline does not reach it",
                "baseline_patients": None,
                "ratio": None,
            },
            f"{SURE}; scratch does not reach it with up to 310.",
        ),
        (
            {
                "fold": None,
                "fold_missing": "baseline below the first budget",
                "baseline_patients": interval(0.0, 0.0, 0.0),
                "ratio": interval(0.0, 0.0, 0.0),
            },
            f"{SURE}, and scratch already reaches it without any (zero-shot). How many times more "
            "cannot be said: the curve of scratch starts at the level or above it.",
        ),
        ({"target": "reference"}, None),
        # Ends of the interval.
        (
            {
                "patients": interval(200.0, 90.0, None),
                "share_reached": 0.81,
                "fold": None,
                "fold_missing": "interval contains 1",
                "ratio": interval(0.45, None, 1.2),
            },
            f"To reach {GAIN}, remedis needs 200 labelled patients of General Hospital (95 % "
            "interval 90 to more than 310), and scratch needs 91 (61 to 122): the study does not "
            "show that either needs fewer (interval of the ratio: open to 1.2). The interval is "
            "open: 81 % of the resamples reach the level.",
        ),
        (
            {"patients": interval(0.3, 0.1, 1.5), "fold": interval(301.0, 40.0, 1210.0)},
            f"To reach {GAIN}, remedis needs 1 labelled patient of General Hospital (95 % interval "
            "1 to 2), and scratch needs 91 (61 to 122): remedis needs 301 times fewer (40 to "
            "1,210).",
        ),
        # Not reached, with and without an extrapolation.
        (FAILED, f"{BEYOND}."),
        (FAILED | {"baseline_patients": None}, f"{BEYOND.partition(';')[0]}."),
        (
            FAILED
            | {"extrapolation": {"patients": interval(512.2, 400.0, 900.0), "missing": None}},
            f"{BEYOND}. By extrapolation, which was not measured, it would need 513 (400 to 900).",
        ),
        (
            FAILED | {"extrapolation": {"patients": None, "missing": "too few budgets"}},
            f"{BEYOND}. No extrapolation is given: there are too few budgets for it.",
        ),
        (
            FAILED | {"extrapolation": {"patients": None, "missing": "law does not reach it"}},
            f"{BEYOND}. No extrapolation is given: the power law levels off below the level.",
        ),
        (
            FAILED | {"extrapolation": {"patients": None, "missing": "interval open"}},
            f"{BEYOND}. No extrapolation is given: its interval has no upper end.",
        ),
        (
            FAILED | {"extrapolation": {"patients": None, "missing": "interval too wide"}},
            f"{BEYOND}. No extrapolation is given: its interval is too wide.",
        ),
        # Below the first budget: success, not failure.
        (
            BELOW,
            f"{ZERO_SHOT}, and scratch needs 91 (61 to 122). How many times fewer cannot be said: "
            "the curve starts at the level or above it.",
        ),
        (
            BELOW | {"patients": interval(0.0, 0.0, 24.3), "baseline_patients": None},
            f"{ZERO_SHOT}, with an interval that extends to 25 labelled patients; scratch does not "
            "reach it.",
        ),
        (
            BELOW
            | {
                "patients": interval(0.0, 0.0, None),
                "baseline_patients": interval(0.0, 0.0, 41.0),
            },
            f"{ZERO_SHOT}, with an interval that extends beyond the largest budget, and so does "
            "scratch.",
        ),
        # No level to reach.
        (
            NO_NUMBERS
            | {
                "status": "level not above chance",
                "fold_missing": "level not above chance",
                "arm_above_chance": False,
                "baseline_above_chance": False,
            },
            "Neither remedis (AUROC 0.829, 0.799 to 0.859) nor scratch (AUROC 0.769, 0.739 to "
            "0.799) is shown to beat chance (AUROC 0.5) at General Hospital, even with all 310 "
            "labelled patients: the question cannot be answered.",
        ),
        (
            NO_NUMBERS
            | {
                "status": "level not above chance",
                "fold_missing": "level not above chance",
                "baseline_above_chance": False,
            },
            "scratch (AUROC 0.769, 0.739 to 0.799) is not shown to beat chance (AUROC 0.5) at "
            "General Hospital, even with all 310 labelled patients: the question cannot be "
            "answered. remedis (AUROC 0.829, 0.799 to 0.859) is shown to beat it, but without "
            "scratch there is no level to compare at.",
        ),
        (
            NO_NUMBERS
            | {"status": "level not above chance", "fold_missing": "level not above chance"},
            f"{GAIN}: this level is not shown to be above chance (AUROC 0.5), and the question "
            "cannot be answered for it.",
        ),
        (
            NO_NUMBERS | {"status": "no gain shown", "fold_missing": "no gain shown"},
            "It is not shown that labelled patients of General Hospital help scratch (gain in "
            "AUROC with all 310: +0.129, +0.090 to +0.170). Without a gain that is shown there is "
            "no level to reach, and the question cannot be answered.",
        ),
        (
            NO_NUMBERS | {"status": "arm not above chance", "fold_missing": "arm not above chance"},
            f"The curve of remedis crosses {GAIN}, but with all 310 labelled patients of General "
            "Hospital remedis (AUROC 0.829, 0.799 to 0.859) is not shown to beat chance (AUROC "
            "0.5): no number of patients is given.",
        ),
        (
            {"level": None},
            "There is no answer for remedis: the level to reach is not estimable.",
        ),
    ],
)
def test_every_answer_has_its_sentence(changes, words):
    if words is None:
        changes = {**make_answer("remedis", "probe", "scratch", "reference"), "target": "reference"}
        words = (
            "To reach the AUROC of scratch with all 310 labelled patients (0.769), remedis needs "
            "20 labelled patients of General Hospital (95 % interval 12 to 41). No multiple is "
            "given: 310 patients are all that scratch has, and fewer may have been enough."
        )
    (sentences,) = answer_sentences.paragraphs(study_of(answer() | changes)).values()
    assert sentences == [words]


@pytest.mark.parametrize(
    ("seeds", "reason"),
    [(3, "3 seeds are too few"), (1, "1 seed is too few"), (10, "2 trainings per arm are too few")],
)
def test_too_few_seeds_give_no_multiple(seeds, reason):
    study = study_of(
        answer(fold=None, fold_missing="too few seeds"), seeds=seeds, too_few_seeds=True
    )
    (sentences,) = answer_sentences.paragraphs(study).values()
    assert sentences == [
        f"{SURE}, and scratch needs 91 (61 to 122). No multiple is given: {reason}."
    ]
    assert lay_summary.warnings(study)[-1].startswith(
        f"TOO FEW: {reason}, so that every comparison"
    )


def test_a_first_budget_of_some_patients_is_named():
    study = study_of(answer(**BELOW | {"patients": interval(3.0, 3.0, 3.0)}))
    study["points"] = [point for point in study["points"] if point["patients"]]
    (sentences,) = answer_sentences.paragraphs(study).values()
    gain = GAIN.replace("with all 310", "from 3 to all 310")
    assert sentences[0].startswith(
        "With 3 labelled patients of General Hospital, the smallest budget, remedis already "
        f"reaches {gain}, and scratch needs 91"
    )


def test_the_baseline_alone_states_its_need():
    study = study_of(answer("scratch"))
    assert answer_sentences.paragraphs(study) == {
        "Linear probe": [
            f"To reach {GAIN}, scratch needs 91 labelled patients of General Hospital (95 % "
            "interval 61 to 122)."
        ]
    }


def test_arms_of_one_fate_share_a_sentence():
    level = {"target": "AUROC 0.9", "level": 0.9, "share_of_gain": None, "headline": False}
    study = study_of(
        *(answer(arm) for arm in ("remedis", "bit", "scratch")),
        *(
            answer(arm, **{**FAILED, **level, "baseline_patients": None, "share_reached": share})
            for arm, share in (("remedis", 0.004), ("bit", 0.0), ("scratch", 0.11))
        ),
    )
    (sentences,) = answer_sentences.paragraphs(study).values()
    assert [sentence.partition(" needs ")[0] for sentence in sentences[:2]] == [
        f"To reach {GAIN}, remedis",
        f"To reach {GAIN}, bit",
    ]
    assert sentences[2:] == [
        "remedis, bit and scratch do not reach an AUROC of 0.9 with up to 310 labelled patients of "
        "General Hospital (0.4 %, 0 % and 11 % of the resamples do)."
    ]
    without = {"extrapolation": {"patients": None, "missing": "interval open"}}
    study = study_of(
        *(
            answer(arm, **{**FAILED, **level, **without, "baseline_patients": None})
            for arm in ("remedis", "bit", "scratch")
        )
    )
    (sentences,) = answer_sentences.paragraphs(study).values()
    assert sentences == [
        "remedis, bit and scratch do not reach an AUROC of 0.9 with up to 310 labelled patients of "
        "General Hospital (0.4 %, 0.4 % and 0.4 % of the resamples do). No extrapolation is given: "
        "its interval has no upper end."
    ]
    at_chance = NO_NUMBERS | {
        "status": "level not above chance",
        "fold_missing": "level not above chance",
        "arm_above_chance": False,
        "baseline_above_chance": False,
    }
    study = study_of(*(answer(arm, **at_chance) for arm in ("remedis", "bit", "scratch")))
    (sentences,) = answer_sentences.paragraphs(study).values()
    assert len(sentences) == 1
    assert sentences[0].startswith("None of remedis (AUROC")
    assert "and scratch (AUROC 0.769, 0.739 to 0.799) is shown to beat chance" in sentences[0]
    assert answer_sentences.paragraphs(study_of()) == {}


def test_a_study_at_chance_says_that_the_question_cannot_be_answered():
    """A study of an earlier version whose arms were at chance said 'already reaches'."""
    study = make_study(("remedis", "scratch"), ("Edema",), ("probe",))
    study["answers"] = [answer(target="reference", level=0.537, status="below the first budget")]
    study = last_estimates(
        study,
        remedis={"value": 0.56, "low": 0.44, "high": 0.66},
        scratch={"value": 0.537, "low": 0.295, "high": 0.84},
    )
    old = without_later_keys(study)
    assert old["answers"][0]["status"] == "below the first budget"
    (sentences,) = answer_sentences.paragraphs(completed(old)).values()
    assert sentences == [
        "Neither remedis (AUROC 0.560, 0.440 to 0.660) nor scratch (AUROC 0.537, 0.295 to 0.840) "
        "is shown to beat chance (AUROC 0.5) at General Hospital, even with all 310 labelled "
        "patients: the question cannot be answered."
    ]


def test_an_unknown_status_is_an_error():
    study = study_of(answer(status="maybe"))
    with pytest.raises(ValueError, match=r"Status 'maybe' is unknown; expected one of reached, "):
        answer_sentences.paragraphs(study)


@pytest.mark.parametrize(
    ("changes", "cells"),
    [
        ({}, "20 [12, 41] | 91 [61, 122] | 4.7 [1.7, 9.2] | yes | 99 %"),
        (
            FAILED | {"baseline_patients": None},
            "not reached with 310 [181, beyond 310] |  |  | no: the arm does not reach it | 0.4 %",
        ),
        (
            FAILED
            | {
                "at_least": None,
                "extrapolation": {"patients": interval(512.2, 400.0, 900.0), "missing": None},
            },
            "not reached with 310; extrapolated, not measured: 513 [400, 900] | 91 [61, 122] |  | "
            "no: the arm does not reach it | 0.4 %",
        ),
        (
            NO_NUMBERS | {"status": "no gain shown", "fold_missing": "no gain shown"},
            "no answer: the baseline is not shown to gain |  |  | no: the baseline is not shown to "
            "gain | ",
        ),
        (
            {"fold": None, "fold_missing": "one-sided", "baseline_patients": interval(*[310] * 3)},
            "20 [12, 41] | 310 (all) | 4.7 [1.7, 9.2] | no: the baseline may need fewer than all | "
            "99 %",
        ),
    ],
)
def test_tables_state_the_numbers_and_why_there_is_no_multiple(changes, cells):
    assert row(**changes)[2:7] == cells.split(" | ")


def test_a_lowered_level_is_marked_where_it_is_answered():
    assert row(level_lowered=True)[1] == (
        "80 % of the gain: AUROC 0.743, lowered: the arm ends lower"
    )
    no_gain = NO_NUMBERS | {"status": "no gain shown", "fold_missing": "no gain shown"}
    assert row(**no_gain, level_lowered=True)[1] == "80 % of the gain: AUROC 0.743"


def test_every_status_and_every_reason_has_its_words():
    assert set(answer_sentences._WORDS) == set(required_patients.STATUSES)
    assert set(answer_table._WHY_NO_MULTIPLE) == set(required_patients.REASONS)
    reasons = {
        getattr(power_law, name) for name in ("TOO_FEW_BUDGETS", "NEVER", "OPEN", "TOO_WIDE")
    }
    assert set(answer_sentences._WHY_NO_EXTRAPOLATION) == reasons


def test_formats_of_numbers():
    assert number_format.three_decimals(interval(0.8124, 0.78, 0.84)) == "0.812 [0.780, 0.840]"
    assert number_format.difference(interval(-0.0312, -0.05, 0.001)) == "-0.031 [-0.050, +0.001]"
    assert (
        number_format.three_decimals(interval(None, None, None))
        == number_format.share(None)
        == "not estimable"
    )
    assert [number_format.percent(x) for x in (0, 0.0031, 0.0097, 0.05, 1.03)] == [
        "0 %",
        "0.3 %",
        "1 %",
        "5 %",
        "103 %",
    ]
    assert [number_format.times(x) for x in (0.004, 0.256, 0.996, 2.345, 9.96, 1234.5)] == [
        "0.004",
        "0.26",
        "1.0",
        "2.3",
        "10",
        "1,234",
    ]
    # Patients are rounded up, except for floating-point error.
    assert number_format.patients(interval(16.0000000001, 15.2, 1200.0), 9) == "16 [16, 1,200]"
    assert [comparison_report.p_value(p) for p in (None, 0.0009, 0.04)] == [
        "none",
        "<0.001",
        "0.040",
    ]
