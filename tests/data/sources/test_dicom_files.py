import dataclasses
import logging
import os

import numpy as np
import pandas as pd
import pytest
from dicom_helpers import MARKER, UID_ROOT, dataset, write

from remedis.data.manifest import REQUIRED
from remedis.data.sources import dicom_files
from remedis.errors import UserError

GREY = np.arange(16, dtype=np.uint16).reshape(4, 4)
_NO_IMAGE = ("PhotometricInterpretation", "Rows", "Columns", "PixelData")
REPORT = {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.88.11"} | dict.fromkeys(_NO_IMAGE)


@pytest.fixture
def folder(tmp_path):
    """Returns a function that writes DICOM files by name, and a table of labels."""

    def fill(labels="path,ill\n", **attributes_by_name):
        for number, (name, attributes) in enumerate(attributes_by_name.items(), 1):
            pixels = attributes.pop("pixels", GREY)
            write(tmp_path / f"{name}.dcm", dataset(pixels, 12, number, **attributes))
        if labels is not None:
            (tmp_path / "labels.csv").write_text(labels)
        return tmp_path

    return fill


def values(column: pd.Series) -> list:
    return [None if pd.isna(value) else value for value in column]


def test_attributes(folder):
    root = folder(
        "path,ill\na.dcm,1\nb.dcm,0\nbelow/c.dcm,-1\n",
        a={"PatientID": "007 ", "PatientSex": "M", "ViewPosition": "AP", "Modality": "CR"},
        b={"PatientSex": "O", "ViewPosition": None, "PatientAge": None},
        **{"below/c": {}, "report": REPORT},
    )
    m = dicom_files.load(root, site="here")
    assert values(m.table["path"]) == ["a.dcm", "b.dcm", "below/c.dcm"]
    assert values(m.table["patient_id"]) == ["007", "P2", "P3"]
    assert values(m.table["study_id"]) == [f"{UID_ROOT}2.{i}" for i in (1, 2, 3)]
    assert values(m.table["site"]) == ["here"] * 3
    assert values(m.table["split"]) == [None] * 3
    assert values(m.table["sex"]) == ["M", None, "F"]
    assert values(m.table["age"]) == [58, None, 58]
    assert values(m.table["view"]) == ["AP", None, "PA"]
    assert values(m.table["modality"]) == ["CR", "DX", "DX"]
    assert m.table["ill"].tolist() == [1, 0, -1]
    assert set(m.table) == {*REQUIRED, "sex", "age", "view", "modality", "ill"}


@pytest.mark.parametrize(
    ("age", "born", "studied", "years"),
    [
        ("058Y", "", "", 58),
        ("51", "", "", 51),
        ("018M", "", "", 1.5),
        ("006W", "", "", 42 / 365.25),
        ("010D", "", "", 10 / 365.25),
        ("000Y", "19600101", "20200101", 0),
        ("", "19600101", "20200101", 60),
        ("", "1960.01.01", "20200101", 60),
        ("old", "19600101", "20200101", 60),
        ("", "20200101", "19600101", None),
        ("", "18000101", "20200101", None),
        ("", "19601301", "20200101", None),
        ("", "1960", "20200101", None),
        ("", "", "", None),
        ("999Y", "", "", None),
        ("-05Y", "", "", None),
    ],
)
def test_ages(age, born, studied, years):
    header = {"PatientAge": age, "PatientBirthDate": born, "StudyDate": studied}
    age_in_years = dicom_files._age(header)
    if years is None:
        assert np.isnan(age_in_years)
    else:
        assert age_in_years == pytest.approx(years, abs=0.01)


@pytest.mark.parametrize(
    ("key", "ids"),
    [
        ("path", ("a.dcm", "b.dcm")),
        ("SOPInstanceUID", (f"{UID_ROOT}1.1", f"{UID_ROOT}1.2")),
        ("StudyInstanceUID", (f"{UID_ROOT}2.1", f"{UID_ROOT}2.2")),
        ("PatientID", ("P1", "P2")),
    ],
)
def test_labels_by_any_key(folder, key, ids, caplog):
    root = folder(f"ill,{key},well\n1,{ids[0]},0\n,{ids[1]},-1\n1,other,1\n", a={}, b={}, c={})
    m = dicom_files.load(root)
    assert m.labels == ("ill", "well")
    np.testing.assert_array_equal(
        m.targets(), [[1, 0], [np.nan, -1], [np.nan, np.nan]], strict=False
    )
    assert "1 of 3 rows of" in caplog.text


def test_the_most_specific_key_counts(folder):
    root = folder("PatientID,path,ill\nP1,b.dcm,1\nP2,a.dcm,0\n", a={}, b={})
    assert dicom_files.load(root).table["ill"].tolist() == [0, 1]


SOP, STUDY = f"{UID_ROOT}1.", f"{UID_ROOT}2."


@pytest.mark.parametrize(
    "written",
    [
        "./{}",
        ".\\{}",
        "below\\..\\{}",
        "{root}/{}",
        "{root}/./{}",
    ],
)
def test_paths_are_written_in_many_ways(folder, written):
    root = folder(None, a={}, **{"below/b": {}})
    rows = [
        written.format(name, root=root) + f",{i}" for i, name in enumerate(("below/b.dcm", "a.dcm"))
    ]
    (root / "labels.csv").write_text("\n".join(["path,ill", *rows]))
    m = dicom_files.load(root)
    assert m.table.set_index("path")["ill"].to_dict() == {"a.dcm": 1, "below/b.dcm": 0}


def test_paths_that_resemble_those_of_images(folder):
    root = folder("path,ill\nexport/a.DCM,1\n", a={})
    with pytest.raises(UserError, match=r"no path is that of an image; .*a\.dcm'"):
        dicom_files.load(root)


def test_names_with_backslashes(folder):
    root = folder("path,ill\na\\b.dcm,1\n", **{"a\\b": {}})
    assert dicom_files.load(root).table["ill"].tolist() == [1]


@pytest.mark.parametrize(
    ("column", "ids"),
    [
        ("PatientID", ("P1", "P2")),
        ("PatientID", ('"P1 "', "\u200bP2")),
        ("StudyInstanceUID", (f"{STUDY}1", f"{STUDY}2")),
    ],
)
def test_a_wrong_column_does_not_hide_a_right_one(folder, column, ids, caplog):
    caplog.set_level(logging.INFO)
    root = folder(f"SOPInstanceUID,path,{column},ill\n9,x,{ids[0]},1\n8,y,{ids[1]},0\n", a={}, b={})
    assert dicom_files.load(root).table["ill"].tolist() == [1, 0]
    assert f"no path and no SOPInstanceUID is that of an image; {column} counts." in caplog.text
    assert f"2 of 2 rows match 2 of 2 images by {column}." in caplog.text


def test_rows_of_absent_images_contradict_nothing(folder, caplog):
    table = f"SOPInstanceUID,PatientID,ill\n{SOP}1,P1,1\n{SOP}7,P1,0\n{SOP}2,P2,0\n"
    assert dicom_files.load(folder(table, a={}, b={})).table["ill"].tolist() == [1, 0]
    assert "1 of 3 rows of" in caplog.text


def test_images_without_a_row_contradict_nothing(folder):
    table = f"SOPInstanceUID,PatientID,ill\n{SOP}1,P1,1\n{SOP}2,P2,0\n"
    root = folder(table, a={}, b={}, c={"PatientID": "P1"})
    assert values(dicom_files.load(root).table["ill"]) == [1, 0, None]


def test_columns_that_contradict_each_other(folder):
    root = folder(f"SOPInstanceUID,PatientID,ill\n{SOP}1,P1,1\n{SOP}9,P2,0\n", a={}, b={})
    with pytest.raises(
        UserError,
        match=r"labels.csv: 1 of 2 rows match an image by SOPInstanceUID, and 1 more by PatientID "
        r"only; correct the column SOPInstanceUID, or remove it to match all rows by PatientID",
    ):
        dicom_files.load(root)


def test_patients_with_several_rows(folder):
    root = folder("path,PatientID,ill\nx,P1,1\ny,P1,1\nz,P2,0\n", a={}, b={})
    assert dicom_files.load(root).table["ill"].tolist() == [1, 0]
    (root / "labels.csv").write_text("path,PatientID,ill\nx,P1,1\ny,P1,0\nz,P2,0\n")
    with pytest.raises(UserError, match=r"row 3, column 'PatientID': .* expected every PatientID"):
        dicom_files.load(root)


def test_missing_ids_match_nothing(folder):
    root = folder("PatientID,ill\nP1,1\nunknown,0\n", a={}, b={"PatientID": "unknown"})
    with pytest.raises(UserError, match=r"row 3, column 'PatientID': .* a PatientID in every row"):
        dicom_files.load(root, allow_missing_patient_ids=True)


def test_frames_are_rows(folder):
    three = {"pixels": np.stack([GREY] * 3), "NumberOfFrames": 3}
    root = folder("path,ill\na.dcm,1\nb.dcm,0\n", a=dict(three), b={})
    m = dicom_files.load(root)
    assert m.table["path"].tolist() == ["a.dcm#1", "a.dcm#2", "a.dcm#3", "b.dcm"]
    assert m.table["ill"].tolist() == [1, 1, 1, 0]
    (root / "labels.csv").write_text("path,ill\na.dcm#2,1\n")
    assert values(dicom_files.load(root).table["ill"]) == [None, 1, None, None]


def test_patients_are_needed_or_opted_out(folder):
    root = folder("path,ill\na.dcm,1\nb.dcm,0\n", a={}, b={"PatientID": None})
    with pytest.raises(UserError, match=r"1 of 2 DICOM files of .* have no PatientID: b.dcm; with"):
        dicom_files.load(root)
    m = dicom_files.load(root, allow_missing_patient_ids=True)
    assert values(m.table["patient_id"]) == ["P1", None]


def test_unreadable_files(folder, caplog):
    root = folder("path,ill\na.dcm,1\n", a={})
    (root / "cut.dcm").write_bytes((root / "a.dcm").read_bytes()[:200])
    (root / "empty.dcm").touch()
    with pytest.raises(UserError, match=r"2 of 3 DICOM files .* cut.dcm \(.*\), empty.dcm \(The"):
        dicom_files.load(root)
    assert dicom_files.load(root, skip_unreadable=True).table["path"].tolist() == ["a.dcm"]
    assert "Left out, since they cannot be read: cut.dcm" in caplog.text


def test_names_without_a_suffix(folder):
    root = folder("path,ill\na.dcm,1\n", a={})
    (root / "DICOMDIR").write_bytes((root / "a.dcm").read_bytes())
    (root / "notes").write_text("no DICOM file")
    (root / ".hidden").write_bytes((root / "a.dcm").read_bytes())
    (root / "1.2.840.1").write_bytes((root / "a.dcm").read_bytes())
    assert dicom_files.load(root).table["path"].tolist() == ["1.2.840.1", "a.dcm"]
    (root / "IM0001").write_bytes((root / "a.dcm").read_bytes())
    with pytest.raises(UserError, match=r"1 DICOM files .* do not end in .dcm: IM0001; rename"):
        dicom_files.load(root)


def test_names_of_archives_and_scanners(folder):
    root = folder("path,ill\na.dcm,1\n", a={})
    names = ["CR.1.2.840.113", "MR.1.2.3.4.5.6", "b.IMA"]
    for name in names:
        (root / name).write_bytes((root / "a.dcm").read_bytes())
    assert dicom_files.load(root).table["path"].tolist() == sorted([*names, "a.dcm"])


def test_dots_in_names_do_not_hide_dicom_files(folder):
    root = folder("path,ill\na.dcm,1\n", a={})
    contents = (root / "a.dcm").read_bytes()
    for name in ("a.dcm.txt", "scan.png", "x.JPEG"):
        (root / name).write_bytes(contents)
    (root / "notes.1").write_text("no DICOM file")
    assert dicom_files.load(root).table["path"].tolist() == ["a.dcm"]
    (root / "image.0001").write_bytes(contents)
    (root / "c.bak").write_bytes(contents)
    with pytest.raises(UserError, match=r"2 DICOM files of .*: c.bak, image.0001; rename them"):
        dicom_files.load(root)


def test_links_to_directories_are_followed_once(folder, tmp_path_factory):
    root = folder("path,ill\nown/a.dcm,1\nlinked/c.dcm,0\n", **{"own/a": {}, "away/c": {}})
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    os.rename(root / "away", elsewhere / "patient")
    (root / "linked").symlink_to(elsewhere / "patient")
    # Neither a second path to the same files nor a path back adds rows.
    (root / "second").symlink_to(root / "own")
    (root / "own" / "back").symlink_to(root)
    table = dicom_files.load(root).table
    assert sorted(table["path"]) == ["linked/c.dcm", "own/a.dcm"]
    assert table.set_index("path")["ill"].to_dict() == {"linked/c.dcm": 0, "own/a.dcm": 1}


def test_directories_that_cannot_be_read(folder, monkeypatch):
    root = folder("path,ill\na.dcm,1\n", a={}, **{"below/b": {}})
    scandir = os.scandir

    def refuse(path):
        if str(path).endswith("below"):
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(UserError, match=r"below cannot be read \(Permission denied\)"):
        dicom_files.load(root)


def test_images_without_a_row_are_counted(folder, caplog):
    dicom_files.load(folder("path,ill\na.dcm,1\n", a={}, b={}, c={}))
    assert "2 of 3 images have no row in " in caplog.text
    caplog.clear()
    dicom_files.load(folder("path,ill\na.dcm,1\nb.dcm,1\nc.dcm,0\n", a={}, b={}, c={}))
    assert "no row in" not in caplog.text


def test_names_that_are_not_utf_8(folder):
    root = folder("path,ill\na.dcm,1\n", a={})
    os.rename(root / "a.dcm", os.fsencode(root / "M") + b"\xfcller.dcm")
    with pytest.raises(UserError, match=r"'M\\udcfcller.dcm' is not UTF-8; rename"):
        dicom_files.load(root)


@pytest.mark.parametrize(
    ("labels", "sentence"),
    [
        (None, "There is no file .*labels.csv; expected one of the columns path, SOPInst"),
        ("name,ill\na.dcm,1\n", "row 1: no column to match images by; expected one of path"),
        ("path,ill\na.dcm,1\na.dcm,0\n", "row 3, column 'path': .* expected every path once"),
        ("path,ill\n,1\n", "row 2, column 'path': got ''; expected a path in every row"),
        ("path,ill\nb.dcm,1\n", "no path is that of an image; check how"),
        ("path,ill\na.dcm,2\n", "row 2, column 'ill': got '2'; expected 1, 0, -1"),
        ("path,split\na.dcm,train\n", "column 'split' cannot be a label"),
        ("path\na.dcm\n", "Expected a list of label columns, one or more"),
    ],
)
def test_wrong_labels(folder, labels, sentence):
    with pytest.raises(UserError, match=sentence):
        dicom_files.load(folder(labels, a={}))


def test_no_images(folder):
    root = folder("path,ill\na.dcm,1\n", a=REPORT)
    with pytest.raises(UserError, match="does not hold DICOM files with an image"):
        dicom_files.load(root)


def test_nothing_of_the_header_is_printed_or_logged(folder, capfd, caplog, recwarn):
    secret = {
        "PatientID": f"{MARKER}ID",
        "ViewPosition": f"{MARKER}V",
        "PatientAge": MARKER[:4],
        "SpecificCharacterSet": f"{MARKER}S",
        "StudyDescription": f"{MARKER}D",
    }
    root = folder("path,ill\na.dcm,1\nnowhere.dcm,1\n", a=secret, b={"PatientID": None})
    (root / "cut.dcm").write_bytes((root / "a.dcm").read_bytes()[:-40])
    capfd.readouterr()
    caplog.set_level(logging.DEBUG)
    caplog.clear()
    recwarn.clear()
    errors = []
    for options in ({}, {"allow_missing_patient_ids": True}):
        try:
            m = dicom_files.load(root, **options)
        except UserError as error:
            errors.append(str(error))
    assert len(errors) == 1
    assert f"{MARKER}ID" in m.table["patient_id"].tolist()
    assert MARKER not in repr(
        dataclasses.replace(
            m,
            table=m.table[["path", "ill"]].assign(patient_id="", study_id="", site="", split=None),
        )
    )
    printed = capfd.readouterr()
    assert "Reading headers" in caplog.text
    warned = [str(warning.message) for warning in recwarn]
    texts = (*errors, printed.out, printed.err, caplog.text, *warned)
    assert not any(MARKER in text for text in texts)
