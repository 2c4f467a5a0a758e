"""A test set, and the AUROCs of many models on the same resamples of its patients."""

import dataclasses
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from remedis.errors import UserError
from remedis.evaluation.auroc import Floats, Integers, auroc, checked
from remedis.evaluation.estimates import Cases
from remedis.evaluation.intervals import MIN_PATIENTS, Estimate
from remedis.evaluation.label_budget.resampling import auroc_estimate, patient_draws

_COLUMNS = 64  # score columns that are ranked in one call; more are not faster


@dataclasses.dataclass(frozen=True)
class LabelledTestSet:
    """Labels and patients of the images that models are scored on.

    Attributes:
      names: names of the L labels.
      targets: [n, L]; 1 positive, 0 negative, NaN unknown.
      patient_ids: [n]; a row whose id is missing counts as a patient of its own.
    """

    names: Sequence[str]
    targets: npt.ArrayLike
    patient_ids: Iterable[object]

    def cases(self) -> Cases:
        """Returns targets and patients in the form that the metrics take.

        Raises:
          UserError: shapes differ, a target is not 1, 0 or NaN, or there is not one id per row.
        """
        targets = np.asarray(self.targets, dtype=np.float64)
        known, _ = checked(targets, np.zeros_like(targets), self.names)
        return Cases.from_ids(known, self.patient_ids)

    def check(self, title: str) -> None:
        """Raises a UserError unless at least one label has enough patients for an estimate.

        Args:
          title: name of the test set in the message.
        """
        if not self.cases().both_classes().any():
            raise UserError(
                f"None of {', '.join(self.names)} has {MIN_PATIENTS} positive and {MIN_PATIENTS} "
                f"negative patients in the {title} test set, so that nothing can be estimated; "
                "give it more patients."
            )


class ResampledTestSet:
    """A test set with resamples of its patients, the same ones for every model.

    A resample without a positive or without a negative patient of an estimable label has no mean
    AUROC for any model. Such resamples are dropped.

    Attributes:
      names: names of the L labels.
      estimable: [E] column numbers of the labels with at least MIN_PATIENTS positive and
        MIN_PATIENTS negative patients.
      draws: 1 + B, the data as they are and the B resamples that are kept.
    """

    def __init__(self, labelled: LabelledTestSet, title: str, resamples: int, seed: int) -> None:
        """Draws the patients.

        Args:
          labelled: labels and patients.
          title: name of the test set in messages.
          resamples: number of resamples.
          seed: seed of the resamples.

        Raises:
          UserError: shapes differ, a target is not 1, 0 or NaN, or no label is estimable.
        """
        self.names = tuple(labelled.names)
        labelled.check(title)
        self._cases = labelled.cases()
        self.estimable = np.flatnonzero(self._cases.both_classes())
        patients = int(self._cases.patients.max()) + 1
        weights = patient_draws(patients, resamples, seed)
        complete = np.ones(len(weights), dtype=bool)
        for label in self.estimable:
            for value in (0, 1):
                of_class = self._cases.patients[self._cases.known[:, label] == value]
                complete &= weights[:, np.unique(of_class)].any(axis=1)
        self._weights = weights[complete]
        self.draws = len(self._weights)

    def aurocs(self, scores: Sequence[npt.ArrayLike]) -> Floats:
        """Returns the AUROCs [1 + B, models, E] of the scores [n, L] of each model."""
        known = self._cases.known[:, self.estimable]
        models_per_call = max(1, _COLUMNS // len(self.estimable))
        blocks = []
        for start in range(0, len(scores), models_per_call):
            columns = [
                np.asarray(of_model)[:, self.estimable]
                for of_model in scores[start : start + models_per_call]
            ]
            blocks.append(
                auroc(
                    np.tile(known, len(columns)),
                    np.hstack(columns),
                    self._weights,
                    self._cases.patients,
                )
            )
        return np.hstack(blocks).reshape(self.draws, len(scores), len(self.estimable))

    def check_scores(self, scores: npt.ArrayLike, model: str) -> npt.NDArray[np.generic]:
        """Returns the scores [n, L] of a model as an array.

        Raises:
          UserError: the scores are not finite, or not of the shape of the targets; the message
            contains `model`.
        """
        try:
            checked(self._cases.known, scores, self.names)
        except UserError as error:
            raise UserError(f"Scores of {model}: {error}") from None
        return np.asarray(scores)

    def mean(self, aurocs: Floats, labels: Integers) -> Estimate:
        """Returns the estimate of the mean AUROC over some labels.

        Args:
          aurocs: [1 + B, labels].
          labels: column numbers of these labels; without any, the mean is not estimable.
        """
        draws = aurocs.mean(axis=1) if len(labels) else np.full(self.draws, np.nan)
        return auroc_estimate(draws, self._cases.counts(labels.tolist()))

    def by_label(self, aurocs: Floats) -> dict[str, Estimate]:
        """Returns label -> estimate, for all L labels, from `aurocs` [1 + B, E]."""
        draws = dict(zip(self.estimable.tolist(), aurocs.T, strict=True))
        not_estimable = np.full(self.draws, np.nan)
        return {
            name: auroc_estimate(draws.get(i, not_estimable), self._cases.counts([i]))
            for i, name in enumerate(self.names)
        }
