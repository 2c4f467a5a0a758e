"""The public functions and the commands give the same numbers, bit for bit."""

import json

import numpy as np
import pandas as pd
import pytest

import remedis
from remedis import compat
from remedis.cli import finetune_job, main

pytestmark = pytest.mark.guarantee  # two trainings
SMALL = {
    "image_size": 32,
    "batch_size": 8,
    "steps": 6,
    "learning_rate": 1.0,
    "evaluate_every": 3,
    "checkpoint_every": 3,
    "resamples": 50,
}


@pytest.fixture(scope="module")
def twins(tmp_path_factory, squares, tiny_checkpoint):
    """A run by Python and a run by the command, of one config."""
    folder = tmp_path_factory.mktemp("twins")
    changes = {**SMALL, "checkpoint": tiny_checkpoint, "data_dir": squares}
    config = remedis.load_config("own_data", labels=["square", "sometimes"], **changes)
    run = remedis.finetune(config, folder / "python")
    assert not compat.op_determinism()  # TensorFlow of the process is as before
    flags = [f"--config.{key}={value}" for key, value in changes.items()]
    command = ["--config=own_data", f"--workdir={folder / 'command'}", *flags]
    assert finetune_job.main([*command, "--config.labels=square,sometimes"]) == 0
    return run, remedis.load_run(folder / "command")


def test_both_trainings_end_with_the_same_bits(twins):
    by_python, by_command = twins
    assert by_python.results == by_command.results
    pd.testing.assert_frame_equal(by_python.predictions, by_command.predictions)
    names = [{path.name for path in run.folder.iterdir()} for run in twins]
    assert names[0] == names[1]
    assert "report.html" in names[0]


def test_the_record_of_a_run_names_the_call(twins):
    by_python, by_command = twins
    environment = json.loads((by_python.folder / "environment.json").read_text())
    assert environment["command"] == f"remedis.finetune(ConfigDict, '{by_python.folder}')"
    assert by_python.export is not None
    assert remedis.describe(by_python.export)["made by"] == "remedis.finetune(ConfigDict, 'python')"
    assert "remedis.finetune(" not in remedis.describe(by_command.folder)["command"]


def test_both_evaluations_on_other_data_are_the_same(twins, squares, tmp_path):
    run, _ = twins
    data = remedis.load_manifest(squares, ["square"])
    by_python = remedis.evaluate(run.export, data, tmp_path / "python", resamples=50, seed=3)
    arguments = ["evaluate", str(run.export), str(squares), f"--out={tmp_path / 'command'}"]
    assert main([*arguments, "--labels=square", "--resamples=50", "--seed=3"]) == 0
    by_command = remedis.load_run(tmp_path / "command")
    assert by_python.results == by_command.results
    pd.testing.assert_frame_equal(by_python.predictions, by_command.predictions)


def test_both_calibrations_are_the_same(twins, squares, tmp_path):
    run, _ = twins
    done = remedis.calibrate(run.folder, squares, tmp_path / "python", judge_share=0.5)
    arguments = ["calibrate", str(run.folder), str(squares), f"--out={tmp_path / 'command'}"]
    assert main([*arguments, "--judge-share=0.5", f"--table={tmp_path / 'c.json'}"]) == 0
    values = json.loads((tmp_path / "c.json").read_text())
    assert (done.folder, done.after) == (tmp_path / "python", values["after"])
    assert [line.partition(": ")[2] for line in done.lines[1:]] == [
        line.partition(": ")[2] for line in values["lines"][1:]
    ]


def test_both_tables_of_embeddings_are_the_same(twins, squares, tmp_path):
    store = tmp_path / "store"
    spec = "scratch:1-1-1-1x0.5"
    embedded = remedis.embed(
        spec, squares, preprocess="resize(32)", store=store, out=tmp_path / "python.npz"
    )
    arguments = ["embed", spec, str(squares), "--preprocess=resize(32)", f"--store={store}2"]
    assert main([*arguments, f"--out={tmp_path / 'command.npz'}"]) == 0
    with np.load(tmp_path / "python.npz") as ours, np.load(tmp_path / "command.npz") as theirs:
        assert set(ours) == set(theirs)
        for name in ours:
            np.testing.assert_array_equal(ours[name], theirs[name])
        np.testing.assert_array_equal(ours["embedding"], embedded.rows)
    assert embedded.provenance.random
    assert repr(embedded).startswith("<Embedded: 60 images, 1,024 numbers each; weights: RANDOM")
