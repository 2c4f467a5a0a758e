"""The loop on a problem of two numbers: quick, and everything about it is known."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from remedis.errors import UserError
from remedis.training import loop
from remedis.training.run_directory import RunDirectory

TARGET = np.array([3.0, -2.0], np.float32)


class Problem:
    """Pulls a weight to a target; batches count the steps."""

    def __init__(self, workdir, bad_from=None, scores=None):
        self.run = RunDirectory(workdir, {"seed": 0})
        self.weight = keras.Variable(np.zeros(2, np.float32), name="weight")
        self.asked, self.bad_from, self.scores = [], bad_from, scores

    def loss(self, batch):
        return tf.reduce_sum((self.weight.value - TARGET) ** 2) * batch["scale"]

    def batches(self, first, last):
        self.asked.append((first, last))
        bad = last if self.bad_from is None else self.bad_from
        return tf.data.Dataset.range(first, last).map(
            lambda step: {
                "scale": tf.where(step < bad, 1.0 + tf.cast(step, tf.float32) / 100, np.nan)
            }
        )

    def evaluate(self):
        score = -float(np.abs(np.asarray(self.weight) - TARGET).sum())
        if self.scores is not None:
            score = self.scores.pop(0)
        return score, {"validation/score": score, "validation/nothing": None}

    def train(self, **plan):
        plan = {"steps": 12, "evaluate_every": 4, "checkpoint_every": 3, "log_every": 2} | plan
        rate = keras.optimizers.schedules.PiecewiseConstantDecay([5], [0.01, 0.02])
        optimizer = keras.optimizers.SGD(rate, momentum=0.9)
        return loop.train(
            self.run,
            loop.Plan(**plan),
            {"weight": self.weight},
            optimizer,
            self.loss,
            self.batches,
            self.evaluate,
        )

    def rows(self):
        return [json.loads(line) for line in (self.run / "metrics.jsonl").read_text().splitlines()]


def numpy_twin(steps):
    weight, velocity, losses, rates = np.zeros(2), np.zeros(2), [], []
    for step in range(steps):
        scale = 1 + step / 100
        rates.append(0.01 if step <= 5 else 0.02)
        losses.append(((weight - TARGET) ** 2).sum() * scale)
        velocity = 0.9 * velocity - rates[-1] * 2 * (weight - TARGET) * scale
        weight = weight + velocity
    return weight, losses, rates


def test_is_sgd_with_momentum_and_logs_what_each_step_had(tmp_path):
    problem = Problem(tmp_path / "run")
    problem.train(evaluate_every=12)
    weight, losses, rates = numpy_twin(12)
    np.testing.assert_allclose(problem.weight, weight, rtol=1e-5)
    rows = [row for row in problem.rows() if "train/loss" in row]
    assert [row["step"] for row in rows] == [2, 4, 6, 8, 10, 12]
    for row in rows:
        assert row["train/loss"] == pytest.approx(losses[row["step"] - 1], rel=1e-5)
        assert row["train/learning_rate"] == pytest.approx(rates[row["step"] - 1])


def test_ends_with_the_best_and_keeps_the_first_of_equals(tmp_path):
    problem = Problem(tmp_path / "run", scores=[0.1, 0.7, 0.7])
    state = problem.train()
    assert (int(state.best_step), float(state.best_score)) == (8, 0.7)
    np.testing.assert_allclose(problem.weight, numpy_twin(8)[0], rtol=1e-5)


@pytest.mark.parametrize("stopped", [3, 5, 9])
def test_goes_on_where_it_stopped_with_the_same_end(tmp_path, stopped):
    whole, part = Problem(tmp_path / "whole"), Problem(tmp_path / "part", bad_from=stopped)
    whole.train()
    with pytest.raises(UserError, match="diverged"):
        part.train()
    again = Problem(tmp_path / "part")
    again.train()
    last = max(step for step in (0, 3, 4, 6, 8, 9, 12) if step <= stopped)
    assert again.asked == [(last, 12)]
    assert again.rows() == whole.rows()
    np.testing.assert_array_equal(again.weight, whole.weight)


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
