"""The loop on a problem of two numbers, whose solution is known in closed form."""

import os
import signal
import time

import numpy as np
import pytest
import tensorflow as tf
from loop_problem import Problem, Pull, numpy_twin

from remedis import interruption
from remedis.errors import UserError
from remedis.training import loop
from remedis.training.checkpoints import TrainingState


def test_is_sgd_with_momentum_and_logs_what_each_step_had(tmp_path):
    problem = Problem(tmp_path / "run")
    problem.train(evaluate_every=12)
    weight, losses, rates = numpy_twin(12)
    np.testing.assert_allclose(problem.weight, weight, rtol=1e-5)
    rows = [row for row in problem.rows() if "train/loss" in row]
    assert [row["step"] for row in rows] == [1, 2, 4, 6, 8, 10, 12]
    for row in rows:
        assert row["train/loss"] == pytest.approx(losses[row["step"] - 1], rel=1e-5)
        assert row["train/learning_rate"] == pytest.approx(rates[row["step"] - 1])


@pytest.mark.parametrize("parts", [2, 4])
def test_a_batch_in_parts_is_the_same_batch(tmp_path, parts):
    problem = Problem(tmp_path / "run")
    problem.train(accumulate=parts, evaluate_every=12)
    weight, losses, _ = numpy_twin(12)
    np.testing.assert_allclose(problem.weight, weight, rtol=1e-5)
    last = [row["train/loss"] for row in problem.rows() if "train/loss" in row][-1]
    assert last == pytest.approx(losses[-1], rel=1e-5)


@pytest.mark.parametrize("parts", [1, 2])
def test_clips_the_gradient_of_the_whole_batch(tmp_path, parts):
    problem = Problem(tmp_path / "run")
    problem.train(accumulate=parts, clip_norm=1.5, evaluate_every=12)
    clipped, whole = numpy_twin(12, clip_norm=1.5)[0], numpy_twin(12)[0]
    np.testing.assert_allclose(problem.weight, clipped, rtol=1e-5)
    assert np.abs(clipped - whole).max() > 0.1


def test_evaluates_and_keeps_the_average_but_trains_without_it(tmp_path):
    problem = Problem(tmp_path / "run")
    seen = []
    problem.evaluate = lambda: (seen.append(problem.weight.numpy()), (float(len(seen)), {}))[1]
    problem.train(ema=0.5)
    for step, weight in zip((4, 8, 12), seen, strict=True):
        np.testing.assert_allclose(weight, numpy_twin(step, ema=0.5)[0], rtol=1e-5)
    np.testing.assert_allclose(problem.weight, seen[-1])
    losses = [row["train/loss"] for row in problem.rows() if "train/loss" in row]
    expected = numpy_twin(12)[1]
    np.testing.assert_allclose(losses, [expected[0], *expected[1::2]], rtol=1e-5)


def test_an_average_without_end_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"config\.ema is 1\.0; expected 0 for none"):
        Problem(tmp_path / "run").train(ema=1.0)


@pytest.mark.parametrize("ema", [0.0, 0.5])
def test_stops_when_nothing_gets_better_and_says_so(tmp_path, caplog, ema):
    problem = Problem(tmp_path / "run", scores=[0.5, 0.7, 0.6, 0.7, 0.9])
    state = problem.train(evaluate_every=2, patience=2, ema=ema)
    assert (int(state.step), int(state.best_step)) == (8, 4)
    np.testing.assert_allclose(problem.weight, numpy_twin(4, ema=ema)[0], rtol=1e-5)
    assert (
        "Stopped after step 8 of 12: no better validation score than that of step 4 in 2 "
        "evaluations."
    ) in caplog.messages
    again = Problem(tmp_path / "run")
    assert int(again.train(evaluate_every=2, patience=2, ema=ema).best_step) == 4
    assert again.asked == [(8, 8)]


def test_ends_with_the_best_and_keeps_the_first_of_equals(tmp_path):
    problem = Problem(tmp_path / "run", scores=[0.1, 0.7, 0.7])
    state = problem.train()
    assert (int(state.best_step), float(state.best_score)) == (8, 0.7)
    np.testing.assert_allclose(problem.weight, numpy_twin(8)[0], rtol=1e-5)


@pytest.mark.parametrize(("stopped", "ema"), [(3, 0.0), (5, 0.5), (9, 0.5)])
def test_goes_on_where_it_stopped_with_the_same_end(tmp_path, stopped, ema):
    whole, part = Problem(tmp_path / "whole"), Problem(tmp_path / "part", bad_from=stopped)
    whole.train(ema=ema)
    with pytest.raises(UserError, match="diverged"):
        part.train(ema=ema)
    again = Problem(tmp_path / "part")
    again.train(ema=ema)
    last = max(step for step in (0, 3, 4, 6, 8, 9, 12) if step <= stopped)
    assert again.asked == [(last, 12)]
    assert again.rows() == whole.rows()
    np.testing.assert_array_equal(again.weight, whole.weight)


def interrupted_at(problem, step, within="batch"):
    """Has SIGTERM come while a step is in work, or while it is evaluated."""
    evaluate, batches = problem.evaluate, problem.batches

    def ask():
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0.01)  # the handler runs between two operations

    def batches_with_a_signal(first, last):
        for number, batch in enumerate(batches(first, last), start=first + 1):
            if number == step and within == "batch":
                ask()
            yield batch

    def evaluate_with_a_signal():
        if len(problem.rows()) and problem.rows()[-1]["step"] == step and within == "evaluation":
            ask()
        return evaluate()

    problem.batches, problem.evaluate = batches_with_a_signal, evaluate_with_a_signal


@pytest.mark.parametrize(
    ("step", "within"),
    [(1, "batch"), (5, "batch"), (8, "batch"), (8, "evaluation"), (12, "evaluation")],
)
@pytest.mark.parametrize("ema", [0.0, 0.5])
def test_a_signal_keeps_the_step_in_work_and_changes_no_number(tmp_path, step, within, ema):
    whole, part = Problem(tmp_path / "whole"), Problem(tmp_path / "part")
    whole.train(ema=ema)
    interrupted_at(part, step, within)
    with pytest.raises(interruption.Interrupted) as ended, interruption.handled():
        part.train(ema=ema)
    assert str(ended.value) == f"Stopped by SIGTERM after step {step} of 12"
    again = Problem(tmp_path / "part")
    state = again.train(ema=ema)
    assert again.asked == [(step, 12)]
    assert again.rows() == whole.rows()
    assert int(state.best_step) == 12
    np.testing.assert_array_equal(again.weight, whole.weight)


def test_an_evaluation_that_was_given_up_is_logged_once(tmp_path):
    whole, part = Problem(tmp_path / "whole"), Problem(tmp_path / "part")
    whole.train()
    interrupted_at(part, 8, "evaluation")
    with pytest.raises(interruption.Interrupted), interruption.handled():
        part.train()
    killed = Problem(tmp_path / "part", bad_from=8)  # after the evaluation, without a checkpoint
    with pytest.raises(UserError, match="diverged"):
        killed.train()
    again = Problem(tmp_path / "part")
    again.train()
    assert again.asked == [(8, 12)]
    assert again.rows() == whole.rows()


def test_patience_counts_the_evaluation_that_a_signal_gave_up(tmp_path):
    scores = [0.5, 0.7, 0.6, 0.6]
    part = Problem(tmp_path / "run", scores=scores[:3])
    interrupted_at(part, 8, "evaluation")
    with pytest.raises(interruption.Interrupted), interruption.handled():
        part.train(evaluate_every=2, patience=2)
    again = Problem(tmp_path / "run", scores=scores[3:])
    assert int(again.train(evaluate_every=2, patience=2).best_step) == 4
    assert again.asked == [(8, 8)]


def test_a_checkpoint_of_version_0_1_resumes(tmp_path, monkeypatch):
    prepare = TrainingState.__init__

    def without_the_mark(state, *arguments, **keywords):
        prepare(state, *arguments, **keywords)
        state._state = state._state_of_0_1

    with monkeypatch.context() as patched:
        patched.setattr(TrainingState, "__init__", without_the_mark)
        Problem(tmp_path / "run").train(steps=6, evaluate_every=6)
    latest = TrainingState.latest(tmp_path / "run" / "checkpoints")
    assert not [name for name, _ in tf.train.list_variables(latest) if "awaits" in name]
    again = Problem(tmp_path / "run")
    again.train()
    assert again.asked == [(6, 12)]
    np.testing.assert_allclose(again.weight, numpy_twin(12)[0], rtol=1e-5)


def test_a_finished_training_only_brings_back_the_best(tmp_path):
    first = Problem(tmp_path / "run", scores=[0.3, 0.9, 0.5])
    first.train()
    again = Problem(tmp_path / "run")
    state = again.train()
    assert again.asked == [(12, 12)]
    assert int(state.best_step) == 8
    np.testing.assert_array_equal(again.weight, first.weight)
    assert again.rows() == first.rows()


@pytest.mark.parametrize("log_every", [1, 100])
def test_divergence_is_noticed_before_a_checkpoint_is_spoilt(tmp_path, log_every):
    problem = Problem(tmp_path / "run", bad_from=4)
    with pytest.raises(UserError) as caught:
        problem.train(log_every=log_every, evaluate_every=100, checkpoint_every=3)
    kept = problem.run / "checkpoints" / "last" / "ckpt-3"
    step = 5 if log_every == 1 else 6
    assert str(caught.value) == (
        f"The training diverged: after step {step} the loss is nan or the weights are not finite. "
        f"Lower config.learning_rate; the last good checkpoint is {kept}."
    )
    reader = tf.train.load_checkpoint(str(kept))
    values = [
        reader.get_tensor(name) for name in reader.get_variable_to_shape_map() if "weight" in name
    ]
    assert len(values) == 2  # the weight and its momentum
    assert np.isfinite(values).all()


def test_divergence_before_any_checkpoint_promises_none(tmp_path):
    problem = Problem(tmp_path / "run", bad_from=0)
    with pytest.raises(UserError, match="no checkpoint was written yet"):
        problem.train()


@pytest.mark.parametrize("key", ["steps", "evaluate_every", "checkpoint_every", "log_every"])
def test_a_plan_of_nothing(key):
    plan = {"steps": 1, "evaluate_every": 1, "checkpoint_every": 1, "log_every": 1} | {key: 0}
    with pytest.raises(UserError, match=f"config.{key} is 0; expected at least 1."):
        loop.Plan(**plan)


def test_a_disk_without_room_for_the_log_is_a_sentence(tmp_path, monkeypatch):
    problem = Problem(tmp_path / "run")

    def refused(*_, **__):
        raise tf.errors.ResourceExhaustedError(None, None, "events; No space left on device")

    monkeypatch.setattr(tf.summary, "scalar", refused)
    with pytest.raises(UserError, match=r"run cannot be written \(No space left on device\): make"):
        problem.train()


def test_patience_below_none():
    with pytest.raises(UserError, match=r"config\.patience is -1; expected at least 0\."):
        loop.Plan(steps=1, evaluate_every=1, checkpoint_every=1, log_every=1, patience=-1)


def test_a_checkpoint_that_cannot_be_written_leaves_the_one_before(tmp_path, monkeypatch):
    problem = Problem(tmp_path / "run")

    def refused(*_, **__):
        raise tf.errors.ResourceExhaustedError(None, None, "ckpt; No space left on device")

    write = tf.train.Checkpoint.write

    def written(checkpoint, prefix):
        return refused() if prefix.endswith("ckpt-6") else write(checkpoint, prefix)

    monkeypatch.setattr(tf.train.Checkpoint, "write", written)
    with pytest.raises(UserError) as caught:
        problem.train()
    kept = problem.run / "checkpoints" / "last" / "ckpt-4"
    assert str(caught.value) == (
        f"The checkpoint of step 6 in {problem.run / 'checkpoints'} cannot be written (No space "
        f"left on device); the last good one is {kept}: make room or correct the rights, and start "
        "again."
    )
    monkeypatch.undo()
    again = Problem(tmp_path / "run")
    again.train()
    assert again.asked == [(4, 12)]


@pytest.mark.guarantee
def test_too_little_memory_is_a_sentence(tmp_path):
    class Large(Pull):
        def total(self, batch):
            return tf.reduce_sum(tf.fill([2**44], super().total(batch)))

    problem = Problem(tmp_path)
    problem.objective = Large(problem)
    with pytest.raises(UserError) as caught:
        problem.train()
    assert str(caught.value).startswith(
        "A step of training needs more memory than there is (it failed at a tensor of shape[175921"
    )
    assert "lower batch_size" in str(caught.value)


@pytest.fixture
def slow_steps(monkeypatch, caplog):
    """A clock on which the first step of a process takes 100 seconds and every other one 20."""
    caplog.set_level("INFO", logger="remedis")
    now, step = [0.0], loop.Trainer.step
    monkeypatch.setattr(time, "monotonic", lambda: now[0])

    def timed(trainer, batch, number):
        now[0] += 20.0 if vars(trainer).setdefault("traced", False) else 100.0
        trainer.traced = True
        return step(trainer, batch, number)

    monkeypatch.setattr(loop.Trainer, "step", timed)


def test_the_expected_time_follows_from_the_second_step(tmp_path, slow_steps, caplog):
    Problem(tmp_path / "run").train(evaluation_steps=3.5)
    expected = [line for line in caplog.messages if line.startswith("Expected")]
    assert expected == [
        "Expected time: about 7 min, for 10 more steps and 3 evaluations. The second step, which "
        "was timed, took 20 s."
    ]
    lines = [line for line in caplog.messages if line.startswith("Training ")]
    assert lines[0].startswith("Training 1/12 steps, loss 13.000")
    assert "2/12 steps, loss 12.6" in lines[1]
    assert "0.05 steps/s" in lines[1]
    assert lines[1].endswith("about 3 min left")


def test_every_line_has_the_loss_of_its_own_step(tmp_path, slow_steps, caplog):
    Problem(tmp_path / "run").train(log_every=12)
    shown = [line.split("loss ")[1].split(",")[0] for line in caplog.messages if "loss " in line]
    assert shown == [f"{loss:.3f}" for loss in numpy_twin(12)[1]]


def test_a_resumed_training_counts_its_own_steps(tmp_path, slow_steps, caplog):
    with pytest.raises(UserError, match="diverged"):
        Problem(tmp_path / "run", bad_from=5).train(patience=5)
    caplog.clear()
    Problem(tmp_path / "run").train(patience=5)
    assert caplog.messages[0] == "Resuming from step 4 of 12."
    lines = [line for line in caplog.messages if line.startswith("Training ")]
    assert "left" not in lines[0]
    assert lines[1].startswith("Training 6/12 ")
    assert lines[1].endswith("about 2 min left")
    assert "about 2 min at most, for 6 more steps." in "".join(caplog.messages)


@pytest.mark.parametrize(
    ("first", "evaluations"), [(0, 3), (3, 3), (4, 2), (8, 1), (9, 1), (10, 0)]
)
def test_the_evaluations_that_are_left(first, evaluations):
    plan = loop.Plan(steps=10, evaluate_every=4, checkpoint_every=9, log_every=9)
    assert plan.evaluations(first) == evaluations
    assert sum(plan.evaluates(step) for step in range(first + 1, 11)) == evaluations
