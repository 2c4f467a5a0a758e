"""Kinds of the drift in `results.json`: a model on new patients beside what it was."""

from typing import Annotated

from annotated_types import Ge, Le
from typing_extensions import TypedDict

from remedis.evaluation.estimate_drift import DifferenceRecord
from remedis.evaluation.intervals import EstimateRecord
from remedis.json_records import Count, Line, Name, Real

Share = Annotated[float, Ge(0), Le(1)]


class DistanceRecord(TypedDict):
    """A distance between the patients then and now, with its permutation test.

    Attributes:
      distance: 0 if both are alike, 1 if they have nothing in common. Of embeddings, it may be
        slightly below 0.
      chance: the 95 % quantile of the distances of random divisions of the same patients: chance
        alone rarely exceeds it.
      p_value: chance of a distance at least as large if nothing has changed. Of scores, adjusted
        for the number of labels.
    """

    distance: Real
    chance: Real
    p_value: Share


class ScoreDriftRecord(DistanceRecord):
    """The drift of one label's scores.

    Attributes:
      distance: the largest difference of the shares of patients above one and the same score.
      before: mean probability of the patients then, with today's calibration.
      now: mean probability of the patients now.
    """

    before: Share
    now: Share


class MetricDriftRecord(TypedDict):
    """A metric then and now.

    Attributes:
      before: on the data that `before` names.
      now: on the data of this evaluation.
      difference: now minus before. None if one of them is not estimable.
    """

    before: EstimateRecord
    now: EstimateRecord
    difference: DifferenceRecord | None


class DriftRecord(TypedDict):
    """The drift of a model: what it is on these data beside what it was.

    Attributes:
      before: name of the data of the metrics then. Empty if the export has no results.
      reference: name of the data of the patients to whom embeddings and scores are compared. Empty
        if the export has none.
      reference_patients: number of these patients.
      patients: number of patients of this evaluation who are compared with them, one image each.
      embeddings: drift of the embeddings. None without enough patients.
      scores: label -> drift of its scores. Empty without enough patients.
      metrics: label -> metric -> the metric then and now; `auroc`, `calibration_slope` and
        `calibration_intercept`. Empty if the export has no results.
      notes: sentences on what was compared and on what could not be.
    """

    before: Line
    reference: Line
    reference_patients: Count
    patients: Count
    embeddings: DistanceRecord | None
    scores: dict[Name, ScoreDriftRecord]
    metrics: dict[Name, dict[Name, MetricDriftRecord]]
    notes: list[Line]
