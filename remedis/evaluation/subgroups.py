"""Metrics by subgroup (sex, age, view and site), and the gaps between groups.

A gap is the largest value of a group minus the smallest. Noise biases it upwards, more so with more
groups. Its interval is therefore that of `remedis.evaluation.intervals.norm_interval`: it excludes
0 only if the gap is larger than the 97.5 % quantile of gaps from noise alone. The noise is normal
and has the covariance of the groups' values, as in their own intervals; the covariance is not 0 for
a group whose patients were all scored correctly, so that two such groups do not have a gap of
exactly 0.
"""

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from remedis.evaluation import estimates, ratios
from remedis.evaluation.auroc import Floats, checked
from remedis.evaluation.estimates import Cases, ColumnMetric
from remedis.evaluation.intervals import RESAMPLES, norm_interval, patient_codes
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
    weighting: str = "images",
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
      weighting: of the AUROC, as for `remedis.evaluation.evaluate.evaluate`.
      seed: seed of the noise in the intervals of the gaps.
      resamples: number of draws of the noise.

    Returns:
      column -> label (or `mean`) -> `groups`, `gaps` and `not_estimable`.
      `groups`: name of the group -> metric -> estimate. The metrics are `auroc`, and `sensitivity`
      and `specificity` at the Youden threshold.
      `gaps`: metric -> value, low, high, largest and smallest (names of groups), or None if fewer
      than two groups are estimable.
      `not_estimable`: names of groups with fewer than MIN_PATIENTS effective patients of a class.
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
    result = {}
    for column in COLUMNS:
        if column in table:
            groups = _groups(table[column], column == "age")
            if len(groups) > 1:
                noise = np.random.default_rng(seed).normal(size=(resamples, len(groups)))
                result[column] = _column(
                    known, ranked, names, patients, groups, called, weighting, noise
                )
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
    weighting: str,
    noise: Floats,
) -> dict[str, Any]:
    """Returns label (or `mean`) -> groups, gaps and not_estimable for one column of the table.

    `called` are values [n, L] and thresholds [L] to compare them with.
    """
    # Within a group, a label is a column that is unknown for all other images. The column of group
    # g and label l is g * L + l.
    within_groups = [np.where(rows[:, None], known, np.nan) for rows in groups.values()]
    cases = Cases(np.hstack(within_groups), patients)
    wide = np.tile(ranking, len(groups))
    metrics = {"auroc": estimates.auroc(cases, wide, weighting)}
    if called is not None:
        point = ratios.operating_point(
            cases.known, *(np.tile(values, len(groups)) for values in called)
        )
        chosen = {name: point[name] for name in ("sensitivity", "specificity")}
        metrics |= estimates.proportions(chosen, cases)

    # With patients of equal weight, more groups have enough of them.
    estimable = metrics["auroc"].estimable.reshape(len(groups), len(names))
    any_label: npt.NDArray[np.bool_] = np.array(estimable.any(axis=1))
    in_every_group = (
        np.flatnonzero(estimable[any_label].all(axis=0)).tolist() if any_label.any() else []
    )
    result = {
        name: _summary(metrics, list(groups), estimable[:, i], [i], len(names), noise)
        for i, name in enumerate(names)
    }
    if len(names) > 1 and in_every_group:
        mean = _summary(metrics, list(groups), any_label, in_every_group, len(names), noise)
        result["mean"] = {**mean, "averaged": [names[i] for i in in_every_group]}
    return result


def _summary(
    metrics: dict[str, ColumnMetric],
    groups: list[str],
    estimable: npt.NDArray[np.bool_],
    labels: list[int],
    label_count: int,
    noise: Floats,
) -> dict[str, Any]:
    """Returns groups, gaps and not_estimable for the mean over `labels`.

    Args:
      metrics: name -> metric of groups * label_count columns.
      groups: names of the groups.
      estimable: [groups].
      labels: numbers of the labels to average.
      label_count: L, the number of all labels.
      noise: [B, groups], standard normal.
    """
    table: dict[str, dict[str, Any]] = {group: {} for group in groups}
    gaps: dict[str, Any] = {}
    for name, metric in metrics.items():
        values, averages, estimable_groups = [], [], []
        for index, group in enumerate(groups):
            columns = [index * label_count + label for label in labels]
            estimate = metric.estimate(columns if estimable[index] else [], columns)
            if not estimable[index]:
                reason = next((metric.reasons[i] for i in columns if metric.reasons[i]), None)
                estimate = dataclasses.replace(estimate, reason=reason or estimate.reason)
            table[group][name] = estimate.to_json()
            if estimate.value is not None:
                values.append(estimate.value)
                averages.append(np.isin(np.arange(len(metric.values)), columns) / len(columns))
                estimable_groups.append(group)
        gaps[name] = _gap(estimable_groups, np.array(values), np.array(averages), metric, noise)
    left_out = [
        group for group, is_estimable in zip(groups, estimable, strict=True) if not is_estimable
    ]
    return {"groups": table, "gaps": gaps, "not_estimable": left_out}


def _gap(
    groups: list[str], values: Floats, averages: Floats, metric: ColumnMetric, noise: Floats
) -> dict[str, Any] | None:
    """Returns the gap between groups.

    Args:
      groups: names of the g groups that are estimable.
      values: [g].
      averages: [g, C], the share of each column in the value of a group.
      metric: of C columns.
      noise: [B, at least g], standard normal.
    """
    if len(groups) < 2:
        return None
    used = averages.any(axis=0)
    covariance = averages[:, used] @ metric.covariance[np.ix_(used, used)] @ averages[:, used].T
    # The root of the covariance gives the noise its correlations; rounding may leave -1e-20.
    scale, directions = np.linalg.eigh(covariance)
    root = directions * np.sqrt(np.maximum(scale, 0.0))
    deviation = noise[:, : len(groups)] @ root.T
    largest, smallest = int(values.argmax()), int(values.argmin())
    value, spread = float(values[largest] - values[smallest]), np.ptp(deviation, axis=1)
    # Groups with equal values have no largest and smallest: the gap grows by any difference.
    along = deviation[:, largest] - deviation[:, smallest] if value > 0 else spread
    low, high = norm_interval(value, spread, along)
    return {
        "value": value,
        "low": low,
        "high": min(high, 1.0),
        "largest": groups[largest],
        "smallest": groups[smallest],
    }
