"""Configs by name and by path, copies of them anywhere, and keys under their old names."""

import os
import pathlib
import shutil
import subprocess
import sys

import ml_collections
import pytest
from absl import flags

from remedis.api import config_files
from remedis.cli import jobs
from remedis.errors import UserError

CONFIGS = pathlib.Path(__file__).parents[2] / "configs"


def test_every_config_is_found_by_name_and_no_shared_file_is():
    files = {file.stem for file in CONFIGS.glob("*.py")}
    shared = {name for name in files if name.startswith(("__init__", "arguments", "common"))}
    assert set(config_files.names()) == files - shared
    assert "common_released" in shared
    for name in config_files.names():
        assert config_files.find(name) == str(CONFIGS / f"{name}.py")


def test_a_file_comes_before_a_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "chexpert.py").touch()
    assert config_files.find("chexpert.py") == "chexpert.py"
    assert config_files.find("chexpert") == str(CONFIGS / "chexpert.py")


@pytest.mark.parametrize(
    ("written", "sentence"),
    [
        ("chexprt", "Unknown config 'chexprt': did you mean 'chexpert'? Choose from: camelyon, "),
        ("common", "Unknown config 'common'"),
        ("own/chexpert.py", "did you mean --config=chexpert, which comes with remedis?"),
        ("zzz.py", "--config=zzz.py: there is no such file. Name a config by name, such as "),
    ],
)
def test_what_is_neither_a_name_nor_a_file(written, sentence):
    with pytest.raises(UserError) as caught:
        config_files.find(written)
    assert sentence in str(caught.value)


@pytest.fixture
def configured():
    """Returns a function from a command line to the exit status and the config it makes."""
    configs = []
    job = jobs.Job("A job.", lambda values: None, lambda values: configs.append(values.config))

    def call(*arguments: str) -> tuple[int, ml_collections.ConfigDict | None]:
        configs.clear()
        status = jobs.main(job, arguments)
        return status, configs[0] if configs else None

    return call


@pytest.mark.parametrize("form", ["own_data", str(CONFIGS / "own_data.py")])
def test_a_job_takes_names_and_paths_with_arguments_and_keys(form, configured):
    before = set(flags.FLAGS)
    for given in ([f"--config={form}:head_only"], ["--config", f"{form}:head_only"]):
        status, config = configured(*given, "--config.steps=7")
        assert (status, config.method, config.steps) == (0, "probe", 7)
        assert config.is_locked
    assert set(flags.FLAGS) == before  # nothing global is left


def test_the_old_name_of_a_key_works_on_the_command_line_and_warns(configured, capsys):
    for given, value in (
        ("--config.rematerialise=True", True),
        ("--config.rematerialise", True),
        ("--noconfig.rematerialise", False),
    ):
        status, config = configured("--config=own_data", given)
        assert (status, config.gradient_checkpointing) == (0, value)
        assert "rematerialise" not in config
        assert capsys.readouterr().err == (
            "warning: config.rematerialise is now called config.gradient_checkpointing; the old "
            "name works in this version and not in the next.\n"
        )
    status, config = configured("--config=ood_own", "--config.ood.rematerialise=True")
    assert (config.ood.gradient_checkpointing, config.id.gradient_checkpointing) == (True, False)
    assert "config.ood.rematerialise is now called config.ood.grad" in capsys.readouterr().err


OWN = """
from configs import common

def get_config(arg=None):
    config = common.finetuning()
    config.rematerialise = True
    return common.locked(config, arg, common.rehearsal("csv", ("ill",)))
"""


def test_the_old_name_of_a_key_works_in_a_file_and_warns(configured, capsys, tmp_path):
    (tmp_path / "own.py").write_text(OWN)
    form = f"--config={tmp_path / 'own.py'}"
    status, config = configured(form)
    assert (status, config.gradient_checkpointing) == (0, True)
    assert "rematerialise" not in config
    assert config.is_locked
    assert capsys.readouterr().err.startswith("warning: config.rematerialise is now called")
    # The command line has the last word.
    for given in ("--config.gradient_checkpointing=False", "--config.rematerialise=False"):
        assert configured(form, given)[1].gradient_checkpointing is False


@pytest.mark.parametrize("option", ["--help", "-h", "--helpfull"])
def test_help_comes_before_missing_flags(option, configured, capsys):
    assert configured(option) == (0, None)
    printed = capsys.readouterr().out
    assert printed.startswith("A job.\n")
    assert "--config" in printed
    assert "own_data" in printed


def loaded(file: pathlib.Path, cwd: pathlib.Path) -> subprocess.CompletedProcess:
    """Loads a config in a new process, in which nothing has imported `configs` yet."""
    code = (
        "import sys; from remedis.cli import jobs; "
        "job = jobs.Job('', lambda v: None, lambda v: print(v.config.title)); "
        "sys.exit(jobs.main(job, sys.argv[1:]))"
    )
    command = [sys.executable, "-c", code, f"--config={file}"]
    # As `python -m` does, -c puts the current directory first on Python's path.
    environment = os.environ | {"PYTHONPATH": str(CONFIGS.parent)}
    return subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=cwd, env=environment
    )


TITLED = """
from configs import common

def get_config():
    config = common.finetuning()
    config.title = getattr(common, "TITLE", "ours")
    return config.lock()
"""


def test_a_copy_of_a_config_works_from_anywhere(tmp_path):
    (tmp_path / "own.py").write_text(TITLED)
    # Another project's package of the same name.
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "__init__.py").touch()
    done = loaded(tmp_path / "own.py", tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "ours\n", "")


def test_a_copy_of_the_whole_folder_is_complete_in_itself(tmp_path):
    folder = shutil.copytree(CONFIGS, tmp_path / "configs")
    (folder / "own.py").write_text(TITLED)
    with (folder / "common.py").open("a") as file:
        file.write('\nTITLE = "theirs"\n')
    done = loaded(folder / "own.py", CONFIGS.parent)
    assert (done.returncode, done.stdout, done.stderr) == (0, "theirs\n", "")


@pytest.mark.parametrize(
    ("written", "labels"),
    [
        ("pneumonia", ("pneumonia",)),
        ("Mass,Pleural Effusion", ("Mass", "Pleural Effusion")),
        ('"Nodule, solid",Mass', ("Nodule, solid", "Mass")),
        ("('Nodule, solid',)", ("Nodule, solid",)),
        ('("a", "b")', ("a", "b")),
        ("'a'", ("a",)),
        ("2", ("2",)),
    ],
)
@pytest.mark.parametrize("apart", [False, True])
def test_labels_on_the_command_line(written, labels, apart):
    flag = "--config.labels"
    arguments = ["--config=own_data", *([flag, written] if apart else [f"{flag}={written}"])]
    values = flags.FlagValues()
    jobs._parse(values, jobs._define_config(values, arguments))
    assert values.config.labels == labels
