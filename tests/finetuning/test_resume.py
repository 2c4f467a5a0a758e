import random

import pandas as pd
import pytest
from job_processes import run_killed

from remedis.models import architectures

# Moments in the order of a run, with the files that must not exist yet under their final names.
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


@pytest.mark.guarantee
def test_a_run_killed_at_every_stage_ends_as_an_undisturbed_one(configured, tmp_path):
    undisturbed, run = tmp_path / "alone" / "run", tmp_path / "killed" / "run"
    lives, log = run_killed(undisturbed, configured(), "end")
    assert lives[0]["ended"] == 0, log
    lives, log = run_killed(run, configured(), *MOMENTS, "end")
    assert [life["moment"] for life in lives] == [*MOMENTS, "end"]
    for life in lives[:-1]:
        assert life["ended"] == "SIGKILL", (life["moment"], log)
        assert not MOMENTS[life["moment"]].intersection(life["files"]), life["moment"]
    assert lives[-1]["ended"] == 0, log
    resumed_from = [line for line in log.splitlines() if line.startswith("Resuming")]
    assert resumed_from == [f"Resuming from step {step} of 20." for step in (5, 10, 15, 20, 20, 20)]

    assert_same_numbers(run, undisturbed)
    visible = {path.name for path in run.iterdir() if not path.name.startswith(".")}
    assert visible == {p.name for p in undisturbed.iterdir() if not p.name.startswith(".")}
    assert {p.name for p in (run / "export").iterdir()} == {
        p.name for p in (undisturbed / "export").iterdir()
    }


@pytest.mark.slow
def test_with_the_full_backbone_as_well(random_checkpoint, configured, tmp_path):
    # Its sums are long enough for their order to matter; those of the tiny backbone are not.
    folder = random_checkpoint(architectures.Architecture.parse("50x1"))
    config = configured(checkpoint=str(folder), learning_rate=0.3)
    runs = {
        "alone": ["end"],
        "killed": ["between_checkpoints", "while_a_checkpoint_is_written", "end"],
    }
    for name, moments in runs.items():
        lives, log = run_killed(tmp_path / name, config, *moments)
        assert [life["ended"] for life in lives] == ["SIGKILL"] * (len(moments) - 1) + [0], log
    assert_same_numbers(tmp_path / "killed", tmp_path / "alone")


@pytest.mark.slow
def test_killed_at_twenty_random_moments(configured, tmp_path):
    # Every step is a checkpoint, so that short lives make progress, too.
    config = configured(checkpoint_every=1, ema=0.9, mixup=0.2)
    (alone,), log = run_killed(tmp_path / "alone", config, "end")
    assert alone["ended"] == 0, log
    seed = random.randrange(2**31)
    draw = random.Random(seed)
    killed = 0
    for attempt in range(20):
        moments = [str(draw.uniform(0, 0.8 * alone["seconds"])) for _ in range(min(5, 20 - killed))]
        run = tmp_path / f"killed-{attempt}"
        lives, log = run_killed(run, config, *moments, "end")
        ended = [life["ended"] for life in lives]
        # A run may end before its moment.
        assert set(ended[:-1]) <= {"SIGKILL", 0}, (seed, ended, log)
        assert ended[-1] == 0, (seed, ended, log)
        assert_same_numbers(run, tmp_path / "alone")
        killed += ended.count("SIGKILL")
        if killed == 20:
            break
    assert killed == 20
    print(f"seed {seed}: 20 kills in {attempt + 1} runs, all of which ended as the undisturbed one")


def assert_same_numbers(run, other):
    pd.testing.assert_frame_equal(
        pd.read_parquet(run / "predictions.parquet"),
        pd.read_parquet(other / "predictions.parquet"),
        check_exact=True,
    )
    for name in ("metrics.jsonl", "results.json", "leaks.json", "config.json"):
        assert (run / name).read_text() == (other / name).read_text(), name
