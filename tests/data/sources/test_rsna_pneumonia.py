"""RSNA's challenge: ChestX-ray14's patients, headers, boxes, and tables that are wrong."""

import json

import numpy as np
import pandas as pd
import pytest

from remedis import synthetic
from remedis.data import boxes, fingerprints, layout_guess
from remedis.data.sources import chestxray14, rsna_pneumonia
from remedis.errors import UserError

LABELS = [
    "patientId,x,y,width,height,Target",
    "a-1,264.0,152.0,213.0,379.0,1",
    "a-1,562.0,152.0,256.0,453.0,1",
    "b-2,,,,,0",
    "c-3,,,,,0",
]
CLASSES = [
    "patientId,class",
    "a-1,Lung Opacity",
    "a-1,Lung Opacity",
    "b-2,Normal",
    "c-3,No Lung Opacity / Not Normal",
]
NIH = {"a-1": "00000007_000.png", "b-2": "00000007_012.png", "c-3": "00012345_001.png"}


@pytest.fixture
def write(tmp_path):
    def write_files(labels=LABELS, classes=CLASSES, nih=NIH):
        (tmp_path / rsna_pneumonia.LABELS).write_text("\n".join(labels) + "\n")
        if classes:
            (tmp_path / rsna_pneumonia.CLASSES).write_text("\n".join(classes) + "\n")
        if nih:
            mappings = [{"subset_img_id": k, "img_id": v, "more": [1]} for k, v in nih.items()]
            (tmp_path / rsna_pneumonia.MAPPINGS).write_text(json.dumps(mappings))
        return tmp_path

    return write_files


def test_images_labels_and_patients(write):
    m = rsna_pneumonia.load(write())
    assert m.labels == ("Pneumonia", "No Finding")
    assert m.table["path"].tolist() == [f"stage_2_train_images/{i}.dcm" for i in NIH]
    assert m.targets().tolist() == [[1, 0], [0, 1], [0, 0]]
    assert m.table["patient_id"].tolist() == ["7", "7", "12345"]
    assert m.table["study_id"].tolist() == ["7/0", "7/12", "12345/1"]


def test_patients_are_those_of_chestxray14(write, tmp_path):
    """The leak gate compares ids of one data set only."""
    ours = rsna_pneumonia.load(write())
    entries = tmp_path / "Data_Entry_2017_v2020.csv"
    header = "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender"
    entries.write_text(
        f"{header},View Position\n00000007_012.png,No Finding,12,7,58,F,PA\n"
        "00012345_001.png,Mass,1,12345,8,M,AP\n"
    )
    theirs = chestxray14.load(tmp_path)
    assert fingerprints.id_space(ours) == fingerprints.id_space(theirs) == "chestxray14"
    for column in ("patient_id", "study_id", "site"):
        assert ours.table[column].tolist()[1:] == theirs.table[column].tolist()


def test_without_the_file_of_mappings(write):
    with pytest.raises(
        UserError, match=r"patients of 3 of 3 images are unknown, since there is no"
    ):
        rsna_pneumonia.load(write(nih=None))
    table = rsna_pneumonia.load(write(nih=None), None, True).table
    assert table[["patient_id", "study_id"]].isna().all(axis=None)
    with pytest.raises(UserError, match=r"patients of 1 of 3 images .* does not name them"):
        rsna_pneumonia.load(write(nih={k: NIH[k] for k in ("a-1", "b-2")}))


def test_without_the_file_of_classes(write):
    assert rsna_pneumonia.load(write(classes=None)).labels == ("Pneumonia",)


@pytest.mark.parametrize(
    ("number", "line", "sentence"),
    [
        (2, "a-1,264.0,152.0,213.0,379.0,2", "row 2, column 'Target': got '2'; expected 0 or 1"),
        (3, "a-1,,,,,0", "row 3, column 'Target': got '0'; expected the same Target in every row"),
        (4, "b-2,1.0,,,,0", "row 4, column 'x': got '1.0'; expected pixels of a box if Target is"),
        (4, "b-2,1,2,3,4,1", "row 4, column 'Target': got '1'; expected 1 for the class Lung Opa"),
        (4, "../b,,,,,0", "row 4, column 'patientId': got '../b'; expected the id of an image"),
        (4, "d-4,,,,,0", "column 'patientId': got 'd-4'; expected an image that stage_2_detailed"),
    ],
)
def test_bad_labels(write, number, line, sentence):
    lines = [*LABELS[: number - 1], line, *LABELS[number:]]
    with pytest.raises(UserError, match=sentence):
        rsna_pneumonia.load(write(lines))


def test_bad_classes_and_mappings(write):
    with pytest.raises(
        UserError, match="'class': got 'Opaque'; expected Lung Opacity or Normal or"
    ):
        rsna_pneumonia.load(write(classes=[*CLASSES, "d-4,Opaque"]))
    with pytest.raises(UserError, match="'class': got 'Normal'; expected the same class in every"):
        rsna_pneumonia.load(write(classes=[*CLASSES, "a-1,Normal"]))
    with pytest.raises(
        UserError, match=r"image of b-2 is '7\.png'; expected the name of a file of"
    ):
        rsna_pneumonia.load(write(nih={**NIH, "b-2": "7.png"}))
    (write() / rsna_pneumonia.MAPPINGS).write_text('[{"img_id": 3}]')
    with pytest.raises(UserError, match=r"mappings_2018\.json.*download it again"):
        rsna_pneumonia.load(write(nih=None))


def test_boxes_and_headers_of_made_up_images(tmp_path):
    root = synthetic.write_rsna_pneumonia(tmp_path, patients=4, image_size=64)
    m = rsna_pneumonia.load(root)
    assert m.table["age"].tolist() == [30, 30, 31, 31, 32, 32, 33, 33]
    assert m.table["sex"].tolist() == ["F", "F", "M", "M"] * 2
    assert m.table["view"].tolist() == ["PA", "AP"] * 4
    file = root / rsna_pneumonia.LABELS
    found = boxes.of_images(boxes.read(file), m, file)
    assert sorted(found["row"]) == np.flatnonzero(m.table["Pneumonia"] == 1).tolist()
    assert set(found["label"]) == {"Pneumonia"}
    # 1,024 pixels of the published images are 64 here.
    left, _, right, bottom = boxes.in_pixels(found, 64, 64).T
    np.testing.assert_allclose(right - left, found["width"] / 16)
    assert (left >= 0).all()
    assert (bottom <= 64).all()
    assert pd.read_csv(file)["Target"].sum() == len(found)
    assert "data of the source 'rsna_pneumonia'" in layout_guess.advice(root)
