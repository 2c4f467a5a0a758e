"""Metrics by subgroup (sex, age, view and site), and the gaps between groups.

A gap is the largest value of a group minus the smallest. Noise biases it upwards, more so with more
groups. Its interval is therefore that of `remedis.evaluation.intervals.norm_interval`: it excludes
0 only if the gap is larger than the 97.5 % quantile of gaps from noise alone.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from remedis.evaluation import estimates, ratios
from remedis.evaluation.auroc import Floats, auroc, checked
from remedis.evaluation.estimates import Cases, ColumnMetric
from remedis.evaluation.intervals import RESAMPLES, norm_interval, patient_codes, patient_counts
from remedis.evaluation.thresholds import Thresholds, compared

COLUMNS = ("sex", "age", "view", "site")
# Upper ends in years, exclusive. Bands span twenty years because groups are too small for less.
AGE_BANDS = {"0-19": 20, "20-39": 40, "40-59": 60, "60-79": 80, "80+": np.inf}


def subgroups(
    labels: npt.ArrayLike,
    scores: npt.ArrayLike,
    names: Sequence[str],
    patient_ids: Iterable[object],
    table: pd.DataFrame,
    *,
    thresholds: Thresholds | None = None,
    ranking: npt.ArrayLike | None = None,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> dict[str, Any]:
    """Returns the metrics of each group of images, and the gaps between groups.

    Args:
      labels: [n, L]; 1 positive, 0 negative, NaN unknown.
      scores: [n, L], finite; higher means more likely positive.
      names: names of the L labels.
      patient_ids: [n]; a row whose id is missing counts as a patient of its own.
      table: n rows, with any of `COLUMNS`. Age is in years and is grouped by `AGE_BANDS`. A row
        without a value is in no group; a column with only one group is left out.
      thresholds: chosen on other images; None leaves out sensitivity and specificity.
      ranking: [n, L], as for `remedis.evaluation.evaluate.evaluate`.
      seed: seed of the resamples.
      resamples: number of resamples of the patients.

    Returns:
      column -> label (or `mean`) -> `groups`, `gaps` and `not_estimable`.
      `groups`: name of the group -> metric -> estimate. The metrics are `auroc`, and `sensitivity`
      and `specificity` at the Youden threshold.
      `gaps`: metric -> value, low, high, largest and smallest (names of groups), or None if fewer
      than two groups are estimable.
      `not_estimable`: names of groups with fewer than MIN_PATIENTS patients of a class.
      `mean` is over the labels that are estimable in every group with an estimable label.

    Raises:
      UserError: for the reasons of `remedis.evaluation.evaluate.evaluate`.
    """
    known, score = checked(labels, scores, names)
    ranked = score if ranking is None else checked(labels, ranking, names)[1]
    patients = patient_codes(patient_ids)
    called = None
    if thresholds is not None:
        of_scores = None if ranking is None else ranked
        values, cuts = compared(score, of_scores, thresholds.for_labels(names))
        called = values, cuts["youden"]
    weights = patient_counts(int(patients.max()) + 1, resamples, seed)
    result = {}
    for column in COLUMNS:
        if column in table:
            groups = _groups(table[column], column == "age")
            if len(groups) > 1:
                result[column] = _column(known, ranked, names, patients, groups, called, weights)
    return result


def _groups(values: "pd.Series[Any]", age: bool) -> dict[str, npt.NDArray[np.bool_]]:
    """Returns name -> mask [n] of each group, in the order of the age bands or the alphabet."""
    if age:
        years = pd.to_numeric(values, errors="coerce")
        bands = pd.cut(years, [0, *AGE_BANDS.values()], right=False, labels=list(AGE_BANDS))
        groups = {name: (bands == name).to_numpy(dtype=bool) for name in AGE_BANDS}
        return {name: rows for name, rows in groups.items() if rows.any()}
    text = values.astype(str).str.strip().mask(values.isna(), "")
    return {str(name): (text == name).to_numpy(dtype=bool) for name in sorted(set(text) - {""})}


def _column(
    known: Floats,
    ranking: Floats,
    names: Sequence[str],
    patients: npt.NDArray[np.intp],
    groups: dict[str, npt.NDArray[np.bool_]],
    called: tuple[Floats, Floats] | None,
    weights: npt.NDArray[np.generic],
) -> dict[str, Any]:
    """Returns label (or `mean`) -> groups, gaps and not_estimable for one column of the table.

    `called` are values [n, L] and thresholds [L] to compare them with.
    """
    # Within a group, a label is a column that is unknown for all other images. The column of group
    # g and label l is g * L + l.
    within_groups = [np.where(rows[:, None], known, np.nan) for rows in groups.values()]
    cases = Cases(np.hstack(within_groups), patients)
    wide = np.tile(ranking, len(groups))
    metrics = {"auroc": (estimates.auroc(cases, wide), auroc(cases.known, wide, weights, patients))}
    if called is not None:
        point = ratios.operating_point(
            cases.known, *(np.tile(values, len(groups)) for values in called)
        )
        proportions = {name: point[name] for name in ("sensitivity", "specificity")}
        resampled = ratios.ratios(proportions, patients, weights)
        for name, metric in estimates.proportions(proportions, cases, weights).items():
            metrics[name] = (metric, resampled[name][1])

    estimable = cases.both_classes().reshape(len(groups), len(names))
    any_label: npt.NDArray[np.bool_] = np.array(estimable.any(axis=1))
    in_every_group = (
        np.flatnonzero(estimable[any_label].all(axis=0)).tolist() if any_label.any() else []
    )
    result = {
        name: _summary(metrics, cases, list(groups), estimable[:, i], [i], len(names))
        for i, name in enumerate(names)
    }
    if len(names) > 1 and in_every_group:
        mean = _summary(metrics, cases, list(groups), any_label, in_every_group, len(names))
        result["mean"] = {**mean, "averaged": [names[i] for i in in_every_group]}
    return result


def _summary(
    metrics: dict[str, tuple[ColumnMetric, Floats]],
    cases: Cases,
    groups: list[str],
    estimable: npt.NDArray[np.bool_],
    labels: list[int],
    label_count: int,
) -> dict[str, Any]:
    """Returns groups, gaps and not_estimable for the mean over `labels`.

    Args:
      metrics: name -> metric and its resamples [B, groups * label_count].
      cases: [n, groups * label_count].
      groups: names of the groups.
      estimable: [groups].
      labels: numbers of the labels to average.
      label_count: L, the number of all labels.
    """
    table: dict[str, dict[str, Any]] = {group: {} for group in groups}
    gaps: dict[str, Any] = {}
    for name, (metric, draws) in metrics.items():
        values, resampled, estimable_groups = [], [], []
        for index, group in enumerate(groups):
            columns = [index * label_count + label for label in labels]
            counts = cases.counts(columns)
            estimate = metric.estimate(columns if estimable[index] else [], counts)
            table[group][name] = estimate.to_json()
            if estimate.value is not None:
                values.append(estimate.value)
                resampled.append(draws[:, columns].mean(axis=1))
                estimable_groups.append(group)
        gaps[name] = _gap(estimable_groups, np.array(values), resampled)
    left_out = [
        group for group, is_estimable in zip(groups, estimable, strict=True) if not is_estimable
    ]
    return {"groups": table, "gaps": gaps, "not_estimable": left_out}


def _gap(groups: list[str], values: Floats, draws: list[Floats]) -> dict[str, Any] | None:
    """Returns the gap between groups from their `values` [g] and `draws`, g arrays [B]."""
    if len(groups) < 2:
        return None
    deviation = np.stack(draws, axis=1) - values
    deviation = deviation[~np.isnan(deviation).any(axis=1)]
    if not len(deviation):
        return None
    largest, smallest = int(values.argmax()), int(values.argmin())
    value = float(values[largest] - values[smallest])
    low, high = norm_interval(
        value, np.ptp(deviation, axis=1), deviation[:, largest] - deviation[:, smallest]
    )
    return {
        "value": value,
        "low": low,
        "high": high,
        "largest": groups[largest],
        "smallest": groups[smallest],
    }
