"""The command `remedis`: its list of commands, common options, and `list` and `info`."""

import contextlib
import json
import re
import subprocess
import sys

import pytest

import remedis
from remedis import cli
from remedis.zoo import card, names, records


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
        ("nope", "cxr-50x1-remedis-s, cxr-152x2-remedis-m"),
        ("nope", ". There is no folder of this name either."),
        (
            "no/such/folder",
            "no/such/folder is not a folder; expected that of a SavedModel or",
        ),
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


def test_the_version_is_the_package_s(capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"remedis {remedis.__version__}\n"


COMMANDS = (
    *("list", "info", "doctor", "prepare", "augmentations", "embed", "probe", "evaluate"),
    *("calibrate", "compare", "build", "finetune", "pretrain", "ood-curves", "suite"),
)


def test_the_help_lists_every_command(capsys):
    with pytest.raises(SystemExit):
        cli.main(["--help"])
    printed = capsys.readouterr().out
    assert [command for command in COMMANDS if not re.search(rf"\n    {command}\s", printed)] == []


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_a_help_without_underscores_in_options(command, capsys):
    with contextlib.suppress(SystemExit):  # of argparse
        assert cli.main([command, "--help"]) == 0
    printed = capsys.readouterr().out
    assert "--quiet" in printed or "--[no]quiet" in printed
    assert "--verbose" in printed or "--[no]verbose" in printed
    assert not re.search(r"--\w+_", printed)


@pytest.mark.parametrize("option", cli.OLD_OPTIONS)
def test_options_with_underscores_still_work_and_warn(option, capsys):
    new = option.replace("_", "-")
    command = ["embed", "checkpoint", "data", "--out=no.csv"]
    value = [] if "allow" in option else ["1"]
    if "split" in option:
        command[0] = "probe"
        command[-1] = "--methods=linea"
    for form in ([option, *value], [f"{option}=1"] if value else []):
        if form:
            assert cli.main([*command, *form]) == 1
            warning, error = capsys.readouterr().err.splitlines()
            assert warning.startswith(f"warning: {option} is now written {new};")
            assert error.startswith("error: ")


@pytest.mark.parametrize("at", [0, 1])
def test_quiet_and_verbose_stand_before_or_after_the_command(at, monkeypatch):
    shown = []
    monkeypatch.setattr(cli, "_list", lambda parsed: shown.append(parsed) or 0)
    for option in ("quiet", "verbose"):
        arguments = ["list"]
        arguments.insert(at, f"--{option}")
        assert cli.main(arguments) == 0
        assert getattr(shown[-1], option)
    assert cli.main(["list"]) == 0
    assert not shown[-1].quiet
    assert not shown[-1].verbose


@pytest.mark.parametrize(
    "arguments",
    [
        ["embed", "checkpoint", "data"],
        ["embed", "checkpoint", "data", "--out=e.npz", "--batch-size=0"],
        ["probe", "checkpoint", "data", "--splits=train"],
        ["probe", "checkpoint", "data", "--methods=linea"],
        ["doctor", "data", "--cache=."],
        ["doctor", "data", "--splits=train=most"],
        ["doctor", "data", "--option=root"],
        ["evaluate", "run", "data", "--manifest=manifest.csv", "--out=out"],
        ["calibrate", "run", "data", "--out=."],
        ["compare", "nowhere", "nothing"],
        ["build", "--weights=random:0", "--model=cxr-51x1-remedis-m"],
        ["finetune", "--config=own_data", "--config.steps=many", "--workdir=w"],
        ["pretrain", "--config=pretrain_own:moko", "--workdir=w"],
        ["ood-curves", "--config=ood_onw", "--workdir=w"],
        ["suite", "--config=suite_onw", "--workdir=w"],
        ["probes"],
    ],
    ids=" ".join,
)
def test_wrong_arguments_do_not_wait_for_tensorflow(arguments, tmp_path):
    code = (
        "import sys; from remedis import cli; status = cli.main(sys.argv[1:]); "
        "sys.exit(10 * ('tensorflow' in sys.modules) + status)"
    )
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ")


def test_the_number_of_parameters_with_a_final_norm_is_explained():
    units, released = (3, 4, 6, 3), records.record("cxr-50x1-remedis-m")
    built = {
        "kind": "trunk",
        "units": units,
        "width": 1,
        "final_norm": True,
        "parameters": 23_500_352,
        "tensors": 151,
    }
    sentence = card.parameters(built)
    assert sentence.startswith("23,500,352 in 151 tensors; ")
    assert f"{released.parameters:,} in {released.tensors} without the final norm" in sentence
    plain = built | {"final_norm": False, "parameters": released.parameters, "tensors": 149}
    assert card.parameters(plain) == "23,496,256 in 149 tensors"


@pytest.fixture
def run(tmp_path):
    """An unfinished run, as version 0.1 wrote it: a config and a log, the last line cut off."""
    config = {"labels": ["ill"], "data_dir": "data", "checkpoint": "scratch:50x1", "steps": 60}
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "metrics.jsonl").write_text('{"step": 10, "train/loss": 1}\n{"step": 20}\n{"st')
    return tmp_path


def test_info_of_an_unfinished_run(run, capsys):
    assert cli.main(["info", str(run), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["kind"] == "fine-tuning run"
    assert found["state"] == "not finished: step 20 of 60 is logged; the same command resumes it"
    assert (found["started from"], found["data"], found["finished"]) == (
        "scratch:50x1",
        "data",
        False,
    )


def test_info_of_a_pretraining(run, capsys):
    parent = {"origin": "bit", "description": "BiT-M.", "parent": None}
    results = {
        "name": "cxr-50x1-remedis-m",
        "method": "simclr",
        "steps": 9,
        "checkpoint": {"origin": "trained", "description": "SimCLR on films.", "parent": parent},
        "data": {"labels_used": False, "images": 5, "patients": 3, "sources": {"csv": {}}},
        "probe": [
            {"step": step, "probe/linear_auroc": None, "probe/knn_auroc": auroc}
            for step, auroc in ((0, 0.5), (9, 0.75))
        ],
        "best_step": 9,
    }
    (run / "results.json").write_text(json.dumps(results))
    (run / "config.json").write_text(json.dumps({"method_options": "", "data": "csv=films"}))
    assert cli.main(["info", str(run)]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    for words in ("pretraining run", "finished", "csv=films: 5 images of 3 patients", "9 0.750"):
        assert words in printed
    assert "started from SimCLR on films. which began with BiT-M." in printed


def test_info_of_a_damaged_run_is_a_sentence(run, capsys):
    (run / "results.json").write_text('{"test": ')
    assert cli.main(["info", str(run)]) == 1
    assert "results.json is damaged" in capsys.readouterr().err


@pytest.mark.parametrize("job", ["build", "finetune", "pretrain", "ood-curves", "suite"])
def test_the_help_of_a_job_begins_with_what_it_needs_and_it_has_a_version(job, capsys):
    assert cli.main([job, "--help"]) == 0
    _, _, rest = capsys.readouterr().out.partition("Needed:\n")
    needed = re.findall(r"^  (--[\w.]+)=", rest, re.MULTILINE)[:3]
    configured = ["--config", "--config.KEY", "--workdir"]
    assert needed[:1] == ["--weights"] if job == "build" else needed == configured
    assert cli.main([job, "--version"]) == 0
    assert capsys.readouterr().out == f"remedis {remedis.__version__}\n"


def test_a_misspelt_command_is_known(capsys):
    assert cli.main(["doctr", "manifest.csv"]) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: Unknown command 'doctr': did you mean 'doctor'? Choose from: ")
