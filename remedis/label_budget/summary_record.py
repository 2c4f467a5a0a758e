"""Kinds of a study's `summary.json` and `ood_sets.json`, of every version, and their reading.

The page "Fields of summary.json" is made from the `Attributes`, as
`remedis.evaluation.evaluated_record` describes.
"""

import pathlib
import re
from collections.abc import Mapping
from typing import Annotated, Any

from annotated_types import Ge, Le, Len
from typing_extensions import NotRequired, TypedDict

from remedis import files, json_records
from remedis.data.checks.leaks import LeaksRecord
from remedis.evaluation.intervals import MAX_RESAMPLES
from remedis.json_records import Count, Expect, Line, Name, Real
from remedis.label_budget.study_numbers import (
    Answer,
    Gap,
    InDistribution,
    Level,
    Paired,
    Placebo,
    Point,
    Primary,
    Reference,
    Share,
    Uncertain,
    of_one_version,
)
from remedis.zoo.provenance import ProvenanceRecord

FILE = "summary.json"
SETS = "ood_sets.json"
_ADVICE = (
    "remove it and run finetune/ood_curves.py with this --workdir again, which writes it from the "
    "finished cells"
)
Metric = Annotated[Line, Expect("a metric of studies", lambda of: not re.search("[0-9]{6}", of))]


class CandidateOfCells(TypedDict):
    """How often a candidate was chosen.

    Attributes:
      candidate: its name; `step 0` is the model before it adapts.
      score: mean over the cells of its score on validation. None if no cell could rank it.
      chosen: number of cells that chose it.
    """

    candidate: Line
    score: Real | None
    chosen: Count


class Training(TypedDict):
    """The choice of the settings of one in-distribution training.

    Attributes:
      training: its number, from 0.
      penalties: label -> chosen penalty, of a probe.
      chosen: name of the chosen candidate, of fine-tuning.
      scores: candidate -> score on validation, of fine-tuning. None for one that diverged.
    """

    training: Count
    penalties: NotRequired[dict[Name, Real]]
    chosen: NotRequired[Line]
    scores: NotRequired[dict[Line, Real | None]]


class TunedArm(TypedDict):
    """The choices of an arm.

    Attributes:
      ood: the candidates in the cells, which adapt at the second hospital.
      cells: number of these cells.
      unranked: cells in which validation could not rank the candidates.
      unrecorded: cells of an earlier version, which kept no record.
      id: the trainings at the first hospital.
    """

    ood: list[CandidateOfCells]
    cells: Count
    unranked: NotRequired[Count]
    unrecorded: NotRequired[Count]
    id: NotRequired[list[Training]]


class TuningOfMode(TypedDict):
    """The tuning of all arms in one mode.

    Attributes:
      grid: the text of `config.select`, or the penalties of probes.
      budget: number of candidates, as a sentence. It is the same for every arm.
      candidates: their names.
      arms: arm -> its choices.
      rule: how a candidate is chosen, as sentences.
    """

    grid: NotRequired[str]
    budget: Line
    candidates: list[Line]
    arms: dict[Name, TunedArm]
    rule: NotRequired[Line]


class StudyArm(TypedDict):
    """An arm of a study.

    Attributes:
      checkpoint: as the config names it.
      random_weights: whether its weights were never trained before the study.
      floor: whether there is no network, but thumbnails of the images (`thumbnails:12`).
      provenance: of its weights.
    """

    checkpoint: Line
    random_weights: bool
    floor: NotRequired[bool]
    provenance: ProvenanceRecord


class Hospital(TypedDict):
    """The data of one hospital.

    Attributes:
      name: of the hospital, as reports show it.
      source: kind of the data, such as `chexpert` or `csv`.
      counts: split -> `images`, `patients`, `studies` (if known), and the images that are positive
        for each label.
      leaks: the comparison of its splits.
      label_notes: sentences on what uncertain and empty labels of its test set count as.
    """

    name: Line
    source: Line
    counts: Annotated[
        dict[Name, Annotated[dict[Name, Count], Expect("patients", lambda of: "patients" in of)]],
        Len(1),
    ]
    leaks: LeaksRecord
    label_notes: NotRequired[list[Line]]


class Hospitals(TypedDict):
    """The data of both hospitals.

    Attributes:
      id: the first, where models are trained (in distribution).
      ood: the second, where they adapt (out of distribution).
    """

    id: Hospital
    ood: Hospital


class BudgetOfStudy(TypedDict):
    """A number of labelled patients.

    Attributes:
      budget: its text in `config.budgets`, such as `10%`.
      patients: labelled patients.
      images: their images, mean over the draws.
      positives: label -> patients with a positive image, mean over the draws.
      left_out: why no model was trained for it. None if some were.
    """

    budget: Name
    patients: Count
    images: Count
    positives: dict[Name, Count]
    left_out: Line | None


class Cells(TypedDict):
    """Numbers of trained models.

    Attributes:
      done: finished models.
      planned: all models of the study.
    """

    done: Count
    planned: Count


class _Summary(TypedDict):
    """The result of a study.

    Attributes:
      title: of the report.
      rehearsal: whether the images are made up. The numbers then say nothing about medicine.
      command: the command line, with full paths.
      created: date, as YYYY-MM-DD.
      labels: of the test set, in the order of the outputs.
      task: `multi_label` or `multi_class`.
      metric: name of the metric of all curves: `mean AUROC`, or such as `top-3 accuracy`.
      chance: the metric of scores that say nothing, at the second hospital.
      id_chance: the same at the first hospital.
      interval: how the intervals are made, as a phrase.
      seeds: draws of patients per budget.
      resamples: draws of patients and seeds behind the intervals of answers.
      baseline: name of the arm that the others are compared with.
      modes: how arms adapt: `probe`, `finetune` or both.
      arms: arm -> its checkpoint.
      trainings: mode -> trainings of each arm at the first hospital.
      too_few_seeds: whether there are too few seeds for any multiple.
      data: of both hospitals.
      between: the comparison of the images of both hospitals.
      budgets: numbers of labelled patients.
      points: the learning curves.
      id: the arms at the first hospital.
      reference: the baseline with all patients, per mode.
      levels: what there is to reach.
      answers: patients that an arm needs, per arm, mode and level. The headline answers are those
        with `headline`.
      placebo: how often two equal arms would seem to differ, per mode.
      primary: the comparison of `config.primary`. None without one.
      paired: differences of all pairs of arms.
      adjustment: method of `p_adjusted`.
      gap: the loss from the first hospital to the second, and its recovery.
      uncertain_labels: the AUROC per policy of uncertain test labels. Empty without such labels.
      tuning: mode -> how settings were chosen.
      caveats: sentences that whoever quotes the numbers has to know.
      cells: numbers of trained models.
      minutes: computing time of all models together.
    """

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
    answers: list[Annotated[Answer, Expect("an answer of one version", of_one_version)]]
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
    """An out-of-distribution set of a study.

    Attributes:
      name: of the set.
      directory: of its `summary.json`, relative to the study's directory.
    """

    name: Name
    directory: Annotated[
        Line,
        Expect(
            "a directory inside of the study's",
            lambda of: not pathlib.PurePath(of).is_absolute() and ".." not in of.split("/"),
        ),
    ]


class SetsRecord(TypedDict):
    """The out-of-distribution sets of a study that has several.

    Attributes:
      title: of the study's report; empty for one made from the names of the sets.
      sets: the sets, the first one first.
      overlaps: sentences on test images and patients that two sets have in common.
      caveats: those of the config.
    """

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
