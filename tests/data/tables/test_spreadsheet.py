"""CSV files: strict, with row numbers, the same with the fast and the general reader."""

import gzip
import logging

import pytest

from remedis.data.tables import spreadsheet
from remedis.data.tables.table_form import TableForm
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
        ("A1,b\n1,2\n", "row 1: no column 'a' (did you mean 'A1'?); the columns are: A1, b. Add"),
        ("a,b,a\n1,2,3\n", "row 1: the column 'a' appears twice; remove one."),
        ("a,b\n1,2\n3\n", "row 3: 1 fields where the header has 2; quote values that contain a "),
        ("a,b\n1,2\n3,4,5\n", "row 3: 3 fields where the header has 2"),
        ('a,b\n"1,2\n', "cannot be read as a CSV file: unexpected end of data (after row 1)."),
        (b"a,b\n\x81,2\n", "is not text in UTF-8 (byte 4); name its encoding, "),
        (
            b"a,b\n\xe4\x01,2\n",
            "is not text in UTF-8 (byte 4); name its encoding, ",
        ),
        (b"PK\x03\x04", "is a workbook of Excel or LibreOffice, not a CSV file; save it as CSV"),
        (b"PAR1", "is a Parquet file, not a CSV file; write it as a CSV file."),
        ("a;b,c\n1;2,5\n".replace("a;", "x;"), "separated by comma or semicolon, and the rows"),
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


def test_a_table_that_is_compressed_twice(tmp_path):
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(gzip.compress(b"a,b\n1,2\n")))
    with pytest.raises(UserError, match=r"a\.csv\.gz is compressed twice by gzip; unpack it once"):
        spreadsheet.read_table(path)


PEOPLE = "name,age\nM\u00fcller,1\n\u00c9mile,2\n"


@pytest.mark.parametrize(
    ("encoding", "remark"),
    [
        ("utf-8", ""),
        ("utf-8-sig", ""),
        ("utf-16", "read as UTF-16."),
        ("utf-16-le", "read as UTF-16."),
        ("utf-16-be", "read as UTF-16."),
        ("cp1252", "read as Windows-1252 (such as 'M\u00fcller')."),
        ("latin-1", "read as Windows-1252 (such as 'M\u00fcller')."),
    ],
)
@pytest.mark.parametrize("quote", ["", '"'])
def test_encodings(write, caplog, encoding, remark, quote):
    caplog.set_level(logging.INFO)
    path = write(PEOPLE.replace(",1", f",{quote}1{quote}").encode(encoding))
    table = spreadsheet.read_table(path, ["name"])
    assert table["name"].tolist() == ["M\u00fcller", "\u00c9mile"]
    assert table["age"].tolist() == ["1", "2"]
    assert [r.getMessage() for r in caplog.records] == ([f"{path}: {remark}"] if remark else [])


@pytest.mark.parametrize(("mark", "name"), [(";", "semicolon"), ("\t", "tab"), ("|", "pipe")])
@pytest.mark.parametrize("quote", ["", '"'])
def test_separators(write, caplog, mark, name, quote):
    caplog.set_level(logging.INFO)
    rows = ["a|b,c".replace("|", mark), "1,5|x".replace("|", mark), "", f"{quote}2{quote}{mark}"]
    path = write("\r\n".join(rows))
    table = spreadsheet.read_table(path, ["a", "b,c"])
    assert table.to_dict("list") == {"a": ["1,5", "2"], "b,c": ["x", ""]}
    assert table.index.tolist() == [2, 4]
    assert caplog.messages == [f"{path}: read with columns separated by {name}s."]


def test_separators_in_names_and_values_do_not_divide(write):
    """ChestX-ray14 has commas in a name and bars in values; some tables have one column."""
    table = spreadsheet.read_table(write("a,Finding|s,S[W,H]\n1,x|y;z,2,3\n2,x,2,3\n"))
    assert list(table) == ["a", "Finding|s", "S[W", "H]"]
    assert spreadsheet.read_table(write("a (1;2)\n1\n2\n"))["a (1;2)"].tolist() == ["1", "2"]
    both = write("path;label;size,mm\na.png;1;2,5\n")
    assert list(spreadsheet.read_table(both, ["path"])) == ["path", "label", "size,mm"]
    with pytest.raises(UserError, match="comma or semicolon"):
        spreadsheet.read_table(both)
    stated = TableForm(separator="comma")
    assert list(spreadsheet.read_table(both, form=stated)) == ["path;label;size", "mm"]


def test_excel_states_its_separator_in_a_first_line(write):
    table = spreadsheet.read_table(write("\ufeffsep=;\r\na;b\r\n1;2\r\n"))
    assert table.to_dict("list") == {"a": ["1"], "b": ["2"]}
    assert table.index.tolist() == [3]


@pytest.mark.parametrize(
    ("name", "encoding"),
    [
        ("\u0418\u0432\u0430\u043d\u043e\u0432", "cp1251"),
        ("\u5c71\u7530\u592a\u90ce", "shift_jis"),
        ("Gr\u00f6\u00dfe", "cp850"),
        ("M\u00fcller", "cp850"),
        ("M\u00fcller", "mac_roman"),
        ("Andr\u00e9e", "mac_roman"),
    ],
)
def test_other_encodings_are_not_read_as_western_european(write, name, encoding):
    path = write(f"name,b\n{name},1\n".encode(encoding))
    with pytest.raises(UserError, match=r"not text in UTF-8 .*; name its encoding, such as cp850"):
        spreadsheet.read_table(path)
    table = spreadsheet.read_table(path, form=TableForm(encoding=encoding))
    assert table["name"].tolist() == [name]


def test_a_file_of_two_encodings_is_refused(write):
    """Read as Windows-1252, one patient would have two ids."""
    rows = [b"name,b\n", "M\u00fcller,1\n".encode(), "M\u00fcller,0\n".encode("cp1252")]
    with pytest.raises(
        UserError, match=r"nor in Windows-1252, in which row 2 has 'M\u00c3\u00bcller'"
    ):
        spreadsheet.read_table(write(b"".join(rows)))
    words = "S\u00c3O\n\u00abMANH\u00c3\u00bb\n\u201cAMANH\u00c3\u201d\nGr\u00f6\u00dfe\n"
    table = spreadsheet.read_table(write(f"name\n{words}".encode("cp1252")))
    assert table["name"].tolist() == words.split()


def test_an_encoding_that_does_not_fit(write):
    path = write("name,b\nM\u00fcller,1\n")
    with pytest.raises(UserError, match=r"is not text in ASCII \(byte 8\); name the encoding"):
        spreadsheet.read_table(path, form=TableForm(encoding="ascii"))


def test_names_of_columns(write):
    path = write("Patient ID;Datei;note\n007;a.png;x\n")
    form = TableForm.of_texts("Patient ID=patient_id; Datei=path")
    assert list(spreadsheet.read_table(path, ["path"], form)) == ["patient_id", "path", "note"]
    for columns, sentence in {
        "PatientID=patient_id": r"Unknown column of .* 'PatientID': did you mean 'Patient ID'\?",
        "Datei=note": r"the column 'Datei' is to be 'note', but there is a column of that name",
        "Datei": r"columns has 'Datei'; expected COLUMN=NAME, such as 'Patient ID=patient_id'\.",
        "Datei=path; note=path": r"The columns 'Datei' and 'note' are both named 'path'",
    }.items():
        with pytest.raises(UserError, match=sentence):
            spreadsheet.read_table(path, (), TableForm.of_texts(columns))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"separator": "dot"}, "Unknown separator 'dot'"),
        ({"encoding": "utf-9"}, "Unknown encoding 'utf-9'; expected a name such as utf-8"),
        ({"values": "Ja=yes"}, "The value 'Ja' means 'yes'; expected one of 1, 0"),
        ({"values": "Ja=1; ja=0"}, "The value 'ja' means 1 and 0; write one meaning per value"),
    ],
)
def test_wrong_forms(options, sentence):
    with pytest.raises(UserError, match=sentence):
        TableForm.of_texts(**options)
