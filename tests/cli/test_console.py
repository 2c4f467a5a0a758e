import argparse
import io
import json
import logging
import os
import re
import subprocess
import sys

import pytest
from rich.console import Group
from rich.table import Table
from rich.text import Text

from remedis.cli import console, exit_status, output
from remedis.errors import UserError
from remedis.visible_text import VisibleStream, visible

LOG = logging.getLogger("remedis.some.module")


def log_at_every_level():
    LOG.debug("details")
    LOG.info("a line")
    LOG.warning("be careful")


@pytest.mark.parametrize(
    ("options", "out", "err"),
    [
        ({}, "a line\n", "warning: be careful\n"),
        ({"quiet": True}, "", "warning: be careful\n"),
        (
            {"verbose": True},
            "debug: remedis.some.module: details\nremedis.some.module: a line\n",
            "warning: remedis.some.module: be careful\n",
        ),
    ],
)
def test_information_goes_to_standard_output_and_warnings_to_standard_error(
    options, out, err, capsys
):
    with console.shown(**options):
        log_at_every_level()
    assert capsys.readouterr() == (out, err)


def test_a_line_is_shown_once_though_the_root_logger_has_a_handler(capsys):
    from absl import logging as absl_logging

    root = logging.getLogger()
    root.addHandler(absl_logging.get_absl_handler())
    try:
        with console.shown():
            log_at_every_level()
    finally:
        root.removeHandler(absl_logging.get_absl_handler())
    assert capsys.readouterr() == ("a line\n", "warning: be careful\n")


def test_logging_is_afterwards_as_it_was_before(caplog):
    library = logging.getLogger("remedis")
    before = (list(library.handlers), library.level, library.propagate)
    with pytest.raises(RuntimeError), console.shown():
        raise RuntimeError
    assert (list(library.handlers), library.level, library.propagate) == before
    LOG.warning("for the root logger")
    assert caplog.messages == ["for the root logger"]


def test_lines_and_prints_keep_their_order(capsys):
    with console.shown():
        print("first")
        LOG.info("second")
        print("third")
    assert capsys.readouterr().out == "first\nsecond\nthird\n"


@pytest.mark.parametrize(
    ("encoding", "printed"),
    [
        ("ascii", "5 ±… ▁█ ż 肺 \udcff -> 5 +/-... 18 \\u017c \\u80ba \\udcff"),
        ("latin-1", "± ≥ ż -> ± >= \\u017c"),
        ("cp1252", "é ≤ 肺 -> é <= \\u80ba"),
        ("utf-8", "± 肺 \udcff -> ± 肺 \\udcff"),
    ],
)
def test_text_is_printed_in_any_encoding(encoding, printed, monkeypatch):
    text, _, expected = printed.partition(" -> ")
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding, newline="")
    monkeypatch.setattr(sys, "stdout", stream)
    with console.any_text(), console.shown():
        print(text)
        LOG.info(text)
        output.show(Text(text))
    assert stream.errors == "strict"
    stream.flush()
    assert stream.buffer.getvalue().decode(encoding).splitlines() == [expected] * 3


@pytest.mark.parametrize(
    ("command", "status"),
    [
        (["list"], 0),
        (["finetune", "--help"], 0),
        (["info", "żródło/płuca-肺"], 1),
        (["finetune", "--config=żródło.py", "--workdir=w"], 1),
    ],
    ids=["list", "help", "no folder", "no config"],
)
def test_commands_and_jobs_survive_a_console_in_ascii(command, status):
    run = subprocess.run(
        [sys.executable, "-m", "remedis.cli", *command],
        env=os.environ | {"PYTHONIOENCODING": "ascii:strict", "LC_ALL": "C.UTF-8"},
        capture_output=True,
        check=False,
    )
    assert run.returncode == status
    assert b"Traceback" not in run.stderr
    if status:
        assert b"\\u017cr\\xf3d\\u0142o" in run.stderr


HOSTILE = "a\x1b]0;t\x07\nerror: forged\u202e\ud800"
SHOWN = r"a\x1b]0;t\x07\nerror: forged\u202e\ud800"


def test_hostile_names_are_visible_and_forge_no_line(capsys):
    def fail():
        with console.shown():
            LOG.info(HOSTILE)
            LOG.warning(HOSTILE)
        raise UserError(HOSTILE)

    assert exit_status.of_command(fail) == 1
    out, err = capsys.readouterr()
    assert out == f"{SHOWN}\n"
    assert err == f"warning: {SHOWN}\nerror: {SHOWN}\n"


def test_what_others_print_is_visible_too(capsys):
    def print_both():
        print("mine\x1b[2J\n\tnext")
        print("theirs\x1b[2J", file=sys.stderr)
        return 0

    before = sys.stdout, sys.stderr
    assert exit_status.of_command(print_both) == 0
    assert (sys.stdout, sys.stderr) == before
    out, err = capsys.readouterr()
    assert out == "mine\\x1b[2J\n\tnext\n"
    assert r"theirs\x1b[2J" in err


@pytest.mark.parametrize("job", ["of_job", "of_command"])
def test_a_traceback_is_visible(job):
    code = (
        f"from remedis.cli import exit_status\ndef fail(): raise RuntimeError('a\\x1b[2J')\n"
        f"exit_status.{job}(fail)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.returncode == 1
    assert run.stderr.endswith("RuntimeError: a\\x1b[2J\n")


def on_a_terminal(text):
    """Returns what rich writes to a terminal for a report."""
    stream = io.StringIO()
    stream.isatty = lambda: True
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sys, "stdout", VisibleStream(stream))
        patched.setenv("TERM", "xterm-256color")
        output.show(text)
    return stream.getvalue()


def test_colours_are_the_program_s_own():
    shown = on_a_terminal(Text("red\x1b[32m", style="red"))
    assert "".join(re.findall(r"\x1b\[[\d;]*m([^\x1b]*)", shown)).strip() == r"red\x1b[32m"
    assert shown.startswith("\x1b[31mr")
    assert "\x1b[32m" not in shown


def test_a_table_is_visible_in_every_form(tmp_path, capsys):
    table = Table(title=Text(HOSTILE))
    table.add_column(Text(HOSTILE))
    table.add_row(Text(HOSTILE, style="red"))
    report = Group(table, output.line(HOSTILE))
    shown = SHOWN.replace(r"\x07", "")  # rich leaves out a bell
    for suffix in output.SUFFIXES:
        file = tmp_path / f"t{suffix}"
        parsed = argparse.Namespace(json=False, table_file=str(file))
        output.show_table(parsed, report, {"name": HOSTILE})
        text = file.read_text(encoding="utf-8")
        assert visible(text, lines=True) == text
        if suffix == ".json":
            assert json.loads(text) == {"name": HOSTILE}
        else:
            assert shown in text
            assert not any(line.lstrip(" │").startswith("error") for line in text.splitlines())
    assert shown in capsys.readouterr().out
