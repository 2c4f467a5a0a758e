import csv

import numpy as np
import pytest
from PIL import Image

from remedis import synthetic
from remedis.data import readers
from remedis.data.sources import padchest
from remedis.errors import UserError
from remedis.preprocess import decode
from remedis.synthetic.padchest import COLUMNS, TABLE

ROW = {
    "ImageDir": "0",
    "StudyID": "s1",
    "PatientID": "p1",
    "StudyDate_DICOM": "20140915",
    "PatientBirth": "1930.0",
    "PatientSex_DICOM": "F",
    "Projection": "PA",
    "MethodLabel": "Physician",
    "Labels": "['normal']",
}


@pytest.fixture
def load(tmp_path):
    """Returns a function that loads a table whose rows differ from `ROW` as stated."""

    def load_rows(*rows, **options):
        with (tmp_path / TABLE).open("w", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS, restval="None")
            writer.writeheader()
            for i, row in enumerate(rows):
                writer.writerow({"": i, "ImageID": f"{i}.png", **ROW, **row})
        return padchest.load(tmp_path, **options)

    return load_rows


def labels_of(m):
    """Returns the positive labels of each image; None where all are unknown."""
    return [
        None if np.isnan(row).all() else {m.labels[i] for i in np.flatnonzero(row == 1)}
        for row in m.targets()
    ]


@pytest.mark.parametrize(
    ("terms", "expected"),
    [
        ("['normal']", {"No Finding"}),
        ("['normal', 'unchanged']", {"No Finding"}),
        ("['normal', 'infiltrates']", {"Infiltration"}),
        ("['unchanged']", None),
        ("['suboptimal study', 'unchanged']", None),
        ("['']", None),
        ("[]", None),
        ("nan", None),
        ("", None),
        ("['exclude']", None),
        ("['exclude', 'pneumonia']", None),
        ("['scoliosis']", set()),
        ("['', 'laminar atelectasis']", {"Atelectasis"}),
        ("['hydropneumothorax']", {"Pleural Effusion", "Pneumothorax"}),
        ("['consolidation', 'NSG tube']", {"Consolidation", "Infiltration", "Support Devices"}),
        ("[ 'x']", "refused"),
        ("['pneumonia'", "refused"),
        ("pneumonia", "refused"),
        ("['pneumonia' 'mass']", "refused"),
    ],
)
def test_terms(load, terms, expected):
    if expected == "refused":
        with pytest.raises(UserError, match=r"row 2, column 'Labels'.* a list of terms such as"):
            load({"Labels": terms})
        return
    assert labels_of(load({"Labels": terms})) == [expected]


def test_a_term_as_label(load):
    m = load({"Labels": "['scoliosis']"}, {"Labels": "['unchanged']"}, {}, labels=("scoliosis",))
    np.testing.assert_array_equal(m.targets()[:, 0], [1, np.nan, 0])
    with pytest.raises(UserError, match=r"Unknown label 'scolosis': did you mean 'scoliosis'"):
        load({"Labels": "['scoliosis']"}, labels=("scolosis",))


def test_views_and_readers(load):
    rows = [{"Projection": view} for view in ("PA", "AP", "AP_horizontal", "L", "COSTAL", "UNK")]
    rows[0]["MethodLabel"] = "RNN_model"
    assert load(*rows).table["view"].tolist() == ["PA", "AP", "AP_horizontal"]
    assert load(*rows, views="lateral").table["view"].tolist() == ["L"]
    assert len(load(*rows, views="all")) == 6
    assert len(load(*rows, labelled_by="physician")) == 2
    with pytest.raises(UserError, match=r"has no image with views=lateral and .*=all; set .*vie"):
        load({}, views="lateral")
    with pytest.raises(UserError, match="Unknown choice of labelled_by 'doctor'"):
        load({}, labelled_by="doctor")
    with pytest.raises(UserError, match="Unknown choice of views 'PA'"):
        load({}, views="PA")


def test_metadata(load):
    m = load({}, {"PatientBirth": "", "PatientSex_DICOM": "nan"}, {"PatientSex_DICOM": "O"})
    assert m.table["age"].fillna(-1).tolist() == [84, -1, 84]
    assert m.table["sex"].fillna("").tolist() == ["F", "", ""]
    assert m.table["study_id"].tolist() == ["p1/s1"] * 3
    assert m.table["path"].tolist() == ["0/0.png", "0/1.png", "0/2.png"]


def test_where_images_lie(load, tmp_path):
    for place, name in (("0", "0.png"), ("images", "1.png"), (".", "2.png")):
        (tmp_path / place).mkdir(exist_ok=True)
        (tmp_path / place / name).touch()
    assert load({}, {}, {}).table["path"].tolist() == ["0/0.png", "images/1.png", "2.png"]


def test_sixteen_bits_are_kept(tmp_path):
    m = padchest.load(synthetic.write_padchest(tmp_path, patients=1, image_size=32))
    path = m.absolute_paths()[0]
    stored = np.asarray(Image.open(path))
    assert stored.dtype == np.uint16
    assert stored.max() > 255
    read = decode.decode_image(readers.locate(path).read_bytes()).numpy()
    np.testing.assert_allclose(read[..., 0], stored / 65535, atol=1e-6)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"ImageID": ""}, "row 2, column 'ImageID': got ''; expected an id"),
        ({"ImageID": "../0.png"}, "the name of a file, without a folder"),
        ({"ImageDir": "../x"}, "column 'ImageDir': got '../x'; expected a number in digits"),
        ({"PatientID": ""}, "column 'PatientID': got ''; expected an id"),
        ({"StudyDate_DICOM": "2014"}, "got '2014'; expected a date such as 20140915"),
        ({"PatientBirth": "2015.0"}, "got '2015.0'; expected a year that is not after the study"),
        ({"PatientBirth": "about 1930"}, "expected a year of birth such as 1950, or nothing"),
        ({"PatientSex_DICOM": "Z"}, "column 'PatientSex_DICOM': got 'Z'"),
        ({"MethodLabel": "Nobody"}, "expected Physician or RNN_model"),
    ],
)
def test_bad_value(load, change, sentence):
    with pytest.raises(UserError, match=sentence.replace("(", r"\(")):
        load(change)


def test_two_tables(load, tmp_path):
    load({})
    (tmp_path / f"{TABLE}.gz").touch()
    with pytest.raises(UserError, match=r"has several tables of PadChest: .*; keep one"):
        padchest.load(tmp_path)
