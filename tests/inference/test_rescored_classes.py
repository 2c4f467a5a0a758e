"""A finished run of exclusive classes, evaluated again with other numbers for its accuracies."""

import re

import numpy as np
import pandas as pd
import pytest
from json_file import read_json
from scipy.special import softmax

from remedis import files
from remedis.cli import main
from remedis.evaluation.evaluate import evaluate_table
from remedis.inference.rescore import reevaluate

NAMES = tuple("abcde")


@pytest.fixture
def run(tmp_path):
    rng = np.random.default_rng(0)
    labels = np.eye(5)[rng.integers(5, size=60)]
    scores = softmax(rng.normal(size=labels.shape) + labels, axis=1)
    columns = {f"label/{name}": labels[:, i] for i, name in enumerate(NAMES)}
    columns |= {f"score/{name}": scores[:, i] for i, name in enumerate(NAMES)}
    table = pd.DataFrame(columns | {"split": "test", "patient_id": np.arange(60).astype(str)})
    table.to_parquet(tmp_path / "predictions.parquet")
    evaluated = evaluate_table(table, NAMES, "test", task="multi_class", top_k=(1, 2), resamples=40)
    results = {"task": "multi_class", "random_weights": True, "test": evaluated}
    files.write_json(tmp_path / "results.json", results)
    return tmp_path


def accuracies(results):
    return {name for name in results["test"]["metrics"] if "accuracy" in name}


def test_numbers_are_those_of_the_run_or_as_asked(run, tmp_path, capsys):
    kept = reevaluate(run, tmp_path / "kept", "test", resamples=40)
    assert accuracies(kept) == {"accuracy", "balanced_accuracy", "top_2_accuracy"}
    asked = ["evaluate", str(run), "--out", str(tmp_path / "asked"), "--resamples=40"]
    assert main([*asked, "--top-k=4,3"]) == 0
    results = read_json(tmp_path / "asked" / "results.json")
    named = {"top_3_accuracy", "top_4_accuracy"}
    assert accuracies(results) == {"accuracy", "balanced_accuracy"} | named
    assert "Top-4 accuracy (true class among the 4 most" in capsys.readouterr().out
    # A run of an earlier version has the accuracy alone.
    old = read_json(run / "results.json")
    for name in ("balanced_accuracy", "top_2_accuracy"):
        del old["test"]["metrics"][name]
    files.write_json(run / "results.json", old)
    again = reevaluate(run, tmp_path / "again", "test", resamples=40)
    assert accuracies(again) == {"accuracy", "balanced_accuracy", "top_3_accuracy"}


def test_two_runs_are_compared_by_their_accuracies(run, tmp_path, capsys):
    table = pd.read_parquet(run / "predictions.parquet")
    table.assign(path=table["patient_id"]).to_parquet(run / "predictions.parquet")
    assert main(["compare", str(run), str(run)]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "Accuracy of exclusive classes on the test split" in shown
    assert re.search(r"top-1 (0\.\d{3}) \1 \+0\.000 \[.*\] none 60", shown)
    assert re.search(r"top-2 (0\.\d{3}) \1 \+0\.000 ", shown)


@pytest.mark.parametrize("text", ["", "0", "1,x", "-1", "1.5"])
def test_other_numbers_are_refused(text, run, tmp_path, capsys):
    assert main(["evaluate", str(run), "--out", str(tmp_path / "out"), f"--top-k={text}"]) != 0
    assert f"--top-k={text}: expected whole numbers from 1 up" in capsys.readouterr().err
