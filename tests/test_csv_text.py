import csv
import io
import subprocess
import sys

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from remedis import csv_text


@pytest.mark.parametrize(
    "text",
    [
        "=cmd|' /C calc'!A0",
        "@SUM(1+1)*cmd",
        "+1+cmd",
        "-2+3+cmd",
        ' "=1+1',
        "'=1+1",
        "\uff1dSUM(A1)",
        "images/a;=HYPERLINK(A1).png",
        'x;"=1+1',
    ],
)
def test_a_formula_becomes_text(text):
    cell = csv_text.cell(text)
    assert cell.replace("'", "") == text.replace("'", "")
    for part in cell.split(";"):  # as a program reads it where semicolons separate cells
        assert part.lstrip(' "')[0] not in "=+-@\uff1d"
    assert csv_text.is_formula(text)


@pytest.mark.parametrize(
    "value",
    [
        -0.5,
        1e-05,
        -1e-05,
        12,
        "-0.5",
        "+3",
        "-12.5 %",
        "-0.12 [-0.30, 0.06]",
        "-",
        "-inf",
        "Effusion",
        "images/a-b.png",
        "a@b",
        "1=1",
        "2,000",
        "-1,000.5",
    ],
)
def test_numbers_and_harmless_text_stay(value):
    assert csv_text.cell(value) == str(value)
    assert not csv_text.is_formula(str(value))


def test_a_data_frame_has_numbers_for_programs_and_nothing_for_unknown():
    frame = pd.DataFrame({"=a": ["@x", "b,\n\tc"], "n": [-0.5, float("nan")], "i": [1, 2]})
    text = csv_text.from_frame(frame)
    assert text == "'=a,n,i\n'@x,-0.5,1\n\"b,\\n\\tc\",,2\n"
    assert pd.read_csv(io.StringIO(text))["n"].tolist()[0] == -0.5


@given(st.lists(st.lists(st.text(max_size=12), min_size=2, max_size=2), max_size=4))
def test_every_cell_is_read_back_as_one_and_begins_no_formula(rows):
    text = csv_text.table(rows)
    read = list(csv.reader(io.StringIO(text, newline="")))
    assert len(read) == len(rows) == len(text.splitlines())
    assert [len(row) for row in read] == [2] * len(rows)
    for row in read:
        for cell in row:
            for part in cell.split(";"):
                begin = part.lstrip(' "')[:1]
                assert begin not in ("@", "=") or not begin
                assert begin not in ("+", "-") or not csv_text.is_formula(cell)


def test_commands_without_a_table_load_no_pandas():
    script = "import sys, remedis.cli; sys.exit('pandas' in sys.modules)"
    subprocess.run([sys.executable, "-c", script], check=True)
