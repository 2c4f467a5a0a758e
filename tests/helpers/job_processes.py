"""Jobs in processes of their own: killed and resumed, alone and by two workers."""

import json
import pathlib
import socket
import subprocess
import sys
from typing import Any

import ml_collections
import pytest

HELPERS = pathlib.Path(__file__).parent


def run_killed(
    run: pathlib.Path, config: ml_collections.ConfigDict, *moments: str, job: str = "finetune"
) -> tuple[list[dict[str, Any]], str]:
    """Runs a job, killed at each of the moments; returns one fact sheet per life, and the log."""
    run.parent.mkdir(exist_ok=True)
    file = run.parent / "config.json"
    file.write_text(json.dumps(config.to_dict()))
    command = [sys.executable, str(HELPERS / "killed.py"), job, str(file), str(run), *moments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()], done.stderr


def run_alone_and_together(
    job: str, config: ml_collections.ConfigDict, tmp_path: pathlib.Path, within: float = 1e-5
) -> tuple[pathlib.Path, pathlib.Path]:
    """Runs a job with one worker and with two; returns the directories, whose metrics are equal."""
    file = tmp_path / "config.json"
    file.write_text(json.dumps(config.to_dict()))
    alone, together = tmp_path / "alone", tmp_path / "together"
    command = [HELPERS / "workers.py", job, file, alone, together, free_ports()]
    done = subprocess.run(
        [sys.executable, *map(str, command)], capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "[0, 0, 0]", done.stderr[-3000:]
    assert len(metric_rows(alone)) == len(metric_rows(together))
    for one, two in zip(metric_rows(alone), metric_rows(together), strict=True):
        assert one.keys() == two.keys()
        for key, value in one.items():
            assert two[key] == pytest.approx(value, abs=within), (one, two)
    return alone, together


def metric_rows(run: pathlib.Path) -> list[dict[str, Any]]:
    """Returns the rows of `metrics.jsonl`."""
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def free_ports() -> int:
    """Returns a free port whose successor is free, too."""
    while True:
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port: int = first.getsockname()[1]
            try:
                second.bind(("127.0.0.1", port + 1))
            except (OSError, OverflowError):
                continue
            return port
