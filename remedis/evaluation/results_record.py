"""Kinds of `results.json` of runs and evaluations, of every version, and their reading.

The page "Fields of results.json" is made from the `Attributes`, as `evaluated_record` describes.
"""

import pathlib
from collections.abc import Mapping
from typing import Annotated, Any

from annotated_types import Ge, Le
from typing_extensions import NotRequired, Required, TypedDict

from remedis import files, json_records
from remedis.evaluation.calibration import CalibrationRecord
from remedis.evaluation.drift_record import DriftRecord
from remedis.evaluation.evaluated_record import EvaluatedRecord
from remedis.evaluation.imported.imported_record import ImportedRecord
from remedis.evaluation.thresholds import ThresholdsRecord
from remedis.json_records import Count, Expect, Line, Name, Real
from remedis.zoo.provenance import ProvenanceRecord

FILE = "results.json"
ADVICE = "remove it and run the same command again, which writes it"


class MeaningRecord(TypedDict):
    """`remedis.data.label_policies.Meaning.to_json`."""

    uncertain: Line
    unmentioned: Line
    unlabelled: Line


class Data(TypedDict, total=False):
    """The data of a fine-tuning run or an evaluation.

    Attributes:
      source: the directory or the table of the data, as it was given.
      counts: split -> `images`, `patients`, `studies` (if known), and the images that are positive
        for each label.
      policies: label -> what its `uncertain` and `unmentioned` values counted as, in training.
      evaluation_policies: what label values other than 1 and 0 count as in validation and test.
      label_notes: split -> sentences on labels that are not plainly 1 or 0. Runs only.
      bad_images: number of images that were left out, since they cannot be read. Runs only.
      unchecked: sentences on leaks between splits that could not be looked for. Runs only.
      seen_by_checkpoint: sentences on test images that the checkpoint may have been trained on.
        Runs only.
      warning: a sentence if the model has seen some of the images, or may have; else empty.
        Evaluations only.
    """

    source: Line
    counts: dict[Name, dict[Name, Count]]
    policies: dict[Name, dict[Name, Line]]
    evaluation_policies: MeaningRecord
    label_notes: dict[Name, list[Line]]
    bad_images: Count
    unchecked: list[Line]
    seen_by_checkpoint: list[Line]
    warning: Line


class ScheduleRecord(TypedDict, total=False):
    """The length and the learning rate of a training.

    Attributes:
      kind: `hyperrule`, `cosine`, `step` or `constant`.
      steps: length of the training, in steps.
      warmup: steps at the start in which the rate rises from a first share to its full value.
      learning_rate: after the warm-up.
      drops: shares of the steps after which the rate falls to a tenth.
      mixup: parameter of the beta distribution of MixUp; 0 without MixUp.
    """

    kind: Line
    steps: Count
    warmup: Count
    learning_rate: Real
    drops: list[Annotated[float, Ge(0), Le(1)]]
    mixup: Real


class Selection(TypedDict, total=False):
    """The labels that chose the checkpoint, or the penalties of a linear probe.

    Attributes:
      labels: labels whose mean AUROC on validation chose. Empty if the loss chose.
      left_out: labels with fewer than 5 effective positive or negative patients in
        validation.
      estimable: whether the AUROC of any label is estimable on validation. If not, the choice is
        unreliable.
      note: the same as a sentence.
    """

    labels: list[Name]
    left_out: list[Name]
    estimable: bool
    note: Line


class Tuning(TypedDict):
    """The candidates of `config.select`.

    Attributes:
      grid: the text of `config.select`.
      names: candidates, in the order in which ties are broken.
      scores: of each candidate on validation, higher is better: the mean AUROC, or minus the loss.
        None for a training that diverged.
      chosen: index of the chosen candidate, from 0.
    """

    grid: NotRequired[Line]
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


class Probe(TypedDict, total=False):
    """The solution of a linear probe.

    Attributes:
      penalties: label -> strength of the L2 penalty that was chosen.
      converged: whether the solver found the minimum. If not, take the numbers with care.
    """

    penalties: dict[Name, Real]
    converged: bool


class _Results(TypedDict, total=False):
    """The result of a fine-tuning run or an evaluation.

    Attributes:
      random_weights: whether the model started from weights that were never trained. Its numbers
        then say nothing about pretraining.
      checkpoint: the weights that a run started from, or the model that was evaluated.
      title: title of the report. Evaluations only.
      model: folder of the exported classifier. Evaluations of a model on data only.
      task: `multi_label`, one yes or no per label, or `multi_class`, one class per image.
      split: the split that was evaluated; the result has its name. Evaluations only.
      data: the images and labels.
      preprocess: specification of the image operations: `train` and `evaluation` of a run,
        `evaluation` of an evaluation. A linear probe embeds training images as they are evaluated.
      schedule: length and learning rate of the training. Absent after a linear probe
        (`method=probe`).
      steps: training steps that were made. Absent after a linear probe.
      best_step: the step whose weights were kept, chosen on validation. Absent after a linear
        probe.
      selection: what chose the weights on validation.
      probe: penalties of a linear probe (`method=probe`). Absent after other trainings.
      tuning: the candidates and the choice among them. Absent unless `config.select` names several.
      calibration: the map from logits to probabilities, fitted on validation. Absent in an
        evaluation of a model on data; `choice_notes` name it there.
      thresholds: chosen on validation, as in the result of each split.
      drift: the model on these data beside what it was. Evaluations of a model on data only.
      imported: where the predictions of others come from. Only of `remedis import-predictions`.
      train: result of the training split. No run of this version writes it.
      validation: result of the validation split. It chose the weights, so its numbers look better
        than they are.
      test: result of the test split: the numbers to report.
    """

    random_weights: Required[bool]
    checkpoint: ProvenanceRecord
    title: Line
    model: Line
    task: Line
    split: Name
    data: Data
    preprocess: dict[Name, Line | None]
    schedule: ScheduleRecord
    steps: Count
    best_step: Count
    selection: Selection
    probe: Probe
    tuning: TuningRecord
    calibration: CalibrationRecord
    thresholds: ThresholdsRecord | None
    drift: DriftRecord
    imported: ImportedRecord
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


class UnlabelledSource(TypedDict, total=False):
    """The images of one source.

    Attributes:
      images: number of images that are used.
      patients: number of their patients.
      left_out: reason -> number of images that are not used.
    """

    images: Count
    patients: Count
    left_out: dict[Line, Count]


class UnlabelledData(TypedDict, total=False):
    """The images of a pretraining, also in its `leaks.json`.

    Attributes:
      labels_used: false: no label takes part in the training.
      images: number of images that are used.
      patients: number of their patients, as far as these are known.
      sources: name of the source -> its images.
      bad_images: number of images that were left out, since they cannot be read.
      unchecked: sentences on test images that may be among the images.
    """

    labels_used: bool
    images: Count
    patients: Count
    sources: dict[Name, UnlabelledSource]
    bad_images: Count
    unchecked: list[Line]


# The probes of a pretraining at one step.
ProbeRow = TypedDict(
    "ProbeRow",
    {"step": Count, "probe/linear_auroc": Real | None, "probe/knn_auroc": Real | None},
)
ProbeRow.__doc__ = """The probes of a pretraining at one step.

    Attributes:
      step: training step; 0 before the training.
      probe/linear_auroc: mean AUROC on validation of a logistic regression on the features.
      probe/knn_auroc: mean AUROC on validation of the nearest neighbours of the features.
    """


class _Pretraining(TypedDict):
    """The result of a pretraining.

    Attributes:
      name: name of the export.
      method: the self-supervised method, such as `simclr`.
      checkpoint: the weights that the training started from.
      data: the images.
      preprocess: specification of the image operations that make the two views of an image.
      steps: training steps that were made.
      best_step: the step whose weights were exported: the best by the probe, or the last without
        one.
      probe: what the probe measured, per step. Empty without `config.probe`.
    """

    name: Line
    method: Line
    checkpoint: ProvenanceRecord
    data: NotRequired[UnlabelledData]
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
