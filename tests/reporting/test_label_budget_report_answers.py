"""The answers of a label-budget study, in sentences and in tables."""

import pytest
from ood_example import make_study

from remedis.reporting import comparison_report
from remedis.reporting.label_budget_report import answer_sentences, number_format
from remedis.reporting.label_budget_report.answer_table import answer_tables

GOAL = "the AUROC of scratch with all 310 patients (0.778)"
DOUBT = "this cannot be distinguished from no saving"


def _study(**changes):
    """A study with one answer, of remedis by probe."""
    study = make_study(("remedis", "bit", "scratch"), ("Edema",), ("probe",))
    study["answers"] = [{**study["answers"][0], **changes}]
    return study


def _sentence(**changes):
    study = _study(**changes)
    return answer_sentences.sentence(study["answers"][0], study)


def _row(**changes):
    ((row,),) = (table.rows for table in answer_tables(_study(**changes)))
    return row


def _of(value, low, high):
    return {"value": value, "low": low, "high": high}


def test_a_level_that_is_reached():
    assert _sentence() == (
        f"remedis needs 20 labelled patients [12, 41] to reach {GOAL}, 15 times fewer [7.2, 26] "
        "than scratch."
    )
    assert "needs 1 labelled patient [1, 2] " in _sentence(patients=_of(0.3, 0.1, 1.5))
    assert _sentence(target="AUROC 0.85", level=0.85, fold=_of(3.0, 2.0, None)) == (
        "remedis needs 20 labelled patients [12, 41] to reach AUROC 0.85, 3.0 times fewer [2.0, "
        "open] than scratch."
    )


def test_an_open_interval_is_named_open():
    sentence = _sentence(
        patients=_of(200.0, 90.0, None), fold=_of(1.55, None, 3.44), share_reached=0.81
    )
    assert sentence == (
        f"remedis needs 200 labelled patients [90, beyond 310] to reach {GOAL}, 1.6 times fewer "
        "[open, 3.4] than scratch; this cannot be distinguished from no saving. The interval is "
        "open: 81 % of the resamples reach it."
    )


@pytest.mark.parametrize(
    ("fold", "words"),
    [
        (_of(2.0, 0.8, 5.0), f"2.0 times fewer [0.8, 5.0] than scratch; {DOUBT}."),
        (_of(2.0, 1.1, 5.0), "2.0 times fewer [1.1, 5.0] than scratch."),
        (_of(0.5, 0.25, 0.8), "2.0 times more [1.2, 4.0] than scratch."),
        (_of(0.5, 0.25, 2.0), f"2.0 times more [0.5, 4.0] than scratch; {DOUBT}."),
    ],
)
def test_a_saving_states_its_doubt(fold, words):
    assert _sentence(fold=fold).endswith(f", {words}")


def test_one_sentence_names_all_arms_that_do_not_reach_a_level():
    study = _study()
    missed = {
        "status": "not reached",
        "patients": None,
        "fold": None,
        "target": "AUROC 0.9",
        "level": 0.9,
    }
    study["answers"] += [
        {**study["answers"][0], **missed, "arm": arm, "share_reached": share}
        for arm, share in (("remedis", 0.004), ("bit", 0.0), ("scratch", 0.11))
    ]
    # The baseline's answer for its own level is left out.
    study["answers"].append({**study["answers"][0], "arm": "scratch"})
    (sentences,) = answer_sentences.paragraphs(study).values()
    assert list(answer_sentences.paragraphs(study)) == ["Linear probe"]
    assert len(sentences) == 2
    assert sentences[0].startswith("remedis needs 20 labelled patients [12, 41] to reach")
    assert sentences[1] == (
        "remedis, bit and scratch do not reach AUROC 0.9 with up to 310 labelled patients "
        "(0.4 %, 0 % and 11 % of the resamples do)."
    )
    alone = answer_sentences.missed_sentence(study["answers"][1:2], study)
    assert alone == (
        "remedis does not reach AUROC 0.9 with up to 310 labelled patients (0.4 % of the resamples "
        "do)."
    )
    assert answer_sentences.paragraphs({**study, "answers": []}) == {}


def test_zero_shot_extrapolated_and_not_estimable():
    zero_shot = {"status": "below the first budget", "patients": None, "fold": None}
    assert _sentence(**zero_shot) == (
        f"Without labelled patients (zero-shot), remedis already reaches {GOAL}."
    )
    zero_shot["patients"] = _of(0.0, 0.0, 24.3)
    assert _sentence(**zero_shot) == (
        f"Without labelled patients (zero-shot), remedis already reaches {GOAL} (the interval "
        "extends to 25 patients)."
    )
    beyond = {"status": "not reached", "extrapolated": True, "patients": _of(512.2, 400.0, None)}
    assert _sentence(**beyond) == (
        "By extrapolation beyond the 310 patients measured, remedis would need 513 [400, open] "
        f"labelled patients to reach {GOAL}; this was not measured."
    )
    assert "the level to reach is not estimable" in _sentence(level=None)
    assert _row(**zero_shot)[2] == "0 [0, 25]"
    assert _row(**beyond)[2] == "513 [400, open] (extrapolated, not measured)"


def test_a_level_that_only_one_of_two_arms_reaches():
    target = {"target": "AUROC 0.85", "level": 0.85, "fold": None}
    assert _sentence(**target) == (
        "remedis needs 20 labelled patients [12, 41] to reach AUROC 0.85; scratch does not reach "
        "it with up to 310 patients."
    )
    assert _sentence(**target, arm="scratch").endswith("[12, 41] to reach AUROC 0.85.")
    assert _row(**target)[2:4] == ["20 [12, 41]", "the baseline does not reach it"]
    missed = {"status": "not reached", "patients": None, "at_least": None}
    assert _row(**target | missed)[2:4] == ["not reached with 310", ""]
    missed["at_least"] = 180.2
    assert _row(**target | missed)[2:4] == ["not reached with 310 [181, beyond 310]", ""]


def test_formats_of_numbers():
    assert number_format.auroc(_of(0.8124, 0.78, 0.84)) == "0.812 [0.780, 0.840]"
    assert number_format.difference(_of(-0.0312, -0.05, 0.001)) == "-0.031 [-0.050, +0.001]"
    assert (
        number_format.auroc(_of(None, None, None)) == number_format.share(None) == "not estimable"
    )
    assert [number_format.percent(x) for x in (0, 0.0031, 0.0097, 0.05, 1.03)] == [
        "0 %",
        "0.3 %",
        "1 %",
        "5 %",
        "103 %",
    ]
    # Patients are rounded up, except for floating-point error.
    assert number_format.patients(_of(16.0000000001, 15.2, 1200.0), 9) == "16 [16, 1,200]"
    assert [comparison_report.p_value(p) for p in (None, 0.0009, 0.04)] == [
        "none",
        "<0.001",
        "0.040",
    ]
