"""AUROCs of many models on one test set, in the same draws of its patients."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from remedis.errors import UserError
from remedis.evaluation.auroc import Floats, Integers, auroc, checked
from remedis.evaluation.intervals import Estimate
from remedis.evaluation.label_budget.cells import Examined
from remedis.evaluation.label_budget.resampling import area_estimate, patient_draws

_COLUMNS = 64  # of scores ranked at once; more gain nothing


class TestSet:
    """A test set with draws of its patients, the same ones for every model.

    A draw that lacks a positive or a negative patient of an estimable label has no mean AUROC for
    any model, and is dropped.

    Attributes:
      names: of the L labels.
      estimable: [E] numbers of the labels with MIN_PATIENTS positive and negative patients or more.
      draws: B + 1.
    """

    __test__ = False  # for pytest the name says otherwise

    def __init__(self, examined: Examined, title: str, resamples: int, seed: int) -> None:
        """Draws the patients; `title` names the test set in messages.

        Raises:
          UserError: shapes differ, a target is not 1, 0 or NaN, or no label is estimable.
        """
        self.names = tuple(examined.names)
        examined.check(title)
        self._cases = examined.cases()
        self.estimable = np.flatnonzero(self._cases.both_classes())
        patients = int(self._cases.patients.max()) + 1
        weights = patient_draws(patients, resamples, seed)
        whole = np.ones(len(weights), dtype=bool)
        for label in self.estimable:
            for value in (0, 1):
                with_it = self._cases.patients[self._cases.known[:, label] == value]
                whole &= weights[:, np.unique(with_it)].any(axis=1)
        self._weights = weights[whole]
        self.draws = len(self._weights)

    def areas(self, scores: Sequence[npt.ArrayLike]) -> Floats:
        """Returns the AUROC [1 + B, models, estimable labels] of each model's scores [n, L]."""
        known = self._cases.known[:, self.estimable]
        together = max(1, _COLUMNS // len(self.estimable))
        found = []
        for start in range(0, len(scores), together):
            part = [np.asarray(s)[:, self.estimable] for s in scores[start : start + together]]
            found.append(
                auroc(
                    np.tile(known, len(part)), np.hstack(part), self._weights, self._cases.patients
                )
            )
        return np.hstack(found).reshape(self.draws, len(scores), len(self.estimable))

    def check(self, scores: npt.ArrayLike, of: str) -> npt.NDArray[np.generic]:
        """Returns the scores of a model, or says what is wrong with them.

        Raises:
          UserError: they are not finite, or not of the shape of the targets.
        """
        try:
            checked(self._cases.known, scores, self.names)
        except UserError as error:
            raise UserError(f"Scores of {of}: {error}") from None
        return np.asarray(scores)

    def mean(self, areas: Floats, labels: Integers) -> Estimate:
        """Returns the estimate of the mean over some labels, by their numbers.

        Args:
          areas: [1 + B, labels].
          labels: which these are; not estimable if there are none.
        """
        draws = areas.mean(axis=1) if len(labels) else np.full(self.draws, np.nan)
        return area_estimate(draws, self._cases.counts(labels.tolist()))

    def by_label(self, areas: Floats) -> dict[str, Estimate]:
        """Returns the estimate of every label from `areas` [1 + B, estimable labels]."""
        found = dict(zip(self.estimable.tolist(), areas.T, strict=True))
        nothing = np.full(self.draws, np.nan)
        return {
            name: area_estimate(found.get(i, nothing), self._cases.counts([i]))
            for i, name in enumerate(self.names)
        }
