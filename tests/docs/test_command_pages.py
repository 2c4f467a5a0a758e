"""The page on commands: every command, option and environment variable."""

import argparse
import re

import pytest
from absl import flags

from docs.generate import command_pages
from remedis import cli
from remedis.cli import finetune_job, jobs


@pytest.fixture(scope="module")
def page():
    return command_pages.pages()["reference/commands.md"]


@pytest.mark.parametrize("name", command_pages.commands())
def test_every_command_has_a_section_with_every_option(page, name):
    assert f"| [`{name}`](#{name}) |" in page
    section = page.split(f"## {name} {{#{name}}}\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| `([^`]+)` \| ([^|]*)\| (\S.*) \|$", section, re.MULTILINE)
    named = {re.split("[=]", option)[0] for option, _, _ in rows}
    if name in cli.JOBS:
        module = command_pages.importlib.import_module(f"remedis.cli.{cli.JOBS[name][0]}")
        expected = {f"--{flag}" for flag in jobs.own_flags(module.JOB)} - {"--quiet", "--verbose"}
        if module.JOB.configured:
            expected |= {"--config", "--config.KEY"}
    else:
        expected = {
            max(action.option_strings, key=len) if action.option_strings else action.metavar
            for action in command_pages.commands()[name]._actions
            if action.dest not in ("help", "quiet", "verbose")
        }
    assert named == expected


def test_defaults_stand_in_their_column(page):
    assert "| `--batch-size=N` | `32` | images per batch |" in page
    assert "| `--out=DIR` | needed | directory to make; must not exist |" in page
    assert "| `--graph=ours|release` | `ours` | With release:DIR, whose graph to write |" in page
    assert "| `--model=NAME` |  | Checkpoint to build; may be repeated |" in page


def test_exit_statuses(page):
    for status in (0, 1, 2, 129, 130, 143):
        assert f"| `{status}` |" in page


def test_environment_variables_are_found_in_source(tmp_path):
    (tmp_path / "one.py").write_text(
        'import os\nNAME = "FIRST"\nos.environ.get(NAME, "0")\nos.environ["SECOND"]\n'
        'print("THIRD" not in os.environ, os.environ.setdefault("FOURTH", "1"))\n'
        'os.getenv("FIFTH")\n'
    )
    names = {"FIRST", "SECOND", "THIRD", "FOURTH", "FIFTH"}
    assert command_pages.variables_read(tmp_path) == names


def test_a_variable_without_a_meaning_is_an_error(monkeypatch):
    monkeypatch.delitem(command_pages.VARIABLES, "TF_CONFIG")
    with pytest.raises(ValueError, match=r"'TF_CONFIG' is read .*; correct VARIABLES"):
        command_pages.variables()


def test_an_option_without_a_meaning_is_an_error():
    parser = argparse.ArgumentParser("remedis draw")
    parser.add_argument("--ink")
    with pytest.raises(ValueError, match="--ink=INK` of 'remedis draw' has no meaning; write it"):
        command_pages._table(parser)


def test_a_flag_without_a_meaning_is_an_error(monkeypatch):
    def define(values):
        flags.DEFINE_bool("ink", False, "", flag_values=values)

    monkeypatch.setattr(finetune_job, "JOB", jobs.Job("Draws.", define, lambda values: None))
    with pytest.raises(ValueError, match=r"--ink of 'finetune' .* remedis/cli/finetune_job\.py"):
        command_pages.job_section("finetune")
