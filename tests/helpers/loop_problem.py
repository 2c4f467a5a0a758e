"""A training of two numbers, whose solution is known in closed form."""

import json

import keras
import numpy as np
import tensorflow as tf

from remedis.training import loop
from remedis.training.distribution import Distribution
from remedis.training.objective import SummedObjective
from remedis.training.run_directory import RunDirectory
from remedis.training.step import Learner, Trainer

TARGET = np.array([3.0, -2.0], np.float32)


class Pull(SummedObjective):
    """Four examples pull at the weight, each in proportion to its share."""

    def __init__(self, problem):
        self.problem = problem

    def prepare(self, batch, step):
        # The batches count from 0, the loop from 1.
        tf.debugging.assert_equal(batch["step"][0] + 1, step)
        return batch

    def weight(self, batch):
        return tf.reduce_sum(batch["share"])

    def total(self, batch):
        pull = tf.reduce_sum((self.problem.weight.value - TARGET) ** 2)
        return tf.reduce_sum(batch["share"] * batch["scale"]) * pull


class Problem:
    """Pulls a weight to a target; batches count the steps."""

    def __init__(self, workdir, bad_from=None, scores=None):
        self.run = RunDirectory(workdir, {"seed": 0})
        self.weight = keras.Variable(np.zeros(2, np.float32), name="weight")
        self.asked, self.bad_from, self.scores = [], bad_from, scores
        self.objective = Pull(self)

    def batches(self, first, last):
        self.asked.append((first, last))
        bad = last if self.bad_from is None else self.bad_from

        def batch(step):
            scale = tf.where(step < bad, 1.0 + tf.cast(step, tf.float32) / 100, np.nan)
            return {
                "scale": tf.fill([4], scale),
                "share": tf.constant([0.5, 1.0, 0.25, 2.25]),
                "step": tf.fill([4], step),
            }

        return tf.data.Dataset.range(first, last).map(batch)

    def evaluate(self):
        score = -float(np.abs(np.asarray(self.weight) - TARGET).sum())
        if self.scores is not None:
            score = self.scores.pop(0)
        return score, {"validation/score": score, "validation/nothing": None}

    def train(self, accumulate=1, clip_norm=0.0, ema=0.0, evaluation_steps=0.0, **plan):
        plan = {"steps": 12, "evaluate_every": 4, "checkpoint_every": 3, "log_every": 2} | plan
        rate = keras.optimizers.schedules.PiecewiseConstantDecay([5], [0.01, 0.02])
        learner = Learner(
            {"weight": self.weight},
            {},
            keras.optimizers.SGD(rate, momentum=0.9),
            self.objective,
            accumulate=accumulate,
            clip_norm=clip_norm,
            ema=ema,
        )
        return loop.train(
            self.run,
            loop.Plan(**plan),
            Trainer(learner, Distribution.from_name("none")),
            self.batches,
            self.evaluate,
            evaluation_steps=evaluation_steps,
        )

    def rows(self):
        return [json.loads(line) for line in (self.run / "metrics.jsonl").read_text().splitlines()]


def numpy_twin(steps, clip_norm=np.inf, ema=0.0):
    """Returns the weight after some steps (averaged, with `ema`), the losses and the rates."""
    weight, velocity, losses, rates = np.zeros(2), np.zeros(2), [], []
    average = weight
    for step in range(steps):
        scale = 1 + step / 100
        rates.append(0.01 if step <= 5 else 0.02)
        losses.append(((weight - TARGET) ** 2).sum() * scale)
        gradient = 2 * (weight - TARGET) * scale
        gradient *= min(1, clip_norm / np.linalg.norm(gradient))
        velocity = 0.9 * velocity - rates[-1] * gradient
        weight = weight + velocity
        decay = min(ema, (2 + step) / (11 + step))
        average = decay * average + (1 - decay) * weight
    return average, losses, rates
