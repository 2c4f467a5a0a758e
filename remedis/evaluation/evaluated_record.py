"""Kinds of the evaluation of one split, as in `results.json`, of every version.

The `Attributes` of a kind, and of the class whose `to_json` its docstring names, are the text of
the page "Fields of results.json" (`docs/generate/results.py`).
"""

import re
from collections.abc import Mapping
from typing import Annotated, Any

from annotated_types import Ge, Le, Len
from typing_extensions import NotRequired, TypedDict

from remedis.evaluation.evaluation_result import MetricRecord
from remedis.evaluation.intervals import MAX_RESAMPLES, EstimateRecord
from remedis.evaluation.thresholds import KINDS, ThresholdsRecord
from remedis.json_records import Count, Expect, Line, Name, Real


class Gap(TypedDict):
    """The largest difference between groups.

    Attributes:
      value: the largest value of a group minus the smallest. Noise alone makes it positive.
      low: lower end of the interval. It is above 0 only if the gap is larger than noise explains.
      high: upper end of the interval.
      largest: name of the group with the largest value.
      smallest: name of the group with the smallest value.
    """

    value: Real
    low: Real
    high: Real
    largest: NotRequired[Line]
    smallest: NotRequired[Line]


class Groups(TypedDict):
    """The metrics of each group of one column, for one label or the mean.

    Attributes:
      groups: group, such as `F` or `60-79` -> metric -> number. The metrics are `auroc` and, with
        thresholds, `sensitivity` and `specificity` at the Youden threshold.
      gaps: metric -> the difference between groups. None if fewer than two groups are estimable.
      not_estimable: groups with fewer than 5 effective patients of a class.
      averaged: labels in the mean: those that are estimable in every group that has an estimable
        label. Only of the mean.
    """

    groups: Annotated[
        dict[Line, dict[Name, EstimateRecord]],
        Len(1),
        Expect(
            "groups of the same metrics, the AUROC among them",
            lambda of: all("auroc" in one and list(one) == list(_first(of)) for one in of.values()),
        ),
    ]
    gaps: Annotated[dict[Name, Gap | None], Expect("a gap of the AUROC", lambda of: "auroc" in of)]
    not_estimable: NotRequired[list[Line]]
    averaged: NotRequired[list[Name]]


class Ties(TypedDict):
    """Images of a label whose score another image of the other class has.

    Attributes:
      images: number of these images.
      pairs: share of all pairs of a positive and a negative image that tie. A tie counts as half
        right in the AUROC.
    """

    images: Count
    pairs: NotRequired[Annotated[float, Ge(0), Le(1)]]


class UncertainLabel(TypedDict):
    """The AUROC of one label for each policy of uncertain labels.

    Attributes:
      images: number of images whose label is uncertain.
      patients: number of patients with such an image.
      ignore: AUROC without these images.
      zeros: AUROC with these images as negatives.
      ones: AUROC with these images as positives.
    """

    images: NotRequired[Count]
    patients: Count
    ignore: EstimateRecord
    zeros: EstimateRecord
    ones: EstimateRecord


class UncertainMean(TypedDict):
    """The mean AUROC over labels for each policy of uncertain labels.

    Attributes:
      ignore: without images whose label is uncertain.
      zeros: with these images as negatives.
      ones: with these images as positives.
    """

    ignore: EstimateRecord
    zeros: EstimateRecord
    ones: EstimateRecord


class UncertainLabels(TypedDict):
    """The AUROC with uncertain labels ignored, as negatives and as positives.

    Attributes:
      labels: label -> its AUROCs; labels with uncertain values only.
      mean: the mean AUROC over the `averaged` labels.
      averaged: labels that are estimable under every policy.
    """

    labels: dict[Name, UncertainLabel]
    mean: UncertainMean
    averaged: list[Name]


class Nested(TypedDict):
    """Intervals that contain the choice of calibration and thresholds.

    Attributes:
      resamples: number of resamples; each chooses calibration and thresholds again.
      note: a sentence on what these intervals contain.
      metrics: the metrics at thresholds and of calibration, with the values of `metrics` above and
        wider intervals.
    """

    resamples: NotRequired[Annotated[int, Ge(0), Le(MAX_RESAMPLES)]]
    note: Line
    metrics: dict[Name, MetricRecord]


class _Evaluated(MetricRecord):
    """`remedis.evaluation.evaluation_result.Result.to_json`, and what `evaluate_table` adds.

    Attributes:
      metric: the metric of `labels` and `mean`: `auroc`.
      metrics: name -> metric. The names depend on the task, and on whether scores are
        probabilities and there are thresholds.
      weighting: weights in the AUROC: `images`, every image of a class the same, or `patients`,
        every patient of a class the same.
      note: a sentence on what the intervals contain.
      subgroups: column (`sex`, `age`, `view` or `site`) -> label, or `mean` -> groups. A column
        with one group only is left out. Empty without such columns.
      ranked_by: the values that ranked the images for the AUROC: `log odds`, `logits` or `scores`.
      ties: label -> images whose scores tie across classes.
      warnings: sentences for whoever quotes the numbers: tied scores, numbers of data that chose
        the model, learning rates of an untrained network.
      label_notes: sentences on what uncertain and empty labels count as.
      choice_notes: sentences on the data that chose calibration and thresholds.
      uncertain_labels: the AUROC under each policy of uncertain labels. Absent without such labels.
      nested: intervals that contain the choice of calibration and thresholds. Absent unless
        `config.nested_resamples` (`--nested-resamples`) asks for them.
    """

    metric: NotRequired[Line]
    left_out: list[Name]
    metrics: dict[Name, MetricRecord]
    thresholds: ThresholdsRecord | None
    images: Count
    labelled_images: NotRequired[Count]
    resamples: Annotated[int, Ge(0), Le(MAX_RESAMPLES)]
    seed: Annotated[int, Ge(0)]
    note: Line
    task: NotRequired[Line]
    weighting: NotRequired[Line]
    subgroups: NotRequired[dict[Name, Annotated[dict[Name, Groups], Len(1)]] | None]
    ranked_by: NotRequired[Line]
    ties: NotRequired[dict[Name, Ties]]
    warnings: NotRequired[list[Line]]
    label_notes: NotRequired[list[Line]]
    choice_notes: NotRequired[list[Line]]
    uncertain_labels: NotRequired[UncertainLabels]
    nested: NotRequired[Nested | None]


def _first(of: Mapping[Any, Any]) -> Any:
    return next(iter(of.values()))


def _named(of: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Returns every mean over labels: that of the AUROC, of the metrics and of nested intervals."""
    return [of, *of["metrics"].values(), *_nested(of).values()]


def _nested(of: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = (of.get("nested") or {"metrics": {}})["metrics"]
    return found


def _has_rates(of: Mapping[str, Any]) -> bool:
    rates = [f"{kind}/{rate}" for kind in KINDS for rate in ("sensitivity", "specificity")]
    among = [of["metrics"]] * bool(of["thresholds"]) + [_nested(of)] * bool(_nested(of))
    return all(name in metrics and metrics[name]["labels"] for metrics in among for name in rates)


# `evaluate_table`, of every version. Reports need all of this.
EvaluatedRecord = Annotated[
    _Evaluated,
    Expect(
        "labels, those that are left out among them",
        lambda of: of["labels"] and set(of["left_out"]) <= set(of["labels"]),
    ),
    Expect(
        "the average precision of the labels",
        lambda of: of["metrics"].get("average_precision", {}).get("labels"),
    ),
    Expect(
        "metrics that are averaged over labels of the AUROC",
        lambda of: all(set(metric["averaged"]) <= set(of["labels"]) for metric in _named(of)),
    ),
    Expect(
        "metrics of the labels of the AUROC",
        # Top-k accuracies have no labels: they are one number for all classes.
        lambda of: all(
            not metric["labels"] or set(metric["labels"]) == set(of["labels"])
            for metric in _named(of)
        ),
    ),
    Expect(
        "top-k accuracies for a k of at most 9999",
        lambda of: not any(re.fullmatch(r"top_\d{5,}_accuracy", name) for name in of["metrics"]),
    ),
    Expect("a sensitivity and a specificity of each kind of threshold", _has_rates),
    Expect(
        "thresholds of the labels of the AUROC",
        lambda of: (
            not of["thresholds"]
            or all(set(of["thresholds"][kind]) == set(of["labels"]) for kind in KINDS)
        ),
    ),
]
