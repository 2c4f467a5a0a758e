"""A test set, and the metrics of many models with the influence of each of its patients."""

import dataclasses
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from remedis.errors import UserError, unknown_choice
from remedis.evaluation import ratios
from remedis.evaluation.auroc import Floats, Integers, checked
from remedis.evaluation.delong import delong, widening
from remedis.evaluation.effective_patients import proportion_widening, small_sample_factor
from remedis.evaluation.estimates import Behind, Cases
from remedis.evaluation.intervals import MIN_PATIENTS, Estimate
from remedis.evaluation.label_budget.quantities import capped_widening
from remedis.evaluation.label_budget.study_metric import AUROC, AUROC_CHANCE, StudyMetric
from remedis.evaluation.ranking import log_odds
from remedis.models.tasks import MULTI_LABEL


@dataclasses.dataclass(frozen=True)
class LabelledTestSet:
    """Labels and patients of the images that models are scored on.

    Attributes:
      names: names of the L labels.
      targets: [n, L]; 1 positive, 0 negative, NaN unknown.
      patient_ids: [n]; a row whose id is missing counts as a patient of its own.
      task: of the models. Scores of `multi_class` are logits of one softmax.
      metric: by which models are compared.
    """

    names: Sequence[str]
    targets: npt.ArrayLike
    patient_ids: Iterable[object]
    task: str = MULTI_LABEL
    metric: StudyMetric = AUROC

    def cases(self) -> Cases:
        """Returns targets and patients in the form that the metrics take.

        Raises:
          UserError: shapes differ, a target is not 1, 0 or NaN, or there is not one id per row.
        """
        targets = np.asarray(self.targets, dtype=np.float64)
        known, _ = checked(targets, np.zeros_like(targets), self.names)
        return Cases.from_ids(known, self.patient_ids)

    def chance(self) -> float:
        """Returns the metric of scores that say nothing; see `TopTestSet` for the accuracy."""
        if self.metric.top is None:
            return AUROC_CHANCE
        known = self.cases().known
        shares = known[np.isfinite(known).all(axis=1)].mean(axis=0)
        return float(np.sort(shares)[-self.metric.top :].sum())

    def check(self, title: str) -> None:
        """Raises a UserError unless there are enough patients for an estimate.

        These are positive and negative patients of a label for the AUROC, and any for the accuracy.

        Args:
          title: name of the test set in the message.
        """
        if self.metric.top is not None:
            reason = top_accuracy(self.cases(), np.zeros_like(self.cases().known), 1).reason
            if reason:
                raise UserError(
                    f"The {self.metric.name} of the {title} test set cannot be estimated: "
                    f"{reason}; give it more patients."
                )
        elif not self.cases().both_classes().any():
            raise UserError(
                f"None of {', '.join(self.names)} has {MIN_PATIENTS} positive and {MIN_PATIENTS} "
                f"negative patients in the {title} test set, so that nothing can be estimated; "
                "give it more patients."
            )

    def check_labels(self, names: Sequence[str]) -> None:
        """Raises a UserError if one of the labels of the primary comparison has no estimate."""
        if names and self.metric.top is not None:
            raise UserError(
                f"config.primary names the label {names[0]!r}, and the {self.metric.name} is one "
                "number for all classes; name an arm, a mode and a budget only."
            )
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
    """AUROCs of one model, of the E estimable labels; or its top-k accuracy, E = 1.

    Attributes:
      values: [E].
      influence: [G, E], of each test patient; widened, see `Quantities`.
    """

    values: Floats
    influence: Floats


class TestSet:
    """A test set on which AUROCs of many models are estimated, with the influences of patients.

    `TopTestSet` is the same for the top-k accuracy.

    Attributes:
      metric: the metric.
      names: names of the L labels, each of which has estimates of its own.
      estimable: [E] column numbers of the labels with enough positive and negative patients.
      pairs: [E] numbers of disjoint pairs of a positive and a negative patient.
      chance: the metric of scores that say nothing.
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
        self.metric, self.chance = AUROC, labelled.chance()
        labelled.check(title)
        self._labels, self._task, self._cases = self.names, labelled.task, labelled.cases()
        self.estimable = np.flatnonzero(self._cases.both_classes())
        known = self._cases.known[:, self.estimable]
        # Any finite scores do: the number of pairs does not depend on them.
        scores = np.zeros_like(known)
        self.pairs = np.asarray(delong(known, scores, self._cases.patients).pairs, np.float64)

    def areas(self, scores: npt.ArrayLike) -> Areas:
        """Returns the AUROCs of the scores [n, L] of a model."""
        known = self._cases.known[:, self.estimable]
        columns = log_odds(scores, self._task)[:, self.estimable]
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
            checked(self._cases.known, scores, self._labels)
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


class TopTestSet(TestSet):
    """A test set on which the top-k accuracies of many models are estimated.

    An accuracy is a proportion of images. Its error by patient is widened as that of any proportion
    (`effective_patients.proportion_widening`), but not beyond what the effective number of patients
    allows (`quantities.capped_widening`, with patients for pairs).

    Chance is the share of the images of the k most frequent classes in this test set, which a model
    that always names them gets right. It counts as known: an accuracy is compared with it for these
    classes, and given the classes an accuracy varies less than its interval says.
    """

    def __init__(self, labelled: LabelledTestSet, title: str) -> None:
        """Counts the patients.

        Args:
          labelled: labels and patients; its metric is a top-k accuracy.
          title: name of the test set in messages.

        Raises:
          UserError: shapes differ, a target is not 1, 0 or NaN, or there are too few patients.
        """
        assert labelled.metric.top is not None
        labelled.check(title)
        self.metric, self.names, self._k = labelled.metric, (), labelled.metric.top
        self._labels, self._cases = tuple(labelled.names), labelled.cases()
        first = self._accuracy(np.zeros_like(self._cases.known))
        self.estimable, self.pairs = np.array([0]), first.effective
        self.chance = labelled.chance()

    def areas(self, scores: npt.ArrayLike) -> Areas:
        """Returns the top-k accuracy of the scores [n, L] of a model."""
        # The classes of an image have the order of their log odds, and of their logits.
        found = self._accuracy(np.asarray(scores, np.float64))
        errors = np.sqrt((found.influence**2).sum(axis=0))
        factors = proportion_widening(found.values, errors**2, found.effective)
        factors = capped_widening(found.values, errors, factors, found.effective)
        return Areas(found.values, found.influence * factors)

    def estimate(
        self, labels: Sequence[int], ends: tuple[float, float, float] | None = None
    ) -> Estimate:
        """Returns an estimate with the patients behind it; `labels` are not used."""
        del labels
        fields = self._cases.fields(range(self._cases.known.shape[1]))
        fields["effective"] = round(float(self.pairs[0]), 6)
        return Estimate(*(ends or (None, None, None)), **fields)

    def _accuracy(self, ranking: Floats) -> "TopAccuracy":
        return top_accuracy(self._cases, ranking, self._k)


@dataclasses.dataclass(frozen=True)
class TopAccuracy:
    """The top-k accuracy of one model.

    Attributes:
      values: [1].
      influence: [G, 1], of each patient, not widened; their sum is 0.
      effective: [1], effective number of patients.
      reason: why it is not estimable, or an empty string.
    """

    values: Floats
    influence: Floats
    effective: Floats
    reason: str


def top_accuracy(cases: Cases, ranking: Floats, k: int) -> TopAccuracy:
    """Returns the top-k accuracy of classes ranked by `ranking` [n, L]."""
    ratio = ratios.ratios({"top": ratios.top_accuracy(cases.known, ranking, k)}, cases.patients)
    behind = Behind.of(ratio["top"].denominators)
    return TopAccuracy(
        ratio["top"].values,
        ratio["top"].contributions * np.sqrt(small_sample_factor(behind.effective)),
        behind.effective,
        behind.reasons()[0],
    )


def made_test_set(labelled: LabelledTestSet, title: str) -> TestSet:
    """Returns a test set for the metric of `labelled`; see `TestSet`."""
    return (TestSet if labelled.metric.top is None else TopTestSet)(labelled, title)
