"""Kinds of `results.json` of runs and evaluations, of every version, and their reading."""

import pathlib
import re
from collections.abc import Mapping
from typing import Annotated, Any

from annotated_types import Ge, Le, Len
from typing_extensions import NotRequired, Required, TypedDict

from remedis import files, json_records
from remedis.evaluation.calibration import CalibrationRecord
from remedis.evaluation.evaluation_result import MetricRecord
from remedis.evaluation.intervals import MAX_RESAMPLES, EstimateRecord
from remedis.evaluation.thresholds import KINDS, ThresholdsRecord
from remedis.json_records import Count, Expect, Line, Name, Object, Real
from remedis.zoo.provenance import ProvenanceRecord

FILE = "results.json"
ADVICE = "remove it and run the same command again, which writes it"


class Gap(TypedDict):
    """The largest difference between groups."""

    value: Real
    low: Real
    high: Real


class Groups(TypedDict):
    """The metrics of each group of one column, for one label or the mean."""

    groups: Annotated[
        dict[Line, dict[Name, EstimateRecord]],
        Len(1),
        Expect(
            "groups of the same metrics, the AUROC among them",
            lambda of: all("auroc" in one and list(one) == list(_first(of)) for one in of.values()),
        ),
    ]
    gaps: Annotated[dict[Name, Gap | None], Expect("a gap of the AUROC", lambda of: "auroc" in of)]


class Ties(TypedDict):
    """Images of a label whose score another image of the other class has."""

    images: Count


class UncertainLabel(TypedDict):
    """The AUROC of one label for each policy of uncertain labels."""

    patients: Count
    ignore: EstimateRecord
    zeros: EstimateRecord
    ones: EstimateRecord


class UncertainMean(TypedDict):
    """The mean AUROC over labels for each policy of uncertain labels."""

    ignore: EstimateRecord
    zeros: EstimateRecord
    ones: EstimateRecord


class UncertainLabels(TypedDict):
    """See `remedis.evaluation.uncertain_labels.three_ways`."""

    labels: dict[Name, UncertainLabel]
    mean: UncertainMean
    averaged: list[Name]


class Nested(TypedDict):
    """See `remedis.evaluation.nested_bootstrap.nested_intervals`."""

    note: Line
    metrics: dict[Name, MetricRecord]


class _Evaluated(MetricRecord):
    left_out: list[Name]
    metrics: dict[Name, MetricRecord]
    thresholds: ThresholdsRecord | None
    images: Count
    resamples: Annotated[int, Ge(0), Le(MAX_RESAMPLES)]
    seed: Annotated[int, Ge(0)]
    note: Line
    task: NotRequired[Line]
    weighting: NotRequired[Line]
    subgroups: NotRequired[dict[Name, Annotated[dict[Name, Groups], Len(1)]] | None]
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


class Data(TypedDict, total=False):
    """The data of a run."""

    source: Line
    counts: dict[Name, dict[Name, Count]]
    policies: dict[Name, dict[Name, Line]]
    bad_images: Count
    unchecked: list[Line]
    seen_by_checkpoint: list[Line]
    warning: Line
    labels_used: bool
    images: Count
    patients: Count
    sources: Object


class Selection(TypedDict, total=False):
    """The labels that chose the checkpoint."""

    note: Line


class Tuning(TypedDict):
    """The candidates of `config.select`."""

    names: list[Line]
    scores: list[Real | None]
    chosen: Count


TuningRecord = Annotated[
    Tuning,
    Expect(
        "one score per name, and the index of one",
        lambda of: len(of["names"]) == len(of["scores"]) and of["chosen"] < len(of["names"]),
    ),
]


class _Results(TypedDict, total=False):
    random_weights: Required[bool]
    checkpoint: ProvenanceRecord
    title: Line
    model: Line
    task: Line
    split: Name
    data: Data
    preprocess: dict[Name, Line | None]
    steps: Count
    best_step: Count
    selection: Selection
    tuning: TuningRecord
    calibration: CalibrationRecord
    thresholds: ThresholdsRecord | None
    train: EvaluatedRecord
    validation: EvaluatedRecord
    test: EvaluatedRecord


def _of_labels(of: Mapping[str, Any]) -> bool:
    evaluated, fitted = of.get(of.get("split", "test")), of.get("calibration")
    if evaluated is None:
        return False
    return not fitted or len(fitted["scale"]) == len(fitted["offset"]) == len(evaluated["labels"])


# Of a fine-tuning run or an evaluation.
ResultsRecord = Annotated[
    _Results,
    Expect("the evaluation of a split, and a calibration of its labels", _of_labels),
    Expect("steps beside best_step", lambda of: "best_step" not in of or "steps" in of),
]


# The probes of a pretraining at one step.
ProbeRow = TypedDict(
    "ProbeRow",
    {"step": Count, "probe/linear_auroc": Real | None, "probe/knn_auroc": Real | None},
)


class _Pretraining(TypedDict):
    name: Line
    method: Line
    checkpoint: ProvenanceRecord
    data: NotRequired[Data]
    preprocess: NotRequired[Line]
    steps: Count
    best_step: Count
    probe: list[ProbeRow]


# Of a pretraining.
PretrainingRecord = Annotated[
    _Pretraining,
    Expect(
        "the probes of best_step, if any",
        lambda of: not of["probe"] or of["best_step"] in [row["step"] for row in of["probe"]],
    ),
]


def read(folder: files.Path) -> dict[str, Any]:
    """Returns the `results.json` of a fine-tuning run or an evaluation.

    Raises:
      UserError: the file is damaged, or that of another kind of run.
    """
    return _read(folder, ResultsRecord)


def read_pretraining(folder: files.Path) -> dict[str, Any]:
    """Returns the `results.json` of a pretraining.

    Raises:
      UserError: the file is damaged, or that of another kind of run.
    """
    return _read(folder, PretrainingRecord)


def _read(folder: files.Path, kind: Any) -> dict[str, Any]:
    values: dict[str, Any] = json_records.read(pathlib.Path(folder, FILE), kind, ADVICE)
    return values
