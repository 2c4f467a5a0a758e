"""Replicates of a label-budget study, analysed as one study whose intervals contain all of them.

A replicate has draws of its own, its own initial weights and its own pretraining. The study engine
takes one checkpoint per arm, so that its intervals do not contain the difference that another
pretraining makes. Here replicate k of R stands for in-distribution training k of R: run d of a
replicate is run R d + k of the whole, and Student's t runs over the R replicates. Arms of several
modes, and of several studies of the same test images, become arms of one mode and are compared in
pairs.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from remedis.evaluation.auroc import mean_auroc
from remedis.evaluation.label_budget import Cell, analyse_study
from remedis.evaluation.ranking import log_odds
from remedis.label_budget.arm import InDistributionScores, scores_file
from remedis.label_budget.study import Study
from remedis.label_budget.summary import labelled_test_set


@dataclasses.dataclass(frozen=True)
class PooledArm:
    """An arm of the pooled study.

    Attributes:
      studies: one per replicate.
      arm: its name in these studies.
      mode: its mode there.
    """

    studies: Sequence[Study]
    arm: str
    mode: str

    def cells(self) -> dict[tuple[int, int], np.ndarray]:
        """Returns (patients, run) -> scores [n, L] on the out-of-distribution test images.

        Raises:
          SystemExit: a cell is not finished.
        """
        found = {}
        for k, study in enumerate(self.studies):
            own = [c for c in study.cells if (c.arm, c.mode) == (self.arm, self.mode)]
            todo = [c for c in study.cells.unfinished() if (c.arm, c.mode) == (self.arm, self.mode)]
            if todo or not own:
                raise SystemExit(f"{study.run.path}: cells of {self.arm}, {self.mode} are missing.")
            for cell in own:
                run = len(self.studies) * cell.seed + k
                found[cell.patients, run] = study.cells[cell]
        return found

    def inside(self) -> list[InDistributionScores]:
        """Returns the scores of the in-distribution model of each replicate."""
        return [
            InDistributionScores.read(scores_file(study.run, self.arm, self.mode))
            for study in self.studies
        ]

    def minutes(self) -> float:
        """Returns how long its in-distribution models and its cells took."""
        own = [
            study.cells.seconds(cell)
            for study in self.studies
            for cell in study.cells
            if (cell.arm, cell.mode) == (self.arm, self.mode)
        ]
        return (sum(own) + sum(one.seconds for one in self.inside())) / 60


def pooled(arms: Mapping[str, PooledArm], mode: str, baseline: str) -> dict[str, Any]:
    """Returns the estimates of a study of all replicates, with the keys that reports read.

    Args:
      arms: by name; their studies have the same test images. Only budgets, draws
        and replicates that all of them have are analysed.
      mode: name of the one mode of the pooled study.
      baseline: name of the arm that the others are compared with.

    Raises:
      SystemExit: a cell is not finished, or the test images differ.
    """
    replicates = min(len(arm.studies) for arm in arms.values())
    arms = {
        name: dataclasses.replace(arm, studies=arm.studies[:replicates])
        for name, arm in arms.items()
    }
    first = next(iter(arms.values())).studies[0]
    for arm in arms.values():
        for study in arm.studies:
            if study.data.test.table["path"].tolist() != first.data.test.table["path"].tolist():
                raise SystemExit(f"{study.run.path} has other test images than {first.run.path}.")
    scores = {name: arm.cells() for name, arm in arms.items()}
    common = set.intersection(*map(set, scores.values()))
    runs = {run for patients, run in common if patients}
    estimates = analyse_study(
        labelled_test_set(first.data.test, first.settings),
        {
            Cell(name, mode, patients, run): values
            for name, of in scores.items()
            for (patients, run), values in of.items()
            if (patients, run) in common
        },
        baseline,
        id_test=labelled_test_set(first.data.inside.test, first.settings),
        id_scores={
            (name, mode): np.stack([one.id_test for one in arm.inside()])
            for name, arm in arms.items()
        },
        trainings={mode: replicates},
        levels=first.settings.levels,
        resamples=first.settings.resamples,
    )
    return {
        "title": f"{first.settings.id.name} to {first.settings.ood.name}",
        "labels": list(first.data.test.labels),
        "task": first.settings.task,
        "seeds": len(runs),
        "arms": {
            name: {
                "random_weights": (start := arm.inside()[0].provenance).random,
                "provenance": start.to_json(),
            }
            for name, arm in arms.items()
        },
        "baseline": baseline,
        "modes": [mode],
        "data": {
            key: {"name": first.settings.hospital(key).name, "counts": first.data.counts()[key]}
            for key in ("id", "ood")
        },
        **estimates,
    }


def per_replicate(arm: PooledArm, patients: int, draws: int) -> list[float]:
    """Returns the AUROC of each replicate at a budget, the mean over draws and labels.

    Args:
      arm: an arm.
      patients: the budget.
      draws: how many per replicate count, from the first.
    """
    targets = arm.studies[0].data.test.targets()
    task = arm.studies[0].settings.task
    areas: list[list[float]] = [[] for _ in arm.studies]
    for (budget, run), scores in arm.cells().items():
        area = mean_auroc(targets, log_odds(scores, task))
        draw, replicate = divmod(run, len(arm.studies))
        if budget == patients and draw < draws and area is not None:
            areas[replicate].append(area)
    return [float(np.mean(of)) for of in areas]
