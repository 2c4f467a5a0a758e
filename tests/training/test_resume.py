import json
import pathlib
import subprocess
import sys

import pandas as pd
import pytest

DRIVER = pathlib.Path(__file__).parent / "killed.py"
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


QUICK = (
    "while_the_config_is_written",
    "during_the_scan",
    "between_checkpoints",
    "while_a_checkpoint_is_written",
    "during_the_export",
)


@pytest.mark.parametrize(
    ("moments", "steps"),
    [
        pytest.param(QUICK, (5, 10, 20), id="quick"),
        pytest.param(tuple(MOMENTS), (5, 10, 15, 20, 20, 20), id="all", marks=pytest.mark.slow),
    ],
)
def test_a_run_killed_at_every_turn_ends_as_one_left_alone(
    finished, configured, tmp_path, moments, steps
):
    undisturbed, _ = finished
    config = tmp_path / "config.json"
    config.write_text(json.dumps(configured().to_dict()))
    run = tmp_path / "run"
    command = [sys.executable, str(DRIVER), str(config), str(run), *moments, "end"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lives = [json.loads(line) for line in done.stdout.splitlines()]
    assert [life["moment"] for life in lives] == [*moments, "end"]
    for life in lives[:-1]:
        assert life["ended"] == "SIGKILL", (life["moment"], done.stderr[-3000:])
        assert not MOMENTS[life["moment"]].intersection(life["files"]), life["moment"]
    assert lives[-1]["ended"] == 0, done.stderr[-3000:]
    resumed_from = [line for line in done.stderr.splitlines() if line.startswith("Going on")]
    assert resumed_from == [f"Going on from step {step} of 20." for step in steps]

    pd.testing.assert_frame_equal(
        pd.read_parquet(run / "predictions.parquet"),
        pd.read_parquet(undisturbed / "predictions.parquet"),
        check_exact=True,
    )
    for name in ("metrics.jsonl", "results.json", "leaks.json", "config.json"):
        assert (run / name).read_text() == (undisturbed / name).read_text(), name
    visible = {path.name for path in run.iterdir() if not path.name.startswith(".")}
    assert visible == {p.name for p in undisturbed.iterdir() if p.suffix != ".png"}
    assert {p.name for p in (run / "export").iterdir()} == {
        p.name for p in (undisturbed / "export").iterdir()
    }
