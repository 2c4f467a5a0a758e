"""Signals to a job: alone, to all workers, to one of two workers; and a worker that is killed."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import pandas as pd
import pytest
from job_processes import free_ports

JOB = pathlib.Path(__file__).parents[2] / "finetune" / "finetune.py"
STEPS = 60


@pytest.fixture
def start(squares, tiny_checkpoint, tmp_path):
    """Returns a function that starts the job, as one worker of some."""
    port = free_ports()
    addresses = [f"127.0.0.1:{port}", f"127.0.0.1:{port + 1}"]
    keys = {
        "checkpoint": tiny_checkpoint,
        "data_dir": squares,
        "labels": "('square',)",
        "image_size": 32,
        "batch_size": 8,
        "steps": STEPS,
        "learning_rate": 1.0,
        "evaluate_every": STEPS,
        "checkpoint_every": STEPS,
        "log_every": 1,
        "resamples": 50,
    }
    processes = []

    def started(run: pathlib.Path, worker: int | None = None, **changes: int) -> subprocess.Popen:
        own = keys | changes | ({} if worker is None else {"distribution": "multi_worker"})
        task = {"type": "worker", "index": worker}
        place = {"cluster": {"worker": addresses}, "task": task}
        with open(tmp_path / f"{run.name}-{worker}.log", "a") as log:
            process = subprocess.Popen(
                [sys.executable, str(JOB), "--config=own_data", f"--workdir={run}"]
                + [f"--config.{key}={value}" for key, value in own.items()],
                cwd=JOB.parents[1],
                env=os.environ | ({} if worker is None else {"TF_CONFIG": json.dumps(place)}),
                stdout=log,
                stderr=log,
            )
        processes.append(process)
        return process

    yield started
    for process in processes:
        process.kill()


def wait_for_steps(run: pathlib.Path, steps: int) -> None:
    metrics, until = run / "metrics.jsonl", time.monotonic() + 300
    while not metrics.is_file() or len(metrics.read_text().splitlines()) < steps:
        assert time.monotonic() < until
        time.sleep(0.05)


def saved_steps(run: pathlib.Path) -> list[int]:
    return [int(f.stem.partition("-")[2]) for f in run.glob("checkpoints/last/ckpt-*.index")]


@pytest.mark.guarantee
def test_a_job_keeps_the_step_in_work(start, tmp_path):
    alone, run = tmp_path / "alone", tmp_path / "run"
    process = start(run)
    wait_for_steps(run, 5)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=120) == 143
    (step,) = saved_steps(run)
    assert 5 <= step < STEPS
    line = f"Stopped by SIGTERM after step {step} of {STEPS}; the same command resumes."
    log = tmp_path / "run-None.log"
    assert log.read_text().splitlines()[-1] == line
    assert start(run).wait(timeout=300) == 0
    assert f"Resuming from step {step} of {STEPS}." in log.read_text()
    assert start(alone).wait(timeout=300) == 0
    for name in ("metrics.jsonl", "results.json", "leaks.json"):
        assert (run / name).read_text() == (alone / name).read_text(), name
    pd.testing.assert_frame_equal(
        pd.read_parquet(run / "predictions.parquet"),
        pd.read_parquet(alone / "predictions.parquet"),
        check_exact=True,
    )
    assert sorted(p.name for p in run.iterdir()) == sorted(p.name for p in alone.iterdir())


@pytest.mark.guarantee
def test_all_workers_stop_after_one_step(start, tmp_path):
    run = tmp_path / "run"
    workers = [start(run, 0), start(run, 1)]
    wait_for_steps(run, 5)
    for worker in workers:
        worker.terminate()
    codes = [worker.wait(timeout=120) for worker in workers]
    logs = [(tmp_path / f"run-{i}.log").read_text() for i in range(2)]
    assert codes == [143, 143], logs
    (step,) = saved_steps(run)
    line = f"Stopped by SIGTERM after step {step} of {STEPS}; the same command resumes."
    assert [log.splitlines()[-1] for log in logs] == [line, line]


@pytest.mark.guarantee
@pytest.mark.parametrize("stopped", [0, 1])
def test_one_worker_of_two_is_stopped_and_waited_for(start, tmp_path, stopped):
    run = tmp_path / "run"
    workers = [start(run, 0), start(run, 1)]
    wait_for_steps(run, 5)
    workers[stopped].terminate()
    assert workers[stopped].wait(timeout=120) == 143
    (step,) = saved_steps(run)
    workers[stopped] = start(run, stopped)
    codes = [worker.wait(timeout=400) for worker in workers]
    logs = [(tmp_path / f"run-{i}.log").read_text() for i in range(2)]
    assert codes == [0, 0], logs
    assert "Another worker was stopped by a signal" in logs[1 - stopped]
    assert f"Resuming from step {step} of {STEPS}." in logs[0]


@pytest.mark.guarantee
@pytest.mark.parametrize("lost", [1, 0])
def test_a_killed_worker_is_waited_for(start, tmp_path, lost):
    run = tmp_path / "run"
    workers = [start(run, worker, checkpoint_every=5) for worker in (0, 1)]
    until = time.monotonic() + 300
    while not saved_steps(run):
        assert time.monotonic() < until
        time.sleep(0.1)
    workers[lost].kill()
    workers[lost].wait()
    time.sleep(2)
    workers[lost] = start(run, lost, checkpoint_every=5)
    codes = [worker.wait(timeout=400) for worker in workers]
    logs = [(tmp_path / f"run-{i}.log").read_text() for i in range(2)]
    assert codes == [0, 0], logs
    assert "Resuming from step" in logs[0]
    assert json.loads((run / "results.json").read_text())["steps"] == STEPS
