"""Parsers of text columns, and the values they refuse by row."""

import logging

import numpy as np
import pandas as pd
import pytest

from remedis.data.tables import columns, spreadsheet
from remedis.errors import UserError

PARSERS = {
    "label": columns.labels,
    "split": columns.splits,
    "sex": columns.sexes,
    "age": columns.ages,
    "mpp": columns.mpps,
}


@pytest.fixture
def write(tmp_path):
    def write_file(contents: str):
        path = tmp_path / "a.csv"
        path.write_text(contents)
        return path

    return write_file


def test_labels_and_micrometres(write):
    path = write("label,mpp\n1,0.5\n0.0,\n-1,1\n,2\n")
    table = spreadsheet.read_table(path)
    np.testing.assert_array_equal(columns.labels(path, table["label"]), [1, 0, -1, np.nan])
    np.testing.assert_array_equal(columns.mpps(path, table["mpp"]), [0.5, np.nan, 1, 2])


def test_the_oldest_ages_are_one_group(write, caplog):
    path = write("age\n90+\n>89\n>= 90\n41\n")
    with caplog.at_level(logging.INFO):
        ages = columns.ages(path, spreadsheet.read_table(path)["age"])
    assert ages.tolist() == [90, 90, 90, 41]
    assert "column 'age': read '90+' as 90" in caplog.text
    path = write("age\n50+\n")
    with pytest.raises(UserError, match=r"got '50\+'.*expected an age"):
        columns.ages(path, spreadsheet.read_table(path)["age"])


def test_another_sex_is_neither(write):
    path = write("sex\nD\ndivers\nX\nf\n")
    sexes = columns.sexes(path, spreadsheet.read_table(path)["sex"])
    assert sexes.fillna("?").tolist() == ["?", "?", "?", "F"]


def test_sexes_and_ages(write):
    path = write("sex,age\nMale,058Y\nf,6M\nUnknown,\nM,41\n")
    table = spreadsheet.read_table(path)
    assert columns.sexes(path, table["sex"]).fillna("?").tolist() == ["M", "F", "?", "M"]
    np.testing.assert_allclose(columns.ages(path, table["age"]), [58, 0.5, np.nan, 41])


@pytest.mark.parametrize(
    ("column", "value", "expected"),
    [
        ("label", "0.5", columns.LABELS_EXPECTED),
        ("label", "2", columns.LABELS_EXPECTED),
        ("label", "ja", columns.LABELS_EXPECTED),
        ("label", "-", columns.LABELS_EXPECTED),
        ("label", "1,5", columns.LABELS_EXPECTED),
        ("split", "development", "train, validation, test, or nothing"),
        ("split", "0", "train, validation, test, or nothing"),
        ("mpp", "1,234,5", "0.06 to 20 micrometres per pixel, or nothing"),
        ("age", "1.234,5", "a decimal comma, as in other rows; a point may mean thousands"),
        ("age", "1960-05-12", "an age from 0 to 120 years"),
        ("age", "43831", "an age from 0 to 120 years"),
        ("mpp", "0", "0.06 to 20 micrometres per pixel, or nothing"),
        ("mpp", "0.05", "0.06 to 20 micrometres per pixel, or nothing"),
        ("mpp", "250", "0.06 to 20 micrometres per pixel, or nothing"),
        ("mpp", "inf", "0.06 to 20 micrometres per pixel, or nothing"),
        ("sex", "2", "F, M, Female, Male, Unknown or nothing"),
        ("age", "old", "an age from 0 to 120 years"),
        ("age", "412", "an age from 0 to 120 years"),
        ("age", "-1", "an age from 0 to 120 years"),
    ],
)
def test_refuses_a_value_by_row_and_column(write, column, value, expected):
    path = write(f"{column};n\n;1\n{value};2\n{value};3\n")
    table = spreadsheet.read_table(path)
    with pytest.raises(UserError) as error:
        PARSERS[column](path, table[column])
    assert str(error.value) == (
        f"{path}, row 3, column {column!r}: got {value!r} (and 1 more rows); expected {expected}."
    )


def test_implausible_age_as_unknown(write):
    path = write("age,n\n412,1\n")
    assert columns.ages(path, spreadsheet.read_table(path)["age"], "unknown").isna().all()


def of(write, kind, *values):
    """Returns the values of a column of a table with semicolons, parsed."""
    path = write("\n".join(["column;n", *(f"{value};1" for value in values)]) + "\n")
    parse = columns.ids if kind == "id" else PARSERS[kind]
    return parse(path, spreadsheet.read_table(path)["column"]).tolist()


@pytest.mark.parametrize(
    ("one", "zero"),
    [
        ("1", "0"),
        ("1.00", "0,0"),
        ("True", "FALSE"),
        ("yes", "No"),
        ("Y", "n"),
        ("t", "f"),
        ("Positive", "negative"),
        ("pos", "neg"),
        ("present", "absent"),
    ],
)
def test_words_and_numbers_for_labels(write, one, zero):
    read = of(write, "label", one, zero, "-1", "-1.0", "-1,00", "", "nan", "NA", "NULL")
    np.testing.assert_array_equal(read, [1, 0, -1, -1, -1, *[np.nan] * 4])


def test_words_for_splits(write):
    read = of(write, "split", "Train", "TRAINING", "training set", "val", "Valid", "testing", "NaN")
    assert read == ["train", "train", "train", "validation", "validation", "test", ""]


def test_unknown_sexes_and_ages(write):
    sexes = of(write, "sex", "nan", "Woman", "man", "N/A")
    assert [s if isinstance(s, str) else "?" for s in sexes] == ["?", "F", "M", "?"]
    read = of(write, "age", "1,5", "010,5Y", "nan", "61", "1,234")
    np.testing.assert_allclose(read, [1.5, 10.5, np.nan, 61, 1.234])
    np.testing.assert_allclose(of(write, "mpp", "0,25", "NA"), [0.25, np.nan])


def test_ids_that_a_program_wrote_as_numbers(write):
    assert of(write, "id", "7.0", "", "nan", "0012.0") == ["7", "", "nan", "0012"]
    assert of(write, "id", "7,0", "", "12,0") == ["7", "", "12"]
    assert of(write, "id", "7,0", "7,5") == ["7,0", "7,5"]
    # P8 is no number: 7.0 may be an id.
    assert of(write, "id", "7.0", "P8") == ["7.0", "P8"]
    assert of(write, "id", "1e5", "2E+cells") == ["1e5", "2E+cells"]
    with pytest.raises(UserError, match=r"row 3, .* got '1,23457E\+11' .*replaced its last digits"):
        of(write, "id", "5", "1,23457E+11", "1.2e+17")


def test_one_line_per_column_says_what_was_read(write, caplog):
    caplog.set_level(logging.INFO)
    of(write, "label", *["yes"] * 1200, "no", "1", "", "nan")
    of(write, "split", "train", "val")
    of(write, "age", "61", "1,5")
    of(write, "id", "7.0", "8.0")
    of(write, "label", "1", "0", "-1.0", "")
    lines = [m.partition("column ")[2] for m in caplog.messages if "separated" not in m]
    assert lines == [
        "'column': read 'yes' as 1 (1,200 rows), 'no' as 0 (1 row), 'nan' as unknown (1 row).",
        "'column': read 'val' as validation (1 row).",
        "'column': read '1,5' as 1.5 (1 row).",
        "'column': read '7.0' as 7, and so all 2 ids that are numbers.",
    ]


def test_paths_of_windows(write, tmp_path, caplog):
    caplog.set_level("INFO")
    path = write("path,n\n.\\img\\a.png,1\nD:\\Export\\b.png,2\nc/d.png,3\n")
    values = spreadsheet.read_table(path)["path"]
    read = columns.paths(path, values, tmp_path, "d:/export")
    assert read.tolist() == ["img/a.png", "b.png", "c/d.png"]
    assert r"read '.\img\a.png' as 'img/a.png', and so all 2 paths" in caplog.messages[-1]
    (tmp_path / ".\\img\\a.png").touch()  # such a name is possible elsewhere
    assert columns.paths(path, values, tmp_path).tolist() == values.tolist()


def test_a_path_may_be_longer_than_any_file_may_have(tmp_path):
    values = pd.Series(["D:\\" + "a" * 5_000, "b.png"], name="path", dtype="string")
    read = columns.paths(tmp_path / "manifest.csv", values, tmp_path)
    assert read.tolist() == ["D:/" + "a" * 5_000, "b.png"]
