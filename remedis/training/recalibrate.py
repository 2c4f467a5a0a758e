"""Fits the probabilities of an exported classifier to a site, and exports it anew."""

import dataclasses

import numpy as np

from remedis import files
from remedis.errors import UserError
from remedis.evaluation import calibration
from remedis.evaluation.calibration import Calibration
from remedis.training.evaluating import Scored
from remedis.training.score import ExportedClassifier
from remedis.zoo import classifiers

METHODS = tuple(name for name in calibration.METHODS if name != "none")


def recalibrate(
    exported: ExportedClassifier, scored: Scored, method: str, out: files.Path
) -> list[str]:
    """Writes the classifier with a calibration fitted on its scores; returns what there is to say.

    Logits stay as they are. Thresholds are moved with the probabilities, so that the same images
    reach them; those of a multi_class task, whose order among images changes, are left out.

    Args:
      exported: the classifier.
      scored: labelled cases of a site, not among those it was trained on.
      method: of `METHODS`.
      out: the folder to write.

    Raises:
      UserError: labels are missing or too few, or the folder exists.
    """
    labels, description = exported.labels, exported.description
    if scored.manifest.labels != labels:
        lacking = [label for label in labels if label not in scored.manifest.labels]
        raise UserError(
            f"A calibration is of all labels, {', '.join(labels)}, in this order"
            + (f"; the data lack {', '.join(lacking)}: add empty columns." if lacking else ".")
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
    classifier, preprocess, _ = classifiers.load(exported.folder)
    old = Calibration(
        method="",
        scale=tuple(np.asarray(classifier.scale).tolist()),
        offset=tuple(np.asarray(classifier.offset).tolist()),
        fitted_on={},
        left_out=(),
        task=description.task,
    )
    # Too few cases to calibrate by are no reason to forget what was fitted on more.
    kept = np.isin(labels, fitted.left_out)
    fitted = dataclasses.replace(
        fitted,
        scale=tuple(np.where(kept, old.scale, fitted.scale).tolist()),
        offset=tuple(np.where(kept, old.offset, fitted.offset).tolist()),
    )
    classifier.calibrate(np.asarray(fitted.scale), np.asarray(fitted.offset))
    thresholds = None
    if description.thresholds and description.task == "multi_label":
        thresholds = calibration.moved(description.thresholds, labels, old, fitted)
    classifiers.save(
        classifier,
        preprocess,
        name=description.name,
        provenance=description.provenance,
        directory=out,
        thresholds=thresholds,
        calibration={**fitted.to_json(), "data": scored.manifest.source},
    )
    after = fitted.probabilities(logits)
    lines = [f"{out}: calibrated by {method} on {fitted.fitted_on['cases']:,} patients."]
    for i, label in enumerate(labels):
        if label in fitted.left_out:
            lines.append(f"{label}: left as it was, too few patients: {_counts(fitted, label)}.")
            continue
        known = np.isfinite(targets[:, i])
        brier = [np.mean((p[known, i] - targets[known, i]) ** 2) for p in (before, after)]
        lines.append(
            f"{label}: scale {fitted.scale[i]:.3f}, offset {fitted.offset[i]:.3f}; Brier score "
            f"{brier[0]:.4f} -> {brier[1]:.4f} on these cases; {_counts(fitted, label)}."
        )
    return lines


def _counts(fitted: Calibration, label: str) -> str:
    counts = fitted.fitted_on["labels"][label]
    return f"{counts['positives']:,} positive, {counts['negatives']:,} negative"
