"""Kinds of a study's `summary.json` and `ood_sets.json`, of every version, and their reading."""

import pathlib
import re
from collections.abc import Mapping
from typing import Annotated, Any

from annotated_types import Ge, Le, Len
from typing_extensions import NotRequired, TypedDict

from remedis import files, json_records
from remedis.data.checks.leaks import LeaksRecord
from remedis.evaluation.intervals import MAX_RESAMPLES, EstimateRecord
from remedis.json_records import Count, Expect, Line, Name, Real
from remedis.zoo.provenance import ProvenanceRecord

FILE = "summary.json"
SETS = "ood_sets.json"
_ADVICE = (
    "remove it and run finetune/ood_curves.py with this --workdir again, which writes it from the "
    "finished cells"
)
Share = Annotated[float, Ge(0), Le(1)]
Metric = Annotated[Line, Expect("a metric of studies", lambda of: not re.search("[0-9]{6}", of))]


class Interval(TypedDict):
    """A number with its interval; null where there is none, or where it is open."""

    value: Real | None
    low: Real | None
    high: Real | None


class Ends(TypedDict):
    """A number with both ends of its interval."""

    value: Real
    low: Real
    high: Real


class Point(TypedDict):
    """An arm at one number of patients."""

    arm: Name
    mode: Name
    patients: Count
    images: Count
    mean: EstimateRecord
    labels: dict[Name, EstimateRecord]
    per_seed: NotRequired[list[Real | None]]


class Reference(TypedDict):
    """The baseline with all patients."""

    mode: Name
    arm: Name
    patients: Count
    mean: EstimateRecord
    above_chance: NotRequired[bool]


class InDistribution(TypedDict):
    """An arm at the first hospital."""

    arm: Name
    mode: Name
    mean: EstimateRecord


class Extrapolation(TypedDict):
    """Patients beyond those that were measured, or why there is no such number."""

    patients: Interval | None
    missing: Line | None


class Cost(TypedDict, total=False):
    """Cost of labelling."""

    minutes: Real | None
    price: Real | None


class Answer(TypedDict):
    """What an arm needs to reach a level; version 0.1 has `extrapolated` and no `fold_missing`."""

    arm: Name
    mode: Name
    target: Line
    level: Real | None
    patients: Interval | None
    status: Line
    at_least: Real | None
    share_reached: Share | None
    fold: Interval | None
    extrapolated: NotRequired[bool]
    cost: NotRequired[Cost | None]
    share_of_gain: NotRequired[Real | None]
    headline: NotRequired[bool]
    level_lowered: NotRequired[bool]
    arm_above_chance: NotRequired[bool]
    baseline_above_chance: NotRequired[bool]
    baseline_patients: NotRequired[Interval | None]
    ratio: NotRequired[Interval | None]
    fold_missing: NotRequired[Line | None]
    extrapolation: NotRequired[Extrapolation | None]


# Keys that answers of 0.1 lack.
_LATER = (
    *("share_of_gain", "headline", "arm_above_chance", "baseline_above_chance", "ratio"),
    *("baseline_patients", "extrapolation"),
)


def _of_one_version(answer: Mapping[str, Any]) -> bool:
    """Returns whether an answer has the keys of this version, or those of 0.1."""
    if "fold_missing" in answer:
        return all(key in answer for key in _LATER)
    return "extrapolated" in answer


class Paired(TypedDict):
    """The difference of two arms."""

    mode: Name
    patients: Count
    arm: Name
    against: Name
    difference: Interval
    p: Share | None
    p_adjusted: NotRequired[Share | None]
    primary: NotRequired[bool]


class Recovered(TypedDict):
    """The share of the gap that an arm recovers with a number of patients."""

    patients: Count
    share: Interval | None
    missing: NotRequired[Line | None]


class Gap(TypedDict):
    """The loss of an arm from the first hospital to the second."""

    arm: Name
    mode: Name
    id: EstimateRecord
    zero_shot: EstimateRecord
    gap: Interval
    recovered: list[Recovered]


class Level(TypedDict):
    """A level to reach."""

    mode: Name
    arm: Name
    share_of_gain: Real
    headline: bool
    level: Interval
    gain: Interval
    above_chance: bool
    gains: bool


class Placebo(TypedDict):
    """Ratios of arms that are the same."""

    mode: Name
    arm: Name
    splits: Count
    ratio: Interval | None
    share_twofold: Share | None
    share_multiples: Share | None
    missing: Line | None


class Primary(TypedDict):
    """The comparison that the config states."""

    arm: Name
    against: Name
    mode: Name
    patients: Count
    labels: list[Name]
    difference: Interval
    p: Share | None


class Uncertain(TypedDict):
    """The AUROC of an arm for each policy of uncertain labels."""

    arm: Name
    mode: Name
    patients: Count
    images: Count
    labels: list[Name]
    ignore: EstimateRecord
    zeros: EstimateRecord
    ones: EstimateRecord


class CandidateOfCells(TypedDict):
    """How often a candidate was chosen."""

    candidate: Line
    score: Real | None
    chosen: Count


class Training(TypedDict):
    """The choice of the settings of one in-distribution training."""

    training: Count
    penalties: NotRequired[dict[Name, Real]]
    chosen: NotRequired[Line]
    scores: NotRequired[dict[Line, Real | None]]


class TunedArm(TypedDict):
    """The choices of an arm."""

    ood: list[CandidateOfCells]
    cells: Count
    unranked: NotRequired[Count]
    unrecorded: NotRequired[Count]
    id: NotRequired[list[Training]]


class TuningOfMode(TypedDict):
    """The tuning of all arms in one mode."""

    budget: Line
    candidates: list[Line]
    arms: dict[Name, TunedArm]
    rule: NotRequired[Line]


class StudyArm(TypedDict):
    """An arm of a study."""

    checkpoint: Line
    random_weights: bool
    provenance: ProvenanceRecord


class Hospital(TypedDict):
    """The data of one hospital."""

    name: Line
    source: Line
    counts: Annotated[
        dict[Name, Annotated[dict[Name, Count], Expect("patients", lambda of: "patients" in of)]],
        Len(1),
    ]
    leaks: LeaksRecord
    label_notes: NotRequired[list[Line]]


class Hospitals(TypedDict):
    """The data of both hospitals."""

    id: Hospital
    ood: Hospital


class BudgetOfStudy(TypedDict):
    """A number of labelled patients."""

    budget: Name
    patients: Count
    images: Count
    positives: dict[Name, Count]
    left_out: Line | None


class Cells(TypedDict):
    """Numbers of trained models."""

    done: Count
    planned: Count


class _Summary(TypedDict):
    title: Line
    command: str
    created: Line
    labels: Annotated[list[Name], Len(1, 10_000)]
    metric: Metric
    interval: Line
    seeds: Count
    resamples: Annotated[int, Ge(0), Le(MAX_RESAMPLES)]
    baseline: Name
    modes: Annotated[list[Name], Len(1)]
    data: Hospitals
    between: LeaksRecord | None
    budgets: list[BudgetOfStudy]
    points: list[Point]
    id: list[InDistribution]
    reference: list[Reference]
    answers: list[Annotated[Answer, Expect("an answer of one version", _of_one_version)]]
    paired: list[Paired]
    gap: list[Gap]
    caveats: list[Line]
    cells: Cells
    minutes: Real
    arms: Annotated[dict[Name, StudyArm], Len(1)]
    rehearsal: NotRequired[bool]
    trainings: NotRequired[dict[Name, Count] | int]
    too_few_seeds: NotRequired[bool]
    levels: NotRequired[list[Level]]
    placebo: NotRequired[list[Placebo]]
    primary: NotRequired[Primary | None]
    adjustment: NotRequired[Line | None]
    uncertain_labels: NotRequired[list[Uncertain]]
    tuning: NotRequired[dict[Name, TuningOfMode]]
    task: NotRequired[Line]
    chance: NotRequired[Share]
    id_chance: NotRequired[Share]


def _names_agree(of: Mapping[str, Any]) -> bool:
    """Returns whether arms, modes and labels are those that the summary lists."""
    arms, modes, labels = set(of["arms"]), set(of["modes"]), set(of["labels"])
    parts = [*of["points"], *of["reference"], *of["answers"], *of["paired"], *of["gap"], *of["id"]]
    tuned = of.get("tuning", {})
    return (
        of["baseline"] in arms
        and all(part["arm"] in arms and part["mode"] in modes for part in parts)
        and all(set(point["labels"]) <= labels for point in of["points"])
        and set(tuned) <= modes
        and all(set(tuning["arms"]) <= arms for tuning in tuned.values())
    )


# `summary.json`, of every version.
SummaryRecord = Annotated[
    _Summary, Expect("points and answers of its arms, modes and labels", _names_agree)
]


class SetRecord(TypedDict):
    """A set of a study."""

    name: Name
    directory: Annotated[
        Line,
        Expect(
            "a directory inside of the study's",
            lambda of: not pathlib.PurePath(of).is_absolute() and ".." not in of.split("/"),
        ),
    ]


class SetsRecord(TypedDict):
    """`ood_sets.json`."""

    title: Line
    sets: Annotated[list[SetRecord], Len(1)]
    overlaps: list[Line]
    caveats: list[Line]


def read(folder: files.Path) -> dict[str, Any]:
    """Returns the `summary.json` in a directory.

    Raises:
      UserError: the file is damaged.
      OSError: there is none.
    """
    values: Any = json_records.read(pathlib.Path(folder, FILE), SummaryRecord, _ADVICE)
    return dict(values)


def read_sets(folder: files.Path) -> dict[str, Any]:
    """Returns the `ood_sets.json` in a directory.

    Raises:
      UserError: the file is damaged.
      OSError: there is none.
    """
    return dict(json_records.read(pathlib.Path(folder, SETS), SetsRecord, _ADVICE))
