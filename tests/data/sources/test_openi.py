import csv

import numpy as np
import pytest

from remedis import synthetic
from remedis.data.sources import openi
from remedis.errors import UserError

REPORT = (
    '<?xml version="1.0" encoding="utf-8"?>\n<eCitation><uId id="CXR{uid}"/><MeSH>{codes}'
    '<automatic>cardiomegaly</automatic></MeSH><parentImage id="CXR{uid}_IM-1-1001"/></eCitation>'
)


@pytest.fixture
def write(tmp_path):
    """Returns a function that writes an XML file per list of codes."""

    def write_reports(*reports, folder="ecgen-radiology"):
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        for uid, codes in enumerate(reports, start=1):
            text = "".join(f"<major>{code}</major>" for code in codes)
            path = tmp_path / folder / f"{uid}.xml"
            path.write_text(REPORT.format(uid=uid, codes=text))
        return tmp_path

    return write_reports


@pytest.fixture
def kaggle(tmp_path):
    """Returns a function that writes Kaggle's tables."""

    def write_tables(projections, reports=((1, "normal"), (2, "Cardiomegaly/mild;Nodule/lung"))):
        for name, header, rows in (
            ("indiana_projections.csv", ("uid", "filename", "projection"), projections),
            ("indiana_reports.csv", ("uid", "MeSH"), reports),
        ):
            with (tmp_path / name).open("w", newline="") as file:
                csv.writer(file).writerows([header, *rows])
        return tmp_path

    return write_tables


TWO = ((1, "1_IM-1.dcm.png", "Frontal"), (2, "2_IM-1.dcm.png", "Lateral"))


def positive(m):
    """Returns the positive labels of each image; None where all are unknown."""
    return [
        None if np.isnan(row).all() else {m.labels[i] for i in np.flatnonzero(row == 1)}
        for row in m.targets()
    ]


@pytest.mark.parametrize(
    ("codes", "expected"),
    [
        (["normal"], {"No Finding"}),
        (["Pleural Effusion/right/small", "Nodule"], {"Pleural Effusion", "Nodule"}),
        (["Thickening/pleura/apex/left"], {"Pleural Thickening"}),
        (["Thickening/bronchovascular"], set()),
        (["Opacity/lung/base/left"], {"Lung Opacity"}),
        (["Opacity/ribs"], set()),
        (["Hydropneumothorax/left"], {"Pneumothorax", "Pleural Effusion"}),
        (["Hernia, Hiatal/large"], {"Hernia"}),
        (["Technical Quality of Image Unsatisfactory "], None),
        (["Technical Quality of Image Unsatisfactory", "Pneumonia"], {"Pneumonia"}),
        (["No Indexing"], None),
        ([], None),
    ],
)
def test_codes(write, kaggle, codes, expected):
    assert positive(openi.load(write(codes))) == [expected]
    kaggle(TWO[:1], ((1, ";".join(codes)),))
    assert positive(openi.load(write(codes))) == [expected]


def test_both_editions_of_the_same_patients_agree(tmp_path):
    """The made-up collection is written in both forms, with the same drawings."""
    loaded = {}
    for edition in ("xml", "kaggle"):
        synthetic.write_openi(tmp_path / edition, patients=24, image_size=32, edition=edition)
        loaded[edition] = openi.load(tmp_path / edition)  # the parent of the folder
    first, second = loaded.values()
    np.testing.assert_array_equal(first.targets(), second.targets())
    assert first.table["patient_id"].tolist() == second.table["patient_id"].tolist()
    assert first.table["view"].isna().all()
    assert set(second.table["view"]) == {"frontal", "lateral"}
    frontal = openi.load(tmp_path / "kaggle", views="frontal")
    assert len(frontal) == 24
    assert np.isnan(frontal.targets()).all(axis=1).sum() == 1
    with pytest.raises(UserError, match=r"do not say which images are lateral; add Kaggle's"):
        openi.load(tmp_path / "xml", views="lateral")
    with pytest.raises(UserError, match="Unknown edition 'json'"):
        synthetic.write_openi(tmp_path, edition="json")


@pytest.mark.parametrize("folder", ["ecgen-radiology", "NLMCXR_reports/ecgen-radiology", "."])
@pytest.mark.parametrize(
    "image", ["NLMCXR_png/CXR1_IM-1-1001.png", "NLMCXR_dcm/1/1_IM-1-1001.dcm", "CXR1_IM-1-1001.jpg"]
)
def test_where_files_lie(write, folder, image):
    root = write(["normal"], folder=folder)
    (root / image).parent.mkdir(parents=True, exist_ok=True)
    (root / image).touch()
    assert openi.load(root).table["path"].tolist() == [image]


def test_absent_images_have_the_published_path(write, kaggle):
    assert openi.load(write(["normal"])).table["path"].tolist() == ["NLMCXR_png/CXR1_IM-1-1001.png"]
    table = openi.load(kaggle(TWO)).table
    assert table["path"].iloc[1] == "images/images_normalized/2_IM-1.dcm.png"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "is not XML"),
        ("<eCitation>", "is not XML"),
        ("<!DOCTYPE a [<!ENTITY b 'c'>]><eCitation>&b;</eCitation>", "declares a document type"),
        ("<eCitation/>", "has no uId with the id of a report; expected a report of the Indiana"),
        ('<eCitation><uId id="1"/></eCitation>', "has no uId with the id of a report"),
        (
            '<eCitation><uId id="CXR9"/><parentImage id="../../x"/></eCitation>',
            "the id of a parentImage is '../../x'; expected a name",
        ),
        (
            '<eCitation><uId id="CXR9"/><parentImage id="CXR1_IM-1-1001"/></eCitation>',
            "9.xml and 1.xml both name the image CXR1_IM-1-1001; expected every image in one",
        ),
    ],
)
def test_bad_reports(write, text, sentence):
    root = write(["normal"])
    (root / "ecgen-radiology/9.xml").write_text(text)
    with pytest.raises(UserError, match=sentence.replace("(", r"\(")):
        openi.load(root)


def test_reports_without_images(write):
    root = write(["normal"])
    (root / "ecgen-radiology/1.xml").write_text('<eCitation><uId id="CXR1"/></eCitation>')
    with pytest.raises(UserError, match="has reports, but they name no image to load"):
        openi.load(root)


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ((3, "3.png", "Frontal"), "column 'uid': got '3'; expected a uid that indiana_reports.csv"),
        (("x", "3.png", "Frontal"), "got 'x'; expected a number in digits"),
        ((1, "", "Frontal"), "got ''; expected the name of an image"),
        ((1, "a/3.png", "Frontal"), "got 'a/3.png'; expected a name, not a path"),
        ((1, "1_IM-1.dcm.png", "Frontal"), "expected every image once"),
        ((1, "3.png", "PA"), "column 'projection': got 'PA'; expected Frontal or Lateral"),
    ],
)
def test_bad_rows(kaggle, row, sentence):
    with pytest.raises(UserError, match=sentence):
        openi.load(kaggle((*TWO, row)))


def test_a_report_twice_and_no_reports(kaggle):
    root = kaggle(TWO, ((1, "normal"), (2, "normal"), (2, "Mass")))
    with pytest.raises(UserError, match=r"indiana_reports.csv, row 4, column 'uid': got '2'"):
        openi.load(root)
    (root / "indiana_reports.csv").unlink()
    with pytest.raises(UserError, match=r"There is no file .*indiana_reports.csv"):
        openi.load(root)
