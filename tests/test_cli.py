import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from remedis import cli
from remedis.zoo import names


def test_list_prints_all_eight_with_their_counts(capsys):
    assert cli.main(["list"]) == 0
    printed = capsys.readouterr().out
    assert all(name in printed for name in names.NAMES)
    assert "23,496,256" in printed
    assert "232,230,016" in printed
    assert "10.13026/grp0-z205" in printed


def test_info_of_a_name(capsys):
    assert cli.main(["info", "path-152x2-remedis-s"]) == 0
    printed = capsys.readouterr().out
    assert "232,230,016 in 455 tensors" in printed
    assert "ImageNet-1k" in printed
    assert "not a diagnostic device" in printed


@pytest.mark.parametrize(
    ("what", "sentence"),
    [
        ("cxr-52x2-remedis-m", "did you mean 'cxr-152x2-remedis-m'?"),
        ("cxr_50x1_remedis_m", "did you mean 'cxr-50x1-remedis-m'?"),
        ("no/such/folder", "no/such/folder is not a folder; expected a SavedModel folder."),
    ],
)
def test_info_of_neither_a_name_nor_a_folder(what, sentence, capsys):
    assert cli.main(["info", what]) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert sentence in error
    assert error.count("\n") == 1


def test_info_of_a_folder_that_is_no_saved_model(tmp_path, capsys):
    assert cli.main(["info", str(tmp_path)]) == 1
    assert "it has no saved_model.pb" in capsys.readouterr().err


def test_list_does_not_wait_for_tensorflow():
    code = (
        "import sys; from remedis import cli; cli.main(['list']); "
        "sys.exit('tensorflow' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.fixture
def data(tmp_path):
    rng = np.random.default_rng(0)
    rows = []
    for i in range(40):
        Image.fromarray(rng.integers(0, 256, (20, 20), np.uint8)).save(tmp_path / f"{i}.png")
        split = "train" if i < 20 else ("validation" if i < 30 else "test")
        rows.append((f"{i}.png", f"p{i}", f"s{i}", split, i % 2))
    columns = ["path", "patient_id", "study_id", "split", "ill"]
    pd.DataFrame(rows, columns=columns).to_csv(tmp_path / "manifest.csv", index=False)
    return tmp_path


def test_doctor_of_good_data(data, capsys):
    assert cli.main(["doctor", str(data / "manifest.csv"), "--labels=ill"]) == 0
    printed = capsys.readouterr()
    assert printed.out.splitlines()[-1] == "Nothing wrong was found."
    assert "Scanning 40 images" in printed.err


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
        (["{data}"], "The source 'csv' needs the names of its label columns: set `labels`."),
        (["{data}", "--labels=il"], "no column 'il'"),
        (["{data}", "--labels=ill", "--source=cvs"], "Unknown source 'cvs': did you mean 'csv'?"),
        (["{data}", "--labels=ill", "--option=roots=1"], "Unknown option of the source 'csv' 'roo"),
        (
            ["{data}", "--labels=ill", "--option=root"],
            "The option 'root' of the source: expected",
        ),
        (["{data}", "--labels=ill", "--checkpoint=/no/where"], "/no/where"),
        (["{data}", "--labels=ill", "--split_unit=slide"], "Unknown unit of splits 'slide'"),
        (["{data}", "--labels=ill", "--splits=train"], "expected shares such as train=0.7,valid"),
        (["{data}", "--labels=ill", "--splits=train=1,tset=0"], "Unknown split 'tset'"),
        (["{data}", "--labels=ill", "--split_seed=one"], "Argument --split_seed: invalid int"),
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
    assert cli.main([*arguments, "--unmentioned=zeros", splits, "--split_seed=4"]) == 0
    found = json.loads(capsys.readouterr().out)["findings"]
    assert "unlearnable" not in [f["code"] for f in found]
    (assigned,) = [f["sentence"] for f in found if f["code"] == "assigned_splits"]
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
    found = json.loads(capsys.readouterr().out)
    assert found["source"] == "tfds own/1.0.0"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--preprocess=rotate(3)"], "must give the same every time here, but rotate is random"),
        (["--preprocess=resize(8)", "--labels=il"], "no column 'il'"),
        (["--preprocess=resize(8)", "--source=cvs"], "Unknown source 'cvs': did you mean 'csv'"),
        (
            ["--preprocess=resize(8)", "--option=views"],
            "The option 'views' of the source: expected",
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
    assert error[-1].startswith(f"error: {data / '0.png'}")
    assert sum(not line.startswith("Scanning") for line in error) == 1


def test_augmentations_of_what_is_no_image(tmp_path, capsys):
    assert cli.main(["augmentations", str(tmp_path / "no.png"), "--out=sheet.png"]) == 1
    assert capsys.readouterr().err.startswith("error: ")
