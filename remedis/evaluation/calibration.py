"""Calibration of probabilities: one scale and offset per label, fitted on labelled images.

probability = sigmoid(scale * logit + offset), or softmax for a multi_class task. A temperature T is
a scale of 1 / T, fitted by maximum likelihood (Guo et al. 2017, "On Calibration of Modern Neural
Networks", arXiv 1706.04599). Platt's method also fits the offset (Platt 1999, "Probabilistic
Outputs for Support Vector Machines", in Advances in Large Margin Classifiers). The scale alone
makes probabilities more or less extreme. Class weights, balanced sampling or another prevalence
shift all logits, and only the offset corrects a shift.

Both methods are fitted to Platt's smoothed targets, which add one image of every class to the
images of each class (see `_smoothed`). Otherwise, if the logits separate a few images by chance,
the maximum-likelihood scale is infinite and every probability is 0 or 1.
"""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
import scipy.optimize
import scipy.special
from annotated_types import Ge, Gt, Le
from typing_extensions import NotRequired, TypedDict

from remedis.errors import unknown_choice
from remedis.evaluation.auroc import Floats, checked
from remedis.evaluation.intervals import MIN_PATIENTS, patient_codes
from remedis.evaluation.ranking import log_odds
from remedis.json_records import Count, Line, Name, Real

METHODS = ("none", "temperature", "platt")
# Bounds of the scale. In a small validation split the logits may be anticorrelated with the labels;
# the best scale is then 0 or negative, and all images get the same probability or the reverse
# order. The lower bound keeps the order of the images, and therefore the AUROC.
SCALES = (0.01, 100.0)


class LabelFit(TypedDict, total=False):
    """The fit of one label.

    Attributes:
      method: `none` where scale and offset are 1 and 0, else the method that fitted them.
      data: name of the data of the fit, where the calibration of an export was fitted again; the
        validation split if absent.
      cases: patients whose label is known; images, if patients are unknown.
      positives: patients with a positive image; images likewise.
      negatives: patients with a negative image; images likewise.
      prevalence: share of the images that are positive. None without images.
    """

    method: Line
    data: Line
    cases: Count
    positives: Count
    negatives: Count
    prevalence: Annotated[float, Ge(0), Le(1)] | None


class FittedOn(TypedDict, total=False):
    """The cases of a fit.

    Attributes:
      cases: patients with any known label; images, if patients are unknown.
      labels: label -> its fit.
    """

    cases: Count
    labels: dict[Name, LabelFit]


class CalibrationRecord(TypedDict):
    """`Calibration.to_json`, and `data` where an export was calibrated again.

    Attributes:
      scale: one value per label, in the order of the labels. Above 1 makes probabilities more
        extreme, below 1 less.
      offset: one value per label, in the order of the labels. It shifts the log odds.
      fitted_on: the patients behind the fit.
      data: name of the data of the fit, where an export was calibrated again. The validation split
        if absent.
    """

    method: Line
    scale: list[Annotated[Real, Gt(0)]]
    offset: list[Real]
    fitted_on: NotRequired[FittedOn]
    left_out: NotRequired[list[Name] | None]
    task: NotRequired[Line]
    data: NotRequired[Line | None]


@dataclasses.dataclass(frozen=True)
class Calibration:
    """Parameters of the map from logits to probabilities.

    Attributes:
      method: `none`, `temperature` or `platt`.
      scale: one value per label, above 0.
      offset: one value per label.
      fitted_on: `cases`, and for each of the `labels` its `cases`, `positives` and `negatives`. All
        of them count patients if patients were given, otherwise images. In addition, for each
        label: `prevalence`, the share of its images that are positive, None without images; and
        `method`, which is `none` where scale and offset are 1 and 0.
      left_out: labels with too few positives or negatives; their scale and offset are 1 and 0.
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
        scaled = self._scaled(logits)
        if self.task == "multi_class":
            return scipy.special.softmax(scaled, axis=1)
        return scipy.special.expit(scaled)

    def log_odds(self, logits: npt.ArrayLike) -> Floats:
        """Returns the log odds [n, L] float64 of the calibrated probabilities of raw logits [n, L].

        They keep the order of images whose probabilities round to the same number, also with the
        smallest scale (`remedis.evaluation.ranking`).
        """
        return log_odds(self._scaled(logits), self.task)

    def _scaled(self, logits: npt.ArrayLike) -> Floats:
        return np.asarray(logits, np.float64) * self.scale + np.asarray(self.offset)

    def to_json(self) -> dict[str, Any]:
        """Returns the fields as JSON takes them."""
        lists = {"scale": list(self.scale), "offset": list(self.offset)}
        return {**dataclasses.asdict(self), **lists, "left_out": list(self.left_out)}

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> "Calibration":
        """Returns the calibration from the `fields` of `to_json`; earlier versions had fewer."""
        return cls(
            method=fields["method"],
            scale=tuple(fields["scale"]),
            offset=tuple(fields["offset"]),
            fitted_on=fields.get("fitted_on") or {},
            left_out=tuple(fields.get("left_out") or ()),
            task=fields.get("task", "multi_label"),
        )


def fit(
    logits: npt.ArrayLike,
    labels: npt.ArrayLike,
    names: Sequence[str],
    method: str,
    task: str = "multi_label",
    patient_ids: Iterable[object] | None = None,
) -> Calibration:
    """Returns the maximum-likelihood calibration, for Platt's smoothed targets.

    The sources of the formulas are those of the module. With few images, a fit to smoothed targets
    may make the labels themselves less likely. Such a label keeps scale 1 and offset 0.

    Args:
      logits: [n, L], raw.
      labels: [n, L]; 1 positive, 0 negative, NaN unknown. Of images that were not in training.
      names: names of the L labels.
      method: one of `METHODS`.
      task: `multi_label` fits one scale (and offset) per label. `multi_class` fits one temperature
        for all classes, on the rows whose labels are all known. This holds for `platt` too, because
        an offset of one class would change the probabilities of the others.
      patient_ids: [n]; with them, a label is left out if it has fewer than MIN_PATIENTS positive or
        negative patients. Without them, images are counted instead.

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
            "prevalence": _prevalence(known[:, i]),
        }
        for i, name in enumerate(names)
    }
    scale, offset = np.ones(len(names)), np.zeros(len(names))
    if method != "none" and task == "multi_class":
        rows = ~np.isnan(known).any(axis=1)
        # The temperature is shared: one class with enough images is sufficient.
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


def move_thresholds(
    thresholds: Mapping[str, Any], names: Sequence[str], before: Calibration, after: Calibration
) -> dict[str, Any]:
    """Returns the same operating points as thresholds for another calibration.

    A threshold belongs to the calibration it was chosen with. With another calibration, the same
    number is another operating point.

    Args:
      thresholds: kind -> (label -> threshold or None), as `Thresholds.to_json` makes it; values
        that are no mappings are kept, and so is `chosen_on`.
      names: names of the labels, in the order of the calibrations.
      before: the calibration that the thresholds were chosen with, for `multi_label`.
      after: the calibration that the returned thresholds are for, also for `multi_label`.

    Returns:
      A mapping of the form of `thresholds`.
    """

    def move(i: int, odds: float | None) -> float | None:
        if odds is None:
            return None
        logit = (odds - before.offset[i]) / before.scale[i]
        return float(after.scale[i] * logit + after.offset[i])

    def odds_of(threshold: float | None) -> float | None:
        return None if threshold is None else float(scipy.special.logit(threshold))

    def probability(odds: float | None) -> float | None:
        return None if odds is None else float(scipy.special.expit(odds))

    known = thresholds.get("log_odds")
    result = dict(thresholds)
    for kind, values in thresholds.items():
        if isinstance(values, Mapping) and kind not in ("log_odds", "chosen_on"):
            odds = known[kind] if known else {name: odds_of(p) for name, p in values.items()}
            moved = {name: move(i, odds[name]) for i, name in enumerate(names)}
            result[kind] = {name: probability(x) for name, x in moved.items()}
            if known:
                result["log_odds"] = {**result["log_odds"], kind: moved}
    return result


def _prevalence(labels: Floats) -> float | None:
    """Returns the share of positives among the known labels; None without known labels."""
    known = labels[~np.isnan(labels)]
    return float(known.mean()) if known.size else None


def _count(rows: npt.ArrayLike, ids: npt.NDArray[np.intp] | None) -> int:
    """Returns the number of true entries of `rows` [n]; with patient ids, of distinct patients."""
    return int(np.sum(rows)) if ids is None else len(np.unique(ids[np.asarray(rows)]))


def _temperature(logits: Floats, labels: Floats) -> tuple[float, float]:
    """Returns scale and offset (0) of one label."""
    targets = _smoothed(np.stack([1 - labels, labels], axis=1))[:, 1]

    def slope(scale: float) -> float:
        return float(np.mean((scipy.special.expit(scale * logits) - targets) * logits))

    scale = _root(slope)
    return (scale if _loss(scale * logits, labels) <= _loss(logits, labels) else 1.0), 0.0


def _softmax_scale(logits: Floats, labels: Floats) -> float:
    """Returns the scale that all classes share."""
    targets = _smoothed(labels)

    def slope(scale: float) -> float:
        probabilities = scipy.special.softmax(scale * logits, axis=1)
        return float(np.mean(((probabilities - targets) * logits).sum(axis=1)))

    def loss(scale: float) -> float:
        log_likelihoods = scipy.special.log_softmax(scale * logits, axis=1)
        return -float(np.mean((labels * log_likelihoods).sum(axis=1)))

    scale = _root(slope)
    return scale if loss(scale) <= loss(1.0) else 1.0


def _smoothed(classes: Floats) -> Floats:
    """Returns Platt's smoothed targets [n, K] of one-hot `classes` [n, K].

    For an image whose class has m images, the target of its class is (m + 1) / (m + K), that of
    each other class 1 / (m + K).
    """
    class_sizes = classes @ classes.sum(axis=0)
    return (classes * class_sizes[:, None] + 1) / (class_sizes[:, None] + classes.shape[1])


def _root(slope: Any) -> float:
    """Returns the root in `SCALES` of the slope of the loss, which is convex in the scale."""
    low, high = SCALES
    if slope(low) >= 0:
        return low
    if slope(high) <= 0:
        return high
    return float(scipy.optimize.brentq(slope, low, high, xtol=1e-12))


def _platt(logits: Floats, labels: Floats) -> tuple[float, float]:
    """Returns scale and offset of one label."""
    targets = _smoothed(np.stack([1 - labels, labels], axis=1))[:, 1]
    # The search on standardised logits does not depend on their mean and scale.
    centre, deviation = logits.mean(), logits.std() or 1.0
    unit = (logits - centre) / deviation

    def loss(parameters: Floats) -> tuple[float, Floats]:
        scaled = parameters[0] * unit + parameters[1]
        error = scipy.special.expit(scaled) - targets
        value = np.mean(np.logaddexp(0, scaled) - targets * scaled)
        return float(value), np.array([np.mean(error * unit), np.mean(error)])

    minimum = scipy.optimize.minimize(
        loss,
        [1.0, scipy.special.logit(targets.mean())],
        jac=True,
        method="L-BFGS-B",
        bounds=[(SCALES[0] * deviation, SCALES[1] * deviation), (None, None)],
        options={"ftol": 0.0, "gtol": 1e-10},
    )
    scale = float(minimum.x[0] / deviation)
    offset = float(minimum.x[1] - scale * centre)
    more_likely = _loss(scale * logits + offset, labels) <= _loss(logits, labels)
    return (scale, offset) if more_likely else (1.0, 0.0)


def _loss(logits: Floats, labels: Floats) -> float:
    """Returns the mean negative log-likelihood of `labels` [n]."""
    return float(np.mean(np.logaddexp(0, logits) - labels * logits))


_FITS = {"temperature": _temperature, "platt": _platt}
