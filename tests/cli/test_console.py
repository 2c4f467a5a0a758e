import logging

import pytest

from remedis.cli import console

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
