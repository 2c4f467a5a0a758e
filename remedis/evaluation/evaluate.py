"""Evaluation of scores: every metric with its 95 % interval."""

import dataclasses
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from remedis.errors import UserError, unknown_choice
from remedis.evaluation import estimates, ratios, uncertain_labels
from remedis.evaluation.auroc import Floats, checked
from remedis.evaluation.estimates import Cases, ColumnMetric
from remedis.evaluation.evaluation_result import Metric, Result
from remedis.evaluation.intervals import RESAMPLES, patient_counts
from remedis.evaluation.ranking import log_odds_of_scores, ranking_of, tie_warning, ties
from remedis.evaluation.subgroups import subgroups
from remedis.evaluation.thresholds import Thresholds
from remedis.models.tasks import MULTI_CLASS, TASKS
from remedis.options import spelled

TOP_K = (1, 3)  # the first class, and a differential diagnosis of three


def evaluate(
    labels: npt.ArrayLike,
    scores: npt.ArrayLike,
    names: Sequence[str],
    patient_ids: Iterable[object],
    *,
    task: str = "multi_label",
    thresholds: Thresholds | None = None,
    ranking: npt.ArrayLike | None = None,
    weighting: str = "images",
    top_k: Sequence[int] = TOP_K,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> Result:
    """Returns every metric of each label and its mean over the labels, with intervals by patient.

    AUROC and average precision are always computed. Sensitivity, specificity, PPV and NPV need
    thresholds. Brier score, calibration error, slope and intercept, and the accuracy of labels need
    scores that are all in [0, 1], that is, probabilities. Classes have an accuracy, a balanced
    accuracy and top-k accuracies by rank. The sources of the formulas are those of the modules of
    the metrics.

    Args:
      labels: [n, L]; 1 positive, 0 negative, NaN unknown.
      scores: [n, L], finite; higher means more likely positive.
      names: names of the L labels.
      patient_ids: [n]; a row whose id is missing counts as a patient of its own.
      task: multi_label or multi_class. For multi_class, labels are classes, each against the rest,
        and the accuracy is that of the class that ranks highest.
      thresholds: chosen on other images, by `remedis.evaluation.thresholds.choose`.
      ranking: [n, L], finite, of the order of the scores but without ties from saturation, such as
        log odds: they rank for AUROC and average precision, and are compared with the thresholds of
        the log odds, if there are any. None: scores do both.
      weighting: of the AUROC. `images`: every image of a class has the same weight. `patients`:
        every patient of a class has the same weight, shared equally by its images of the class.
      top_k: numbers k for top-k accuracies of multi_class, as `top_3_accuracy`; the accuracy (k of
        1) is there in any case. With k classes or fewer there is no value, but a reason.
      seed: seed of the resamples. The same patients and seed give the same resamples.
      resamples: number of resamples. All metrics and labels share them, so that the interval of a
        mean includes the correlation between labels.

    Raises:
      UserError: shapes differ, a score is not finite, a label is not 1, 0 or NaN, the task or
        the weighting is not one of the two, a k is below 1, or a label has no entry in the
        thresholds.
    """
    known, score = checked(labels, scores, names)
    ranked = score if ranking is None else checked(labels, ranking, names)[1]
    cases = Cases.from_ids(known, patient_ids)
    if len(set(names)) != len(names):
        raise UserError(f"Label names must differ; got {', '.join(names)}.")
    if weighting not in estimates.WEIGHTINGS:
        raise unknown_choice("value of weighting", weighting, estimates.WEIGHTINGS)
    if task not in TASKS:
        raise unknown_choice(f"value of {spelled('task')}", task, TASKS)
    check_top_k(top_k)
    chosen = None if thresholds is None else thresholds.for_labels(names)
    weights = patient_counts(int(cases.patients.max()) + 1, resamples, seed)

    by_column = {"average_precision": estimates.average_precision(cases, ranked, weights)}
    if chosen is None:
        proportions = {}
    else:
        of_scores = None if ranking is None else ranked
        proportions = ratios.operating_points(known, score, chosen, of_scores)
    are_probabilities = bool(((score >= 0) & (score <= 1)).all())
    if are_probabilities:
        by_column["brier"] = estimates.brier(cases, score)
        by_column["calibration_error"] = estimates.calibration_error(cases, score, weights)
        by_column |= estimates.calibration_line(cases, log_odds_of_scores(score, ranked))
        if task == "multi_label":
            proportions["accuracy"] = ratios.accuracy(known, score)
    by_column |= estimates.proportions(proportions, cases)
    metrics = {name: _metric(columns, names) for name, columns in by_column.items()}
    if task == MULTI_CLASS:
        metrics |= _accuracies(cases, ranked, names, top_k)
    area = _metric(estimates.auroc(cases, ranked, weighting), names)
    return Result(
        labels=area.labels,
        mean=area.mean,
        averaged=area.averaged,
        left_out=tuple(name for name in names if name not in area.averaged),
        interval=area.interval,
        metrics=metrics,
        thresholds=chosen,
        task=task,
        weighting=weighting,
        images=len(known),
        resamples=resamples,
        seed=seed,
        labelled_images=int((~np.isnan(known)).any(axis=1).sum()),
    )


def _metric(columns: ColumnMetric, names: Sequence[str]) -> Metric:
    averaged = np.flatnonzero(columns.estimable).tolist()
    return Metric(
        labels={name: columns.estimate([i]) for i, name in enumerate(names)},
        mean=columns.estimate(averaged, averaged or range(len(names))),
        averaged=tuple(names[i] for i in averaged),
        interval=columns.method,
    )


def check_top_k(top_k: Sequence[int]) -> None:
    """Raises a UserError unless `top_k` are whole numbers from 1 up."""
    whole = all(isinstance(k, int) and not isinstance(k, bool) and k >= 1 for k in top_k)
    if not whole:
        raise UserError(
            f"{spelled('top_k')} is {top_k!r}; expected whole numbers of classes from 1 up in a "
            "tuple, such as (1, 3)."
        )


def _accuracies(
    cases: Cases, ranking: Floats, names: Sequence[str], top_k: Sequence[int]
) -> dict[str, Metric]:
    """Returns accuracy, balanced accuracy and top-k accuracies of exclusive classes.

    But for the balanced accuracy they are one number for all classes, without one per label. The
    balanced accuracy is not estimable unless the share of every class is: over the frequent classes
    alone, a model that always names them would have 1.
    """
    classes = range(len(names))
    shares = {"balanced_accuracy": ratios.recall_by_class(cases.known, ranking)}
    shares |= {
        top_name(k): ratios.top_accuracy(cases.known, ranking, k) for k in sorted({1, *top_k})
    }
    columns = estimates.proportions(shares, cases)
    recalls = _metric(columns.pop("balanced_accuracy"), names)
    if missing := [name for name in names if name not in recalls.averaged]:
        reason = f"too few patients with {', '.join(missing)}"
        mean = dataclasses.replace(recalls.mean, value=None, low=None, high=None, reason=reason)
        recalls = dataclasses.replace(recalls, mean=mean, averaged=())
    metrics = {"balanced_accuracy": recalls}
    for k, (name, accuracy) in zip(sorted({1, *top_k}), columns.items(), strict=True):
        mean = accuracy.estimate([0], classes)
        if k >= len(names):
            reason = f"of {len(names)} classes, the true one is always among {k}"
            mean = dataclasses.replace(mean, value=None, low=None, high=None, reason=reason)
        metrics[name] = Metric({}, mean, (), accuracy.method)
    return {"accuracy": metrics.pop("accuracy"), **metrics}


def top_k_of(evaluated: Mapping[str, Any]) -> tuple[int, ...]:
    """Returns the k of the top-k accuracies of an evaluation as JSON; `TOP_K` if it has none."""
    matches = (re.fullmatch(r"top_(\d+)_accuracy", name) for name in evaluated["metrics"])
    return tuple(int(match[1]) for match in matches if match) or TOP_K


def top_name(k: int) -> str:
    """Returns the name of a top-k accuracy in `results.json`; that of k = 1 is `accuracy`."""
    return "accuracy" if k == 1 else f"top_{k}_accuracy"


def evaluate_table(
    table: pd.DataFrame,
    names: Sequence[str],
    split: str,
    *,
    task: str = "multi_label",
    thresholds: Thresholds | None = None,
    weighting: str = "images",
    top_k: Sequence[int] = TOP_K,
    seed: int = 0,
    resamples: int = RESAMPLES,
    label_notes: Sequence[str] = (),
    choice_notes: Sequence[str] = (),
) -> dict[str, Any]:
    """Returns the evaluation of one split, as in `results.json`.

    It has the fields of `Result.to_json`; `subgroups`; `ranked_by`, the kind of values that rank;
    `ties`, what `ranking.ties` returns for each label; `warnings`, a list of sentences;
    `label_notes`; `choice_notes`; and `uncertain_labels` if there are any (see
    `uncertain_labels.three_ways`).

    Args:
      table: predictions, with `split`, `patient_id`, `label/<name>` and `score/<name>`. Where they
        are known, `log_odds/<name>` or `logit/<name>` rank the images (`ranking.ranking_of`), and
        `sex`, `age`, `view` and `site` define the subgroups.
      names: names of the labels.
      split: the split to evaluate.
      task: as for `evaluate`.
      thresholds: as for `evaluate`.
      weighting: as for `evaluate`.
      top_k: as for `evaluate`.
      seed: as for `evaluate`.
      resamples: as for `evaluate`.
      label_notes: sentences about what labels count as.
      choice_notes: sentences about calibration and thresholds, of `choice_sentences.choice_notes`.

    Raises:
      UserError: a column is missing, the split has no rows, or for the reasons of `evaluate`.
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
    ranked = ranking_of(rows, names, task)
    if thresholds is not None and ranked.source != "log odds":
        thresholds = dataclasses.replace(thresholds, log_odds=None)
    result = evaluate(
        labels,
        scores,
        names,
        ids,
        task=task,
        thresholds=thresholds,
        ranking=ranked.values,
        weighting=weighting,
        top_k=top_k,
        seed=seed,
        resamples=resamples,
    )
    groups = subgroups(
        labels,
        scores,
        names,
        ids,
        rows,
        thresholds=thresholds,
        ranking=ranked.values,
        weighting=weighting,
        seed=seed,
        resamples=resamples,
    )
    tied = ties(labels, ranked.values)
    warning = tie_warning(names, tied)
    evaluated = {
        **result.to_json(),
        "subgroups": groups,
        "ranked_by": ranked.source,
        "ties": {
            name: {kind: of[i].item() for kind, of in tied.items()} for i, name in enumerate(names)
        },
        "warnings": [warning] if warning else [],
        "label_notes": list(label_notes),
        "choice_notes": list(choice_notes),
    }
    found = [f"found/{name}" for name in names]
    if set(found) <= set(rows) and (rows[found] == -1).any(axis=None):
        evaluated["uncertain_labels"] = uncertain_labels.three_ways(
            rows[found].to_numpy(dtype=np.float64), labels, ranked.values, names, ids, weighting
        )
    return evaluated
