"""Files of runs that an earlier version or a kill left half-written: one sentence per file."""

import json
import os
import pathlib
import re

import pytest

from remedis import json_records
from remedis.data.checks import leaks
from remedis.errors import UserError
from remedis.evaluation import predictions_file, results_record
from remedis.finetuning.tuning_grid import CandidateDirectory
from remedis.label_budget import summary_record
from remedis.reporting import run_info
from remedis.training import run_directory
from remedis.training.run_directory import RunDirectory

CONFIG = {"labels": ["Edema"], "steps": 10}
AGAIN = "remove the directory and run the same command again, or name another directory"
REWRITTEN = "remove it and run the same command again, which writes it"


def begun(folder):
    (folder / "results.json").write_text("{}")
    (folder / "config.json").write_text(json.dumps(CONFIG))
    return folder


def pin(folder):
    RunDirectory(begun(folder), CONFIG).pin({"data": "a"})


def no_regular_file(path, place):
    """Puts a pipe or a link to a device there; returns how it is named."""
    if place == "pipe":
        os.mkfifo(path)
        return "a pipe (FIFO), expected a regular file"
    path.symlink_to("/dev/zero")
    return "a device, expected a regular file"


READERS = {
    "config.json": (lambda folder: RunDirectory(folder, CONFIG), AGAIN),
    "inputs.json": (pin, AGAIN),
    "candidate.json": (lambda folder: CandidateDirectory(begun(folder), CONFIG).score(), AGAIN),
    "environment.json": (
        run_directory.read_environment,
        "remove it and run the same command again",
    ),
    "leaks.json": (
        lambda folder: leaks.read_receipt(folder / "leaks.json"),
        "remove it and run the same command again",
    ),
    "results.json": (results_record.read, REWRITTEN),
    "summary.json": (
        summary_record.read,
        "remove it and run finetune/ood_curves.py with this --workdir again, which writes it from "
        "the finished cells",
    ),
}
CONTENTS = {
    "": "it is empty",
    '{"labels": ["Ede': "it is not JSON, unterminated string starting at in line 1, column 13",
    "\0" * 9: "it is not JSON, expecting value in line 1, column 1",
    "[1, 2]": "it is a list, expected an object",
}


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("content", CONTENTS, ids=["empty", "half", "zeros", "list"])
def test_a_half_written_record_is_a_sentence(tmp_path, name, content):
    read, advice = READERS[name]
    begun(tmp_path)
    (tmp_path / name).write_text(content)
    with pytest.raises(UserError) as caught:
        read(tmp_path)
    fault = CONTENTS[content]
    assert str(caught.value) == f"{tmp_path / name} is damaged ({fault}); {advice}."


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("place", ["pipe", "device"])
def test_a_record_that_is_no_regular_file_is_not_absent(tmp_path, name, place):
    read, advice = READERS[name]
    begun(tmp_path)
    (tmp_path / name).unlink(missing_ok=True)
    fault = no_regular_file(tmp_path / name, place)
    with pytest.raises(UserError) as caught:
        read(tmp_path)
    assert str(caught.value) == f"{tmp_path / name} is damaged ({fault}); {advice}."
    if name in ("config.json", "results.json"):
        with pytest.raises(UserError, match=re.escape(fault)):
            run_info.run_info(tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "fault"),
    [
        ("config.json", {"labels": "Edema"}, "labels is 'Edema', expected a list"),
        ("config.json", {"steps": 10**13}, "steps is 10000000000000, expected 1,000,000,000,000"),
        ("inputs.json", {"data": 3}, "data is 3, expected a text"),
        ("candidate.json", {"data": "ab"}, "it has no key 'score'"),
        ("candidate.json", {"score": "high"}, "score is 'high', expected a number"),
        ("environment.json", {"versions": ["1"]}, "versions is a list, expected an object"),
        ("leaks.json", {"ok": 1, "overlaps": [], "unchecked": []}, "ok is 1, expected true or"),
        ("results.json", {"random_weights": True}, "it is an object, expected the evaluation of"),
        ("results.json", {"score": 0.5}, "it has no key 'random_weights'"),
        ("summary.json", {"title": []}, "title is a list, expected a text"),
    ],
)
def test_a_record_of_another_kind_is_a_sentence(tmp_path, name, content, fault):
    begun(tmp_path)
    (tmp_path / name).write_text(json.dumps(content))
    with pytest.raises(UserError) as caught:
        READERS[name][0](tmp_path)
    assert str(caught.value).startswith(f"{tmp_path / name} is damaged ({fault}")


def test_a_log_loses_only_the_lines_that_cannot_be_read(tmp_path, caplog):
    lines = ['{"step": 1, "train/loss": 2}', '{"step": 2, "tr', '{"step": -1}', '{"step": 3}']
    (tmp_path / "metrics.jsonl").write_text("\n".join([*lines, '{"step": 4, "lo']))
    assert [row["step"] for row in run_directory.read_metrics(tmp_path)] == [1, 3]
    (said,) = caplog.messages
    assert said.startswith("2 lines left out: ")


@pytest.mark.parametrize("content", [b"", b"PAR1", b"text", bytes(5000), b"PAR1" + bytes(99)])
def test_damaged_predictions_are_a_sentence(tmp_path, content):
    (tmp_path / "predictions.parquet").write_bytes(content)
    with pytest.raises(UserError, match=r"predictions\.parquet is damaged \(it is not a complete "):
        predictions_file.read(tmp_path)


def test_predictions_have_the_columns_of_predictions(tmp_path):
    import pandas as pd

    file = tmp_path / "predictions.parquet"
    good = pd.DataFrame({"patient_id": ["1", None], "split": "test", "score/a": [0.5, 1]})
    good.to_parquet(file)
    assert len(predictions_file.read(tmp_path)) == 2
    for changed, fault in (
        (good.drop(columns="split"), "it has no column 'split'"),
        (good.assign(patient_id=[1, 2]), "the column 'patient_id' is of type int64, expected text"),
        (good.assign(**{"score/a": "high"}), "the column 'score/a' is of type str, expected numb"),
    ):
        changed.to_parquet(file)
        with pytest.raises(UserError) as caught:
            predictions_file.read(tmp_path)
        assert f"is damaged ({fault}" in str(caught.value).replace("of type object", "of type str")


def test_json_is_read_through_one_door():
    library = pathlib.Path(json_records.__file__).parent
    # A lock is read while it is written by another process, and never trusted.
    allowed = {library / "json_records.py", library / "locks.py"}
    doors = (
        "from json import",
        "json.load(",
        "json.loads(",
        "read_json(",
        "pd.read_parquet(",
        "JSONDecoder(",
        "pickle.load",
    )
    for file in library.rglob("*.py"):
        found = [door for door in doors if door in file.read_text(encoding="utf-8")]
        assert not found or file in allowed, f"{file} has {found}"
