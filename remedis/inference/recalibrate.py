"""Calibration of an exported classifier to a site, written as a new export."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from remedis import files
from remedis.errors import UserError, unknown_choice
from remedis.evaluation import calibration
from remedis.evaluation.calibration import Calibration
from remedis.inference.exported import ExportedClassifier
from remedis.inference.rescore import Scored
from remedis.options import label_text, spelled
from remedis.zoo import card, save_classifier

METHODS = tuple(name for name in calibration.METHODS if name != "none")


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


def recalibrate(
    exported: ExportedClassifier, scored: Scored, method: str, out: files.Path
) -> list[str]:
    """Writes the classifier with a calibration fitted on its scores; returns lines that report it.

    The fit starts from the raw logits, not from the old calibration; a label with too few cases
    keeps its old one. Thresholds move with the probabilities, so that the same images reach them.
    Those of a multi_class task are left out, since the order of the images changes.

    Args:
      exported: the classifier.
      scored: labelled cases of a site, none of which trained the classifier.
      method: of `METHODS`, see `method_for`.
      out: the folder to write.

    Raises:
      UserError: labels are missing or too few, a temperature would drop an offset, or the folder
        exists.
    """
    labels, description = exported.labels, exported.description
    if scored.manifest.labels != labels:
        lacking = [label for label in labels if label not in scored.manifest.labels]
        raise UserError(
            f"A calibration is of all labels, {label_text(labels)}, in this order"
            + (f"; the data lack {label_text(lacking)}: add empty columns." if lacking else ".")
        )
    table = scored.table
    logits, targets, before = (
        table[[f"{kind}/{label}" for label in labels]].to_numpy(np.float64)
        for kind in ("logit", "label", "score")
    )
    patients = table["patient_id"].to_numpy(dtype=object)
    fitted = calibration.fit(logits, targets, labels, method, description.task, patients)
    if set(fitted.left_out) == set(labels):
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
    # A label with too few cases here keeps the calibration that was fitted on more.
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
    source = scored.manifest.source
    fits = card.fits(description.calibration, labels)
    fits |= {
        label: {**fitted.fitted_on["labels"][label], "data": source}
        for label in labels
        if label not in fitted.left_out
    }
    counts = fitted.fitted_on["labels"]
    fitted = dataclasses.replace(
        fitted,
        fitted_on={**fitted.fitted_on, "labels": fits},
        scale=tuple(np.where(keeps_old, old.scale, fitted.scale).tolist()),
        offset=tuple(np.where(keeps_old, old.offset, fitted.offset).tolist()),
    )
    classifier.calibrate(np.asarray(fitted.scale), np.asarray(fitted.offset))
    thresholds = None
    if description.thresholds and description.task == "multi_label":
        thresholds = calibration.move_thresholds(description.thresholds, labels, old, fitted)
    save_classifier.save(
        classifier,
        preprocess,
        name=description.name,
        provenance=description.provenance,
        directory=out,
        thresholds=thresholds,
        calibration={**fitted.to_json(), "data": source},
        seen=exported.seen and exported.seen.extended(scored.fingerprints),
        label_policies=description.label_policies,
    )
    after = fitted.probabilities(logits)
    lines = [f"{out}: calibrated by {fitted.method} on {fitted.fitted_on['cases']:,} patients."]
    for i, label in enumerate(labels):
        if label in fitted.left_out:
            lines.append(f"{label}: unchanged, too few patients: {_counts(counts[label])}.")
            continue
        known = np.isfinite(targets[:, i])
        brier = [np.mean((p[known, i] - targets[known, i]) ** 2) for p in (before, after)]
        lines.append(
            f"{label}: scale {fitted.scale[i]:.3f}, offset {fitted.offset[i]:.3f}; Brier score "
            f"{brier[0]:.4f} -> {brier[1]:.4f} on these cases; {_counts(counts[label])}."
        )
    return lines


def _counts(cases: Mapping[str, Any]) -> str:
    return f"{cases['positives']:,} positive, {cases['negatives']:,} negative"
