"""What the predictions of a run say about its patients, and its right and wrong calls."""

import dataclasses
from collections.abc import Mapping

import numpy as np
import pandas as pd

from remedis.evaluation.ranking import ranking_of
from remedis.evaluation.ratios import operating_point
from remedis.evaluation.thresholds import Thresholds, compared
from remedis.reporting.checklists.answers import Answer, Part, counted, name, say, table, write
from remedis.reporting.checklists.cited_records import (
    PREDICTIONS,
    RESULTS,
    Field,
    Keys,
    Records,
    shown,
)
from remedis.reporting.checklists.data_facts import tested_place

_MOST_ROWS = 40  # of a table in the document; the file has all
_GROUPS = ("sex", "view", "site")
CALLS = ("true positive", "false positive", "false negative", "true negative")


def _field(value: float | int, *keys: str | int) -> Field:
    """Returns a number that is computed from the table of predictions as a field."""
    plain = value if isinstance(value, int) else float(value)
    return Field(PREDICTIONS, keys, plain, shown(plain))


def characteristics(records: Records) -> Answer:
    """Returns patients by sex, view and site, and ages, of each split with predictions."""
    predictions = records.predictions()
    if predictions is None:
        return write("Describe the patients of each partition: age, sex, clinical characteristics.")
    splits = [str(split) for split in predictions["split"].dropna().unique()]
    of_split = {split: predictions[predictions["split"] == split] for split in splits}
    rows: list[list[Part | None]] = []
    for column in _GROUPS:
        if column in predictions:
            rows += _group_rows(of_split, column, predictions)
    if "age" in predictions and predictions["age"].notna().any():
        rows.append(["age, median (range), over images", *map(_ages, splits, of_split.values())])
    if not rows:
        return write(
            "The predictions have no column sex, age, view or site: describe the patients of each "
            "partition from the source of the data."
        )
    header: list[Part] = ["patients"]
    for split in splits:
        header.append([name(PREDICTIONS, split), " split"])
    caption = "Patients by group; a patient with images in two groups counts in both."
    return table(header, rows[:_MOST_ROWS], [PREDICTIONS], caption) + write(
        "Add the training split, which the predictions do not have, and clinical characteristics "
        "such as severity and other diseases; say where partitions differ."
    )


def _group_rows(
    of_split: Mapping[str, pd.DataFrame], column: str, predictions: pd.DataFrame
) -> list[list[Part | None]]:
    rows: list[list[Part | None]] = []
    for group in sorted(predictions[column].dropna().astype(str).unique()):
        cells: list[Part | None] = []
        for split, images in of_split.items():
            of_group = images[images[column].astype(str) == group]
            patients = int(of_group["patient_id"].fillna(of_group["path"]).nunique())
            cells.append(_field(patients, split, column, group))
        rows.append(
            [[f"{column} ", name(PREDICTIONS, next(iter(of_split)), column, group)], *cells]
        )
    return rows


def _ages(split: str, images: pd.DataFrame) -> Part:
    ages = images["age"].dropna()
    if ages.empty:
        return "not known"
    median, least, most = (
        _field(float(value), split, "age", key)
        for key, value in (("median", ages.median()), ("min", ages.min()), ("max", ages.max()))
    )
    return [median.decimals(0), " (", least.decimals(0), " to ", most.decimals(0), ")"]


def cross_tabulation(records: Records) -> Answer:
    """Returns right and wrong calls of images at Youden's threshold, per label."""
    predictions, chosen = records.predictions(), records.evaluated.get("thresholds")
    labels = list(records.evaluated.get("labels") or ())
    if predictions is None or not chosen or not labels:
        return Answer()
    calls = calls_at_youden(
        predictions[predictions["split"] == records.split],
        labels,
        str(records.evaluated.get("task") or "multi_label"),
        Thresholds.from_json(chosen),
    )
    rows: list[list[Part | None]] = []
    for label, counts in list(calls.items())[:_MOST_ROWS]:
        keys: Keys = (records.split, "calls", label)
        cells = [_field(counts[call], *keys, call) for call in CALLS]
        rows.append([name(PREDICTIONS, *keys), *cells])
    if not rows:
        return Answer()
    return table(
        ["label", *CALLS],
        rows,
        [PREDICTIONS],
        "Images by call and reference standard, at Youden's threshold of each label; images whose "
        "label is unknown are left out.",
    )


def calls_at_youden(
    images: pd.DataFrame, labels: list[str], task: str, chosen: Thresholds
) -> dict[str, dict[str, int]]:
    """Returns the number of images of each kind in `CALLS`, per label that has a threshold.

    Args:
      images: predictions of one split.
      labels: names of the labels.
      task: `multi_label` or `multi_class`.
      chosen: thresholds of the labels.
    """
    known = images[[f"label/{label}" for label in labels]].to_numpy(np.float64)
    scores = images[[f"score/{label}" for label in labels]].to_numpy(np.float64)
    ranked = ranking_of(images, labels, task)
    chosen = chosen.for_labels(labels)
    if ranked.source != "log odds":
        chosen = dataclasses.replace(chosen, log_odds=None)
    values, cuts = compared(scores, ranked.values, chosen)
    rates = operating_point(known, values, cuts["youden"])
    right = {rate: rates[rate][0].sum(axis=0) for rate in ("sensitivity", "specificity")}
    all_of = {rate: rates[rate][1].sum(axis=0) for rate in ("sensitivity", "specificity")}
    return {
        label: {
            "true positive": int(right["sensitivity"][i]),
            "false positive": int(all_of["specificity"][i] - right["specificity"][i]),
            "false negative": int(all_of["sensitivity"][i] - right["sensitivity"][i]),
            "true negative": int(right["specificity"][i]),
        }
        for i, label in enumerate(labels)
        if not np.isnan(cuts["youden"][i])
    }


def failures(records: Records) -> Answer:
    """Returns the wrong calls, and where the images behind them are listed."""
    table_of_calls = cross_tabulation(records)
    if not table_of_calls.said:
        return write(
            "Show wrong calls with their images, and discuss why they may be wrong: the run has no "
            "table of predictions with thresholds."
        )
    return table_of_calls + write(
        "Look at the images that were called wrongly (`predictions.parquet` has path, label and "
        "score of each), show examples, and say what they have in common."
    )


def test_size(records: Records) -> Answer:
    """Returns the number of test patients and of positive ones, and that no size was computed."""
    return test_size_alone(records) + write(
        "State the intended number of test patients and how it was computed (power, or width of "
        "the interval): the run does not compute it."
    )


def test_size_alone(records: Records) -> Answer:
    """Returns the number of test patients and of positive ones."""
    keys = (records.split, "mean")
    return say(
        "Tested are ",
        counted(records.field(RESULTS, *keys, "patients"), "patient"),
        " of ",
        *tested_place(records),
        " with a known label, ",
        records.field(RESULTS, *keys, "positives"),
        " of them positive for at least one.",
    )


def stored(records: Records) -> Answer:
    """Returns where the outputs of the model for every image are stored."""
    predictions = records.predictions()
    if predictions is None:
        return Answer()
    rows = _field(len(predictions), "rows")
    return say(
        "`predictions.parquet` in the run's directory stores label, score and logit of ",
        counted(rows, "image"),
        "; results can be computed from it again (`remedis evaluate`).",
        sources=[PREDICTIONS],
    )
