import io
import logging
import os
import subprocess
import sys

import pytest
from rich.text import Text

from remedis.cli import console, output

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
    with console.any_encoding(), console.shown():
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
