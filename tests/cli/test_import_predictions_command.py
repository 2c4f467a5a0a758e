"""The command `import-predictions`, and what other commands make of its result."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from remedis import cli


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("world")
    rng = np.random.default_rng(0)
    target = np.arange(120) % 2
    names = [f"{i}.png" for i in range(120)]
    scores = expit(target + rng.normal(size=120))
    table = pd.DataFrame({"image": names, "ill_prob": scores, "ill": target})
    table.to_csv(folder / "theirs.csv", index=False)
    table.drop(columns="ill").to_csv(folder / "bare.csv", index=False)
    patients = [f"p{i // 2}" for i in range(120)]
    splits = np.where(np.arange(120) < 80, "test", "train")
    pd.DataFrame({"path": names, "patient_id": patients, "ill": target, "split": splits}).to_csv(
        folder / "manifest.csv", index=False
    )
    return folder


@pytest.mark.guarantee
def test_a_table_becomes_an_evaluation_that_other_commands_take(world, capsys, monkeypatch):
    monkeypatch.chdir(world)
    assert cli.main(["import-predictions", "theirs.csv", "--out=own", "--resamples=40"]) == 0
    assert "theirs (predictions of others)" in capsys.readouterr().out
    assert {path.name for path in (world / "own").iterdir()} >= {
        "predictions.parquet",
        "results.json",
        "report.html",
        "roc.png",
    }
    assert (
        "not ours" in json.loads((world / "own" / "results.json").read_text())["imported"].values()
    )
    page = (world / "own" / "report.html").read_text()
    assert "nothing is known of the weights" in page

    options = ["--labels-from=manifest.csv", "--labels=ill", "--split=test", "--json"]
    line = ["import-predictions", "bare.csv", "--out=split", "--resamples=40", *options]
    assert cli.main(line) == 0
    results = json.loads(capsys.readouterr().out)
    assert results["test"]["labels"]["ill"]["patients"] == 40
    assert results["imported"]["without_truth"] == 40

    assert cli.main(["evaluate", "own", "--out=again", "--resamples=50"]) == 0
    again = json.loads((world / "again" / "results.json").read_text())
    own = json.loads((world / "own" / "results.json").read_text())
    assert again["test"]["labels"] == own["test"]["labels"]
    assert again["imported"] == own["imported"]
    assert cli.main(["compare", "own", "split"]) == 0
    assert "Unpaired: the images differ (80 of 120 images and 80 images" in capsys.readouterr().out
    assert cli.main(["compare", "own", "split", "again", "--all-pairs"]) == 0
    assert "3 comparisons of this table" in capsys.readouterr().out
    assert cli.main(["info", "own"]) == 0
    assert "predictions of others" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["no.csv", "--out=x"], "no.csv does not exist"),
        (["theirs.csv", "--out=x", "--scale=odds"], "Unknown value of --scale 'odds'"),
        (["bare.csv", "--out=x"], "or name data with --labels-from"),
        (["theirs.csv", "--out=x", "--split=test"], "name them with --labels-from"),
        (["theirs.csv", "--out=."], "--out=. holds results already"),
    ],
)
def test_a_wrong_command_ends_with_one_sentence(world, options, said, capsys, monkeypatch):
    monkeypatch.chdir(world)
    (world / "results.json").touch()
    assert cli.main(["import-predictions", *options]) == 1
    (world / "results.json").unlink()
    assert said in capsys.readouterr().err
    assert not (world / "x").exists()


def test_compare_needs_two_runs(world, capsys, monkeypatch):
    monkeypatch.chdir(world)
    assert cli.main(["compare", "."]) == 1
    assert "Only . is named; expected two runs or more to compare." in capsys.readouterr().err
