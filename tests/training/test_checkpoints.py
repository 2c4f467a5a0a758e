"""Damaged, moved and planted checkpoints: a training resumes exactly, or says which file it is."""

import json
import os
import pathlib
import shutil
import time

import numpy as np
import pytest
import tensorflow as tf
from loop_problem import Problem

from remedis.errors import UserError
from remedis.zoo import tensors

SCORES = {4: 0.3, 8: 0.9, 12: 0.5}  # of validation, by step


def train(run, scores=SCORES, **plan):
    """Trains, or resumes, in a directory; returns the problem and its state."""
    problem = Problem(run)
    step = []
    problem.observe = step.append
    evaluated = []

    def evaluate():
        evaluated.append(problem.weight.numpy())
        at = [s for s in scores if s > problem.asked[-1][0]][len(evaluated) - 1]
        return scores[at], {"validation/score": scores[at]}

    problem.evaluate = evaluate
    return problem, problem.train(ema=0.5, **plan)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Returns a finished run, with the states 9 and 12 and the best of step 8, and its weight."""
    run = tmp_path_factory.mktemp("finished") / "run"
    problem, state = train(run)
    assert int(state.best_step) == 8
    return run, problem.weight.numpy()


@pytest.fixture
def run(finished, tmp_path):
    shutil.copytree(finished[0], tmp_path / "run")
    return tmp_path / "run"


def cut(file):
    os.truncate(file, file.stat().st_size // 2)


def flip(file):
    content = bytearray(file.read_bytes())
    content[len(content) // 3] ^= 16
    file.write_bytes(content)


DAMAGE = {
    "gone": pathlib.Path.unlink,
    "empty": lambda f: os.truncate(f, 0),
    "cut": cut,
    "flip": flip,
}


def names(run):
    return {file.name for file in (run / "checkpoints").rglob("*.index")}


def damage_of(run):
    return json.loads((run / "environment.json").read_text())["damaged_checkpoints"]


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("suffix", [".index", ".data-00000-of-00001"])
def test_a_damaged_state_is_replaced_by_the_one_before(run, finished, caplog, suffix, damage):
    caplog.set_level("INFO", logger="remedis")
    DAMAGE[damage](run / "checkpoints" / "last" / f"ckpt-12{suffix}")
    problem, state = train(run)
    assert problem.asked == [(9, 12)]
    np.testing.assert_array_equal(problem.weight, finished[1])
    assert int(state.best_step) == 8
    (sentence,) = damage_of(run)
    assert sentence.startswith(f"{run}/checkpoints/last/ckpt-12 is damaged or unfinished (")
    assert sentence.endswith("); the training resumes from step 9.")
    assert sentence in caplog.messages
    assert "Resuming from step 9 of 12." in caplog.messages
    assert (run / "metrics.jsonl").read_text() == (finished[0] / "metrics.jsonl").read_text()


def test_a_block_of_a_damaged_size_is_damage(run, monkeypatch):
    def allocate(_):
        raise MemoryError("std::bad_alloc")

    monkeypatch.setattr(tensors.tf.train, "load_checkpoint", allocate)
    state = run / "checkpoints" / "last" / "ckpt-12"
    assert tensors.damage(state) == "it declares more than fits into memory"


def test_a_clock_that_is_set_back_changes_nothing(run, finished, monkeypatch):
    """States are known by their steps: none is taken for older or newer, and none stays behind."""
    shift = -1e9  # seconds
    for file in (run / "checkpoints").rglob("ckpt-9*"):
        os.utime(file, (file.stat().st_mtime - shift,) * 2)
    stopped = Problem(run, bad_from=11)
    stopped.evaluate = None
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() + shift)
    for state in (run / "checkpoints" / "last").glob("ckpt-12*"):
        state.unlink()
    with pytest.raises(UserError, match="the last good checkpoint is"):
        stopped.train(ema=0.5, checkpoint_every=1, evaluate_every=100)
    assert stopped.asked == [(9, 12)]
    assert names(run) == {"ckpt-10.index", "ckpt-11.index", "best-8.index"}
    problem, _ = train(run)
    np.testing.assert_array_equal(problem.weight, finished[1])


def test_a_damaged_state_does_not_take_the_place_of_a_sound_one(run, finished):
    # Killed again at step 10: 12, damaged and later, must not displace 9 or 10.
    flip(run / "checkpoints" / "last" / "ckpt-12.index")
    stopped = Problem(run, bad_from=10)
    stopped.evaluate = None
    with pytest.raises(UserError, match="the last good checkpoint is"):
        stopped.train(ema=0.5, checkpoint_every=1, evaluate_every=100)
    assert names(run) == {"ckpt-9.index", "ckpt-10.index", "best-8.index"}
    problem, _ = train(run)
    assert problem.asked == [(10, 12)]
    np.testing.assert_array_equal(problem.weight, finished[1])


@pytest.mark.parametrize("content", [None, "", "model_checkpoint", "\udcff", "elsewhere"])
def test_the_file_that_names_the_states_is_not_needed(run, finished, tmp_path, content):
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(run / "checkpoints" / "last", elsewhere)
    file = run / "checkpoints" / "last" / "checkpoint"
    file.unlink()
    if content == "elsewhere":
        lines = "".join(f'all_model_checkpoint_paths: "{elsewhere}/ckpt-{n}"\n' for n in (9, 12))
        content = f'model_checkpoint_path: "{elsewhere}/ckpt-12"\n{lines}'
    if content is not None:
        file.write_bytes(content.encode(errors="surrogateescape"))
    flip(run / "checkpoints" / "last" / "ckpt-12.index")
    problem, _ = train(run)  # writes the state of step 12 and removes older ones
    assert problem.asked == [(9, 12)]
    np.testing.assert_array_equal(problem.weight, finished[1])
    # TensorFlow's manager would have removed the files that it names.
    assert (elsewhere / "ckpt-9.index").is_file()
    assert tf.train.latest_checkpoint(run / "checkpoints" / "last") == str(
        run / "checkpoints" / "last" / "ckpt-12"
    )


def test_without_a_sound_state_the_files_are_named(run):
    for name in ("ckpt-9.index", "ckpt-12.data-00000-of-00001"):
        (run / "checkpoints" / "last" / name).unlink()
    with pytest.raises(UserError) as caught:
        train(run)
    last = run / "checkpoints" / "last"
    assert str(caught.value) == (
        f"{run}/checkpoints has no state to resume from: {last}/ckpt-12 is damaged or unfinished "
        f"(its data file is missing); {last}/ckpt-9 is damaged or unfinished (its index is "
        f"missing). Copy these files from a backup, or remove {run}/checkpoints: the training "
        "then starts over, with the same final result."
    )


@pytest.mark.parametrize("damage", DAMAGE)
def test_lost_best_weights_are_never_claimed(run, damage):
    DAMAGE[damage](run / "checkpoints" / "best" / "best-8.data-00000-of-00001")
    with pytest.raises(UserError) as caught:
        train(run)
    sentence = str(caught.value)
    assert sentence.count("best/best-8, the best weights so far, is damaged (") == 1
    assert f"remove {run}/checkpoints: the training then starts over" in sentence


def test_lost_best_weights_are_found_again_in_their_own_state(tmp_path):
    run = tmp_path / "run"
    wanted, _ = train(run, checkpoint_every=4)  # the states 8 and 12
    for damaged in ("best/best-8.index", "last/ckpt-12.index"):
        flip(run / "checkpoints" / damaged)
    problem, state = train(run, checkpoint_every=4)
    assert (problem.asked, int(state.best_step)) == ([(8, 12)], 8)
    np.testing.assert_array_equal(problem.weight, wanted.weight)  # the average, not the weight
    assert [sentence.partition(" is damaged")[2].rpartition("; ")[2] for sentence in damage_of(run)]
    assert damage_of(run)[0].endswith(f"; {run}/checkpoints/last/ckpt-8 holds the same weights.")


def test_lost_best_weights_of_a_later_step_are_trained_again(tmp_path):
    run, scores = tmp_path / "run", {4: 0.3, 8: 0.9, 12: 0.95}
    wanted, _ = train(run, scores)
    assert names(run) == {"ckpt-9.index", "ckpt-12.index", "best-8.index", "best-12.index"}
    flip(run / "checkpoints" / "best" / "best-12.index")
    flip(run / "checkpoints" / "last" / "ckpt-12.index")
    problem, state = train(run, scores)
    assert (problem.asked, int(state.best_step)) == ([(9, 12)], 12)
    np.testing.assert_array_equal(problem.weight, wanted.weight)


def test_weights_damaged_during_the_run_are_a_sentence(finished, run):
    _, state = train(run)
    flip(run / "checkpoints" / "best" / "best-8.data-00000-of-00001")
    with pytest.raises(
        UserError, match=r"best-8, the best weights so far, is damaged .* start the "
    ):
        state.restore_best()


def test_a_run_of_version_0_1_resumes(run, finished):
    # It kept one best for all states, and TensorFlow's manager wrote them.
    best = run / "checkpoints" / "best"
    for file in best.iterdir():
        file.rename(best / file.name.replace("best-8", "best"))
    flip(run / "checkpoints" / "last" / "ckpt-12.index")
    problem, state = train(run)
    assert (problem.asked, int(state.best_step)) == ([(9, 12)], 8)
    np.testing.assert_array_equal(problem.weight, finished[1])
    assert names(run) == {"ckpt-9.index", "ckpt-12.index", "best.index"}


def test_a_moved_run_resumes(run, finished, tmp_path):
    moved = tmp_path / "moved" / "here"
    shutil.move(run, moved)
    problem, _ = train(moved)
    assert problem.asked == [(12, 12)]
    np.testing.assert_array_equal(problem.weight, finished[1])


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_state_whose_weights_are_not_finite_is_left_out(run, value):
    problem, state = train(run)
    problem.weight.assign([value, 1.0])
    state.step.assign(15)
    state.save()
    problem, _ = train(run)
    assert problem.asked == [(12, 12)]
    assert "variables/weight has NaN or infinity in 1 of its 2 numbers" in damage_of(run)[0]


def test_a_state_of_another_training_is_left_out(run):
    last = run / "checkpoints" / "last"
    tf.train.Checkpoint(other=tf.Variable(1.0)).write(str(last / "ckpt-15"))
    for file in last.glob("ckpt-9.*"):
        shutil.copy(file, last / file.name.replace("ckpt-9", "ckpt-14"))
    problem, _ = train(run)
    assert problem.asked == [(12, 12)]
    assert "ckpt-15 is of another training (" in damage_of(run)[0]
    assert "ckpt-14 is the state of step 9; the training resumes from step 12." in damage_of(run)[1]


def test_a_pipe_in_the_place_of_a_state_does_not_wait(run, finished):
    index = run / "checkpoints" / "last" / "ckpt-12.index"
    index.unlink()
    os.mkfifo(index)
    problem, _ = train(run)
    assert "(a pipe (FIFO), expected a regular file)" in damage_of(run)[0]
    np.testing.assert_array_equal(problem.weight, finished[1])
