"""CSV files: strict, with row numbers, the same with the fast and the general reader."""

import pytest

from remedis.data.tables import spreadsheet
from remedis.errors import UserError


@pytest.fixture
def write(tmp_path):
    def write_file(contents: str | bytes):
        path = tmp_path / "a.csv"
        path.write_bytes(contents if isinstance(contents, bytes) else contents.encode())
        return path

    return write_file


@pytest.mark.parametrize("quote", ["", '"'])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_reads_strings_with_spreadsheet_rows(write, quote, end):
    lines = ["\ufeffa, b", f"{quote}01{quote},  x ", "", ",", "NA,null"]
    table = spreadsheet.read_table(write(end.join(lines) + end), ["a"])
    assert table.index.tolist() == [2, 5]
    assert table["a"].tolist() == ["01", "NA"]
    assert table["b"].tolist() == ["x", "null"]


def test_quoted_commas_and_line_breaks(write):
    table = spreadsheet.read_table(write('a,b\n"x, y","two\nlines"\nz,1\n'))
    assert table["a"].tolist() == ["x, y", "z"]
    assert table["b"].tolist() == ["two\nlines", "1"]
    assert table.index.tolist() == [2, 3]


def test_unquoted_commas_in_a_header_and_trailing_commas(write):
    table = spreadsheet.read_table(write("a,Size[W,H]\n1,2,3,\n4,5,6\n"))
    assert table["Size[W"].tolist() == ["2", "5"]
    assert table["H]"].tolist() == ["3", "6"]


@pytest.mark.parametrize(
    ("contents", "sentence"),
    [
        ("", "has no header; expected the names of its columns in row 1."),
        ("a,b\n", "has a header but no rows; expected one row per image."),
        ("a,b\n,\n\n", "has a header but no rows; expected one row per image."),
        ("x,b\n1,2\n", "row 1: no column 'a'; the columns are: x, b. Add or rename a column."),
        ("a;b\n1;2\n", "row 1: expected columns separated by commas, got 'a;b'; save it with "),
        ("a,b,a\n1,2,3\n", "row 1: the column 'a' appears twice; remove one."),
        ("a,b\n1,2\n3\n", "row 3: 1 fields where the header has 2; quote values that contain a "),
        ("a,b\n1,2\n3,4,5\n", "row 3: 3 fields where the header has 2"),
        ('a,b\n"1,2\n', "cannot be read as a CSV file: unexpected end of data (after row 1)."),
        (b"a,b\n\xe4,2\n", "is not text in UTF-8 (byte 4); save it as a UTF-8 CSV file."),
    ],
)
def test_malformed(write, contents, sentence):
    path = write(contents)
    with pytest.raises(UserError) as error:
        spreadsheet.read_table(path, ["a"])
    assert str(path) in str(error.value)
    assert sentence in str(error.value)


def test_missing_file(tmp_path):
    with pytest.raises(UserError, match=r"There is no file .*b\.csv; expected a CSV file\."):
        spreadsheet.read_table(tmp_path / "b.csv")
