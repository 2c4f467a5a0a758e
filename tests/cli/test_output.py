from rich.console import Group
from rich.table import Table
from rich.text import Text

from remedis.cli import output


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
