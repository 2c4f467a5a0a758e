"""Probabilities that mean what they say: one scale and offset a label, fitted on labelled cases.

probability = sigmoid(scale * logit + offset), or softmax for a multi_class task. A temperature T is
a scale of 1 / T, fitted by maximum likelihood (Guo et al. 2017, "On Calibration of Modern Neural
Networks", arXiv 1706.04599). Platt's method fits the offset too (Platt 1999, "Probabilistic Outputs
for Support Vector Machines", in Advances in Large Margin Classifiers). Without the offset
probabilities become more or less sure of themselves; training with class weights or balanced
drawing, or another prevalence, moves all of them, and only the offset moves them back.

Both are fitted to Platt's smoothed targets: of n cases of a kind, one more is taken to be of any.
With a few cases that the logits happen to separate, the likeliest scale would be infinite, and
every probability a certainty.
"""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.optimize
import scipy.special

from remedis.errors import unknown_choice
from remedis.evaluation.auroc import Floats, checked
from remedis.evaluation.intervals import MIN_PATIENTS, patient_codes

METHODS = ("none", "temperature", "platt")
# Cases that logits mislead, of which a small validation split may have more than others, would have
# the scale negative, or 0, and every image the same probability. Never less than the first: the
# order of images, and with it the AUROC, is not for a calibration to change.
SCALES = (0.01, 100.0)


@dataclasses.dataclass(frozen=True)
class Calibration:
    """What turns logits into probabilities.

    Attributes:
      method: `none`, `temperature` or `platt`.
      scale: one a label, above 0.
      offset: one a label.
      fitted_on: `cases`, and of each of the `labels` its own `cases`, `positives` and `negatives`:
        patients where they were given, else images; its `prevalence`, the share of its images that
        are positive, None without any; and its `method`: `none` where scale and offset are 1 and 0.
      left_out: labels with too few of either, whose scale and offset are 1 and 0.
      task: `multi_label` or `multi_class`.
    """

    method: str
    scale: tuple[float, ...]
    offset: tuple[float, ...]
    fitted_on: Mapping[str, Any]
    left_out: tuple[str, ...]
    task: str = "multi_label"

    def probabilities(self, logits: npt.ArrayLike) -> Floats:
        """Returns the calibrated probabilities [n, L] float64 of raw logits [n, L]."""
        scaled = np.asarray(logits, np.float64) * self.scale + np.asarray(self.offset)
        if self.task == "multi_class":
            return scipy.special.softmax(scaled, axis=1)
        return scipy.special.expit(scaled)

    def to_json(self) -> dict[str, Any]:
        """Returns the fields as JSON takes them."""
        lists = {"scale": list(self.scale), "offset": list(self.offset)}
        return {**dataclasses.asdict(self), **lists, "left_out": list(self.left_out)}

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> "Calibration":
        """Returns the calibration that `to_json` made `fields` of."""
        known = {field.name: fields[field.name] for field in dataclasses.fields(cls)}
        return cls(**known | {k: tuple(known[k]) for k in ("scale", "offset", "left_out")})


def fit(
    logits: npt.ArrayLike,
    labels: npt.ArrayLike,
    names: Sequence[str],
    method: str,
    task: str = "multi_label",
    patient_ids: Iterable[object] | None = None,
) -> Calibration:
    """Returns the calibration under which the labels are most likely.

    A label keeps scale 1 and offset 0 where the fit would make its labels less likely, which
    smoothed targets of few cases may.

    Args:
      logits: [n, L], raw.
      labels: [n, L]; 1 positive, 0 negative, NaN unknown. Not those the logits were trained on.
      names: of the labels.
      method: one of `METHODS`.
      task: `multi_label`: a scale, and offset, a label; `multi_class`: one temperature for all
        classes, fitted on the rows whose labels are all known, for `platt` too: an offset of one
        class would move the others.
      patient_ids: [n], for labels to be left out by the number of their patients, rather than of
        their images.

    Raises:
      UserError: the method is unknown, shapes differ, or values are not as described.
    """
    if method not in METHODS:
        raise unknown_choice("method of calibration", method, METHODS)
    known, raw = checked(labels, logits, names)
    if task == "multi_class":
        method = "temperature" if method == "platt" else method
        known[np.isnan(known).any(axis=1)] = np.nan
    ids = None if patient_ids is None else patient_codes(patient_ids)
    counts = {
        name: {
            "positives": _count(known[:, i] == 1, ids),
            "negatives": _count(known[:, i] == 0, ids),
        }
        for i, name in enumerate(names)
    }
    few = tuple(name for name, count in counts.items() if min(count.values()) < MIN_PATIENTS)
    left_out = () if method == "none" else few
    fitted: dict[str, dict[str, Any]] = {
        name: {
            "method": "none",
            "cases": _count(~np.isnan(known[:, i]), ids),
            **counts[name],
            "prevalence": _share(known[:, i]),
        }
        for i, name in enumerate(names)
    }
    scale, offset = np.ones(len(names)), np.zeros(len(names))
    if method != "none" and task == "multi_class":
        rows = ~np.isnan(known).any(axis=1)
        # One temperature for all: it can be told as soon as it can be for one of them.
        if len(few) < len(names):
            left_out = ()
            scale[:] = _softmax_scale(raw[rows], known[rows])
            for name in names:
                fitted[name]["method"] = method
    elif method != "none":
        for i, name in enumerate(names):
            if name not in few:
                rows = ~np.isnan(known[:, i])
                scale[i], offset[i] = _FITS[method](raw[rows, i], known[rows, i])
                if (scale[i], offset[i]) != (1.0, 0.0):
                    fitted[name]["method"] = method
    return Calibration(
        method=method,
        scale=tuple(scale.tolist()),
        offset=tuple(offset.tolist()),
        fitted_on={"cases": _count(np.any(np.isfinite(known), axis=1), ids), "labels": fitted},
        left_out=left_out,
        task=task,
    )


def moved(
    thresholds: Mapping[str, Any], names: Sequence[str], before: Calibration, after: Calibration
) -> dict[str, Any]:
    """Returns thresholds of probabilities, such that the same images reach them as before.

    A threshold belongs to the probabilities it was chosen on; with another calibration it would
    mean another operating point.

    Args:
      thresholds: for each kind a mapping from label to threshold or None; other values are kept.
      names: of the labels, in the order of the calibrations.
      before: the calibration the thresholds are for; of the task `multi_label`, as `after`.
      after: the calibration they shall be for.

    Returns:
      The same kinds.
    """

    def move(i: int, threshold: float | None) -> float | None:
        if threshold is None:
            return None
        logit = (scipy.special.logit(threshold) - before.offset[i]) / before.scale[i]
        return float(scipy.special.expit(after.scale[i] * logit + after.offset[i]))

    return {
        kind: {name: move(i, values[name]) for i, name in enumerate(names)}
        if isinstance(values, Mapping)
        else values
        for kind, values in thresholds.items()
    }


def _share(labels: Floats) -> float | None:
    """Returns the share of positives among the known, None if there are none."""
    known = labels[~np.isnan(labels)]
    return float(known.mean()) if known.size else None


def _count(cases: npt.ArrayLike, ids: npt.NDArray[np.intp] | None) -> int:
    return int(np.sum(cases)) if ids is None else len(np.unique(ids[np.asarray(cases)]))


def _temperature(logits: Floats, labels: Floats) -> tuple[float, float]:
    """Returns scale and offset (0) of one label."""
    targets = _smoothed(np.stack([1 - labels, labels], axis=1))[:, 1]

    def slope(scale: float) -> float:
        return float(np.mean((scipy.special.expit(scale * logits) - targets) * logits))

    scale = _root(slope)
    return (scale if _loss(scale * logits, labels) <= _loss(logits, labels) else 1.0), 0.0


def _softmax_scale(logits: Floats, labels: Floats) -> float:
    """Returns the one scale of all classes."""
    targets = _smoothed(labels)

    def slope(scale: float) -> float:
        probabilities = scipy.special.softmax(scale * logits, axis=1)
        return float(np.mean(((probabilities - targets) * logits).sum(axis=1)))

    def loss(scale: float) -> float:
        likely = scipy.special.log_softmax(scale * logits, axis=1)
        return -float(np.mean((labels * likely).sum(axis=1)))

    scale = _root(slope)
    return scale if loss(scale) <= loss(1.0) else 1.0


def _smoothed(classes: Floats) -> Floats:
    """Returns the targets [n, K] of cases [n, K] of one class each: 1 more of any class.

    (n + 1) / (n + K) for a case's own of K classes with n cases, 1 / (n + K) for each other.
    """
    cases = classes @ classes.sum(axis=0)
    return (classes * cases[:, None] + 1) / (cases[:, None] + classes.shape[1])


def _root(slope: Any) -> float:
    """Returns where the slope of the loss, which is convex in the scale, passes 0 in `SCALES`."""
    low, high = SCALES
    if slope(low) >= 0:
        return low
    if slope(high) <= 0:
        return high
    return float(scipy.optimize.brentq(slope, low, high, xtol=1e-12))


def _platt(logits: Floats, labels: Floats) -> tuple[float, float]:
    """Returns scale and offset of one label."""
    targets = _smoothed(np.stack([1 - labels, labels], axis=1))[:, 1]
    # On logits of mean 0 and deviation 1 the search is the same, whatever their size.
    centre, deviation = logits.mean(), logits.std() or 1.0
    unit = (logits - centre) / deviation

    def loss(parameters: Floats) -> tuple[float, Floats]:
        scaled = parameters[0] * unit + parameters[1]
        error = scipy.special.expit(scaled) - targets
        value = np.mean(np.logaddexp(0, scaled) - targets * scaled)
        return float(value), np.array([np.mean(error * unit), np.mean(error)])

    found = scipy.optimize.minimize(
        loss,
        [1.0, scipy.special.logit(targets.mean())],
        jac=True,
        method="L-BFGS-B",
        bounds=[(SCALES[0] * deviation, SCALES[1] * deviation), (None, None)],
        options={"ftol": 0.0, "gtol": 1e-10},
    )
    scale = float(found.x[0] / deviation)
    offset = float(found.x[1] - scale * centre)
    fitted, plain = scale * logits + offset, logits
    likelier = _loss(fitted, labels) <= _loss(plain, labels)
    return (scale, offset) if likelier else (1.0, 0.0)


def _loss(logits: Floats, labels: Floats) -> float:
    return float(np.mean(np.logaddexp(0, logits) - labels * logits))


_FITS = {"temperature": _temperature, "platt": _platt}
