"""Manifests: values that are refused, reading and writing, selection and counts."""

import dataclasses
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from remedis.data import manifest
from remedis.errors import UserError

HEADER = "path,patient_id,ill,age,sex,mpp,split"
GOOD = "a.png,p1,1,61,F,0.5,train"


@pytest.fixture
def read(tmp_path):
    def read_rows(*rows, header=HEADER, labels=("ill",), **options):
        path = tmp_path / "manifest.csv"
        path.write_text("\n".join([header, *rows]) + "\n")
        return manifest.read_csv(path, labels, **options)

    return read_rows


def test_reads_labels_and_unknown_values_stay_unknown(read, tmp_path):
    rows = ["a.png,p1,1", "b.png,p1,0.0", "c.png,p2,-1", "/d/d.png,p2,"]
    m = read(*rows, header="path,patient_id,ill")
    np.testing.assert_array_equal(m.targets(), np.float32([[1], [0], [-1], [np.nan]]))
    assert m.targets().dtype == np.float32
    assert m.table[["study_id", "site", "split"]].isna().all(axis=None)
    assert m.absolute_paths()[::3] == [str(tmp_path / "a.png"), "/d/d.png"]
    assert m.root == tmp_path
    assert len(m) == 4


def test_ids_stay_text_and_further_columns_stay(read):
    m = read("a.png,007,1,x", "b.png,7,1,", header="path,patient_id,ill,note")
    assert m.table["patient_id"].tolist() == ["007", "7"]
    assert m.table["note"].fillna("?").tolist() == ["x", "?"]


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        (",p1,1,,,,", "row 3, column 'path': got ''; expected the path of an image."),
        ("a.png,p1,1,,,,", "column 'path': got 'a.png'; expected every image once; remove the row"),
        ("b.png,p1,2,,,,", "row 3, column 'ill': got '2'; expected 1, 0, -1 for uncertain, or "),
        ("b.png,p1,ja,,,,", "row 3, column 'ill': got 'ja'; expected 1, 0, -1 for uncertain"),
        ("b.png,p1,0.9,,,,", "row 3, column 'ill': got '0.9'; expected 1, 0, -1 for uncertain"),
        ("b.png,p1,1,,,,dev", "row 3, column 'split': got 'dev'; expected train, validation, test"),
        (
            "b.png,p1,1,,,0,",
            "row 3, column 'mpp': got '0'; expected 0.06 to 20 micrometres per",
        ),
        ("b.png,p1,1,,5,,", "row 3, column 'sex': got '5'; expected F, M, Female, Male, Unknown"),
        ("b.png,p1,1,-3,,,", "row 3, column 'age': got '-3'; expected an age from 0 to 120 years"),
        ("b.png,,1,,,,", "row 3: no patient_id (1 of 2 rows have none); without patients, images "),
    ],
)
def test_bad_row(read, tmp_path, row, sentence):
    with pytest.raises(UserError) as error:
        read(GOOD, row)
    assert str(error.value).startswith(str(tmp_path / "manifest.csv"))
    assert sentence in str(error.value)


def test_bad_columns(read):
    with pytest.raises(UserError, match="row 1: no column 'ill'; the columns are: path, patient"):
        read("a.png,p1", header="path,patient_id")
    with pytest.raises(
        UserError, match=r"no column 'patient_id'; without .* allow_missing_patient"
    ):
        read("a.png,1", header="path,ill")
    with pytest.raises(UserError, match="'sex' cannot be a label"):
        read(GOOD, labels=["sex"])
    with pytest.raises(UserError, match="The label 'ill' is listed twice"):
        read(GOOD, labels=["ill", "ill"])
    for labels in ((), "ill"):
        with pytest.raises(UserError, match="Expected a list of label columns"):
            read(GOOD, labels=labels)


@pytest.mark.parametrize("word", ["nan", "NA", "#N/A", "#VALUE!", "None", "unknown", "ANON"])
def test_a_word_for_nobody_is_no_patient(read, word):
    rows = [f"{i}.png,{word if i else 'p1'},1" for i in range(3)]
    expected = f"row 3: no patient_id (2 of 3 rows have none; '{word}' counts as none); without "
    with pytest.raises(UserError) as error:
        read(*rows, header="path,patient_id,ill")
    assert expected in str(error.value)
    m = read(*rows, header="path,patient_id,ill", allow_missing_patient_ids=True)
    assert m.table["patient_id"].isna().tolist() == [False, True, True]


def test_words_for_nothing_are_missing_studies_slides_and_sites_and_are_said(make, caplog):
    caplog.set_level("INFO")
    m = make(
        3,
        study_id=["nan", "nan", "s"],
        slide_id=["ANON", "-", "7"],
        site=["NA", "A", "unknown"],
        view=["PA", "n/a", "?"],
    )
    for name, known in {
        "study_id": ["s"],
        "slide_id": ["7"],
        "site": ["A"],
        "view": ["PA"],
    }.items():
        assert m.table[name].dropna().tolist() == known
    assert sorted(caplog.messages) == [
        "a test: 2 of 3 images have no slide_id; '-', 'ANON' count as none.",
        "a test: 2 of 3 images have no study_id; 'nan' counts as none.",
        "a test: column 'site': read 'NA', 'unknown' as unknown (2 images).",
        "a test: column 'view': read '?', 'n/a' as unknown (2 images).",
    ]
    caplog.clear()
    m.subset([True, True, True])
    assert not caplog.messages


def test_missing_patient_ids_allowed(read):
    m = read("a.png,1", "b.png,0", header="path,ill", allow_missing_patient_ids=True)
    assert m.table["patient_id"].isna().all()
    m = read(GOOD, "b.png,,1,,,,", allow_missing_patient_ids=True)
    assert m.table["patient_id"].isna().tolist() == [False, True]


def test_a_written_manifest_is_read_back(read, tmp_path):
    m = read(GOOD, "b.png,p2,,,,,test", "c.png,p3,-1,70,M,,test")
    manifest.write_csv(m, tmp_path / "written.csv")
    pd.testing.assert_frame_equal(
        manifest.read_csv(tmp_path / "written.csv", ["ill"]).table, m.table
    )
    manifest.write_csv(m, tmp_path / "elsewhere" / "written.csv")
    moved = manifest.read_csv(tmp_path / "elsewhere" / "written.csv", ["ill"])
    assert moved.absolute_paths() == m.absolute_paths()


def test_construction_refuses(make):
    with pytest.raises(UserError, match=r"row 1 \(from 0\), column 'ill': got .*3\.0.*expected 1,"):
        make(2, ill=[1.0, 3.0])
    with pytest.raises(UserError, match=r"row 1 .*, column 'path': got 'a'; expected every path"):
        make(2, path=["a", "a"])
    with pytest.raises(UserError, match="column 'path': got <NA>; expected the path of an image"):
        make(2, path=["a", ""])
    with pytest.raises(UserError, match="column 'split': got 'dev'; expected train, validation, "):
        make(2, split=["train", "dev"])
    m = make(2)
    with pytest.raises(UserError, match="The manifest of a test has no column 'site'"):
        dataclasses.replace(m, table=m.table.drop(columns="site"))


def test_construction_leaves_the_callers_table_alone(make):
    table = make(2).table.astype(object)
    before = table.copy()
    manifest.Manifest(table, ("ill",), "/", "a test")
    pd.testing.assert_frame_equal(table, before)


def test_select_subset_without(make):
    m = make(4, split=["train", None, "test", "train"])
    assert m.select("train").table["path"].tolist() == ["0.png", "3.png"]
    assert m.select("train").table.index.tolist() == [0, 1]
    assert len(m.select("validation")) == 0
    assert m.subset([True, False, False, True]).table["path"].tolist() == ["0.png", "3.png"]
    assert m.without(["1.png"]).table["path"].tolist() == ["0.png", "2.png", "3.png"]
    with pytest.raises(ValueError, match=r"Not in the manifest: x\.png"):
        m.without(["x.png"])
    with pytest.raises(UserError, match="Unknown split 'tran': did you mean 'train'"):
        m.select("tran")


def test_other_columns(make):
    whole = make(2, ill=[1.0, 0.0])
    scanned = object()
    other = whole.with_scanned(scanned).with_columns({"split": "test", "ill": [0.0, np.nan]})
    assert other.table["split"].tolist() == ["test", "test"]
    np.testing.assert_array_equal(other.targets(), np.float32([[0], [np.nan]]))
    assert whole.table["split"].isna().all()
    np.testing.assert_array_equal(whole.targets(), np.float32([[1], [0]]))
    assert other.scanned is scanned
    assert other.with_columns({"path": ["c", "d"]}).scanned is None
    assert other.with_columns({"note": 1}, policies={"ill": {}}).policies == {"ill": {}}
    for columns, expected in (
        ({"split": ["train", "dev"]}, "row 1 .from 0., column 'split': got 'dev'"),
        ({"path": "a"}, "row 1 .from 0., column 'path': got 'a'; expected every path once"),
        ({"ill": 2.0}, "row 0 .from 0., column 'ill': got 2.0"),
    ):
        with pytest.raises(UserError, match=expected):
            other.with_columns(columns)


def test_counts(make):
    m = make(
        6,
        split=["test", "train", "train", "train", None, "train"],
        patient_id=["a", "b", "b", "c", "d", None],
        ill=[1, 1, -1, 1, np.nan, 0],
    )
    assert m.counts().to_dict("index") == {
        "train": {"images": 4, "patients": 2, "studies": 4, "ill": 2},
        "test": {"images": 1, "patients": 1, "studies": 1, "ill": 1},
        "unassigned": {"images": 1, "patients": 1, "studies": 1, "ill": 0},
    }
    assert list(m.counts().index) == ["train", "test", "unassigned"]


def test_a_table_is_read_without_tensorflow():
    code = "import sys, remedis.data.own_table\nassert 'tensorflow' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
