"""A hospital's export becomes a trained, reported model with three commands, as docs/faq.md says.

The export has semicolons, a byte order mark, `Patient ID` with leading zeros, Ja, Nein and unklar,
paths of Windows, dates, and ages with a decimal comma.
"""

import json
import shlex
import subprocess
import sys

import hospital_export
import pandas as pd
import pytest

from remedis.cli import main
from remedis.options import label_text

LABELS = label_text(hospital_export.LABELS)


def run(root, command: str) -> str:
    """Runs a command line in a directory, as a user does; returns what it prints."""
    words = [sys.executable, "-m", "remedis.cli", *shlex.split(command)[1:]]
    done = subprocess.run(words, cwd=root, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_manifest_and_doctor(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    hospital_export.write_export(tmp_path, patients=30, image_size=32)
    assert main(["manifest", "export.csv", "--out=manifest.csv", "--accept-guesses"]) == 0
    capsys.readouterr()
    assert main(["doctor", "manifest.csv", f"--labels={LABELS}", "--json"]) == 0
    diagnosis = json.loads(capsys.readouterr().out)
    assert diagnosis["images"] == 30
    codes = {finding["code"] for finding in diagnosis["findings"]}
    assert not codes & {"unreadable", "missing"}


@pytest.mark.guarantee
def test_three_commands(tmp_path):
    hospital_export.write_export(tmp_path, patients=200, image_size=32)
    run(tmp_path, "remedis manifest export.csv --out manifest.csv --accept-guesses")
    run(tmp_path, f"remedis doctor manifest.csv --labels={shlex.quote(LABELS)}")
    printed = run(
        tmp_path,
        "remedis finetune --config=own_data --config.data_dir=manifest.csv "
        f"--config.labels={shlex.quote(LABELS)} --config.checkpoint=scratch:1-1-1-1x0.5 "
        "--config.image_size=32 --config.steps=6 --config.batch_size=8 --workdir=run",
    )
    assert "RANDOM WEIGHTS" in printed
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    judged = results["test"]
    assert list(judged["labels"]) == list(hospital_export.LABELS)
    auroc = judged["labels"]["Erguss"]
    assert 0 <= auroc["low"] < auroc["value"] < auroc["high"] <= 1
    assert set(judged["subgroups"]) == {"sex", "age"}
    assert judged["uncertain_labels"]["labels"]["Erguss"]["images"] > 0
    predictions = pd.read_parquet(tmp_path / "run" / "predictions.parquet")
    assert predictions["patient_id"].str.fullmatch(r"\d{6}").all()
    assert (tmp_path / "run" / "export" / "saved_model.pb").is_file()
    # The source reads the export itself with the same result.
    options = (
        "columns='Patient ID=patient_id; Datei=path; Geschlecht=sex; Alter=age'; "
        "values='Ja=1; Nein=0; unklar=-1; W=F'; path_prefix=D:/PACS"
    )
    run(
        tmp_path,
        "remedis finetune --config=own_data --config.data_dir=export.csv "
        f"--config.source_options={shlex.quote(options)} "
        f"--config.labels={shlex.quote(LABELS)} --config.checkpoint=scratch:1-1-1-1x0.5 "
        "--config.image_size=32 --config.steps=6 --config.batch_size=8 --workdir=direct",
    )
    direct = pd.read_parquet(tmp_path / "direct" / "predictions.parquet")
    assert sorted(direct["patient_id"]) == sorted(predictions["patient_id"])
    assert (tmp_path / "run" / "report.html").is_file()
