"""How well heat maps find boxes drawn around findings: pointing game and IoU, beside two floors.

The pointing game (Zhang et al. 2016, arXiv 1608.00507) asks whether the largest value of a map lies
in a box, with a tolerance of 15 pixels on images of about 500 pixels: a share of the image here.
IoU compares the pixels above a share of the largest value with the boxes.

A finding has its usual place, so a model that sees nothing can point well. Two floors show how
well: the centre of the image, and the average box of the finding over the other patients.
"""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from remedis.evaluation.effective_patients import (
    clustered_covariance,
    effective_number,
    proportion_widening,
    shortage,
)
from remedis.evaluation.intervals import (
    NO_VARIANCE,
    Estimate,
    Floats,
    patient_codes,
    patient_counts,
    percentile_interval,
    unseen_interval,
    wilson_interval,
)

TOLERANCE = 0.03  # of the longer side: 15 of 500 pixels
THRESHOLD = 0.5  # of the largest value, for the pixels of a map that count
CENTRE, AVERAGE_BOX = FLOORS = ("image centre", "average box")
MAPS = "heat maps"


@dataclasses.dataclass(frozen=True)
class Case:
    """One finding on one image.

    Attributes:
      label: the finding.
      patient: id of the patient; None if unknown.
      height: of the image in pixels.
      width: of the image in pixels.
      boxes: [boxes, 4], left, top, right and bottom in pixels of the image.
    """

    label: str
    patient: object
    height: int
    width: int
    boxes: Floats

    @property
    def relative(self) -> Floats:
        """The box around all boxes, as shares of the image's sides."""
        around = np.concatenate([self.boxes[:, :2].min(0), self.boxes[:, 2:].max(0)])
        return np.asarray(around / [self.width, self.height, self.width, self.height])


def hit(heat_map: npt.ArrayLike, case: Case, tolerance: float = TOLERANCE) -> float:
    """Returns whether the largest value lies in a box or within the tolerance: 0 to 1.

    Where several pixels share the largest value, it is the share of them that do: a constant map
    scores what a pixel drawn at random does.

    Args:
      heat_map: [height, width] of the image; NaN where the network did not see it.
      case: the finding.
      tolerance: distance from the box, as a share of the longer side.
    """
    values = np.asarray(heat_map)
    if not np.isfinite(values).any():
        return 0.0
    rows, columns = np.nonzero(values == np.nanmax(values))
    return float(
        np.mean(
            _distance(case, columns.astype(float) + 0.5, rows.astype(float) + 0.5)
            <= _margin(case, tolerance)
        )
    )


def iou(heat_map: npt.ArrayLike, case: Case, threshold: float = THRESHOLD) -> float:
    """Returns the intersection over union of the map's largest values and the boxes, 0 to 1.

    Args:
      heat_map: as for `hit`.
      case: the finding.
      threshold: pixels with at least this share of the largest value count; none do if the largest
        value is not above 0.
    """
    values = np.nan_to_num(np.asarray(heat_map), nan=-np.inf)
    largest = values.max()
    marked = values >= threshold * largest if largest > 0 else np.zeros(values.shape, bool)
    return _overlap(marked, _mask(case, case.boxes))


def floors(cases: Sequence[Case], tolerance: float = TOLERANCE) -> dict[str, tuple[Floats, Floats]]:
    """Returns hits and IoUs of both floors, [cases] each, by name.

    The average box of a case is the mean of the boxes of its finding over other patients, as shares
    of the image's sides. The centre's IoU is that of a box of this size in the middle of the image.
    A case whose finding no other patient has gets the average box of all findings of other
    patients; if there are none either, it is NaN.

    Args:
      cases: the findings.
      tolerance: as for `hit`.
    """
    patients = patient_codes(case.patient for case in cases)
    relative = np.array([case.relative for case in cases]).reshape(-1, 4)
    labels = np.array([case.label for case in cases], object)
    found = {name: (np.zeros(len(cases)), np.zeros(len(cases))) for name in FLOORS}
    for i, case in enumerate(cases):
        others = patients != patients[i]
        same = others & (labels == case.label)
        chosen = relative[same if same.any() else others]
        average = chosen.mean(0) if len(chosen) else np.full(4, np.nan)
        half = (average[2:] - average[:2]) / 2
        centred = np.concatenate([0.5 - half, 0.5 + half])
        for name, box in ((CENTRE, centred), (AVERAGE_BOX, average)):
            middle = np.array([0.5, 0.5]) if name == CENTRE else (box[:2] + box[2:]) / 2
            hits, overlaps = found[name]
            if np.isnan(middle).any():
                hits[i] = overlaps[i] = np.nan
                continue
            place = middle * [case.width, case.height]
            hits[i] = _distance(case, place[:1], place[1:])[0] <= _margin(case, tolerance)
            overlaps[i] = np.nan
            if not np.isnan(box).any():
                scaled = box * [case.width, case.height, case.width, case.height]
                overlaps[i] = _overlap(_mask(case, scaled[None]), _mask(case, case.boxes))
    return found


def share(values: Floats, patients: Sequence[object]) -> Estimate:
    """Returns the mean of numbers in [0, 1] with its interval by patient.

    Args:
      values: [cases], one per finding on an image; NaN is left out.
      patients: [cases] ids.
    """
    known = ~np.isnan(values)
    values = values[known]
    codes = patient_codes(np.array(list(patients), object)[known])
    sizes = np.bincount(codes) if len(codes) else np.zeros(0)
    sizes = sizes[sizes > 0]
    count = len(sizes)
    effective = float(effective_number(sizes)) if count else 0.0
    largest = float(sizes.max(initial=0))
    if reason := shortage(count, effective, largest, float(len(values)), ""):
        return Estimate(
            None, None, None, count, count, effective, effective, effective, None, reason
        )
    mean = float(values.mean())
    _, inverse = np.unique(codes, return_inverse=True)
    added = np.bincount(inverse, values - mean)[:, None] / len(values)
    k, middle = np.array([effective]), np.array([mean])
    variance = np.diag(clustered_covariance(added, k))
    if variance[0] > NO_VARIANCE:
        wide = variance * proportion_widening(middle, variance, k) ** 2
        low, high = wilson_interval(middle, wide, k)
    else:
        low, high = unseen_interval(middle, k)
    return Estimate(
        mean,
        float(low[0]),
        float(high[0]),
        count,
        count,
        effective,
        effective,
        effective,
        int(largest),
    )


def difference(
    values: Floats, others: Floats, patients: Sequence[object], resamples: int, seed: int
) -> Estimate:
    """Returns the mean of paired differences of numbers in [0, 1], with an interval by patient.

    The interval is the wider of two. Percentiles of resampled patients alone are too narrow if few
    patients, or a few with many images, carry the difference: of 5 to 40 such patients, they find a
    gain where there is none in up to 8 % of draws instead of 2.5 %, and 4 hits that others miss of
    5 patients are enough. The other is that of `share` for (difference + 1) / 2, which lies in
    [0, 1]: it has Student's quantile, and knows how little a difference says that did not vary.

    Args:
      values: [cases].
      others: [cases], of the same cases; a case with NaN in either is left out.
      patients: [cases] ids.
      resamples: draws of the patients.
      seed: of the draws.
    """
    deltas = values - others
    halved = share((deltas + 1) / 2, patients)
    if halved.low is None or halved.high is None:
        return halved
    known = ~np.isnan(deltas)
    deltas = deltas[known]
    _, codes = np.unique(
        patient_codes(np.array(list(patients), object)[known]), return_inverse=True
    )
    sizes, sums = np.bincount(codes), np.bincount(codes, deltas)
    mean = float(deltas.mean())
    draws = patient_counts(len(sizes), resamples, seed).astype(float)
    interval = percentile_interval(draws @ sums / (draws @ sizes))
    assert interval is not None
    return dataclasses.replace(
        halved,
        value=mean,
        low=min(interval[0], 2 * halved.low - 1, mean),
        high=max(interval[1], 2 * halved.high - 1, mean),
    )


@dataclasses.dataclass(frozen=True)
class Localisation:
    """The judgement of the heat maps of one finding, or of all.

    Attributes:
      label: the finding; empty for all findings together.
      cases: findings on images.
      pointing: share of hits, by name: the maps, the floors, and other maps such as those of
        randomised weights.
      iou: mean IoU, by the same names.
      pointing_gain: hits of the maps minus those of each other, by name, in pairs.
      iou_gain: the same of the IoU.
    """

    label: str
    cases: int
    pointing: Mapping[str, Estimate]
    iou: Mapping[str, Estimate]
    pointing_gain: Mapping[str, Estimate]
    iou_gain: Mapping[str, Estimate]

    def to_json(self) -> dict[str, object]:
        """Returns plain values."""
        return {
            "label": self.label,
            "cases": self.cases,
            **{
                kind: {name: e.to_json() for name, e in getattr(self, kind).items()}
                for kind in ("pointing", "iou", "pointing_gain", "iou_gain")
            },
        }


def judged(
    cases: Sequence[Case],
    scores: Mapping[str, tuple[Floats, Floats]],
    *,
    tolerance: float = TOLERANCE,
    resamples: int = 1000,
    seed: int = 0,
) -> list[Localisation]:
    """Returns the judgement of every finding, and of all together as the last.

    Args:
      cases: the findings, at least one.
      scores: by name `hit` and `iou` of every case, [cases] each; `MAPS` are the heat maps that the
        others are compared with.
      tolerance: of the hits.
      resamples: draws of the patients, for intervals of differences.
      seed: of the draws.
    """
    everything = {**scores, **floors(cases, tolerance)}
    labels = np.array([case.label for case in cases], object)
    patients = np.array([case.patient for case in cases], object)
    groups = [(str(label), labels == label) for label in dict.fromkeys(labels)]
    if len(groups) > 1:
        groups.append(("", np.ones(len(cases), bool)))
    found = []
    for label, chosen in groups:
        who = patients[chosen].tolist()
        values = {n: (h[chosen], o[chosen]) for n, (h, o) in everything.items()}
        means = [{n: share(v[kind], who) for n, v in values.items()} for kind in (0, 1)]
        gains = [
            {
                n: difference(values[MAPS][kind], v[kind], who, resamples, seed)
                for n, v in values.items()
                if n != MAPS
            }
            for kind in (0, 1)
        ]
        found.append(Localisation(label, int(chosen.sum()), *means, *gains))
    return found


def _margin(case: Case, tolerance: float) -> float:
    return tolerance * max(case.height, case.width) + 1e-9


def _distance(case: Case, x: Floats, y: Floats) -> Floats:
    """Returns the distance of points [n] in pixels from the nearest box; 0 inside."""
    left, top, right, bottom = case.boxes[:, :, None].transpose(1, 0, 2)
    across = np.maximum(np.maximum(left - x, x - right), 0)
    down = np.maximum(np.maximum(top - y, y - bottom), 0)
    return np.asarray(np.hypot(across, down).min(0))


def _mask(case: Case, boxes: Floats) -> npt.NDArray[np.bool_]:
    """Returns the pixels [height, width] whose centres lie in a box."""
    x, y = np.arange(case.width) + 0.5, np.arange(case.height) + 0.5
    mask = np.zeros((case.height, case.width), bool)
    for left, top, right, bottom in boxes:
        mask |= ((y >= top) & (y < bottom))[:, None] & ((x >= left) & (x < right))[None, :]
    return mask


def _overlap(marked: npt.NDArray[np.bool_], wanted: npt.NDArray[np.bool_]) -> float:
    union = (marked | wanted).sum()
    return float((marked & wanted).sum() / union) if union else 0.0
