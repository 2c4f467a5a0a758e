"""The page "Fields of results.json"."""

import json

from docs.generate import markdown, metric_table
from docs.generate.sections import Page, Section
from remedis.evaluation import (
    calibration,
    drift_record,
    estimate_drift,
    evaluated_record,
    results_record,
    thresholds,
)
from remedis.evaluation.effective_patients import shortage
from remedis.evaluation.evaluation_result import MetricRecord
from remedis.evaluation.imported import imported_record
from remedis.evaluation.intervals import EstimateRecord
from remedis.zoo.provenance import ProvenanceRecord

PATH = "reference/results.md"
SCHEMA = "results.schema.json"
SPLIT = "`test`, `validation`"

# What is looked for -> its path in the file of a fine-tuning run; NAME stands for a label.
QUESTIONS = {
    "the AUROC of a label": "test.labels.NAME.value",
    "the ends of its interval": "test.labels.NAME.low",
    "the mean AUROC over labels": "test.mean.value",
    "which labels are in the mean": "test.averaged",
    "sensitivity at Youden's threshold": "test.metrics.youden/sensitivity.labels.NAME.value",
    "the threshold itself, a probability": "test.thresholds.youden.NAME",
    "whether probabilities can be trusted": "test.metrics.calibration_slope.labels.NAME.value",
    "how many patients it rests on": "test.labels.NAME.patients",
    "how many of them count": "test.labels.NAME.effective",
    "why there is no number": "test.labels.NAME.reason",
    "the AUROC of one group": "test.subgroups.sex.NAME.groups.F.auroc.value",
    "what to say beside the number": "test.warnings",
    "how many images and positives there were": "data.counts.test.NAME",
    "what the model started from": "checkpoint.description",
}


def page() -> Page:
    """Returns the page."""
    return Page(PATH, "Fields of results.json", _introduction(), ROOTS, _sections())


ROOTS = (results_record.ResultsRecord, results_record.PretrainingRecord)


def _introduction() -> str:
    rows = [(asked, markdown.breakable(path)) for asked, path in QUESTIONS.items()]
    return "\n\n".join(
        [
            "`remedis finetune`, `remedis pretrain` and `remedis evaluate` end with a file "
            "`results.json`. This page says what every field means. [What the numbers mean]"
            "(../numbers.md) explains them to a clinician, and [the glossary](../glossary.md) the "
            "terms.",
            f"The same fields as a [JSON Schema]({SCHEMA}), for programs. The files of a study are "
            "on the page [Fields of summary.json](study-summary.md), those of an export and of "
            "the checks on [Fields of other records](records.md).",
            "## Find a number { #find }",
            "Paths lead through a file from its top. NAME is the name of a label.",
            markdown.table(("You look for", "Read"), rows),
            "## How to read this page { #reading }",
            'Each table has the fields of one object. Below a name stands its type. "By name" is '
            "an object whose keys are names, such as those of labels. A field that is *optional* "
            "may be absent: its meaning says when, and files of earlier versions lack fields that "
            "were added later. `null` is a value: it says that there is no number. Numbers are "
            "not rounded. Shares and probabilities are between 0 and 1.",
        ]
    )


def _example() -> str:
    made = metric_table.example()
    shown = {name: made["labels"][name] for name in ("pneumonia", "fracture")}
    return markdown.fence(json.dumps(shown, indent=2), "json")


def _sections() -> list[Section]:
    return [
        Section(
            results_record.ResultsRecord,
            "results",
            "The whole file",
            text="Of a fine-tuning run (`remedis finetune`) or an evaluation (`remedis evaluate`).",
        ),
        Section(
            evaluated_record.EvaluatedRecord,
            "evaluation",
            "The score: the result of one split",
            f"{SPLIT}. In an evaluation, the field that `split` names.",
        ),
        Section(
            MetricRecord,
            "metric",
            "The metrics, and how each interval is made",
            f"in {SPLIT}: `metrics.NAME`, `nested.metrics.NAME`",
            after="\n\n".join(
                [
                    "The names of `metrics`. Numbers at a threshold have its name before them, "
                    "such as `youden/sensitivity` or `target_sensitivity/ppv`; they are absent "
                    "without thresholds. Numbers of calibration are absent if scores are not "
                    "between 0 and 1.",
                    metric_table.metrics(),
                    "How the intervals are made, at 95 %. All of them count effective patients. "
                    "The methods were chosen by simulation; `benchmarks/coverage.py` prints how "
                    "often they hold the truth.",
                    metric_table.intervals(),
                ]
            ),
        ),
        Section(
            EstimateRecord,
            "number",
            "How sure: one number with its interval",
            f"in {SPLIT}: `labels.NAME`, `mean`, `metrics.METRIC.labels.NAME`, "
            "`metrics.METRIC.mean`, `subgroups.COLUMN.NAME.groups.GROUP.METRIC`",
            text="Images of one patient resemble each other, so patients are counted, not images. "
            "*Effective* numbers are smaller where few patients have most of the images "
            "([why](../numbers.md#patients)).",
            after="Two labels of a made-up evaluation; the second is too rare:\n\n" + _example(),
        ),
        _why_null(),
        Section(
            thresholds.ThresholdsRecord,
            "thresholds",
            "Thresholds",
            f"`thresholds`, and in {SPLIT}: `thresholds`. The threshold of a label is `null` if "
            "the data that should choose it lack a class.",
        ),
        Section(
            thresholds.ChosenOn,
            "origin",
            "Where a threshold comes from",
            "in thresholds: `chosen_on.NAME`",
            level=3,
        ),
        Section(
            calibration.CalibrationRecord,
            "calibration",
            "Calibration",
            "`calibration`",
            text="`probability = sigmoid(scale * logit + offset)`; softmax for `multi_class`.",
        ),
        Section(
            calibration.FittedOn,
            "fit",
            "The patients behind a calibration",
            "`calibration.fitted_on`",
            level=3,
        ),
        Section(
            calibration.LabelFit,
            "fit of a label",
            "The fit of one label",
            "`calibration.fitted_on.labels.NAME`",
            level=3,
        ),
        Section(
            evaluated_record.Groups,
            "groups",
            "Groups of patients",
            f"in {SPLIT}: `subgroups.COLUMN.NAME`, where COLUMN is `sex`, `age`, `view` or `site`, "
            "and NAME is a label or `mean`",
        ),
        Section(
            evaluated_record.Gap,
            "gap",
            "The difference between groups",
            f"in {SPLIT}: `subgroups.COLUMN.NAME.gaps.METRIC`",
            level=3,
        ),
        Section(
            evaluated_record.UncertainLabels,
            "uncertain labels",
            "Uncertain labels",
            f"in {SPLIT}: `uncertain_labels`",
            text="Where the three numbers differ much, the result depends on what uncertain "
            "reports mean, more than its interval says.",
        ),
        Section(
            evaluated_record.UncertainLabel,
            "policies of a label",
            "One label under each policy",
            f"in {SPLIT}: `uncertain_labels.labels.NAME`",
            level=3,
        ),
        Section(
            evaluated_record.UncertainMean,
            "policies of the mean",
            "The mean under each policy",
            f"in {SPLIT}: `uncertain_labels.mean`",
            level=3,
        ),
        Section(evaluated_record.Ties, "ties", "Tied scores", f"in {SPLIT}: `ties.NAME`"),
        Section(
            evaluated_record.Nested,
            "nested intervals",
            "Intervals that contain the choice of thresholds",
            f"in {SPLIT}: `nested`",
            text="The other intervals take calibration and thresholds as given. These also "
            "contain that another validation split would have chosen others.",
        ),
        Section(
            imported_record.ImportedRecord,
            "imported predictions",
            "Predictions of others",
            "`imported`",
            text="Of `remedis import-predictions`. [Evaluate and compare others' predictions]"
            "(../how-to/others-predictions.md) says how to read it.",
        ),
        Section(
            drift_record.DriftRecord,
            "drift",
            "Drift: the model now beside what it was",
            "`drift`",
            text="Of an evaluation of a model on data. [Evaluate a model on another hospital]"
            "(../how-to/evaluate-elsewhere.md#drift) says how to read it.",
        ),
        Section(
            drift_record.DistanceRecord,
            "distance",
            "A distance with its permutation test",
            "`drift.embeddings`",
            level=3,
        ),
        Section(
            drift_record.ScoreDriftRecord,
            "score drift",
            "The drift of one label's scores",
            "`drift.scores.NAME`",
            level=3,
        ),
        Section(
            drift_record.MetricDriftRecord,
            "metric drift",
            "One metric then and now",
            "`drift.metrics.NAME.METRIC`",
            level=3,
        ),
        Section(
            estimate_drift.DifferenceRecord,
            "difference",
            "The difference of a metric",
            "`drift.metrics.NAME.METRIC.difference`",
            level=3,
        ),
        Section(results_record.Data, "data", "The data", "`data`"),
        Section(
            results_record.MeaningRecord,
            "meaning of labels",
            "What labels count as",
            "`data.evaluation_policies`",
            text="Each is `ignore`, `zeros`, `ones` or `keep`, and exceptions by label after it.",
            level=3,
        ),
        Section(ProvenanceRecord, "weights", "The weights", "`checkpoint`, and their `parent`s"),
        Section(results_record.ScheduleRecord, "schedule", "The training", "`schedule`"),
        Section(
            results_record.Selection,
            "selection",
            "What chose the weights",
            "`selection`",
            level=3,
        ),
        Section(results_record.TuningRecord, "tuning", "Candidates", "`tuning`", level=3),
        Section(results_record.Probe, "probe", "A linear probe", "`probe`", level=3),
        Section(
            results_record.PretrainingRecord,
            "pretraining",
            "results.json of a pretraining",
            text="`remedis pretrain` writes another object under the same name. It has no score: "
            "labels take no part. If a probe is set, it says whether the features get better.",
        ),
        Section(
            results_record.UnlabelledData,
            "unlabelled data",
            "The images of a pretraining",
            "`data`; also the whole `leaks.json` of a pretraining",
            level=3,
        ),
        Section(
            results_record.UnlabelledSource,
            "source",
            "One source of images",
            "`data.sources.NAME`",
            level=3,
        ),
        Section(results_record.ProbeRow, "probes", "The probes at one step", "`probe`", level=3),
    ]


def _why_null() -> Section:
    few = shortage(3, 3.0, 2, 5, "positive ")
    uneven = shortage(8, 1.4, 90, 105, "positive ")
    reasons = {
        few: "Too few patients have a positive image. The same with *negative*, or without a word "
        "for all patients whose label is known.",
        uneven: "Patients are enough, but one has most of the images. `config.weighting=patients` "
        "weighs patients alike in the AUROC.",
        "no label is estimable": "Of a mean: no label has a number.",
        "too few patients with NAME": "Of the balanced accuracy: it needs every class.",
        "of 3 classes, the true one is always among 3": "Of a top-K accuracy: K is too large.",
        "the probabilities separate the classes, or are all equal": "Of the calibration slope: no "
        "line can be fitted.",
        "all probabilities are close to 0 or 1": "Of the calibration intercept.",
    }
    table = markdown.table(
        ("`reason`", "It means"), [(f"`{reason}`", text) for reason, text in reasons.items()]
    )
    return Section(
        None,
        "no number",
        "Why is there no number?",
        text="`value`, `low` and `high` are `null` together, and `reason` says why. [What the "
        "numbers mean](../numbers.md#not-estimable) says what to do about it.",
        after=f"{table}\n`left_out` lists the labels whose AUROC is not estimable, and `averaged` "
        "those in the mean. A gap between groups is `null` if fewer than two groups have a number; "
        "`not_estimable` names the others. `thresholds` is `null` if the model has none.",
    )
