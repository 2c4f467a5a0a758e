import pytest
from ood_example import make_study

from remedis.reporting import comparison_report
from remedis.reporting.ood_report import answer_sentences, number_format
from remedis.reporting.ood_report.answer_table import answer_tables

GOAL = "what scratch reaches with all 310 (AUROC 0.778)"


def _study(**changes):
    """A study with one answer, of remedis by probe."""
    study = make_study(("remedis", "bit", "scratch"), ("Edema",), ("probe",))
    study["answers"] = [{**study["answers"][0], **changes}]
    return study


def _said(**changes):
    study = _study(**changes)
    return answer_sentences.sentence(study["answers"][0], study)


def _row(**changes):
    ((row,),) = (table.rows for table in answer_tables(_study(**changes)))
    return row


def _of(value, low, high):
    return {"value": value, "low": low, "high": high}


def test_reached():
    assert _said() == (
        f"With 20 labelled patients [12, 41] remedis reaches {GOAL}: 15-fold fewer [7.2, 26]."
    )
    assert "With 1 labelled patient [1, 2] " in _said(patients=_of(0.3, 0.1, 1.5))
    assert _said(target="AUROC 0.85", level=0.85, fold=_of(3.0, 2.0, None)) == (
        "With 20 labelled patients [12, 41] remedis reaches AUROC 0.85: 3.0-fold fewer [2.0, open]."
    )


def test_an_open_interval_is_said_to_be_open():
    said = _said(patients=_of(200.0, 90.0, None), fold=_of(1.55, None, 3.44), share_reached=0.81)
    assert said == (
        f"With 200 labelled patients [90, beyond 310] remedis reaches {GOAL}: 1.6-fold fewer "
        "[open, 3.4], which is not told apart from no saving. The interval is open: 81 % of the "
        "resamples do."
    )


@pytest.mark.parametrize(
    ("fold", "words"),
    [
        (_of(2.0, 0.8, 5.0), "2.0-fold fewer [0.8, 5.0], which is not told apart from no saving."),
        (_of(2.0, 1.1, 5.0), "2.0-fold fewer [1.1, 5.0]."),
        (_of(0.5, 0.25, 0.8), "2.0-fold more [1.2, 4.0]."),
        (_of(0.5, 0.25, 2.0), "2.0-fold more [0.5, 4.0], which is not told apart from no saving."),
    ],
)
def test_no_saving_is_claimed_that_is_none(fold, words):
    assert _said(fold=fold).endswith(f": {words}")


def test_not_reached_is_said_once_for_all_arms():
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
    # What the baseline needs for what it reaches itself is not said.
    study["answers"].append({**study["answers"][0], "arm": "scratch"})
    (sentences,) = answer_sentences.paragraphs(study).values()
    assert list(answer_sentences.paragraphs(study)) == ["Linear probe"]
    assert len(sentences) == 2
    assert sentences[0].startswith("With 20 labelled patients [12, 41]")
    assert sentences[1] == (
        "With up to 310 labelled patients remedis, bit and scratch do not reach AUROC 0.9 "
        "(0.4 %, 0 % and 11 % of the resamples do)."
    )
    alone = answer_sentences.missed_sentence(study["answers"][1:2], study)
    assert "patients remedis does not reach AUROC 0.9 (0.4 % of the resamples do)." in alone
    assert answer_sentences.paragraphs({**study, "answers": []}) == {}


def test_zero_shot_extrapolated_and_not_estimable():
    zero_shot = {"status": "below the first budget", "patients": None, "fold": None}
    assert _said(**zero_shot) == f"Zero-shot, remedis already reaches {GOAL}."
    zero_shot["patients"] = _of(0.0, 0.0, 24.3)
    assert _said(**zero_shot) == (
        f"Zero-shot, remedis already reaches {GOAL} (the interval goes up to 25 patients)."
    )
    beyond = {"status": "not reached", "extrapolated": True, "patients": _of(512.2, 400.0, None)}
    assert _said(**beyond) == (
        "Extrapolated beyond the 310 patients measured, not measured: remedis would need 513 "
        f"[400, open] labelled patients for {GOAL}."
    )
    assert "the level to reach is not estimable" in _said(level=None)
    assert _row(**zero_shot)[2] == "0 [0, 25]"
    assert _row(**beyond)[2] == "513 [400, open] (extrapolated, not measured)"


def test_what_only_one_of_the_two_reaches():
    target = {"target": "AUROC 0.85", "level": 0.85, "fold": None}
    assert _said(**target) == (
        "With 20 labelled patients [12, 41] remedis reaches AUROC 0.85, which scratch does not "
        "with up to 310."
    )
    assert _said(**target, arm="scratch").endswith("scratch reaches AUROC 0.85.")
    assert _row(**target)[2:4] == ["20 [12, 41]", "the baseline does not reach it"]
    missed = {"status": "not reached", "patients": None, "at_least": None}
    assert _row(**target | missed)[2:4] == ["not reached with 310", ""]
    missed["at_least"] = 180.2
    assert _row(**target | missed)[2:4] == ["not reached with 310 [181, beyond 310]", ""]


def test_numbers():
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
    # Whole patients, rounded up, but not by what a float loses.
    assert number_format.patients(_of(16.0000000001, 15.2, 1200.0), 9) == "16 [16, 1,200]"
    assert [comparison_report.p_value(p) for p in (None, 0.0009, 0.04)] == [
        "none",
        "<0.001",
        "0.040",
    ]
