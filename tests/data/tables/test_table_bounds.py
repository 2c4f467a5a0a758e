"""Tables made to take all memory or all time: refused in one sentence, or read in linear time."""

import contextlib
import gzip
import os
import pathlib
import time

import pandas as pd
import pytest

from remedis import limits
from remedis.data import canonical_ids, own_table, own_table_guesses
from remedis.data.manifest import Manifest, read_csv
from remedis.data.tables import columns, decoding, separators, spreadsheet, table_bounds
from remedis.data.tables.table_form import TableForm
from remedis.errors import UserError

HEAD = b"path,patient_id,ill\n"
ROWS = b"a.png,p1,1\nb.png,p2,0\n"


@pytest.fixture
def write(tmp_path):
    def write_file(contents: bytes, name: str = "a.csv"):
        path = tmp_path / name
        path.write_bytes(contents)
        return path

    return write_file


@pytest.mark.parametrize("packed", [False, True])
def test_a_table_is_unpacked_up_to_a_size(write, packed, monkeypatch):
    monkeypatch.setattr(limits, "MAX_TABLE_BYTES", 1 << 20)
    contents = HEAD + ROWS + b"\n" * (1 << 20)
    path = write(gzip.compress(contents) if packed else contents, "a.csv.gz" if packed else "a.csv")
    with pytest.raises(UserError, match=r"is too large: it has more than 1 MiB of text; leave out"):
        spreadsheet.read_table(path)


def test_the_size_is_that_of_the_text_in_utf8(write, monkeypatch):
    monkeypatch.setattr(limits, "MAX_TABLE_BYTES", 1 << 20)
    path = write(b"a,b\n" + b"\xa4,1\n" * 220_000)  # 3 bytes for each sign of the euro
    with pytest.raises(UserError, match="is too large"):
        spreadsheet.read_table(path, form=TableForm(encoding="iso8859-15"))


@pytest.mark.parametrize(
    ("bound", "value", "contents", "sentence"),
    [
        ("MAX_LINES", 100, HEAD + ROWS + b"\n" * 200, "has 203 lines, many of them perhaps blank"),
        ("MAX_LINES", 100, HEAD + ROWS + b"\r" * 200, "has 203 lines, many of them perhaps blank"),
        ("MAX_FIELDS", 100, HEAD + ROWS + b"," * 200, "has 209 fields, many of them perhaps empty"),
        ("MAX_COLUMNS", 100, b"a" + b"," * 200 + b"b\n1", "row 1: 201 columns; expected at most"),
        ("MAX_LINE_BYTES", 100, HEAD + b"a" * 200, "row 2: a line of more than 0 MiB; the file is"),
        ("MAX_LINE_BYTES", 100, HEAD + b'"' + b"a" * 200, "row 2: a line of more than 0 MiB"),
    ],
)
def test_bounds(write, monkeypatch, bound, value, contents, sentence):
    monkeypatch.setattr(table_bounds, bound, value)
    with pytest.raises(UserError, match=sentence):
        spreadsheet.read_table(write(contents))


def test_a_header_that_is_too_long_is_not_parsed(write, monkeypatch):
    # 200 million commas took 4 GB and minutes.
    monkeypatch.setattr(table_bounds, "MAX_LINE_BYTES", 100)
    monkeypatch.setattr(separators, "find", None)
    with pytest.raises(UserError, match="row 1: a line of more than"):
        spreadsheet.read_table(write(HEAD.strip() + b"," * 200))


def test_a_quote_that_is_never_closed(write):
    with pytest.raises(
        UserError, match=r"field larger than field limit \(131072\) \(after row 3\)"
    ):
        spreadsheet.read_table(write(HEAD + ROWS + b'"' + ROWS * 20_000))


def test_a_pipe_is_refused(tmp_path):
    os.mkfifo(tmp_path / "a.csv")
    with pytest.raises(UserError, match=r"a pipe \(FIFO\), expected a regular file"):
        spreadsheet.read_table(tmp_path / "a.csv")


@pytest.mark.parametrize(
    ("contents", "kind"),
    [
        (b"BZh91AY", "compressed by bzip2"),
        (b"\xfd7zXZ\0", "compressed by xz"),
        (b"\x28\xb5\x2f\xfd", "compressed by Zstandard"),
    ],
)
def test_other_compressions_are_named(write, contents, kind):
    with pytest.raises(
        UserError, match=f"is {kind}, not a CSV file; decompress it, or compress it"
    ):
        spreadsheet.read_table(write(contents))


@pytest.mark.parametrize("quote", [b"", b'"'])
def test_blank_rows_are_left_out_and_counted(write, quote, monkeypatch):
    monkeypatch.setattr(spreadsheet, "_FIELDS", 6)  # so that several batches are read
    monkeypatch.setattr(spreadsheet, "_BLOCK", 64)
    rows = [b"%sx%d%s,p,1\n" % (quote, i, quote) for i in range(20)]
    rows[3] = rows[8] = rows[9] = b" , ,\n"
    rows[12] = b"\n" if quote else b",,\n"
    table = spreadsheet.read_table(write(HEAD + b"".join(rows)))
    assert table.index.tolist() == [i + 2 for i in range(20) if i not in (3, 8, 9, 12)]
    assert table["path"].tolist() == [f"x{i}" for i in range(20) if i not in (3, 8, 9, 12)]


@pytest.mark.parametrize("size", [1 << 20, (1 << 20) + 1, (1 << 20) + 2, (1 << 20) + 3])
def test_letters_across_pieces(size):
    text = "x" * (size - 8) + "\u20ac\U0001f600\u00e9" * 3
    assert decoding.decode("a", text.encode()) == (text.encode(), "")
    assert decoding.decode("a", text.encode("utf-16")) == (text.encode(), "as UTF-16")
    wrong = text.encode() + b"\xff"
    with pytest.raises(UserError, match=rf"UTF-8 \(byte {len(wrong) - 1}\)"):
        decoding.decode("a", wrong)
    with pytest.raises(UnicodeDecodeError) as caught:
        text.encode().decode("shift_jis")
    with pytest.raises(UserError, match=rf"SHIFT_JIS \(byte {caught.value.start}\)"):
        decoding.decode("a", text.encode(), "shift_jis")


def test_a_header_of_many_columns_shows_its_separator(tmp_path):
    names = ";".join(f"column number {i}, in words" for i in range(20_000))
    text = f"{names}\n{';'.join('1' * 20_000)}\n"
    assert separators.find(tmp_path, separators.beginning(text.encode() * 40), ()) == ";"


def seconds(function, *arguments) -> float:
    start = time.process_time()
    with contextlib.suppress(UserError, KeyError):
        function(*arguments)
    return time.process_time() - start


# Each took minutes or more when it was quadratic.
@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        (canonical_ids.canonical, ("a" + " " * 200_000 + "b",)),
        (canonical_ids.canonical, ("a" + "'" * 200_000 + "b",)),
        (canonical_ids.canonical, ('="' * 50_000 + "b",)),
        (canonical_ids.column, (pd.Series(["a" + "\u0301\u0316" * 100_000]),)),
        (columns.split, ("_" * 200_000 + "x",)),
        (columns.split, ("a" + "_" * 200_000 + "set",)),
        (own_table_guesses.simplified, ("a" + "\u0301\u0316" * 100_000,)),
        (decoding.decode, ("a", b"a" * 1_000_000 + b"\xe4")),
        (own_table_guesses.path_prefix, (["a/" * 30_000], pathlib.Path("."))),
    ],
)
def test_long_values_take_no_long_time(function, arguments):
    assert seconds(function, *arguments) < 3


def test_long_ids_are_refused(write):
    path = write(HEAD + b"a.png," + b"7" * 2000 + b",1\n")
    with pytest.raises(UserError, match=r"row 2, column 'patient_id': got '7+.*at most 1,000 char"):
        read_csv(path, ("ill",))
    problems = [problem.sentence for problem in own_table.read(path).problems]
    assert any("an id of at most 1,000 characters" in sentence for sentence in problems)
    assert max(map(len, problems)) < 1000


def test_messages_about_many_columns_are_short(write):
    names = [f"c{i}" for i in range(2000)]
    path = write(",".join(names).encode() + b"\n" + b",".join([b"x"] * 2000) + b"\n")
    with pytest.raises(UserError, match=r"c28, c29 and 1,970 more") as caught:
        read_csv(path, ("ill",))
    assert len(str(caught.value)) < 1000
    assert max(len(problem.sentence) for problem in own_table.read(path).problems) < 1000


def test_a_wide_table_is_one_table(recwarn):
    """pandas warns of tables that are put together column by column, which is quadratic."""
    table = pd.DataFrame({f"c{i}": ["x", ""] for i in range(300)})
    table = table.assign(
        path=["a", "b"], patient_id="p", study_id="", site="", split="", ill=[1.0, 0.0]
    )
    manifest = Manifest(table, ("ill",), ".", "test")
    assert manifest.table["c7"].isna().tolist() == [False, True]
    assert manifest.table["ill"].dtype == "float32"
    assert not recwarn.list


def test_wrong_encodings():
    for name in ("punycode", "idna", "undefined", "hex", "nothing"):
        with pytest.raises(UserError, match=f"Unknown encoding '{name}'"):
            TableForm(encoding=name)
