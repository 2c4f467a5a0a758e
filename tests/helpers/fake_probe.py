"""A probe without a network, for tests of what happens around the cells of a study."""

import numpy as np

from remedis.finetuning.tuning_grid import Choice
from remedis.label_budget.arm import Adapted, InDistributionScores
from remedis.label_budget.probe_arm import CANDIDATES
from remedis.zoo.provenance import Provenance


class FakeProbe:
    """Stands for a probe: scores are the labels with noise that depends on cell and set."""

    def __init__(self, settings, run, data, name):
        self.data, self.name = data, name

    def scores(self, split, *seed):
        return split.targets() + np.random.default_rng(seed).normal(size=split.targets().shape)

    def in_distribution(self, training):
        return InDistributionScores(
            self.scores(self.data.inside.test, 0),
            self.scores(self.data.test, 1),
            Provenance("random", "drawn"),
            1.0,
            self.scores(self.data.pool, 2),
            {"penalties": {"square": 1.0, "noise": 1.0}},
        )

    def adapt(self, draw, cell):
        scores = self.scores(self.data.test, cell.patients, cell.seed)
        return Adapted(scores, Choice(CANDIDATES, (0.5,) * len(CANDIDATES), 0))
