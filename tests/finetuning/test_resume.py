import json
import pathlib
import random
import subprocess
import sys

import pandas as pd
import pytest

from remedis.models import architectures

DRIVER = pathlib.Path(__file__).parents[1] / "helpers" / "killed.py"
# In the order in which a run comes by them; what must not be there yet under its final name.
MOMENTS = {
    "while_the_config_is_written": {"config.json", "scan.parquet", "leaks.json"},
    "during_the_scan": {"scan.parquet", "leaks.json", "metrics.jsonl"},
    "between_checkpoints": {"checkpoints/last/ckpt-10.index", "predictions.parquet"},
    "while_a_checkpoint_is_written": {"predictions.parquet"},
    "after_the_best_was_kept": {"checkpoints/last/ckpt-20.index", "predictions.parquet"},
    "before_the_predictions": {"predictions.parquet", "export"},
    "during_the_export": {"export", "results.json"},
    "before_the_results": {"results.json"},
}


@pytest.mark.slow
def test_a_run_killed_at_every_turn_ends_as_one_left_alone(configured, tmp_path):
    undisturbed, run = tmp_path / "alone" / "run", tmp_path / "killed" / "run"
    lives, log = lived(undisturbed, configured(), "end")
    assert lives[0]["ended"] == 0, log
    lives, log = lived(run, configured(), *MOMENTS, "end")
    assert [life["moment"] for life in lives] == [*MOMENTS, "end"]
    for life in lives[:-1]:
        assert life["ended"] == "SIGKILL", (life["moment"], log)
        assert not MOMENTS[life["moment"]].intersection(life["files"]), life["moment"]
    assert lives[-1]["ended"] == 0, log
    resumed_from = [line for line in log.splitlines() if line.startswith("Going on")]
    assert resumed_from == [f"Going on from step {step} of 20." for step in (5, 10, 15, 20, 20, 20)]

    assert_same_numbers(run, undisturbed)
    visible = {path.name for path in run.iterdir() if not path.name.startswith(".")}
    assert visible == {p.name for p in undisturbed.iterdir() if not p.name.startswith(".")}
    assert {p.name for p in (run / "export").iterdir()} == {
        p.name for p in (undisturbed / "export").iterdir()
    }


@pytest.mark.slow
def test_with_the_full_backbone_as_well(random_checkpoint, configured, tmp_path):
    # Its sums are long enough for their order to show, which the tiny backbone's are not.
    folder = random_checkpoint(architectures.Architecture.parse("50x1"))
    config = configured(checkpoint=str(folder), learning_rate=0.3)
    runs = {
        "alone": ["end"],
        "killed": ["between_checkpoints", "while_a_checkpoint_is_written", "end"],
    }
    for name, moments in runs.items():
        lives, log = lived(tmp_path / name, config, *moments)
        assert [life["ended"] for life in lives] == ["SIGKILL"] * (len(moments) - 1) + [0], log
    assert_same_numbers(tmp_path / "killed", tmp_path / "alone")


@pytest.mark.slow
def test_killed_at_twenty_random_moments(configured, tmp_path):
    # Every step is a checkpoint, so that short lives come forward as well.
    config = configured(checkpoint_every=1, ema=0.9, mixup=0.2)
    (alone,), log = lived(tmp_path / "alone", config, "end")
    assert alone["ended"] == 0, log
    seed = random.randrange(2**31)
    draw = random.Random(seed)
    killed = 0
    for attempt in range(20):
        moments = [str(draw.uniform(0, 0.8 * alone["seconds"])) for _ in range(min(5, 20 - killed))]
        run = tmp_path / f"killed-{attempt}"
        lives, log = lived(run, config, *moments, "end")
        ended = [life["ended"] for life in lives]
        # A run may be at its end before its moment comes.
        assert set(ended[:-1]) <= {"SIGKILL", 0}, (seed, ended, log)
        assert ended[-1] == 0, (seed, ended, log)
        assert_same_numbers(run, tmp_path / "alone")
        killed += ended.count("SIGKILL")
        if killed == 20:
            break
    assert killed == 20
    print(f"seed {seed}: 20 lives killed, in {attempt + 1} runs that all ended as one left alone")


def lived(run, config, *moments, job="finetune"):
    """Runs a job killed at each of the moments; returns what the driver says, and its log."""
    run.parent.mkdir(exist_ok=True)
    file = run.parent / "config.json"
    file.write_text(json.dumps(config.to_dict()))
    command = [sys.executable, str(DRIVER), job, str(file), str(run), *moments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()], done.stderr


def assert_same_numbers(run, other):
    pd.testing.assert_frame_equal(
        pd.read_parquet(run / "predictions.parquet"),
        pd.read_parquet(other / "predictions.parquet"),
        check_exact=True,
    )
    for name in ("metrics.jsonl", "results.json", "leaks.json", "config.json"):
        assert (run / name).read_text() == (other / name).read_text(), name
