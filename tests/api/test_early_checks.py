"""Mistakes on a command line are found before TensorFlow and pandas are loaded."""

import argparse
import subprocess
import sys

import ml_collections
import pytest

from remedis.api import early_checks
from remedis.cli import command_checks
from remedis.data import source_names, sources
from remedis.errors import UserError

FAST = """
import sys, time
from remedis import cli
start = time.process_time()
status = cli.main(sys.argv[1:])
seconds = time.process_time() - start
heavy = {"tensorflow", "pandas"} & set(sys.modules)
assert status == 1 and not heavy and seconds < 1, (status, heavy, seconds)
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "manifest.csv").touch()
    (tmp_path / "own.csv").write_text("path,patient_id,label,Mass\n1.png,1,1,0\n")
    (tmp_path / "run").mkdir()
    (tmp_path / "begun").mkdir()
    (tmp_path / "begun" / "config.json").touch()
    for kind in ("a", "b"):
        (tmp_path / "classes" / kind).mkdir(parents=True)
        (tmp_path / "classes" / kind / "1.png").touch()
    return tmp_path


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        ("doctor /no/such --labels=a", "/no/such does not exist; there is no /no. Expected the "),
        ("doctor manifst.csv", "manifst.csv does not exist: did you mean manifest.csv? Expected"),
        ("doctor manifest.csv --source=cvs", "Unknown source 'cvs': did you mean 'csv'?"),
        ("doctor manifest.csv --labels='a", "--labels is "),
        ("doctor own.csv", "The source 'csv' needs the names of its label columns: set --labels="),
        ("probe run own.csv", "The source 'csv' needs the names of its label columns: set --label"),
        (
            "doctor own.csv --labels=mass",
            "own.csv, row 1: no column 'mass' (did you mean 'Mass'?); the columns are: path, "
            "patient_id, label, Mass. Rename a column, or map it: remedis manifest own.csv prop",
        ),
        ("embed run own.csv --labels=no --out=e.npz", "own.csv, row 1: no column 'no'; the colum"),
        (
            "finetune --config=own_data --config.data_dir=own.csv --config.labels=no --workdir=w",
            "own.csv, row 1: no column 'no'; the columns are",
        ),
        (
            "finetune --config=own_data --config.checkpoint=scratch:1-1-1-1x0.25 --workdir=w",
            "Width 0.25 gives 16 channels; group normalisation needs a multiple of 32",
        ),
        ("doctor manifest.csv --labels=a --out=x.pdf", "Argument --out: 'x.pdf' does not end in "),
        ("prepare data --out=o --name=n --preprocess=resize(2", "Preprocessing 'resize(2' cannot "),
        ("embed no/run manifest.csv --out=e.npz", "no/run does not exist; there is no no. Expect"),
        ("embed bit:no.npz manifest.csv --out=e.npz", "no.npz does not exist. Expected a checkp"),
        ("probe keras:DenseNet121:w.h5 manifest.csv", "w.h5 does not exist. Expected a checkpoint"),
        (
            "evaluate rum manifest.csv --out=o",
            "rum does not exist. Expected the directory of a",
        ),
        ("evaluate begun own.csv --out=o", "begun is a run that has no export yet; let it finish"),
        ("calibrate run data.csv --out=o", "data.csv does not exist. Expected the table or"),
        (
            "doctor classes --labels=a",
            "There is no file classes/manifest.csv. The directory holds images in folders (a, b): "
            "if these are classes or splits, set --source=folder.",
        ),
        (
            "evaluate run classes --out=o",
            "There is no file classes/manifest.csv. The directory holds images",
        ),
        (
            "finetune --config=own_data --config.data_dir=classes --workdir=w",
            "There is no file classes/manifest.csv. The directory holds images in folders (a, b): "
            "if these are classes or splits, set config.source=folder.",
        ),
        ("compare run rnu", "rnu does not exist"),
        ("augmentations no.png --out=s.png", "no.png does not exist. Expected the image file."),
        ("build --model=cxr-50x1-remedis-m --weights=bit:no.npz", "no.npz does not exist. Expect"),
        (
            "finetune --config=own_data --config.data_dir=no --workdir=w",
            "config.data_dir is no, which does not exist",
        ),
        (
            "finetune --config=own_data --config.checkpoint=no/run --workdir=w",
            "config.checkpoint is no/run, which does not exist; there is no no. Expected a check",
        ),
        (
            "ood-curves --config=ood_own --config.id_data_dir=no --workdir=w",
            "config.id_data_dir is no, which does not exist",
        ),
    ],
)
def test_a_mistake_is_one_line_within_a_second(command, sentence, folder):
    run = subprocess.run(
        [sys.executable, "-c", FAST, *command.replace("'", '"').split()],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.stderr.startswith(f"error: {sentence}"), run.stderr
    assert (run.returncode, run.stderr.count("\n")) == (0, 1)
    assert not (folder / "w").exists()


@pytest.mark.parametrize("option", ["columns=Mass=label2", "separator=comma", "values=Ja=1"])
def test_labels_that_an_option_may_name_pass(option, folder):
    command_checks.check_command(
        argparse.Namespace(
            command="doctor", data="own.csv", source="csv", labels="label2", option=[option]
        )
    )


def test_paths_of_a_rehearsal_are_made_later(folder):
    config = ml_collections.ConfigDict({"rehearsal": "csv", "data_dir": "no", "checkpoint": "no/a"})
    early_checks.check_config(config)
    config.rehearsal = ""
    with pytest.raises(UserError, match=r"is no.*, which does not exist"):
        early_checks.check_config(config)


@pytest.mark.parametrize("weights", ["random:0", "scratch:50x1", "keras:MobileNet", "50x1", "run"])
def test_weights_that_are_no_path_pass(weights, folder):
    early_checks.check_weights(weights)


def test_the_names_of_the_sources_are_those_registered():
    assert source_names.NAMES == sources.NAMES
