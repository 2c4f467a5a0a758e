"""Parsers of text columns, and the values they refuse by row."""

import numpy as np
import pytest

from remedis.data.tables import columns, spreadsheet
from remedis.errors import UserError

PARSERS = {
    "label": columns.labels,
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


def test_sexes_and_ages(write):
    path = write("sex,age\nMale,058Y\nf,6M\nUnknown,\nM,41\n")
    table = spreadsheet.read_table(path)
    assert columns.sexes(path, table["sex"]).fillna("?").tolist() == ["M", "F", "?", "M"]
    np.testing.assert_allclose(columns.ages(path, table["age"]), [58, 0.5, np.nan, 41])


@pytest.mark.parametrize(
    ("column", "value", "expected"),
    [
        ("label", "0.5", "1, 0, -1 for uncertain, or nothing for unknown"),
        ("mpp", "0", "micrometres per pixel, a number above 0, or nothing"),
        ("mpp", "inf", "micrometres per pixel, a number above 0, or nothing"),
        ("sex", "2", "F, M, Female, Male, Unknown or nothing"),
        ("age", "old", "an age from 0 to 120 years"),
        ("age", "412", "an age from 0 to 120 years"),
        ("age", "nan", "an age from 0 to 120 years"),
        ("age", "-1", "an age from 0 to 120 years"),
    ],
)
def test_refuses_a_value_by_row_and_column(write, column, value, expected):
    path = write(f"{column},n\n,1\n{value},2\n{value},3\n")
    table = spreadsheet.read_table(path)
    with pytest.raises(UserError) as error:
        PARSERS[column](path, table[column])
    assert str(error.value) == (
        f"{path}, row 3, column {column!r}: got {value!r} (and 1 more rows); expected {expected}."
    )


def test_implausible_age_as_unknown(write):
    path = write("age,n\n412,1\n")
    assert columns.ages(path, spreadsheet.read_table(path)["age"], "unknown").isna().all()
