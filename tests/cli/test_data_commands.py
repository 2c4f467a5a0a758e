"""`remedis doctor`, `prepare` and `augmentations`."""

import json

import pandas as pd
import pytest

from remedis import cli
from remedis.cli import data_commands
from remedis.errors import UserError


def test_doctor_of_good_data(data, capsys):
    assert cli.main(["doctor", str(data / "manifest.csv"), "--labels=ill"]) == 0
    printed = capsys.readouterr()
    assert printed.out.splitlines()[-1] == "Nothing wrong was found."
    assert "Scanning 40 images" in printed.out


def test_doctor_ends_with_2_for_errors_and_its_json_is_alone_on_standard_output(data, capsys):
    (data / "3.png").write_bytes(b"")
    cache = data / "scan.parquet"
    arguments = ["doctor", str(data), "--labels", "ill", "--json", f"--cache={cache}"]
    assert cli.main(arguments) == cli.UNWELL == 2
    written = json.loads(capsys.readouterr().out)
    assert written["ok"] is False
    assert written["findings"][0]["listed"] == ["3.png: The file is empty."]
    assert cache.is_file()


def test_doctor_holds_data_against_a_checkpoint(data, tiny_checkpoint, capsys):
    assert cli.main(["doctor", str(data), "--labels=ill", f"--checkpoint={tiny_checkpoint}"]) == 0
    assert "RANDOM WEIGHTS" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["{data}"], "The source 'csv' needs the names of its label columns: set --labels="),
        (["{data}", "--labels=il"], "no column 'il'"),
        (["{data}", "--labels=ill", "--source=cvs"], "Unknown source 'cvs': did you mean 'csv'?"),
        (["{data}", "--labels=ill", "--option=roots=1"], "Unknown option of the source 'csv' 'roo"),
        (
            ["{data}", "--labels=ill", "--option=root"],
            "--option has 'root'; expected KEY=VALUE",
        ),
        (["{data}", "--labels=ill", "--checkpoint=/no/where"], "/no/where"),
        (["{data}", "--labels=ill", "--split-unit=slide"], "Unknown unit of splits 'slide'"),
        (["{data}", "--labels=ill", "--splits=train"], "expected shares such as train=0.7,valid"),
        (["{data}", "--labels=ill", "--splits=train=1,tset=0"], "Unknown split 'tset'"),
        (["{data}", "--labels=ill", "--split-seed=one"], "Argument --split-seed: invalid int"),
        (["{data}", "--labels=ill", "--unmentioned=zero"], "did you mean 'zeros'?"),
        (["{data}", "--labels=ill", "--cache={data}"], "is a directory; expected a file to make"),
        (["{data}", "--source=slides", "--option=mpp=0,5"], "is (0, 5); expected a number."),
        (["{data}", "--source=slides", "--option=size=abc"], "'abc'; expected a whole number."),
        (["{data}", "--source=slides", "--option=size=1.5"], "1.5; expected a whole number."),
        (["{data}", "--source=slides", "--option=stride=x"], "expected a whole number or None."),
        (["{data}", "--source=slides", "--option=tissue=True"], "True; expected a number."),
        (["{data}", "--source=folder", "--option=patient_pattern=3"], "is 3; expected text."),
        (["{data}", "--source=dicom", "--option=skip_unreadable=1"], "expected True or False."),
        (
            ["{data}", "--source=wilds_camelyon17", "--option=test_centres=2"],
            "'test_centres' of the source 'wilds_camelyon17' is 2; expected a list such as (1, 2).",
        ),
        (["{data}", "--jason"], "Unrecognized arguments: --jason; see remedis"),
        ([], "The following arguments are required: DATA; see remedis doctor --help."),
    ],
)
def test_doctor_of_wrong_arguments(arguments, sentence, data, capsys):
    assert cli.main(["doctor", *(a.format(data=data) for a in arguments)]) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert sentence in error
    assert error.count("\n") == 1


def test_doctor_takes_the_policies_and_splits_of_the_config(data, capsys):
    table = pd.read_csv(data / "manifest.csv")
    table["ill"] = table["ill"].mask(table["ill"] == 0)
    table.drop(columns="split").to_csv(data / "manifest.csv", index=False)
    arguments = ["doctor", str(data), "--labels=ill", "--json"]
    splits = "--splits=train=0.5,validation=0.25,test=0.25"
    assert cli.main([*arguments, "--unmentioned=zeros", splits, "--split-seed=4"]) == 0
    findings = json.loads(capsys.readouterr().out)["findings"]
    assert "unlearnable" not in [f["code"] for f in findings]
    (assigned,) = [f["sentence"] for f in findings if f["code"] == "assigned_splits"]
    assert "(train 50%, validation 25%, test 25%; seed 4)" in assigned
    assert cli.main(arguments) == 0
    assert cli.main([*arguments, "--unmentioned=ignore"]) == cli.UNWELL


def test_doctor_says_what_its_exit_status_means(capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(["doctor", "--help"])
    assert ended.value.code == 0
    assert "Exit status: 0" in capsys.readouterr().out


def test_prepare_packs_what_the_source_tfds_then_loads(data, tmp_path, capsys):
    out = tmp_path / "packed"
    command = ["prepare", str(data), "--labels=ill", f"--out={out}", "--name=own"]
    assert cli.main([*command, "--preprocess=resize(8)"]) == 0
    assert "config.source='tfds'" in capsys.readouterr().out
    assert cli.main(["doctor", str(out), "--source=tfds", "--labels=ill", "--json"]) in (0, 2)
    diagnosis = json.loads(capsys.readouterr().out)
    assert diagnosis["source"] == "tfds own/1.0.0"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ["--preprocess=rotate(3)"],
            "must give the same result every time here, but rotate is random",
        ),
        (["--preprocess=resize(8)", "--labels=il"], "no column 'il'"),
        (["--preprocess=resize(8)", "--source=cvs"], "Unknown source 'cvs': did you mean 'csv'"),
        (
            ["--preprocess=resize(8)", "--option=views"],
            "--option has 'views'; expected KEY=VALUE",
        ),
        ([], "--preprocess; see remedis prepare --help"),
    ],
)
def test_prepare_refuses_in_one_line(data, tmp_path, capsys, arguments, sentence):
    command = ["prepare", str(data), "--labels=ill", f"--out={tmp_path / 'out'}", "--name=own"]
    assert cli.main([*command, *arguments]) == 1
    error = capsys.readouterr().err
    assert sentence in error
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "command",
    [
        ["doctor", "{data}", "--labels=ill", "--cache={data}/0.png/scan.parquet"],
        [
            "prepare",
            "{data}",
            "--labels=ill",
            "--name=own",
            "--preprocess=resize(8)",
            "--out={data}/0.png/out",
        ],
    ],
)
def test_what_cannot_be_written_is_one_line(data, capsys, command):
    assert cli.main([argument.format(data=data) for argument in command]) == 1
    error = capsys.readouterr().err.splitlines()
    assert error[-1].startswith("error: ")
    assert str(data / "0.png") in error[-1]
    assert sum(not line.startswith("Scanning") for line in error) == 1


def test_augmentations_of_what_is_no_image(tmp_path, capsys):
    assert cli.main(["augmentations", str(tmp_path / "no.png"), "--out=sheet.png"]) == 1
    assert capsys.readouterr().err.startswith("error: ")


def test_the_recipes_of_a_config_are_drawn():
    assert data_commands._recipes("chexpert") == ["finetune_cxr(448)", "resize(448)"]
    with pytest.raises(UserError, match="Unknown config 'chexpart': did you mean 'chexpert'"):
        data_commands._recipes("chexpart")
