"""What the columns of other programs' files are: stated, guessed, or asked for."""

import pathlib

import pandas as pd
import pytest

from remedis.data.tables.strings import STRING
from remedis.errors import UserError
from remedis.evaluation.imported import score_columns

PATH = pathlib.Path("their.csv")


def table(**columns):
    """Four images with columns of probabilities (`p`), of 0 and 1 (`t`), or what is given."""
    kinds = {"p": ["0.1", "0.9", "0.4", "0.6"], "t": ["0", "1", "1", "0"]}
    found = {
        name.replace("__", "/"): kinds.get(kind, kind) if isinstance(kind, str) else kind
        for name, kind in columns.items()
    }
    return pd.DataFrame(found, index=pd.RangeIndex(2, 6, name="row")).astype(STRING)


IMAGES = ["a.png", "b.png", "c.png", "d.png"]


@pytest.mark.parametrize(
    ("columns", "labels", "expected"),
    [
        (
            {"Filename": IMAGES, "pneumonia_prob": "p", "label": "t"},
            None,
            {"path": "Filename", "score/pneumonia": "pneumonia_prob", "label/pneumonia": "label"},
        ),
        (
            {"Image": IMAGES, "Patient ID": ["1", "1", "2", "3"], "Edema": "t", "Edema_pred": "p"},
            None,
            {
                "path": "Image",
                "patient_id": "Patient ID",
                "score/Edema": "Edema_pred",
                "label/Edema": "Edema",
            },
        ),
        (  # hard decisions are no truth, and whole numbers no scores
            {"id": IMAGES, "n": ["4", "5", "6", "7"], "pred": "t", "prob": "p", "Mass": "t"},
            None,
            {"path": "id", "score/Mass": "prob", "label/Mass": "Mass"},
        ),
        (  # our own tables
            {"path": IMAGES, "score__a": "p", "logit__a": "p", "label__a": "t"},
            None,
            {"path": "path", "score/a": "score/a", "label/a": "label/a"},
        ),
        (
            {"path": IMAGES, "prob_Mass": "p", "prob_edema": "p"},
            ("Edema", "Mass", "Hernia"),
            {"path": "path", "score/Edema": "prob_edema", "score/Mass": "prob_Mass"},
        ),
        ({"path": IMAGES, "x": "p"}, ("Edema",), {"path": "path", "score/Edema": "x"}),
    ],
)
def test_what_is_the_only_possibility_is_guessed(columns, labels, expected):
    found = score_columns.find(PATH, table(**columns), labels=labels)
    assert found.to_json() == expected
    assert set(found.guessed) == {f"{name}={column}" for name, column in expected.items()}


def test_what_is_stated_needs_no_guess(caplog):
    columns = table(a=IMAGES, one="p", two="p", t="t", who=["1", "2", "3", "4"])
    stated = "image=a; ill=two; label/ill=t; patient=who"
    found = score_columns.find(PATH, columns, stated)
    assert found.to_json() == {
        "path": "a",
        "patient_id": "who",
        "score/ill": "two",
        "label/ill": "t",
    }
    assert not found.guessed
    assert not caplog.messages


@pytest.mark.parametrize(
    ("columns", "stated", "labels", "said"),
    [
        (
            {"Filename": IMAGES, "densenet": "p", "resnet": "p", "target": "t"},
            None,
            None,
            "their.csv: the columns 'densenet', 'resnet' may each be the scores of",
        ),
        (
            {"Filename": IMAGES, "prob": "p", "target": "t"},
            None,
            None,
            "but no name says of what; name the label with columns, as in 'pneumonia=prob; "
            "label/pneumonia=target'.",
        ),
        (
            {"file": IMAGES, "image": IMAGES, "Mass": "t", "Mass_prob": "p"},
            None,
            None,
            "the columns 'file', 'image' may each be the path; name one with columns, as in "
            "'path=file'.",
        ),
        ({"u": ["1", "2", "3", "4"], "Mass_prob": "p"}, None, None, "no column is certain to name"),
        ({"file": IMAGES, "Mass_prob": "p"}, None, None, "or name data with labels_from"),
        ({"file": IMAGES, "Mass": "t"}, None, None, "no column is certain to be the scores"),
        (
            {"file": IMAGES, "Mass_prob": "p", "Edema_prob": "p"},
            None,
            ("Hernia", "Nodule"),
            "have scores, but it is not certain which of them belong to 'Hernia', 'Nodule'; pair",
        ),
        ({"file": IMAGES}, "image=File", None, "Unknown column in columns 'File': did you mean"),
        ({"file": IMAGES}, "file", None, "columns has 'file'; expected NAME=COLUMN, such as"),
        (
            {"file": IMAGES, "t": "t"},
            "image=file; label/ill=t",
            None,
            "columns has label/ill but no scores of that label; add 'ill=COLUMN'.",
        ),
        (
            {"file": IMAGES, "p": "p"},
            "il=p",
            ("ill",),
            "Unknown label of the data 'il': did you mean 'ill'?",
        ),
        ({"file": IMAGES, "p": "p"}, "ill=p", None, "no column is certain to be the truth of"),
    ],
)
def test_what_is_not_certain_is_asked_for(columns, stated, labels, said):
    with pytest.raises(UserError) as error:
        score_columns.find(PATH, table(**columns), stated, labels)
    assert said in str(error.value)
