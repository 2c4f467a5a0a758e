import argparse
import dataclasses
import json
import pathlib

import numpy as np
import pytest
from rich.console import Group
from rich.table import Table
from rich.text import Text

from remedis.cli import output
from remedis.errors import UserError


def test_text_is_printed_as_it_is(capsys):
    line = "[bold]" + 30 * "a long line " + "1.5"
    output.show(line)
    assert capsys.readouterr().out == f"{line}\n"


def test_tables_have_no_colours_in_a_log_and_are_not_cut_off(capsys, monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    names = [f"a column of a table {n}" for n in range(4)]
    table = Table(*names, box=None)
    path = "runs/" + "very_long_name/" * 20
    output.show(Group(table, Text("red", style="red"), Text(path, no_wrap=True, overflow="ignore")))
    head, text, last = capsys.readouterr().out.splitlines()
    assert head.split("  ") == [f" {names[0]}", *names[1:-1], f"{names[-1]} "]
    assert (text.rstrip(), last) == ("red", path)


REPORT = Group(
    Text("A heading"),
    Table("label", "AUROC", title="First"),
    Group(Table("name", box=None, show_header=False)),
    Text("A remark"),
)
REPORT.renderables[1].add_row(Text("Nodule, [solid]"), "0.9")
REPORT.renderables[1].add_row("[bold]Mass[/bold]", Text("0.8"))
REPORT.renderables[2].renderables[0].add_row(Text("a"))


@dataclasses.dataclass
class Values:
    path: pathlib.Path
    area: np.float64


VALUES = {"runs": (Values(pathlib.Path("a"), np.float64("nan")),), "n": np.arange(2)}
JSON = {"runs": [{"path": "a", "area": None}], "n": [0, 1]}


def parsed(*arguments):
    parser = argparse.ArgumentParser(exit_on_error=False)
    output.add_table_arguments(parser)
    return parser.parse_args(arguments)


def test_values_are_printed_as_json_alone(capsys):
    output.show_table(parsed("--json"), REPORT, VALUES)
    assert json.loads(capsys.readouterr().out) == JSON


@pytest.mark.parametrize("suffix", [".json", ".csv", ".txt", ".html"])
def test_a_report_is_written_as_the_ending_says(suffix, tmp_path, capsys):
    file = tmp_path / f"report{suffix}"
    output.show_table(parsed(f"--out={file}"), REPORT, VALUES)
    assert "A remark" in capsys.readouterr().out
    written = file.read_text(encoding="utf-8")
    if suffix == ".json":
        assert json.loads(written) == JSON
    elif suffix == ".csv":
        assert written == 'First\nlabel,AUROC\n"Nodule, [solid]",0.9\nMass,0.8\n\na\n'
    else:
        assert all(words in written for words in ("A heading", "Nodule, [solid]", "A remark"))
        assert ("<html" in written) == (suffix == ".html")


def test_a_file_of_another_form_is_refused_before_any_work(tmp_path, capsys):
    with pytest.raises(argparse.ArgumentError, match=r"'x.xlsx' does not end in one of"):
        parsed("--out=x.xlsx")
    (tmp_path / "a.csv").mkdir()
    with pytest.raises(argparse.ArgumentError, match="is a directory; expected a file"):
        parsed(f"--out={tmp_path / 'a.csv'}")
    with pytest.raises(UserError, match="has no tables for a"):
        output.show_table(parsed(f"--out={tmp_path / 'b.csv'}"), Text("x"), {})


def test_long_tables_are_shortened_on_the_console_and_whole_in_files(capsys):
    table = Table("label", "AUROC")
    for i in range(500):
        table.add_row(f"finding {i}", "0.5")
    report = Group(table, Text("left out: " + "finding, " * 1000))
    output.show(report)
    printed = capsys.readouterr().out
    assert len(printed.splitlines()) < 100
    assert "finding 49 " in printed
    assert "... 447 more" in printed
    assert "finding 499 " in printed
    assert "The table has 447 more rows; files and JSON have all." in printed
    assert "... (7,010 more)" in printed
    assert output._csv(report).count("\n") == 501
    assert table.row_count == 500


def test_tables_of_a_screen_are_whole(capsys):
    table = Table("label")
    for i in range(54):
        table.add_row(f"finding {i}")
    output.show(table)
    assert "more" not in capsys.readouterr().out
