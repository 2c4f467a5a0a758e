"""Mistakes of users: one sentence each, and on the command line one line and status 1."""

import pathlib
import subprocess
import sys

import pandas as pd
import pytest
from small_run import prepared

from remedis.errors import UserError
from remedis.finetuning.finetune import finetune

ROOT = pathlib.Path(__file__).parents[2]
OWN = f"--config={ROOT / 'configs' / 'own_data.py'}"


def finetuned(*arguments: str, cwd: pathlib.Path) -> str:
    """Runs the job with a wrong command line; returns the sentence."""
    command = [sys.executable, str(ROOT / "finetune" / "finetune.py"), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=cwd, check=False)
    assert done.returncode == 1, done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ")
    return line.removeprefix("error: ")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((), "--workdir is not set; see --help."),
        ((OWN,), "--workdir is not set; see --help."),
        (
            ("--workdir=w",),
            "--config is not set; name a config by name, such as chexpert, or a file, such as "
            "configs/chexpert.py.",
        ),
        (
            ("--workdir=w", "--config=nowhere.py"),
            "--config=nowhere.py: there is no such file. Name a config by name, such as chexpert, "
            "or a file, such as configs/chexpert.py.",
        ),
        (
            ("--workdir=w", "--config=configs/chexprt.py:rehearsal"),
            "--config=configs/chexprt.py: there is no such file; did you mean --config=chexpert, "
            "which comes with remedis? Name a config by name, such as chexpert, or a file, such as "
            "configs/chexpert.py.",
        ),
        (
            ("--workdir=w", "--config=chexprt"),
            "Unknown config 'chexprt': did you mean 'chexpert'? Choose from: camelyon, ",
        ),
        (
            ("--workdir=w", "--config=own_data:rehersal"),
            "Unknown config argument 'rehersal': did you mean 'rehearsal'? Choose from: released, ",
        ),
        (
            ("--workdir=w", "--config", "own_data", "--config.batch_size=many"),
            "--config.batch_size=many: expected a whole number.",
        ),
        (
            ("--workdir=w", f"{OWN}:rehersal"),
            "Unknown config argument 'rehersal': did you mean 'rehearsal'? "
            "Choose from: released, notebook, 50x1, 152x2, head_only, rehearsal.",
        ),
        (
            ("--workdir=w", OWN, "--config.step=3"),
            "Unknown config key 'step': did you mean 'steps'? Choose from: accumulate, allow_",
        ),
        (
            ("--workdir=w", OWN, "--config.splits.trian=0.3"),
            "Unknown config key 'splits.trian': did you mean 'splits.train'? Choose from: ",
        ),
        (
            ("--workdir=w", OWN, "--config.batch_size=4", "--config.steps=abc"),
            "--config.steps=abc: expected a whole number.",
        ),
        (
            ("--workdir=w", OWN, "--config.learning_rate=fast"),
            "--config.learning_rate=fast: expected a number.",
        ),
        (
            ("--workdir=w", OWN, "--config.head_norm=maybe"),
            "--config.head_norm=maybe: expected true or false.",
        ),
        (
            ("--workdir=w", OWN, """--config.labels=("a", "b"""),
            """--config.labels=("a", "b: expected '("one", "two")'.""",
        ),
        (("--wrkdir=w", OWN), "Unknown option --wrkdir: did you mean --workdir? See --help."),
        (
            ("--workdir=w", OWN, "extra"),
            "Unknown argument 'extra'; options are written --name=value.",
        ),
        (
            ("--workdir=w", "--config=broken.py"),
            "--config=broken.py cannot be read (NameError: name 'undefined' is not defined).",
        ),
        (
            ("--workdir=w", "--config=raising.py"),
            "--config=raising.py cannot be read (ValueError: no such hospital).",
        ),
        (
            ("--workdir=w", "--config=reading.py"),
            "--config=reading.py cannot be read (FileNotFoundError: [Errno 2] No such file or "
            "directory: 'nothing.json').",
        ),
        (
            ("--workdir=w", "--config=empty.py"),
            "--config=empty.py: get_config() returned dict; expected a ConfigDict.",
        ),
    ],
)
def test_command_lines(arguments, sentence, tmp_path):
    (tmp_path / "broken.py").write_text("def get_config():\n    return undefined\n")
    raising = "def get_config():\n    raise ValueError('no such hospital')\n"
    (tmp_path / "raising.py").write_text(raising)
    (tmp_path / "reading.py").write_text("def get_config():\n    return open('nothing.json')\n")
    (tmp_path / "empty.py").write_text("def get_config():\n    return {}\n")
    said = finetuned(*arguments, cwd=tmp_path)
    assert said.startswith(sentence)
    assert "Choose from" in said or said == sentence
    assert not (tmp_path / "w").exists()


@pytest.mark.guarantee
def test_what_is_wrong_inside_the_job_is_one_line_too(tmp_path):
    assert finetuned(OWN, "--workdir=w", cwd=tmp_path).startswith("config.checkpoint is not set: ")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"checkpoint": ""}, "config.checkpoint is not set: name a checkpoint folder "),
        (
            {"checkpoint": "nowhere"},
            "nowhere is not a folder. Expected a checkpoint folder, a run, ",
        ),
        ({"checkpoint": "."}, ". is not a SavedModel: it has no saved_model.pb; expected a folder"),
        (
            {"learning_rates": "haed/.*=0"},
            "config.learning_rates",
        ),
        ({"train_preprocess": "resize({side})"}, "config.train_preprocess is 'resize({side})'; "),
        ({"train_preprocess": "resise({size})"}, "Unknown preprocessing operation 'resise': did"),
        (
            {"eval_preprocess": "rotate(3)"},
            "Preprocessing 'rotate(3)' must give the same result every time here",
        ),
        ({"resamples": 20}, "config.resamples is 20; expected 40 to 100000."),
        ({"head_stddev": -0.01}, "config.head_stddev is -0.01; expected at least 0."),
        (
            {"weighting": "patient"},
            "Unknown value of config.weighting 'patient': did you mean 'patients'",
        ),
        (
            {"eval_unlabelled": "zeroes"},
            "Unknown policy in config.eval_unlabelled 'zeroes': did you mean 'zeros'?",
        ),
        (
            {"uncertain": "zeros; square=one"},
            "Unknown policy in config.uncertain 'one': did you mean 'ones'? Choose from: ignore, "
            "zeros, ones, keep",
        ),
        ({"seed": -1}, "config.seed is -1; expected 0 to 2147483647."),
        ({"momentum": 1.5}, "config.momentum is 1.5; expected 0 to 1."),
        ({"image_size": 0}, "Preprocessing 'resize(0)': wrong arguments of resize (size is 0; "),
        ({"image_size": 0, "train_preprocess": ""}, "Preprocessing 'resize(0)': wrong arguments"),
    ],
)
def test_configs(changes, sentence, configured, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    changes = {"train_preprocess": "resize({size})"} | changes
    with pytest.raises(UserError) as caught:
        finetune(configured(**changes), tmp_path / "run")
    assert str(caught.value).startswith(sentence)
    assert not (tmp_path / "run" / "checkpoints").exists()


@pytest.mark.parametrize(
    ("change", "config", "sentence"),
    [
        (lambda t: t, {"data_dir": ""}, "config.data_dir is not set: name the directory of the"),
        (lambda t: t, {"source": "cvs"}, "Unknown source 'cvs': did you mean 'csv'? Choose from:"),
        (lambda t: t, {"labels": ("sqare",)}, "'sqare'"),
        (lambda t: t.drop(columns="path"), {}, "'path'"),
        (lambda t: t.drop(columns="patient_id"), {}, "row 1: no column 'patient_id'; without"),
        (lambda t: t.assign(patient_id=""), {}, "row 2: no patient_id (60 of 60 rows have none)"),
        (lambda t: t.assign(square=["maybe", *t["square"][1:]]), {}, "row 2"),
        (lambda t: t.assign(path="x" + t["path"]), {}, "60 of 60 images cannot be used, more than"),
        (lambda t: t.assign(square=1), {}, "Label 'square' has no negative image among the "),
        (
            lambda t: t.assign(square=[-1, *t["square"][1:]]),
            {"uncertain": "keep"},
            "Label 'square' still has uncertain values (-1); set config.uncertain to ignore, ",
        ),
        (
            lambda t: t.assign(square=[-1, *t["square"][1:]], split=["test"] * 2 + ["train"] * 58),
            {"eval_uncertain": "keep", "splits": {"train": 0.8, "validation": 0.2, "test": 0.0}},
            "Label 'square' still has uncertain values (-1), which cannot be evaluated; set ",
        ),
        (lambda t: t, {"eval_unlabelled": "zeroes"}, "values 'zeroes': did you mean 'zeros'?"),
        (
            lambda t: t,
            {"splits": {"train": 0.5, "validation": 0.0, "test": 0.5}},
            "The validation split has no images; give it a share in config.splits",
        ),
        (
            lambda t: t,
            {"uncertain": "zeros; square"},
            "The policy 'zeros; square' has 'square'; expected LABEL=POLICY",
        ),
        (lambda t: t, {"uncertain": "zeroes"}, "did you mean 'zeros'?"),
    ],
)
def test_data(change, config, sentence, configured, squares, tmp_path):
    own = tmp_path / "own"
    own.mkdir()
    for image in squares.glob("*.png"):
        (own / image.name).hardlink_to(image)
    table = pd.read_csv(squares / "manifest.csv", dtype={"sometimes": "Int64"})
    change(table).to_csv(own / "manifest.csv", index=False)
    asked = configured(**{"data_dir": str(own), "labels": ("square",)} | config)
    with pytest.raises(UserError) as caught:
        prepared(asked, tmp_path / "run")
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_manifest_that_is_not_there(configured, tmp_path):
    asked = configured(data_dir=str(tmp_path))
    with pytest.raises(UserError, match=r"manifest\.csv"):
        prepared(asked, tmp_path / "run")
