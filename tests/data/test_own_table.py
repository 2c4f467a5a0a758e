"""Users' own tables: guesses, values that the user states, and every problem in one pass."""

import pathlib

import hospital_export
import pandas as pd
import pytest

from remedis.data import manifest, own_table, own_table_guesses
from remedis.data.sources import csv_manifest
from remedis.data.tables import columns
from remedis.data.tables.table_form import TableForm
from remedis.errors import UserError

ONE = "Erguss"


@pytest.fixture
def write(tmp_path):
    def write_file(*rows: str, files: tuple[str, ...] = ("a.png", "b.png", "c.png", "d.png")):
        for file in files:
            (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / file).touch()
        path = tmp_path / "table.csv"
        path.write_text("\n".join(rows) + "\n", encoding="utf-8")
        return path

    return write_file


def sentences(own: own_table.OwnTable, is_serious: bool = True) -> list[str]:
    return [p.sentence for p in own.problems if p.is_serious == is_serious]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "cp1252", "utf-16"])
def test_the_export_of_a_hospital(tmp_path, encoding):
    table = hospital_export.write_export(tmp_path, patients=30, encoding=encoding)
    own = own_table.read(table)
    assert own.problems == ()
    assert own.has_guesses
    assert own.labels == hospital_export.LABELS
    assert own.form.path_prefix == "D:/PACS"
    assert dict(own.form.values) == {"W": "F", "Ja": "1", "Nein": "0", "unklar": "-1"}
    assert own.kept == ("Studiendatum", "Bemerkung")
    own_table.write(own, tmp_path / "manifest.csv")
    written = manifest.read_csv(tmp_path / "manifest.csv", own.labels)
    assert all(pathlib.Path(path).is_file() for path in written.absolute_paths())
    assert written.table["patient_id"].tolist()[:2] == ["000001", "000002"]
    assert written.table["age"].iloc[4] == 1.5
    assert set(written.table["sex"]) == {"F", "M"}
    assert written.table["Studiendatum"].iloc[0] == "02.03.2021"
    # Stated, nothing is a guess, and the result is the same.
    stated = own_table.read(table, own.form, own.labels)
    assert not stated.has_guesses
    assert stated.table.equals(own.table)
    # The source reads the export itself in the same way.
    direct = csv_manifest.load(
        table,
        own.labels,
        columns="; ".join(f"{column}={name}" for column, name in own.form.columns.items()),
        values="; ".join(f"{value}={meaning}" for value, meaning in own.form.values.items()),
        path_prefix=own.form.path_prefix,
    )
    pd.testing.assert_frame_equal(
        direct.table[written.table.columns], written.table, check_dtype=False
    )


def test_a_manifest_needs_no_guess(write):
    own = own_table.read(
        write("path,patient_id,split,ill", "a.png,1,train,1", "b.png,2,val,True", "c.png,3,,0"),
        labels=["ill"],
    )
    assert not own.has_guesses
    assert own.table["split"].tolist() == ["train", "validation", ""]
    assert own.table["ill"].tolist() == ["1", "1", "0"]
    assert sentences(own) == []
    assert sentences(own, False) == [
        "Row 4 has no split, but others have one; training leaves such images out unless its key "
        "complete_splits is true."
    ]


def test_every_problem_is_listed_in_one_pass(write):
    own = own_table.read(
        write(
            "File,Patient,Split,Age,Sex,ill",
            "a.png,1,train,45,F,1",
            "a.png,1,test,1960-05-12,M,maybe not",
            "gone/b.png,,train,1.5,X1,0",
            ',02,train,"2,5",F,maybe not',
            "c.png,2,dev,,F,2",
        ),
        TableForm(columns={"Patienten": "patient_id"}),
        labels=["Ill", "edema"],
    )
    assert sentences(own) == [
        "There is no column 'Patienten' (did you mean 'Patient'?).",
        "There is no label 'Ill' (did you mean 'ill'?).",
        "There is no label 'edema'; the columns are: File, Patient, Split, Age, Sex, ill.",
        "Column 'Split' has 'dev' (row 6); expected train, validation, test, or nothing; correct "
        "them, or map each by --value 'dev=...' (train, validation, test, unknown).",
        "Column 'Age' has '1960-05-12' (row 3); expected an age from 0 to 120 years.",
        "Column 'Age' has '1.5' (row 4); expected a decimal comma, as in other rows; a point may "
        "mean thousands.",
        "Column 'Sex' has 'X1' (row 4); expected F, M, Female, Male, Unknown or nothing; correct "
        "them, or map each by --value 'X1=...' (F, M, unknown).",
        "Row 5 has no path; name the file of the image.",
        "Row 3 has the path of an earlier row ('a.png'); list every image once.",
        f"1 of 5 files do not exist in {own.images}: 'gone/b.png' (row 4). Did you mean 'b.png'?",
        "Row 4 has no patient; add the ids, or set allow_missing_patient_ids to take every image "
        "as a patient of its own.",
        "1 patient has several splits: '1' (train and test); put all images of a patient into one.",
    ]
    assert sentences(own, False) == [
        "1 patient has several sexes: '1' (F and M); the ids of different people may be the same.",
        "Patients whose ids differ only in leading zeros, '.0' or letter case: 02 ~ 2; if two are "
        "one patient, write the id in one way, for training refuses a table with both.",
    ]
    assert not own.is_sound


def test_words_that_count_as_no_patient_are_named(write):
    rows = ["a.png,nan,1", "b.png,ANON,0", "c.png,1,0"]
    own = own_table.read(write("path,patient_id,ill", *rows), labels=["ill"])
    assert sentences(own) == [
        "Row 2 and 1 more have no patient ('ANON', 'nan' count as none); add the ids, or set "
        "allow_missing_patient_ids to take every image as a patient of its own.",
    ]


def test_bad_values_of_labels_come_with_rows_and_counts(write):
    rows = [f"{name}.png,{name},{value}" for name, value in zip("abcd", "1230", strict=True)]
    own = own_table.read(write("path,patient_id,ill", *rows), labels=["ill"])
    (sentence,) = sentences(own)
    assert sentence.startswith("Column 'ill' has '2' (row 3), '3' (row 4); expected 1, 0, -1 for")
    assert sentence.endswith("or map each by --value '2=...' (1, 0, -1, unknown).")
    stated = TableForm(values={"2": "-1", "3": "unknown"})
    own = own_table.read(write("path,patient_id,ill", *rows), stated, labels=["ill"])
    assert own.table["ill"].tolist() == ["1", "-1", "", "0"]
    assert own.problems == ()


def test_what_is_not_there_is_asked_for(write):
    own = own_table.read(write("n,note", "1,x", "2,y"))
    assert [sentence.partition(";")[0] for sentence in sentences(own)] == [
        "No column is the path of an image",
        "No column is the patient, and images of one person can be in training and in test",
        "No column has positive and negative values and no others",
    ]
    own = own_table.read(write("Bild,Datei,ill", "a.png,a.png,1", "b.png,b.png,0"))
    assert sentences(own)[0] == (
        "The columns 'Bild', 'Datei' may each be the path; name one: --column 'Bild=path'."
    )
    own = own_table.read(write("file,ill", "a.png,1", "b.png,0"), allow_missing_patient_ids=True)
    assert own.problems == ()


def test_labels_are_guessed_by_their_values(write):
    own = own_table.read(
        write(
            "path,patient_id,ill,edema,constant,number,text",
            "a.png,1,ja,1,0,1,x",
            "b.png,2,NEIN,0,0,2,0",
            "c.png,3,,-1,0,3,1",
        )
    )
    assert own.labels == ("ill", "edema")
    assert own.table["ill"].tolist() == ["1", "0", ""]


def test_stated_meanings_come_before_the_usual_ones(write):
    """H and M are hombre and mujer: M is not male here."""
    path = write("path,patient_id,sexo,ill", "a.png,1,H,1", "b.png,2,M,0")
    own = own_table.read(path)
    assert "Column 'sexo' has 'H' (row 2)" in sentences(own)[0]
    own = own_table.read(path, TableForm(values={"H": "M", "M": "F"}))
    assert own.table["sex"].tolist() == ["M", "F"]
    # H beside F is homme.
    own = own_table.read(write("path,patient_id,sexe,ill", "a.png,1,H,1", "b.png,2,F,0"))
    assert own.table["sex"].tolist() == ["M", "F"]


def test_the_prefix_of_paths_is_the_one_with_which_files_exist(tmp_path):
    for name in ("x/1.png", "x/2.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    guess = own_table_guesses.path_prefix
    assert guess([r"\\server\pacs\x\1.png", r"\\SERVER\pacs\x\2.png"], tmp_path) == "//server/pacs"
    assert guess(["x/1.png", "x/2.png", "other/x/1.png"], tmp_path) == ""
    assert guess(["gone/1.png"], tmp_path) == ""
    assert guess([], tmp_path) == ""


def test_paths_in_another_directory_are_absolute(write, tmp_path):
    own = own_table.read(write("path,patient_id,ill", "a.png,1,1", "b.png,2,0"), labels=["ill"])
    for out, first in {
        tmp_path / "m.csv": "a.png",
        tmp_path.parent / "m.csv": f"{tmp_path.name}/a.png",
        tmp_path / "elsewhere" / "m.csv": str(tmp_path / "a.png"),
    }.items():
        own_table.write(own, out)
        assert pd.read_csv(out)["path"][0] == first


@pytest.mark.parametrize("kind", ["label", "sex", "split"])
def test_no_guess_replaces_what_is_read_anyway(kind):
    """Words that a parser of columns can read never come to the guesses."""
    parse = getattr(columns, kind)
    for word in own_table_guesses._WORDS[kind]:
        with pytest.raises((KeyError, ValueError)):
            parse(word)


def test_a_file_that_is_no_table_is_refused(tmp_path):
    (tmp_path / "export.xlsx").write_bytes(b"PK\x03\x04")
    with pytest.raises(UserError, match="is a workbook of Excel or LibreOffice, not a CSV file"):
        own_table.read(tmp_path / "export.xlsx")


def test_studies_that_patients_share_are_no_studies(write):
    """A column named examination may hold dates."""
    rows = ["a.png,1,{},1", "b.png,1,{},0", "c.png,2,{},1"]
    header = "path,patient_id,Untersuchung,ill"
    own = own_table.read(write(header, *(row.format("2021-03-01") for row in rows)))
    assert own.kept == ("Untersuchung",)
    own = own_table.read(write(header, *(row.format(i) for i, row in enumerate(rows))))
    assert own.form.columns == {"Untersuchung": "study_id"}


def test_missing_files_come_with_those_that_may_be_meant(write):
    rows = ["img/a.PNG,1,1", "img/b.PNG,2,0", "img/c.PNG,3,0"]
    files = ("img/a.png", "img/b.png", "img/c.png")
    own = own_table.read(write("path,patient_id,ill", *rows, files=files), labels=["ill"])
    assert sentences(own) == [
        f"3 of 3 files do not exist in {own.images}: 'img/a.PNG' (row 2), 'img/b.PNG' (row 3), "
        "'img/c.PNG' (row 4). All 3 missing files exist with the suffix .png, such as 'img/a.png' "
        "for 'img/a.PNG'."
    ]
    own = own_table.read(write("path,patient_id,ill", "x.png,1,1", "y.png,2,0"), labels=["ill"])
    assert sentences(own)[0].endswith("Name the directory that the paths start from: --images DIR.")


def test_a_dash_is_negative_beside_a_plus_only(write):
    own = own_table.read(write("path,patient_id,ill", "a.png,1,+", "b.png,2,-", "c.png,3,"))
    assert own.table["ill"].tolist() == ["1", "0", ""]
    own = own_table.read(
        write("path,patient_id,ill", "a.png,1,pos", "b.png,2,-", "c.png,3,0"), labels=["ill"]
    )
    assert "Column 'ill' has '-' (row 3); expected" in sentences(own)[0]


def test_splits_are_guessed_by_their_values(write):
    own = own_table.read(
        write("path,patient_id,Jeu,ill", "a.png,1,Entrainement,1", "b.png,2,Val,0", "c.png,3,,1")
    )
    assert own.form.columns == {"Jeu": "split"}
    assert own.table["split"].tolist() == ["train", "validation", ""]
