"""Every command of `docs/experiments.md` is right, and the tests run its rehearsal to the end."""

import importlib
import pathlib
import re
import shlex

import pytest
import rehearsals

ROOT = pathlib.Path(__file__).parents[1]
TEXT = (ROOT / "docs" / "experiments.md").read_text()
COMMANDS = re.findall(r"`(python [^`]+)`", TEXT)
CONFIG = re.compile(r"--config=configs/(\w+)\.py(?::([\w,-]+))?$")
# A rehearsal has a small backbone of its own, whatever the backbone of the command.
BACKBONES = {"50x1", "152x2"}
WITH_CONFIG = [command for command in COMMANDS if "--config=" in command]


def test_every_row_of_experiments_has_a_command():
    tables = TEXT[: TEXT.index("## Cannot be repeated")]
    rows = [line for line in tables.splitlines() if line.startswith("| ")]
    assert len(COMMANDS) == sum("| experiment |" not in row for row in rows)
    assert len(WITH_CONFIG) == len(COMMANDS) - 1  # the release is moved without a config


@pytest.mark.parametrize("command", WITH_CONFIG)
def test_the_rehearsal_of_a_command_runs_to_its_end(command):
    name, text = _config(command)
    asked = [each for each in text.split(",") if each and each not in BACKBONES]
    wanted = ",".join([*asked, "rehearsal"])
    # Configs are compared, not arguments: an argument may name the default.
    run = [_settings(name, each) for other, each in rehearsals.EVERY if other == name]
    assert _settings(name, wanted) in run, f"add ({name!r}, {wanted!r}) to rehearsals.py"


@pytest.mark.parametrize("command", COMMANDS)
def test_scripts_arguments_and_keys_of_a_command_exist(command):
    _, script, *flags = shlex.split(command)
    assert (ROOT / script).is_file()
    if command not in WITH_CONFIG:
        return
    name, text = _config(command)
    config = _settings(name, text)
    for flag in flags[1:]:
        key, _, value = flag.removeprefix("--").partition("=")
        assert value
        if key == "workdir":
            continue
        settings = config
        for part in key.removeprefix("config.").split("."):
            assert part in settings, f"{key} of {command}"
            settings = settings[part]


def _config(command):
    found = CONFIG.match(shlex.split(command)[2])
    assert found, f"{command}: --config comes first"
    return found[1], found[2] or ""


def _settings(name, argument):
    return importlib.import_module(f"configs.{name}").get_config(argument).to_dict()
