import csv

import numpy as np
import pytest

from remedis import synthetic
from remedis.data import boxes, leave_out
from remedis.data.labels import VINDR_CXR
from remedis.data.sources import load_with, vindr_cxr
from remedis.errors import UserError

BOXES = ("image_id", "rad_id", "class_name", "x_min", "y_min", "x_max", "y_max")
DRAWN = (
    ("a", "R1", "Cardiomegaly", 10, 20, 110, 80.5),
    ("a", "R2", "Cardiomegaly", 12, 20, 110, 80),
    ("b", "R1", "No finding", "", "", "", ""),
)
NO_IDS = {"allow_missing_patient_ids": True}


def write_csv(path, header, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])


@pytest.fixture
def write(tmp_path):
    """Returns a function that writes label tables: per split, readings (image, reader, labels)."""

    def write_tables(train, test=(("t", "", ("No finding",)),), names=tuple(VINDR_CXR)):
        for split, readings in (("train", train), ("test", test)):
            ids = ("image_id", "rad_id") if split == "train" else ("image_id",)
            # The test table has another name for one label.
            header = [n[:-1] if (split, n) == ("test", "Other diseases") else n for n in names]
            rows = [
                (*(image, reader)[: len(ids)], *(int(name in seen) for name in names))
                for image, reader, seen in readings
            ]
            path = tmp_path / f"annotations/image_labels_{split}.csv"
            write_csv(path, [*ids, *header], rows)
        return tmp_path

    return write_tables


READINGS = (
    ("a", "R1", ("Nodule/Mass", "Cardiomegaly")),
    ("a", "R2", ("Nodule/Mass",)),
    ("a", "R3", ("No finding",)),
    ("b", "R1", ("No finding",)),
    ("b", "R2", ("No finding",)),
    ("b", "R3", ("No finding",)),
)


@pytest.mark.parametrize(
    ("readers", "expected"),
    [
        ("majority", [[1, 0, 0], [0, 0, 1]]),
        ("any", [[1, 1, 0], [0, 0, 1]]),
        ("all", [[0, 0, 1], [0, 0, 1]]),
        ("uncertain", [[-1, -1, -1], [0, 0, 1]]),
    ],
)
def test_readers(write, readers, expected):
    names = ("Nodule or Mass", "Cardiomegaly", "No Finding")
    m = vindr_cxr.load(write(READINGS), names, readers, **NO_IDS)
    assert m.table["split"].tolist() == ["train", "train", "test"]
    np.testing.assert_array_equal(m.targets(), [*expected, [0, 0, 1]])
    assert m.table["patient_id"].isna().all()
    assert set(m.table["view"]) == {"PA"}


def test_kaggles_table_says_the_same(write, tmp_path):
    """The edition lists boxes: its labels are those of the readings that the boxes are of."""
    rows = [(*reading[:2], name, *(1, 2, 3, 4)) for reading in READINGS for name in reading[2]]
    write_csv(tmp_path / "kaggle/train.csv", BOXES, rows)
    kaggle = vindr_cxr.load(tmp_path / "kaggle", readers="uncertain", **NO_IDS)
    assert len(kaggle.labels) == 15
    assert kaggle.table["split"].isna().all()
    ours = vindr_cxr.load(write(READINGS), kaggle.labels, readers="uncertain", **NO_IDS)
    np.testing.assert_array_equal(kaggle.targets(), ours.select("train").targets())
    with pytest.raises(UserError, match="Unknown label 'Edema'"):
        vindr_cxr.load(tmp_path / "kaggle", ("Edema",), **NO_IDS)


def test_where_images_lie(write):
    root = write(READINGS)
    for name in ("train/a.png", "test/t.dicom"):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).touch()
    table = vindr_cxr.load(root, **NO_IDS).table
    assert table["path"].tolist() == ["train/a.png", "train/b.dicom", "test/t.dicom"]


def test_boxes(write):
    root = write(READINGS)
    write_csv(root / "annotations/annotations_train.csv", BOXES, DRAWN)
    header = [name for name in BOXES if name != "rad_id"]
    row = ("t", "Pleural effusion", 0, 0, 5, 6)
    write_csv(root / "annotations/annotations_test.csv", header, [row])
    (root / "train").mkdir()
    (root / "train/a.png").touch()
    found = vindr_cxr.boxes(root)
    assert found["path"].tolist() == ["train/a.png", "train/a.png", "test/t.dicom"]
    assert found["label"].tolist() == ["Cardiomegaly", "Cardiomegaly", "Pleural Effusion"]
    assert found.iloc[0, 2:].tolist() == [10, 20, 100, 60.5]
    file = root / "annotations/annotations_test.csv"
    listed = boxes.read(file)
    assert listed["path"].tolist() == ["t.dicom"]
    assert listed["image_width"].isna().all()
    images = vindr_cxr.load(root, **NO_IDS)
    assert boxes.of_images(listed, images, file)["row"].tolist() == [2]
    (left_out,) = leave_out.read(str(file), root / "cache")
    assert left_out.names == {"t.dicom"}


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        (("a", "R1", "Cardiomegali", 1, 2, 3, 4), "got 'Cardiomegali'; expected one of Aortic"),
        (("a", "R1", "Cardiomegaly", 1, 2, 1, 4), "column 'x_max': got '1'; expected a number abo"),
        (("a", "R1", "Cardiomegaly", 1, 2, 3, "x"), "column 'y_max': got 'x'; expected pixels, 0"),
        (("a", "R1", "Cardiomegaly", -1, 2, 3, 4), "column 'x_min': got '-1'; expected pixels"),
        (("../a", "R1", "Cardiomegaly", 1, 2, 3, 4), "got '../a'; expected the id of an image"),
    ],
)
def test_bad_boxes(tmp_path, row, sentence):
    write_csv(tmp_path / "annotations_train.csv", BOXES, [*DRAWN, row])
    with pytest.raises(UserError, match=sentence):
        vindr_cxr.read_boxes(tmp_path / "annotations_train.csv")


def test_bad_tables(write, tmp_path):
    root = write(READINGS)
    with pytest.raises(UserError, match=r"does not record patients, .* set .*allow_missing_patien"):
        vindr_cxr.load(root)
    with pytest.raises(UserError, match="Unknown policy of readers 'most'"):
        vindr_cxr.load(root, readers="most", **NO_IDS)
    with pytest.raises(UserError, match="expected every image once per reader; remove the row"):
        vindr_cxr.load(write((*READINGS, READINGS[0])), **NO_IDS)
    with pytest.raises(UserError, match="row 1: no column 'Edema'; expected the labels of VinDr"):
        vindr_cxr.load(write(READINGS, names=[n for n in VINDR_CXR if n != "Edema"]), **NO_IDS)
    path = write(READINGS) / "annotations/image_labels_train.csv"
    text = path.read_text()
    path.write_text(text.replace("a,R1,0", "a,R1,-1"))
    with pytest.raises(UserError, match=r"got '-1'; expected 1, 0 or nothing"):
        vindr_cxr.load(root, **NO_IDS)
    path.write_text(text.replace("a,R1,0", "a,R1,"))
    assert len(vindr_cxr.load(root, **NO_IDS)) == 3
    (root / "annotations/image_labels_test.csv").unlink()
    with pytest.raises(UserError, match=r"There is no file .*image_labels_test.csv"):
        vindr_cxr.load(root, **NO_IDS)
    write_csv(tmp_path / "kaggle/train.csv", BOXES, [("a", "", "Cardiomegaly", 1, 2, 3, 4)])
    with pytest.raises(UserError, match="column 'rad_id': got ''; expected the id of a reader"):
        vindr_cxr.load(tmp_path / "kaggle", **NO_IDS)


def test_made_up_readers_disagree(tmp_path):
    root = synthetic.write_vindr_cxr(tmp_path, patients=60, image_size=32)
    uncertain = load_with("vindr_cxr", tmp_path, None, {"readers": "uncertain", **NO_IDS})
    train = uncertain.select("train").targets()
    assert 0 < (train == -1).mean() < 0.1
    assert not (uncertain.select("test").targets() == -1).any()
    assert len(list(root.glob("*/*.dicom"))) == 60
    with pytest.raises(UserError, match=r"test_share 0.0 of 4 patients leaves 0 in test"):
        synthetic.write_vindr_cxr(tmp_path / "other", patients=4, test_share=0.0)
