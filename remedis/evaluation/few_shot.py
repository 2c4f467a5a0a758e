"""Few-shot curve: AUROC of linear probes that are fitted to a few patients per class.

The number that is estimated is the expected AUROC, on patients of the test population, of a probe
from n random patients per class of the training population. Draws of one pool share patients; their
interval accounts for it (`remedis.evaluation.repeated_runs`). `benchmarks/few_shot_coverage.py`
measures how often intervals cover the truth.

A draw of all patients of a class says nothing about other patients of this class. Its interval is
conditional on the pool: it holds for the expected AUROC of a probe from these patients.
"""

import dataclasses
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from remedis.errors import UserError
from remedis.evaluation.estimates import Cases
from remedis.evaluation.intervals import Estimate, patient_codes
from remedis.evaluation.linear_probe import DEFAULT_PENALTY, check_embeddings, linear_probe
from remedis.evaluation.logistic import Floats
from remedis.evaluation.repeated_runs import auroc_over_runs

SHOTS = (1, 2, 5, 10, 20)


@dataclasses.dataclass(frozen=True)
class FewShot:
    """The mean AUROC of probes from a number of patients per class.

    Attributes:
      estimate: with its 95 % interval and the counts of the test patients.
      share: the largest share of the pool's patients of one class that a draw has, over labels;
        None if there is no estimate.
    """

    estimate: Estimate
    share: float | None

    @property
    def conditional_on_pool(self) -> bool:
        """Whether the interval leaves out, for some label, that another pool would differ."""
        return self.share == 1

    def __str__(self) -> str:
        if self.share is None:
            return f"{self.estimate.interval}: {self.estimate.reason}"
        condition = "; the interval holds for this pool alone" if self.conditional_on_pool else ""
        return f"{self.estimate}; a draw has {self.share:.0%} of the pool{condition}"


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
) -> dict[int, FewShot]:
    """Returns the mean AUROC of linear probes for each number of patients per class.

    For each label, `shots` patients with a positive image and as many patients without one are
    drawn, with all of their images where the label is known. A probe with `DEFAULT_PENALTY` is
    fitted to them. Within a repeat, a larger draw contains the smaller ones, and labels take
    patients in the same random order. The mean is over repeats and over the labels that have enough
    training patients and are estimable in the test images: with MIN_PATIENTS effective patients of
    both classes.

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

    Raises:
      UserError: shapes do not fit, or a number of shots or repeats is not positive.
    """
    targets, test_targets = np.asarray(y, np.float64), np.asarray(test_y, np.float64)
    check_embeddings(np.asarray(x), targets)
    if min((*shots, repeats), default=0) < 1:
        raise UserError(f"shots={tuple(shots)}, repeats={repeats}: expected 1 or more of each.")
    patients, test_patients = patient_codes(groups), patient_codes(test_groups)
    generator = np.random.default_rng(seed)
    orders = [generator.permutation(patients.max() + 1) for _ in range(repeats)]
    cases = Cases(test_targets, test_patients)
    labels = np.flatnonzero(cases.both_classes()).tolist()
    scores: dict[tuple[int, int], list[Floats]] = {}  # (shots, label) -> scores per repeat
    sizes: dict[int, int] = {}  # label -> training patients of the smaller class
    for label in labels:
        known = np.isfinite(targets[:, label])
        positive = np.unique(patients[targets[:, label] == 1])
        classes = positive, np.setdiff1d(patients[known], positive)
        sizes[label] = min(map(len, classes))
        for order in orders:
            ordered = [order[np.isin(order, of_class)] for of_class in classes]
            for n in shots:
                if n > sizes[label]:
                    continue
                drawn = np.concatenate([of_class[:n] for of_class in ordered])
                rows = known & np.isin(patients, drawn)
                probe = linear_probe(
                    x[rows], targets[rows, label, None], penalties=(DEFAULT_PENALTY,)
                )
                scores.setdefault((n, label), []).append(probe.logits(test_x)[:, 0])
    curve = {}
    for n in shots:
        columns = [label for label in labels if n <= sizes[label]]
        if columns:
            runs = np.stack([scores[n, label] for label in columns], -1, dtype=np.float64)
            shares = [n / sizes[label] for label in columns]
            estimate = auroc_over_runs(test_targets[:, columns], runs, test_patients, shares)
            curve[n] = FewShot(estimate, max(shares))
        else:
            counts = cases.counts(range(test_targets.shape[1]))
            reason = "too few training patients" if labels else "no label is estimable in test"
            curve[n] = FewShot(Estimate(None, None, None, *counts, reason=reason), None)
    return curve
