"""From scores to a result one can publish."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from remedis.errors import UserError, unknown_choice
from remedis.evaluation import estimates, ratios
from remedis.evaluation.auroc import checked
from remedis.evaluation.estimates import Cases, Measured
from remedis.evaluation.intervals import RESAMPLES, patient_codes, patient_counts
from remedis.evaluation.result import Metric, Result
from remedis.evaluation.subgroups import subgroups
from remedis.evaluation.thresholds import Thresholds

TASKS = ("multi_label", "multi_class")


def evaluate(
    labels: npt.ArrayLike,
    scores: npt.ArrayLike,
    names: Sequence[str],
    patient_ids: Iterable[object],
    *,
    task: str = "multi_label",
    thresholds: Thresholds | None = None,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> Result:
    """Returns every metric of each label and its mean over the labels, with intervals by patient.

    AUROC and average precision always; sensitivity, specificity, PPV and NPV with thresholds; Brier
    score, calibration error and accuracy if all scores are probabilities, in [0, 1].

    Args:
      labels: [n, L]; 1 positive, 0 negative, NaN unknown.
      scores: [n, L], finite; higher means more likely positive.
      names: of the L labels.
      patient_ids: [n]; a row whose id is missing counts as a patient of its own.
      task: multi_label, or multi_class: labels are classes, each against the rest, and the accuracy
        is that of the class with the largest score.
      thresholds: chosen on other images, by `remedis.evaluation.thresholds.choose`.
      seed: of the resamples. The same patients and seed give the same resamples.
      resamples: how many; all metrics and labels share them, so that the interval of a mean keeps
        the correlation between labels.

    Raises:
      UserError: shapes differ, a score is not finite, a label is not 1, 0 or NaN, the task is not
        one of the two, or a label has no entry in the thresholds.
    """
    known, score = checked(labels, scores, names)
    cases = Cases(known, patient_codes(patient_ids))
    if len(cases.patients) != len(known):
        raise UserError(f"{len(cases.patients)} patient ids for {len(known)} rows of labels.")
    if len(set(names)) != len(names):
        raise UserError(f"Label names must differ; got {', '.join(names)}.")
    if task not in TASKS:
        raise unknown_choice("value of config.task", task, TASKS)
    chosen = None if thresholds is None else thresholds.of(names)
    weights = patient_counts(int(cases.patients.max()) + 1, resamples, seed)

    found = {"average_precision": estimates.precision(cases, score, weights)}
    shares = {} if chosen is None else ratios.operating_points(known, score, chosen)
    probabilities = bool(((score >= 0) & (score <= 1)).all())
    if probabilities:
        found["brier"] = estimates.brier(cases, score, weights)
        found["calibration_error"] = estimates.calibration_error(cases, score, weights)
        if task == "multi_label":
            shares["accuracy"] = ratios.accuracy(known, score)
    found |= estimates.shares(shares, cases, weights)
    metrics = {name: _metric(of, cases, names) for name, of in found.items()}
    if probabilities and task == "multi_class":
        metrics["accuracy"] = _accuracy(cases, score, weights)
    area = _metric(estimates.auroc(cases, score), cases, names)
    return Result(
        labels=area.labels,
        mean=area.mean,
        averaged=area.averaged,
        left_out=tuple(name for name in names if name not in area.averaged),
        interval=area.interval,
        metrics=metrics,
        thresholds=chosen,
        task=task,
        images=len(known),
        resamples=resamples,
        seed=seed,
    )


def _metric(of: Measured, cases: Cases, names: Sequence[str]) -> Metric:
    entered = np.flatnonzero(of.estimable).tolist()
    return Metric(
        labels={name: of.estimate([i], cases.counts([i])) for i, name in enumerate(names)},
        mean=of.estimate(entered, cases.counts(entered or range(len(names)))),
        averaged=tuple(names[i] for i in entered),
        interval=of.method,
    )


def _accuracy(cases: Cases, scores: npt.NDArray[np.float64], weights: npt.NDArray[Any]) -> Metric:
    """Returns the accuracy of the likeliest class, which belongs to no class alone."""
    top = {"accuracy": ratios.top_accuracy(cases.known, scores)}
    of = estimates.shares(top, cases, weights)["accuracy"]
    return Metric({}, of.estimate([0], cases.counts(range(scores.shape[1]))), (), of.method)


def evaluate_table(
    table: pd.DataFrame,
    names: Sequence[str],
    split: str,
    *,
    task: str = "multi_label",
    thresholds: Thresholds | None = None,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> dict[str, Any]:
    """Returns what `results.json` holds of a split: `Result.to_json` and `subgroups`.

    Args:
      table: of predictions, with `split`, `patient_id`, `label/<name>` and `score/<name>`, and,
        where known, `sex`, `age`, `view` and `site`, by which subgroups are made.
      names: of the labels.
      split: the rows to take.
      task: as for `evaluate`.
      thresholds: as for `evaluate`.
      seed: as for `evaluate`.
      resamples: as for `evaluate`.

    Raises:
      UserError: a column is missing, the split has no rows, or as `evaluate` does.
    """
    needed = ["split", "patient_id"]
    needed += [f"{kind}/{name}" for name in names for kind in ("label", "score")]
    if missing := [column for column in needed if column not in table]:
        raise UserError(f"The table of predictions has no column {missing[0]!r}.")
    rows = table[table["split"] == split]
    if rows.empty:
        splits = ", ".join(sorted({str(name) for name in table["split"]}))
        raise UserError(
            f"The table of predictions has no rows of split {split!r}; it has {splits}."
        )
    labels = rows[[f"label/{name}" for name in names]].to_numpy(dtype=np.float64)
    scores = rows[[f"score/{name}" for name in names]].to_numpy(dtype=np.float64)
    ids = rows["patient_id"].to_numpy(dtype=object)
    result = evaluate(
        labels,
        scores,
        names,
        ids,
        task=task,
        thresholds=thresholds,
        seed=seed,
        resamples=resamples,
    )
    groups = subgroups(
        labels, scores, names, ids, rows, thresholds=thresholds, seed=seed, resamples=resamples
    )
    return {**result.to_json(), "subgroups": groups}
