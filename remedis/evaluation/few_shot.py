"""Few-shot curve: AUROC of linear probes that are fitted to a few patients per class."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from remedis.errors import UserError
from remedis.evaluation.estimates import Cases
from remedis.evaluation.intervals import Estimate, patient_codes
from remedis.evaluation.linear_probe import DEFAULT_PENALTY, check_embeddings, linear_probe
from remedis.evaluation.logistic import Floats
from remedis.evaluation.repeated_runs import auroc_over_runs

SHOTS = (1, 2, 5, 10, 20)


def few_shot(
    x: Floats,
    y: npt.ArrayLike,
    groups: Iterable[object],
    test_x: Floats,
    test_y: npt.ArrayLike,
    test_groups: Iterable[object],
    shots: Sequence[int] = SHOTS,
    repeats: int = 10,
    seed: int = 0,
) -> dict[int, Estimate]:
    """Returns the mean AUROC of linear probes for each number of patients per class.

    For each label, `shots` patients with a positive image and as many patients without one are
    drawn, with all of their images where the label is known. A probe with `DEFAULT_PENALTY` is
    fitted to them. Within a repeat, a larger draw contains the smaller ones. The mean is over
    repeats and over the labels that have enough patients and both classes in the test images.

    Args:
      x: [n, C] embeddings for training.
      y: [n, L]; 1, 0, NaN unknown.
      groups: [n], the patient of each row.
      test_x: [m, C] embeddings for testing.
      test_y: [m, L].
      test_groups: [m], the patient of each row.
      shots: numbers of patients per class.
      repeats: number of draws of patients.
      seed: seed of all draws.

    Returns:
      For each of `shots` an estimate with the counts of the test patients. Its 95 % interval covers
      test patients and repeats (`remedis.evaluation.repeated_runs`).

    Raises:
      UserError: shapes do not fit, or a number of shots or repeats is not positive.
    """
    targets, test_targets = np.asarray(y, np.float64), np.asarray(test_y, np.float64)
    check_embeddings(np.asarray(x), targets)
    if min((*shots, repeats), default=0) < 1:
        raise UserError(f"shots={tuple(shots)}, repeats={repeats}: expected 1 or more of each.")
    patients, test_patients = patient_codes(groups), patient_codes(test_groups)
    generator = np.random.default_rng(seed)
    scores: dict[tuple[int, int], list[Floats]] = {}  # (shots, label) -> scores per repeat
    test_has_both = [
        {0.0, 1.0} <= set(test_targets[:, label]) for label in range(test_targets.shape[1])
    ]
    for _ in range(repeats):
        for label in np.flatnonzero(test_has_both):
            known = np.isfinite(targets[:, label])
            positive = np.unique(patients[targets[:, label] == 1])
            negative = np.setdiff1d(patients[known], positive)
            orders = [generator.permutation(positive), generator.permutation(negative)]
            for n in shots:
                if n > min(len(positive), len(negative)):
                    continue
                drawn = np.concatenate([order[:n] for order in orders])
                rows = known & np.isin(patients, drawn)
                probe = linear_probe(
                    x[rows], targets[rows, label, None], penalties=(DEFAULT_PENALTY,)
                )
                scores.setdefault((n, int(label)), []).append(probe.logits(test_x)[:, 0])
    return {n: _estimate(n, scores, test_targets, test_patients) for n in shots}


def _estimate(
    shots: int,
    scores: Mapping[tuple[int, int], list[Floats]],
    labels: npt.NDArray[np.float64],
    patients: npt.NDArray[np.intp],
) -> Estimate:
    columns = [label for n, label in scores if n == shots]
    if columns:
        runs = np.stack([scores[shots, label] for label in columns], -1, dtype=np.float64)
        return auroc_over_runs(labels[:, columns], runs, patients)
    cases = Cases(labels, patients)
    return Estimate(None, None, None, *cases.counts(range(labels.shape[1])))
