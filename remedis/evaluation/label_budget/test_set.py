"""A test set, and the AUROCs of many models with the influence of each of its patients."""

import dataclasses
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from remedis.errors import UserError, unknown_choice
from remedis.evaluation.auroc import Floats, Integers, checked
from remedis.evaluation.delong import delong, widening
from remedis.evaluation.estimates import Cases
from remedis.evaluation.intervals import MIN_PATIENTS, Estimate
from remedis.evaluation.label_budget.quantities import capped_widening


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

    def check_labels(self, names: Sequence[str]) -> None:
        """Raises a UserError if one of the labels of the primary comparison has no estimate."""
        enough = self.cases().both_classes()
        for name in names:
            if name not in self.names:
                raise unknown_choice("label in config.primary", name, self.names)
            if not enough[list(self.names).index(name)]:
                raise UserError(
                    f"config.primary names the label {name!r}, which has fewer than {MIN_PATIENTS} "
                    "positive or negative patients in the out-of-distribution test set; name "
                    "labels with more."
                )


@dataclasses.dataclass(frozen=True)
class Areas:
    """AUROCs of one model, of the E estimable labels.

    Attributes:
      values: [E].
      influence: [G, E], of each test patient; widened, see `Quantities`.
    """

    values: Floats
    influence: Floats


class TestSet:
    """A test set on which AUROCs of many models are estimated, with the influences of patients.

    Attributes:
      names: names of the L labels.
      estimable: [E] column numbers of the labels with enough positive and negative patients.
      pairs: [E] numbers of disjoint pairs of a positive and a negative patient.
    """

    __test__ = False  # not a class of tests

    def __init__(self, labelled: LabelledTestSet, title: str) -> None:
        """Counts the patients.

        Args:
          labelled: labels and patients.
          title: name of the test set in messages.

        Raises:
          UserError: shapes differ, a target is not 1, 0 or NaN, or no label is estimable.
        """
        self.names = tuple(labelled.names)
        labelled.check(title)
        self._cases = labelled.cases()
        self.estimable = np.flatnonzero(self._cases.both_classes())
        known = self._cases.known[:, self.estimable]
        self.pairs = np.asarray(delong(known, known, self._cases.patients).pairs, np.float64)

    def areas(self, scores: npt.ArrayLike) -> Areas:
        """Returns the AUROCs of the scores [n, L] of a model."""
        known = self._cases.known[:, self.estimable]
        columns = np.asarray(scores, np.float64)[:, self.estimable]
        # The order of rows would change the rounding of sums, and with it the last digits.
        order = np.lexsort((*known.T, *columns.T, self._cases.patients))
        areas = delong(known[order], columns[order], self._cases.patients[order])
        errors = np.sqrt(np.maximum(np.diag(areas.covariance), 0.0))
        factors = capped_widening(areas.values, errors, widening(areas), self.pairs)
        return Areas(areas.values, areas.influence * factors)

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

    def estimate(
        self, labels: Sequence[int], ends: tuple[float, float, float] | None = None
    ) -> Estimate:
        """Returns an estimate with the patients behind it.

        Args:
          labels: column numbers of the L labels that it is about.
          ends: value, low and high; None if it is not estimable.
        """
        effective, reasons = self._cases.classes()
        fields = self._cases.fields(labels)
        if len(labels):
            fields["effective"] = round(float(effective[list(labels)].min()), 6)
        if ends is None:
            reason = "; ".join(dict.fromkeys(filter(None, (reasons[i] for i in labels))))
            return Estimate(None, None, None, **fields, reason=reason or "no label is estimable")
        return Estimate(*ends, **fields)

    def columns(self, names: Sequence[str]) -> Integers:
        """Returns which of the E estimable labels have these names."""
        chosen = [self.names.index(name) for name in names]
        return np.flatnonzero(np.isin(self.estimable, chosen))
