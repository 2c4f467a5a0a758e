"""The distance between the scores of two groups of patients, per label, with permutation tests.

The distance is that of Kolmogorov and Smirnov, the largest difference of the two shares of patients
whose score is above the same value, over all values. It does not depend on the scale of the scores,
so that logits, log odds and calibrated probabilities of one label have the same distance.

Of several labels, the p-value of each is adjusted by the largest distance of all labels in each
drawn division (Westfall and Young, Resampling-Based Multiple Testing, 1993, single step): where no
label differs, the chance that any of the adjusted p-values is at most a is at most a. All distances
are shares of the same patients, so that none dominates the largest by its scale.
"""

import numpy as np
import numpy.typing as npt

from remedis.evaluation.auroc import Floats
from remedis.evaluation.permutations import PERMUTATIONS, Permuted, divisions


def score_drift(
    before: npt.ArrayLike, now: npt.ArrayLike, *, permutations: int = PERMUTATIONS, seed: int = 0
) -> list[Permuted]:
    """Returns the distance of each label's scores with its adjusted permutation test.

    `chance` is that of the label alone; `p_value` is adjusted for the number of labels. The
    formulas and their sources are those of the module.

    Args:
      before: [n, L], one row per patient; higher means more likely positive. Any scale.
      now: [m, L], the same of other patients.
      permutations: number of divisions that are drawn.
      seed: of the draw.
    """
    first = np.asarray(before, np.float64)
    rows = np.concatenate([first, np.asarray(now, np.float64)])
    groups = divisions(len(first), len(rows) - len(first), permutations, seed)
    distances = np.stack([_distances(scores, groups) for scores in rows.T], axis=1)
    largest = distances[1:].max(axis=1)
    tests = []
    for values in distances.T:
        alone = Permuted.from_draws(values[0], values[1:])
        adjusted = Permuted.from_draws(values[0], largest)
        tests.append(Permuted(alone.value, alone.chance, adjusted.p_value))
    return tests


def _distances(scores: Floats, groups: npt.NDArray[np.bool_]) -> Floats:
    """Returns the distances [B] of scores [N] under divisions [B, N]."""
    order = np.argsort(scores, kind="stable")
    ordered = scores[order]
    # Shares are compared where the next score is another one: patients who tie come together.
    last = np.append(ordered[1:] != ordered[:-1], True)
    n = int(groups[0].sum())
    m = len(scores) - n
    in_first = np.cumsum(groups[:, order], axis=1, dtype=np.int32)[:, last]
    in_both = np.arange(1, len(scores) + 1)[last]
    return np.asarray(np.abs(in_first / n - (in_both - in_first) / m).max(axis=1))
