"""How well a model does in parts of the data: by sex, age, view and site.

A gap is the largest value of a group minus the smallest. Noise makes it larger than it is, the more
the more groups there are, so its interval is that of `remedis.evaluation.intervals.norm_interval`:
0 is left out only if the gap is larger than 97.5 % of what noise alone makes.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from remedis.evaluation import estimates, ratios
from remedis.evaluation.auroc import Floats, auroc, checked
from remedis.evaluation.estimates import Cases, Measured
from remedis.evaluation.intervals import RESAMPLES, norm_interval, patient_codes, patient_counts
from remedis.evaluation.thresholds import Thresholds

COLUMNS = ("sex", "age", "view", "site")
# Years, upper ends left out: twenty years a band, as groups are too small for finer ones.
AGE_BANDS = {"0-19": 20, "20-39": 40, "40-59": 60, "60-79": 80, "80+": np.inf}


def subgroups(
    labels: npt.ArrayLike,
    scores: npt.ArrayLike,
    names: Sequence[str],
    patient_ids: Iterable[object],
    table: pd.DataFrame,
    *,
    thresholds: Thresholds | None = None,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> dict[str, Any]:
    """Returns the metrics of each group of patients or images, and the gaps between groups.

    Args:
      labels: [n, L]; 1 positive, 0 negative, NaN unknown.
      scores: [n, L], finite; higher means more likely positive.
      names: of the L labels.
      patient_ids: [n]; a row whose id is missing counts as a patient of its own.
      table: n rows, with any of `COLUMNS`. Age in years, in bands of `AGE_BANDS`. A row without a
        value is in no group; a column with one group only is left out.
      thresholds: chosen on other images; without, there is no sensitivity and specificity.
      seed: of the resamples.
      resamples: how many, of patients.

    Returns:
      column -> label, or `mean` -> `groups`, `gaps` and `not_estimable`. `groups`: name -> metric
      (`auroc`, and `sensitivity` and `specificity` at the Youden threshold) -> estimate; `gaps`:
      metric -> value, low, high, largest, smallest (names of groups), or None if fewer than two
      groups are estimable; `not_estimable`: groups with fewer than MIN_PATIENTS patients of a
      class. `mean` is over the labels that are estimable in every group that has any.

    Raises:
      UserError: as `remedis.evaluation.evaluate.evaluate` does.
    """
    known, score = checked(labels, scores, names)
    patients = patient_codes(patient_ids)
    chosen = None if thresholds is None else thresholds.of(names).arrays()["youden"]
    weights = patient_counts(int(patients.max()) + 1, resamples, seed)
    result = {}
    for column in COLUMNS:
        if column in table:
            groups = _groups(table[column], column == "age")
            if len(groups) > 1:
                result[column] = _column(known, score, names, patients, groups, chosen, weights)
    return result


def _groups(values: "pd.Series[Any]", age: bool) -> dict[str, npt.NDArray[np.bool_]]:
    """Returns the rows [n] of each group, in the order of bands or of the alphabet."""
    if age:
        years = pd.to_numeric(values, errors="coerce")
        bands = pd.cut(years, [0, *AGE_BANDS.values()], right=False, labels=list(AGE_BANDS))
        groups = {name: (bands == name).to_numpy(dtype=bool) for name in AGE_BANDS}
        return {name: rows for name, rows in groups.items() if rows.any()}
    text = values.astype(str).str.strip().mask(values.isna(), "")
    return {str(name): (text == name).to_numpy(dtype=bool) for name in sorted(set(text) - {""})}


def _column(
    known: Floats,
    scores: Floats,
    names: Sequence[str],
    patients: npt.NDArray[np.intp],
    groups: dict[str, npt.NDArray[np.bool_]],
    thresholds: Floats | None,
    weights: npt.NDArray[np.generic],
) -> dict[str, Any]:
    """Returns the part of `subgroups` for one column of the table."""
    # A label within a group is a label unknown everywhere else: column `group * L + label`.
    parts = [np.where(rows[:, None], known, np.nan) for rows in groups.values()]
    cases = Cases(np.hstack(parts), patients)
    wide = np.tile(scores, len(groups))
    found = {"auroc": (estimates.auroc(cases, wide), auroc(cases.known, wide, weights, patients))}
    if thresholds is not None:
        point = ratios.operating_point(cases.known, wide, np.tile(thresholds, len(groups)))
        metrics = {name: point[name] for name in ("sensitivity", "specificity")}
        draws = ratios.ratios(metrics, patients, weights)
        for name, of in estimates.shares(metrics, cases, weights).items():
            found[name] = (of, draws[name][1])

    enough = cases.both_classes().reshape(len(groups), len(names))
    some: npt.NDArray[np.bool_] = np.array(enough.any(axis=1))
    everywhere = np.flatnonzero(enough[some].all(axis=0)) if some.any() else np.array([], int)
    result = {
        name: _summary(found, cases, list(groups), enough[:, i], [i], len(names))
        for i, name in enumerate(names)
    }
    if len(names) > 1 and len(everywhere):
        columns = everywhere.tolist()
        mean = _summary(found, cases, list(groups), some, columns, len(names))
        result["mean"] = {**mean, "averaged": [names[i] for i in columns]}
    return result


def _summary(
    found: dict[str, tuple[Measured, Floats]],
    cases: Cases,
    groups: list[str],
    enough: npt.NDArray[np.bool_],
    labels: list[int],
    stride: int,
) -> dict[str, Any]:
    """Returns groups, gaps and what is not estimable of the mean over `labels`."""
    columns = [[index * stride + label for label in labels] for index in range(len(groups))]
    table: dict[str, dict[str, Any]] = {group: {} for group in groups}
    gaps: dict[str, Any] = {}
    for metric, (of, draws) in found.items():
        values, resampled, of_groups = [], [], []
        for group, mine, ok in zip(groups, columns, enough, strict=True):
            estimate = of.estimate(mine if ok else [], cases.counts(mine))
            table[group][metric] = estimate.to_json()
            if estimate.value is not None:
                values.append(estimate.value)
                resampled.append(draws[:, mine].mean(axis=1))
                of_groups.append(group)
        gaps[metric] = _gap(of_groups, np.array(values), resampled)
    left_out = [group for group, ok in zip(groups, enough, strict=True) if not ok]
    return {"groups": table, "gaps": gaps, "not_estimable": left_out}


def _gap(groups: list[str], values: Floats, draws: list[Floats]) -> dict[str, Any] | None:
    """Returns the gap between groups with `values` [g] and their `draws`, g times [B]."""
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
