"""Kaggle's edition of PatchCamelyon: slides of the shared table, and tables that contradict it."""

import pytest

from remedis.data import layout_guess
from remedis.data.sources import pcam_kaggle
from remedis.errors import UserError

LABELS = ["id,label", "a0,1", "b1,0", "c2,0", "d3,0"]
SLIDES = [
    "id,wsi",
    "a0,camelyon16_train_tumor_070",
    "b1,camelyon16_train_tumor_071",
    "c2,camelyon16_train_normal_101",
    "d3,camelyon16_test_012",
    "e4,camelyon16_train_normal_001",
]


@pytest.fixture
def write(tmp_path):
    def write_files(labels=LABELS, slides=SLIDES):
        (tmp_path / "train").mkdir(exist_ok=True)
        (tmp_path / "train" / "a0.tif").touch()
        (tmp_path / pcam_kaggle.LABELS).write_text("\n".join(labels) + "\n")
        (tmp_path / pcam_kaggle.SLIDES).unlink(missing_ok=True)
        if slides:
            (tmp_path / pcam_kaggle.SLIDES).write_text("\n".join(slides) + "\n")
        return tmp_path

    return write_files


def test_slides_are_patients_and_tell_the_hospital(write):
    table = pcam_kaggle.load(write()).table
    assert table["path"].tolist() == [f"train/{i}.tif" for i in ("a0", "b1", "c2", "d3")]
    assert table["tumor"].tolist() == [1, 0, 0, 0]
    names = ["tumor_070", "tumor_071", "normal_101", "test_012"]
    for column in ("patient_id", "study_id", "slide_id"):
        assert table[column].tolist() == names
    assert table["site"].fillna("").tolist() == ["Radboud", "Utrecht", "Utrecht", ""]
    assert table["split"].isna().all()


def test_unknown_slides_need_the_opt_out(write):
    with pytest.raises(UserError, match=r"of 4 of 4 patches are unknown, since there is no file"):
        pcam_kaggle.load(write(slides=None))
    assert pcam_kaggle.load(write(slides=None), None, True).table["patient_id"].isna().all()
    with pytest.raises(UserError, match=r"of 1 of 4 patches are unknown, since .* does not name"):
        pcam_kaggle.load(write(slides=SLIDES[:4]))
    few = pcam_kaggle.load(write(slides=SLIDES[:4]), None, True).table
    assert few["slide_id"].isna().tolist() == [False, False, False, True]


@pytest.mark.parametrize(
    ("labels", "slides", "sentence"),
    [
        ([*LABELS, "a0,1"], SLIDES, "row 6, column 'id': got 'a0'; expected every patch once; rem"),
        ([*LABELS, ",1"], SLIDES, "row 6, column 'id': got ''; expected the id of a patch"),
        ([*LABELS, "../e,1"], SLIDES, "got '../e'; expected the id of a patch, the name of its"),
        ([*LABELS, "e4,2"], SLIDES, "row 6, column 'label': got '2'; expected 0 or 1"),
        ([*LABELS, "e4,1"], SLIDES, "row 6, column 'label': got '1'; expected 0 for a patch of a"),
        (LABELS, [*SLIDES, "f5,tumour"], "column 'wsi': got 'tumour'; expected the name of a slid"),
        (LABELS, [*SLIDES, "a0,test_001"], "row 7, column 'id': got 'a0'; expected every patch on"),
        (["id,target", "a0,1"], SLIDES, "row 1: no column 'label'"),
    ],
)
def test_bad_tables(write, labels, slides, sentence):
    with pytest.raises(UserError, match=sentence):
        pcam_kaggle.load(write(labels, slides))


def test_the_layout_is_recognised(write):
    assert "data of the source 'pcam_kaggle'" in layout_guess.advice(write())
