"""Made-up test sets and cells of label-budget studies."""

import numpy as np

from remedis.evaluation.label_budget import Cell, LabelledTestSet

NAMES = ("Edema", "Fracture")
BUDGETS = (0, 5, 20, 60)
RISING = (0.3, 0.8, 1.4, 1.8)  # shifts of the scores of positives, one per budget


def make_test_set(seed=0, patients=80, images=2):
    rng = np.random.default_rng(seed)
    targets = (rng.random((patients, 2)) < 0.4).repeat(images, axis=0).astype(float)
    ids = [f"p{i // images:03}" for i in range(patients * images)]
    return LabelledTestSet(NAMES, targets, ids)


def make_scores(test, shift, seed=0):
    """Scores with the same noise for every shift: a larger shift has the higher AUROC."""
    noise = np.random.default_rng(seed).normal(size=test.targets.shape)
    return test.targets * shift + noise


def make_cells(test, shifts, mode="probe", seeds=1, zero_shot_seeds=1):
    """The cells of arms, each with one shift per budget."""
    return {
        Cell(arm, mode, patients, seed): make_scores(test, shift, seed)
        for arm, arm_shifts in shifts.items()
        for patients, shift in zip(BUDGETS, arm_shifts, strict=True)
        for seed in range(seeds if patients else zero_shot_seeds)
    }


def find_answer(result, arm="pretrained", target="reference"):
    (answer,) = [a for a in result["answers"] if (a["arm"], a["target"]) == (arm, target)]
    return answer
