"""The command or the call that records name."""

import pathlib
import shlex
import sys

import pytest

from remedis import invocation


def test_records_name_the_command_line_or_the_call(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["remedis", "build", "--weights=a b"])
    line = "remedis build '--weights=a b'"
    assert invocation.command() == line
    assert shlex.split(line) == sys.argv
    with invocation.called("build", "name", pathlib.Path("a b"), {}):
        assert invocation.command() == "remedis.build('name', 'a b', dict)"
    assert invocation.command() == line
    with pytest.raises(KeyError), invocation.called("embed"):
        raise KeyError
    assert invocation.command() == line
