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


def test_a_module_that_python_runs_is_named_as_the_command(monkeypatch):
    main = pathlib.Path(invocation.__file__).with_name("cli") / "__main__.py"
    monkeypatch.setattr(sys, "argv", [str(main), "build", "--all"])
    assert invocation.command() == "remedis build --all"
    monkeypatch.setattr(sys, "argv", ["finetune/finetune.py", "--workdir=a"])
    assert invocation.command() == "finetune/finetune.py --workdir=a"
