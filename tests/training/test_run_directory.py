import json

import pytest

from remedis.errors import UserError
from remedis.training.run_directory import RunDirectory

CONFIG = {"seed": 0, "labels": ("a", "b"), "splits": {"train": 0.5}}


def begun(path):
    """A run that has written its first checkpoint."""
    run = RunDirectory(path, CONFIG)
    (run / "checkpoints" / "last").mkdir(parents=True)
    (run / "checkpoints" / "last" / "ckpt-5.index").touch()
    return run


def test_keeps_the_config_and_takes_the_same_again(tmp_path):
    begun(tmp_path / "a" / "run")
    run = RunDirectory(tmp_path / "a" / "run", CONFIG)
    assert json.loads((run / "config.json").read_text()) == {**CONFIG, "labels": ["a", "b"]}


@pytest.mark.parametrize("key", ["cache_gb", "gradient_checkpointing", "distribution"])
def test_takes_another_way_to_the_same_numbers_and_writes_it_down(tmp_path, key):
    begun(tmp_path)
    RunDirectory(tmp_path, {**CONFIG, key: "other"})
    assert json.loads((tmp_path / "config.json").read_text())[key] == "other"


def test_begins_with_any_inputs_and_goes_on_with_the_same_alone(tmp_path):
    inputs = {"data": "a", "weights": "b"}
    RunDirectory(tmp_path, CONFIG).pin({"data": "of a mistake"})
    RunDirectory(tmp_path, CONFIG).pin(inputs)
    run = begun(tmp_path)
    run.pin(inputs)
    with pytest.raises(UserError) as caught:
        run.pin({**inputs, "weights": "c"})
    assert str(caught.value) == (
        f"--workdir={tmp_path} holds a run that began with other weights: to resume would mix the "
        "two, and training images might be tested on; bring the old ones back, or name another "
        "directory."
    )


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"seed": 1}, "seed differ (seed was 0, is 1)"),
        ({"labels": ("a",)}, "labels differ (labels was ['a', 'b'], is ['a'])"),
        ({"other": 1, "seed": 2}, "other, seed differ (other was None, is 1)"),
    ],
)
def test_another_config_is_refused_once_there_is_a_checkpoint(tmp_path, change, named):
    begun(tmp_path)
    with pytest.raises(UserError) as caught:
        RunDirectory(tmp_path, CONFIG | change)
    assert str(caught.value).startswith(f"--workdir={tmp_path} holds a run with another config: ")
    assert named in str(caught.value)


def test_a_mistake_in_the_config_can_be_mended_before_the_first_checkpoint(tmp_path):
    run = RunDirectory(tmp_path, CONFIG)
    (run / "bad_images.csv").touch()
    RunDirectory(tmp_path, CONFIG | {"seed": 3})
    assert json.loads((run / "config.json").read_text())["seed"] == 3
    assert not (run / "bad_images.csv").exists()


def test_a_directory_of_other_things_is_refused(tmp_path):
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(UserError, match=r"holds files but no config\.json, so it is not a run"):
        RunDirectory(tmp_path, CONFIG)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_what_a_kill_left_of_the_config_is_no_hindrance(tmp_path):
    (tmp_path / ".config.123.partial.json").touch()
    RunDirectory(tmp_path, CONFIG)
    assert (tmp_path / "config.json").is_file()


def test_a_directory_that_cannot_be_written_to(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"cannot be written to: .*Not a directory"):
        RunDirectory(tmp_path / "file" / "run", CONFIG)


def test_a_row_cut_off_by_a_kill_is_left_out(tmp_path):
    run = RunDirectory(tmp_path, CONFIG)
    assert run.read_metrics() == []
    rows = [{"step": 1, "train/loss": 0.1}, {"step": 2, "train/loss": 1 / 3}]
    for row in rows:
        run.append_metrics(row)
    with open(run / "metrics.jsonl", "a") as file:
        file.write('{"step": 3, "tra')
    assert run.read_metrics() == rows
    run.rewrite_metrics(rows[:1])
    assert run.read_metrics() == rows[:1]


def test_the_environment_says_what_ran_where(tmp_path):
    run = RunDirectory(tmp_path, CONFIG)
    run.write_environment({"origin": "random"})
    environment = json.loads((run / "environment.json").read_text())
    assert environment["checkpoint"] == {"origin": "random"}
    assert environment["versions"]["numpy"]
    assert {"command", "directory", "python", "platform", "git_commit"} <= set(environment)


def test_a_run_of_an_earlier_version_lacks_keys_that_were_added_since(tmp_path):
    begun(tmp_path)
    now = {**CONFIG, "part": {"eval_uncertain": "ignore"}}
    run = RunDirectory(tmp_path, {**now, "cache_gb": 2})
    assert "eval_uncertain" in run.later_keys()
    # The file still says so after another change was written down.
    written = json.loads((tmp_path / "config.json").read_text())
    assert written["cache_gb"] == 2
    assert "eval_uncertain" not in written["part"]
    new = RunDirectory(tmp_path / "new", now)
    assert "eval_uncertain" not in new.later_keys()
    for change in ({"seed": 1}, {"select": "learning_rate=1,2"}):
        with pytest.raises(UserError, match=f"{next(iter(change))} differ"):
            RunDirectory(tmp_path, {**CONFIG, "cache_gb": 2, **change})
    RunDirectory(tmp_path, {**now, "select": ""})
