"""`remedis robustness`: wrong options, and a whole sweep beside `remedis evaluate`."""

import json

import pandas as pd
import pytest
from json_file import read_json
from PIL import Image

import remedis
from remedis import cli


def run(*arguments):
    return cli.main(["robustness", *map(str, arguments)])


@pytest.fixture
def there(tmp_path, monkeypatch):
    """A directory with a run that has no model yet, and a table."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run" / "export").mkdir(parents=True)
    (tmp_path / "run" / "config.json").write_text("{}")
    (tmp_path / "run" / "export" / "remedis.json").write_text("{}")
    (tmp_path / "manifest.csv").write_text("path,patient_id,ill\n1.png,1,1\n")


WRONG = {
    "a corruption": (["--corruptions=nose"], "Unknown corruption 'nose': did you mean 'noise'?"),
    "strengths above 5": (["--strengths=1-6"], "--strengths=1-6: expected numbers from 0 to 5"),
    "strengths as text": (["--strengths=all"], "--strengths=all: expected numbers from 0 to 5"),
    "no strengths": (["--strengths=,"], "--strengths=,: expected numbers from 0 to 5"),
    "strengths the wrong way round": (["--strengths=5-1"], "--strengths=5-1: expected numbers"),
    "few resamples": (["--resamples=3"], "3 resamples are too few for an interval"),
}


@pytest.mark.usefixtures("there")
@pytest.mark.parametrize(("options", "message"), WRONG.values(), ids=list(WRONG))
def test_a_wrong_option_is_one_sentence(options, message, capsys):
    assert run("run", ".", "--out=out", *options) == 1
    assert message in " ".join(capsys.readouterr().err.split())


@pytest.mark.usefixtures("there")
def test_a_model_or_data_that_are_not_there_are_said(capsys):
    assert run("rum", ".", "--out=out") == 1
    assert "rum does not exist" in capsys.readouterr().err
    assert run("run", "no.csv", "--out=out") == 1
    assert "no.csv does not exist" in capsys.readouterr().err


@pytest.mark.guarantee
def test_a_sweep_of_a_run_is_clean_at_0_goes_on_and_refuses_other_data(
    finished, squares, tmp_path, capsys
):
    """The clean numbers are those of `remedis evaluate`, digit by digit."""
    model, out = finished[0], tmp_path / "out"
    options = ["--labels=square", "--resamples=40", "--batch-size=8", f"--out={out}"]
    assert run(model, squares, *options, "--corruptions=noise,crop", "--strengths=0,5") == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "The AUROC of" in shown
    record = read_json(out / "robustness.json")
    assert [(of["corruption"], of["strength"]) for of in record["cells"]] == [
        ("clean", 0),
        ("noise", 0),
        ("noise", 5),
        ("crop", 0),
        ("crop", 5),
    ]
    evaluated = remedis.evaluate(
        model, squares, tmp_path / "evaluated", labels=["square"], batch_size=8, resamples=40
    ).results["test"]
    for cell in (record["cells"][0], record["cells"][1], record["cells"][3]):
        metrics = cell["metrics"]
        assert metrics["auroc"]["labels"] == {
            name: {"estimate": of, "change": metrics["auroc"]["labels"][name]["change"]}
            for name, of in evaluated["labels"].items()
        }
        for name in ("brier", "calibration_error", "calibration_slope"):
            assert metrics[name]["mean"]["estimate"] == evaluated["metrics"][name]["mean"]
        assert cell["cosine"]["value"] == 1.0
    assert all(
        record["cells"][i]["metrics"][name]["mean"]["change"]["difference"] in (0.0, None)
        for i in (1, 3)
        for name in record["cells"][0]["metrics"]
    )
    files = {path.name for path in out.iterdir() if path.is_file()}
    assert files == {"robustness.json", "robustness.html", "robustness.csv", "corruptions.png"}
    assert Image.open(out / "corruptions.png").size[0] > 600
    table = pd.read_csv(out / "robustness.csv")
    assert {"corruption", "strength", "parameter", "metric", "label", "change"} <= set(table)
    assert len(table) == 5 * (5 * 2 + 1)

    kept = {path: path.stat().st_mtime_ns for path in (out / "cells").glob("*.npz")}
    assert run(model, squares, *options, "--corruptions=noise,jpeg", "--strengths=5", "--json") == 0
    printed = json.loads(capsys.readouterr().out)
    assert [of["corruption"] for of in printed["cells"]] == ["clean", "noise", "jpeg"]
    assert printed["cells"][1] == record["cells"][2]
    assert {path: path.stat().st_mtime_ns for path in kept} == kept

    fewer = pd.read_csv(squares / "manifest.csv").iloc[:40]
    fewer["path"] = [str(squares / path) for path in fewer["path"]]
    (tmp_path / "fewer").mkdir()
    fewer.to_csv(tmp_path / "fewer" / "manifest.csv", index=False)
    assert run(model, tmp_path / "fewer", *options) == 1
    assert "holds cells of other images; name another directory" in capsys.readouterr().err
