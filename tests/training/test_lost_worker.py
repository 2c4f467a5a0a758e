"""A worker is killed and started again, and the run resumes from its last checkpoint."""

import json
import os
import pathlib
import subprocess
import sys
import time

import pytest
from job_processes import free_ports

JOB = pathlib.Path(__file__).parents[2] / "finetune" / "finetune.py"


@pytest.mark.guarantee
@pytest.mark.parametrize("lost", [1, 0])
def test_a_lost_worker_is_waited_for(squares, tiny_checkpoint, tmp_path, lost):
    port = free_ports()
    addresses = [f"127.0.0.1:{port}", f"127.0.0.1:{port + 1}"]
    run = tmp_path / "run"
    keys = {
        "checkpoint": tiny_checkpoint,
        "data_dir": squares,
        "labels": "('square',)",
        "image_size": 32,
        "batch_size": 8,
        "steps": 60,
        "learning_rate": 1.0,
        "evaluate_every": 60,
        "checkpoint_every": 5,
        "resamples": 50,
        "distribution": "multi_worker",
    }
    command = [sys.executable, str(JOB), "--config=configs/own_data.py", f"--workdir={run}"]
    command += [f"--config.{key}={value}" for key, value in keys.items()]

    def start(worker: int) -> subprocess.Popen:
        place = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": worker}}
        log = open(tmp_path / f"{worker}.log", "a")  # noqa: SIM115
        return subprocess.Popen(
            command,
            cwd=JOB.parents[1],
            env=os.environ | {"TF_CONFIG": json.dumps(place)},
            stdout=log,
            stderr=log,
        )

    workers = [start(0), start(1)]
    try:
        until = time.monotonic() + 300
        while not list(run.glob("checkpoints/last/ckpt-*.index")):
            assert time.monotonic() < until
            time.sleep(0.1)
        workers[lost].kill()
        workers[lost].wait()
        time.sleep(2)
        workers[lost] = start(lost)
        codes = [worker.wait(timeout=400) for worker in workers]
    finally:
        for worker in workers:
            worker.kill()
    logs = [(tmp_path / f"{worker}.log").read_text() for worker in range(2)]
    assert codes == [0, 0], logs
    assert "Resuming from step" in logs[0]
    assert json.loads((run / "results.json").read_text())["steps"] == 60
