"""Calibration of an exported classifier to a site, with thresholds, written as a new export.

A site's prevalence and images shift the logits of a model. Calibration and thresholds are then both
fitted to labelled studies of the site: a threshold that moved with the calibration would call the
same images positive as before, with whatever sensitivity that has at the site.
"""

import dataclasses
import functools
import pathlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from remedis import files, limits
from remedis.data import canonical_ids
from remedis.data.fingerprints import Fingerprints
from remedis.errors import UserError, counted, unknown_choice
from remedis.evaluation import calibration, choice_sentences
from remedis.evaluation.calibration import Calibration
from remedis.evaluation.evaluate import evaluate_table
from remedis.evaluation.intervals import Estimate
from remedis.evaluation.performance_summary import performance_summary
from remedis.evaluation.thresholds import KINDS, Thresholds, choose_by_log_odds, origin
from remedis.inference.drift import Before
from remedis.inference.exported import ExportedClassifier
from remedis.inference.rescore import Scored
from remedis.options import label_text, spelled
from remedis.zoo import run_record, save_classifier, shared_names
from remedis.zoo.pixel_range import CHECKED

METHODS = tuple(name for name in calibration.METHODS if name != "none")
TARGET_SENSITIVITY = 0.9  # of a classifier without thresholds, as in configs/common.py


@dataclasses.dataclass(frozen=True)
class Recalibrated:
    """The result of a calibration to a site.

    Attributes:
      folder: the new export.
      lines: that report it.
      before: the evaluation of the classifier as it was, on images that chose nothing; None without
        such images. Its keys are those of an evaluation in `results.json`.
      after: the evaluation of the new classifier on the same images.
    """

    folder: pathlib.Path
    lines: tuple[str, ...]
    before: dict[str, Any] | None = dataclasses.field(default=None, repr=False)
    after: dict[str, Any] | None = dataclasses.field(default=None, repr=False)


def method_for(task: str, asked: str | None) -> str:
    """Returns the method asked for, or the task's default: platt, or temperature.

    Raises:
      UserError: the method is not among `METHODS`, or does not fit the task.
    """
    if asked is None:
        return "temperature" if task == "multi_class" else "platt"
    if asked not in METHODS:
        raise unknown_choice(f"value of {spelled('method')}", asked, METHODS)
    if asked == "platt" and task == "multi_class":
        raise UserError(
            f"{spelled('method')} is platt, which fits one label at a time, but the model's task "
            "is multi_class, whose probabilities sum to 1; use temperature."
        )
    return asked


def judged_rows(
    scored: Scored, split: str | None = None, share: float = 0.0, seed: int = 0
) -> npt.NDArray[np.bool_]:
    """Returns [n]: which rows judge the new classifier and choose nothing.

    Args:
      scored: the labelled cases of a site.
      split: the rows of this split judge; None for none.
      share: of the patients, drawn at random, whose rows judge, in [0, 1).
      seed: of the draw.

    Raises:
      UserError: both are given, no row or every row would judge, or rows on both sides share
        patients.
    """
    table = scored.manifest.table
    ids = canonical_ids.column(table["patient_id"])
    alone = pd.Series([f"row {i}" for i in range(len(ids))], ids.index)
    patients = ids.fillna(alone).to_numpy(dtype=object)
    if split is not None and share:
        raise UserError(
            f"Both {spelled('judge_split')} and {spelled('judge_share')} are set: name one of them."
        )
    if split is not None:
        judges = (table["split"] == split).to_numpy(dtype=bool)
        both = set(patients[judges]) & set(patients[~judges])
        if both:
            raise UserError(
                f"{spelled('judge_split', split)}: {len(both):,} patients, such as {min(both)}, "
                "are in this split and in another; the rows that judge need patients of their own."
            )
    elif 0 < share < 1:
        names = np.unique(patients.astype(str))
        drawn = np.random.default_rng(seed).permutation(names)[: round(share * len(names))]
        judges = np.isin(patients.astype(str), drawn)
    elif share:
        raise UserError(
            f"{spelled('judge_share', f'{share:g}')}: expected a share of patients between 0 and 1."
        )
    else:
        return np.zeros(len(table), bool)
    if judges.all() or not judges.any():
        splits = ", ".join(sorted({str(name) for name in table["split"].dropna()})) or "none"
        option = (
            spelled("judge_share", f"{share:g}") if split is None else spelled("judge_split", split)
        )
        raise UserError(
            f"{option}: {judges.sum():,} of {len(judges):,} images would judge, and both "
            f"sides need some; splits of the data: {splits}."
        )
    return judges


def recalibrate(
    exported: ExportedClassifier,
    scored: Scored,
    method: str,
    out: files.Path,
    *,
    target_sensitivity: float | None = None,
    keep_thresholds: bool = False,
    judges: npt.NDArray[np.bool_] | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> Recalibrated:
    """Writes the classifier with calibration and thresholds chosen on scores of a site.

    The fit starts from the raw logits, not from the old calibration. Thresholds are chosen by the
    rules of `remedis.evaluation.thresholds`. A label with too few cases keeps its old calibration
    and thresholds. For a multi_class task it has no threshold then, since the temperature that all
    classes share changes the order of the images.

    Args:
      exported: the classifier.
      scored: labelled cases of a site, none of which trained the classifier.
      method: of `METHODS`, see `method_for`.
      out: the folder to write.
      target_sensitivity: in (0, 1]; None for that of the classifier's thresholds.
      keep_thresholds: move the thresholds with the probabilities, so that the same images reach
        them, instead of choosing new ones; multi_label alone.
      judges: [n], of `judged_rows`: rows that choose nothing, and on which the classifier is
        evaluated before and after. None for none.
      resamples: of the intervals of that evaluation.
      seed: of the resamples.

    Raises:
      UserError: labels are missing or too few, a temperature would drop an offset, thresholds that
        are not there or of a multi_class task should be kept, kept thresholds get a target, a
        target is out of its range, or the folder exists.
    """
    labels, description = exported.labels, exported.description
    if keep_thresholds and target_sensitivity is not None:
        raise UserError(
            f"Both {spelled('keep_thresholds')} and {spelled('target_sensitivity')} are set: kept "
            "thresholds have the sensitivity that they have; leave one out."
        )
    if scored.manifest.labels != labels:
        lacking = [label for label in labels if label not in scored.manifest.labels]
        raise UserError(
            f"A calibration is of all labels, {label_text(labels)}, in this order"
            + (f"; the data lack {label_text(lacking)}: add empty columns." if lacking else ".")
        )
    if keep_thresholds and (description.task == "multi_class" or not description.thresholds):
        raise UserError(
            f"{spelled('keep_thresholds')}: "
            + (
                "the model's task is multi_class, and another temperature changes which images "
                "reach a threshold; leave the option out."
                if description.thresholds
                else "the model has no thresholds to keep."
            )
        )
    choosing = np.ones(len(scored.table), bool) if judges is None else ~judges
    table = scored.table[choosing]
    logits, targets, before = (
        table[[f"{kind}/{label}" for label in labels]].to_numpy(np.float64)
        for kind in ("logit", "label", "score")
    )
    patients = table["patient_id"].to_numpy(dtype=object)
    fitted = calibration.fit(logits, targets, labels, method, description.task, patients)
    counts = fitted.fitted_on["labels"]
    few = [
        label
        for label, of in counts.items()
        if min(of["positives"], of["negatives"]) < calibration.MIN_PATIENTS
    ]
    if set(few) == set(labels):
        raise UserError(
            "No label has enough positives and negatives to calibrate: "
            f"{calibration.MIN_PATIENTS} patients of each are needed."
        )
    classifier, preprocess, _ = save_classifier.load(exported.folder)
    old = Calibration(
        method="",
        scale=tuple(np.asarray(classifier.scale).tolist()),
        offset=tuple(np.asarray(classifier.offset).tolist()),
        fitted_on={},
        left_out=(),
        task=description.task,
    )
    source = shared_names.base_name(scored.manifest.source)  # the export may leave the machine
    fitted = _with_old_fits(fitted, old, description.calibration, labels, source)
    old_thresholds = description.thresholds
    if keep_thresholds:
        assert old_thresholds is not None
        chosen = calibration.move_thresholds(old_thresholds, labels, old, fitted)
    else:
        target = target_sensitivity
        if target is None:
            target = (old_thresholds or {}).get("target", TARGET_SENSITIVITY)
        chosen = _thresholds(
            choose_by_log_odds(targets, fitted.log_odds(logits), labels, target),
            origin(targets, labels, source, patients),
            few,
            calibration.move_thresholds(old_thresholds, labels, old, fitted)
            if old_thresholds and description.task == "multi_label"
            else None,
        )
    new_calibration = {**fitted.to_json(), "data": source}
    notes = choice_sentences.choice_notes(new_calibration, chosen, labels)
    judged = {}
    if judges is not None and judges.any():
        rows = scored.table[judges]
        judged = _judged(rows, exported, fitted, chosen, notes, scored.label_notes, resamples, seed)
    classifier.calibrate(np.asarray(fitted.scale), np.asarray(fitted.offset))
    images = scored.fingerprints.table[choosing].reset_index(drop=True)
    fitted_images = Fingerprints(images, scored.fingerprints.id_space)
    # The new export decodes the same files as the old one; one of an earlier version has no limit.
    most = description.max_pixels
    with limits.megapixels(None if most is None else most / 1e6):
        save_classifier.save(
            classifier,
            preprocess,
            name=description.name,
            provenance=description.provenance,
            directory=out,
            thresholds=chosen,
            calibration=new_calibration,
            seen=exported.seen and exported.seen.extended(fitted_images),
            label_policies=description.label_policies,
            pixel_range=description.pixel_range or CHECKED,
            performance=performance_summary(
                judged["after"], f"images of {source} that chose nothing"
            )
            if judged
            else None,
            beside=_bundle(scored.before, f"images of {source} that chose nothing", judged),
        )
    after = fitted.probabilities(logits)
    of_patients = counted(fitted.fitted_on["cases"], "patient")
    lines = [f"{out}: calibrated by {choice_sentences.METHODS[fitted.method]} on {of_patients}."]
    for i, label in enumerate(labels):
        if label in few and description.task == "multi_label":
            lines.append(f"{label}: unchanged, too few patients: {_counts(counts[label])}.")
            continue
        known = np.isfinite(targets[:, i])
        brier = [np.mean((p[known, i] - targets[known, i]) ** 2) for p in (before, after)]
        lines.append(
            f"{label}: scale {fitted.scale[i]:.3f}, offset {fitted.offset[i]:.3f}; Brier score "
            f"{brier[0]:.4f} -> {brier[1]:.4f} on these patients; {_counts(counts[label])}."
        )
    lines += filter(None, [choice_sentences.flat_sentence(new_calibration, labels)])
    lines.append(
        "Thresholds were kept: the same images reach them as before."
        if keep_thresholds
        else notes[1]
    )
    lines.append(
        "Numbers on the patients who chose calibration and thresholds look better than they are."
        + (
            ""
            if judged
            else f" Measure {out} on other patients with `remedis evaluate`, or divide these "
            f"with {spelled('judge_share', 0.5)}."
        )
    )
    if judges is not None and judged:
        lines += _judgements(scored.table[judges], judged["after"], labels)
    return Recalibrated(pathlib.Path(out), tuple(lines), **judged)


def _bundle(
    before: Before, data: str, judged: Mapping[str, Any]
) -> list[Callable[[pathlib.Path], object]]:
    """Returns functions that write the run's record and sample into the new export.

    Logits and embeddings are those of before. The results are not: calibration and thresholds are
    others.
    """
    writers: list[Callable[[pathlib.Path], object]] = []
    if before.record is not None:
        record = run_record.recalibrated(before.record, data, judged.get("after"))
        writers.append(functools.partial(run_record.write, record))
    if before.sample is not None:
        writers.append(before.sample.write)
    return writers


def _with_old_fits(
    fitted: Calibration,
    old: Calibration,
    recorded: Mapping[str, Any] | None,
    labels: Sequence[str],
    source: str,
) -> Calibration:
    """Returns the new calibration, in which labels with too few cases keep the old one."""
    keeps_old = np.isin(labels, fitted.left_out)
    dropped = [
        label
        for label, offset, keeps in zip(labels, old.offset, keeps_old, strict=True)
        if offset and not keeps
    ]
    if fitted.method == "temperature" and dropped:
        raise UserError(
            f"{spelled('method')} is temperature, a scale of the raw logits, but "
            f"{', '.join(dropped)} "
            f"{'has an offset, which' if len(dropped) == 1 else 'have offsets, which'} it would "
            "drop; use platt, which fits both."
        )
    fits = choice_sentences.fits(recorded, labels)
    fits |= {
        label: {**fitted.fitted_on["labels"][label], "data": source}
        for label in labels
        if label not in fitted.left_out
    }
    return dataclasses.replace(
        fitted,
        fitted_on={**fitted.fitted_on, "labels": fits},
        scale=tuple(np.where(keeps_old, old.scale, fitted.scale).tolist()),
        offset=tuple(np.where(keeps_old, old.offset, fitted.offset).tolist()),
    )


def _thresholds(
    chosen: Thresholds,
    chosen_on: Mapping[str, Mapping[str, Any]],
    few: Sequence[str],
    moved: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """Returns the new thresholds; labels with too few cases have the old ones, or none.

    Args:
      chosen: on the site.
      chosen_on: their origin.
      few: labels with too few cases at the site.
      moved: the old thresholds for the new calibration; None if there are none.
    """
    result = {**chosen.to_json(), "chosen_on": {**chosen_on}}
    for label in few:
        for kind in KINDS:
            result[kind][label] = moved[kind].get(label) if moved else None
            odds = None
            if moved:
                odds = (moved.get("log_odds") or {}).get(kind, {}).get(label)
                if odds is None and result[kind][label] is not None:
                    probability = np.clip(result[kind][label], 1e-300, 1 - 1e-16)
                    odds = float(np.log(probability) - np.log1p(-probability))
            result["log_odds"][kind][label] = odds
        if moved:
            old_origin = (moved.get("chosen_on") or {}).get(label)
            result["chosen_on"][label] = old_origin or {"data": choice_sentences.VALIDATION}
    return result


def _judged(
    rows: pd.DataFrame,
    exported: ExportedClassifier,
    fitted: Calibration,
    chosen: Mapping[str, Any],
    notes: Sequence[str],
    label_notes: Sequence[str],
    resamples: int,
    seed: int,
) -> dict[str, dict[str, Any]]:
    """Returns the evaluations `before` and `after` on rows that chose nothing."""
    labels, description = exported.labels, exported.description
    logits = rows[[f"logit/{label}" for label in labels]].to_numpy(np.float64)
    scores, odds = fitted.probabilities(logits), fitted.log_odds(logits)
    new = rows.assign(
        **{f"score/{label}": scores[:, i] for i, label in enumerate(labels)},
        **{f"log_odds/{label}": odds[:, i] for i, label in enumerate(labels)},
    )
    old_notes, _ = choice_sentences.of_its_run(
        description.calibration, description.thresholds, labels
    )
    return {
        name: evaluate_table(
            table.assign(split="test"),
            labels,
            "test",
            thresholds=thresholds,
            choice_notes=sentences,
            label_notes=label_notes,
            task=description.task,
            resamples=resamples,
            seed=seed,
        )
        for name, table, thresholds, sentences in (
            ("before", rows, exported.thresholds(labels), old_notes),
            ("after", new, Thresholds.from_json(chosen), notes),
        )
    }


def _judgements(
    rows: pd.DataFrame, after: Mapping[str, Any], labels: Sequence[str]
) -> Iterator[str]:
    """Yields the Brier score that needs no model, and the labels that the model may not rank.

    Args:
      rows: the images that chose nothing.
      after: the evaluation of the new classifier on them.
      labels: names of the labels.
    """
    for label in labels:
        share = rows[f"label/{label}"].mean()  # of the known labels
        if np.isfinite(share):
            # The constant p with the lowest Brier score: p (1-p)^2 + (1-p) p^2 = p (1-p).
            yield (
                f"{label}: of the images of the other patients, {share:.1%} are positive; this "
                f"share as the probability of all has a Brier score of {share * (1 - share):.4f}."
            )
        area = Estimate.from_json(after["labels"][label])
        if area.low is not None and area.low <= 0.5:
            yield (
                f"{label}: the interval of the AUROC on the other patients, {area.interval}, is "
                "not wholly above 0.5: the scores may not rank images here, and then no "
                "calibration helps."
            )


def _counts(patients: Mapping[str, Any]) -> str:
    """Returns how many patients have images of each class; a patient may have both."""
    positives, negatives = patients["positives"], patients["negatives"]
    both = positives + negatives - patients["cases"]
    return (
        f"{counted(positives, 'patient')} with a positive image, {negatives:,} with a negative one"
        + (f", {both:,} of them with both" if both else "")
    )
