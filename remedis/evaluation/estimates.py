"""Estimates of metrics with 95 % intervals, per column of scores and for the mean of several.

All intervals count *effective* patients (`remedis.evaluation.effective_patients`) and, but for
calibration error, slope and intercept, are Wilson's with an effective sample size. Each was chosen
by simulation: `benchmarks/coverage.py` draws the populations and prints coverage, width, and how
often a metric is estimable. The table shows the coverage in %, nominal 95, of `coverage.py
--only=even,zipf,one-of-10,one-of-30 --draws=200 --resamples=100`; its standard error is 1.5 %.
`even`: 200 patients with 1 to 3 images, 12 % of them positive. `zipf`: 200 patients with
min(Zipf(1.6), 200) images that correlate by 0.8, 30 % of them positive. In `one-of-10` and
`one-of-30`, one of 10 or 30 positive patients has 100 images. A dash: not estimable in any draw; in
`zipf`, numbers that need both classes are estimable in 92 % of the draws. Empty: not simulated.

                               even  mean of 3       zipf  one-of-10  one-of-30
    AUROC of the population 0.80  .95  0.80  .95  0.80  .95  0.80  .95  0.80  .95
    AUROC, DeLong           95.5 96.0  97.5 97.0  96.7 98.4     -    -     -    -
    average precision       96.0 97.5  96.0 97.5  94.0 96.2     -    -     -    -
    Brier score             94.5 96.0  96.0 96.0  94.0 97.0   100  100   100  100
    accuracy                94.5 95.0  97.0 98.5  93.0 96.5  96.5  100  94.5  100
    sensitivity             97.0 96.5  98.0 96.5  96.7 97.3     -    -     -    -
    specificity             96.0 94.5  96.5 95.0  98.0 98.5  93.0 94.0  93.5 93.5
    PPV                     96.0 96.0  97.0 95.5  92.9 96.2     -    -     -    -
    NPV                     96.0 96.5  93.5 94.0  96.2 95.7     -    -     -    -
    calibration error       97.0 99.5  99.5  100  99.0 97.0   100 92.0   100 98.0
    difference of AUROCs    93.5 95.5  96.5 97.0  97.8 99.5     -    -     -    -
    gap of 3 sites: none    97.0 99.5
    gap of 3 sites: 0.1     99.0 98.0
    AUROC, equal patients                         96.0 95.5  94.0 99.0  94.0 95.0

With 12 % positive patients in `zipf` (population `zipf-rare`), numbers that need both classes are
estimable in 28 % of the draws. The AUROC then covers 94.5 and 100 %, but average precision 92.7 and
90.9, and the PPV 90.9 and 76.5 %: draws are estimable if no positive patient has very many images,
so that their share of positive images is below the population's, and both numbers with it. The
calibration error covers 86.5 % at an AUROC of 0.80, since its lower end is too high.

Percentiles of resamples cover an AUROC of 0.95 in about 90 %, and their variance alone, on the
logit scale, gives an AUROC close to 1 an interval that reaches down to 0 (`delong.area_limits`).
Intervals of the calibration error and of gaps are wider than necessary where the truth is not 0.
"""

import dataclasses
import functools
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from remedis.errors import UserError
from remedis.evaluation import ratios
from remedis.evaluation.auroc import Floats, Integers
from remedis.evaluation.average_precision import average_precision as compute_average_precision
from remedis.evaluation.calibration_error import calibration_error as compute_calibration_error
from remedis.evaluation.calibration_line import calibration_line as compute_calibration_line
from remedis.evaluation.delong import area_limits, delong, equal_weights, widened_covariance
from remedis.evaluation.effective_patients import (
    clustered_covariance,
    effective_number,
    enough,
    proportion_widening,
    shortage,
    small_sample_factor,
    t_quantile,
)
from remedis.evaluation.intervals import (
    LEVEL,
    NO_VARIANCE,
    Estimate,
    Z,
    mean_interval,
    norm_interval,
    patient_codes,
    unseen_interval,
    unseen_share,
    wilson_interval,
)

DELONG = "DeLong by patient, Wilson"
DELONG_OF_PATIENTS = "DeLong by patient, patients of equal weight, Wilson"
RESAMPLED = "variance of resampled patients, Wilson"
LINEAR = "variance by patient, Wilson"
LINE = "sandwich by patient, t"
NORM = "resampled patients, triangle inequality: at least 95 %"
WEIGHTINGS = ("images", "patients")

Booleans = npt.NDArray[np.bool_]


@dataclasses.dataclass(frozen=True)
class Behind:
    """The patients behind each of C numbers.

    Attributes:
      patients: [C], number of patients with an image.
      effective: [C], effective number of patients.
      largest: [C], images of the patient with most images.
      images: [C], images of all patients.
      kind: word before "patients" in messages, such as `positive `; or empty.
    """

    patients: Integers
    effective: Floats
    largest: Floats
    images: Floats
    kind: str

    @classmethod
    def of(cls, sizes: Floats, kind: str = "") -> "Behind":
        """Returns the patients with images or weights `sizes` [G, C]."""
        return cls(
            np.count_nonzero(sizes, axis=0),
            effective_number(sizes),
            sizes.max(axis=0, initial=0.0),
            sizes.sum(axis=0),
            kind,
        )

    def reasons(self) -> list[str]:
        """Returns for each number why the patients are too few, or an empty string."""
        columns = zip(self.patients, self.effective, self.largest, self.images, strict=True)
        return [shortage(*column, self.kind) for column in columns]


@dataclasses.dataclass(frozen=True)
class Cases:
    """Labels of the images, and the patient of each image.

    Attributes:
      known: [n, C]; 1 positive, 0 negative, NaN unknown.
      patients: [n] integers in [0, G).
    """

    known: Floats
    patients: Integers

    @classmethod
    def from_ids(cls, known: Floats, patient_ids: Iterable[object]) -> "Cases":
        """Returns the cases of labels [n, C] and patient ids [n].

        Raises:
          UserError: there is not one id per row.
        """
        patients = patient_codes(patient_ids)
        if len(patients) != len(known):
            raise UserError(f"{len(patients)} patient ids for {len(known)} rows of labels.")
        return cls(known, patients)

    def images(self, rows: Booleans) -> Floats:
        """Returns [G, C]: the number of true entries of each patient in `rows` [n, C]."""
        return ratios.sum_by_patient(rows, self.patients)

    @functools.cached_property
    def positive(self) -> Behind:
        """The patients with positive images."""
        return Behind.of(self.images(self.known == 1), "positive ")

    @functools.cached_property
    def negative(self) -> Behind:
        """The patients with negative images."""
        return Behind.of(self.images(self.known == 0), "negative ")

    @functools.cached_property
    def labelled(self) -> Behind:
        """The patients with known images."""
        return Behind.of(self.images(~np.isnan(self.known)))

    def classes(self) -> tuple[Floats, list[str]]:
        """Returns the effective number [C] of patients of the smaller class, and why it is small.

        A reason is empty if both classes have MIN_PATIENTS effective patients.
        """
        effective = np.minimum(self.positive.effective, self.negative.effective)
        both = zip(self.positive.reasons(), self.negative.reasons(), strict=True)
        return effective, [a or b for a, b in both]

    def both_classes(self) -> Booleans:
        """Returns [C]: whether both classes have MIN_PATIENTS effective patients or more."""
        return enough(self.classes()[0])

    def counts(self, columns: Sequence[int]) -> tuple[int, int]:
        """Returns the number of patients known, and of patients positive, in any of the columns."""
        counted = self.fields(tuple(columns))
        return counted["patients"], counted["positives"]

    def fields(self, columns: Sequence[int]) -> dict[str, Any]:
        """Returns the fields of an `Estimate` that count the patients of any of the columns."""
        key = tuple(int(column) for column in columns)
        if key not in self._fields:
            labels = self.known[:, key]
            known, positive = (~np.isnan(labels)).any(axis=1), (labels == 1).any(axis=1)
            behind = Behind.of(self.images(np.stack([known, positive], axis=1)))
            self._fields[key] = {
                "patients": int(behind.patients[0]),
                "positives": int(behind.patients[1]),
                "effective_patients": _rounded(behind.effective[0]),
                "effective_positives": _rounded(behind.effective[1]),
                "largest_patient_images": int(behind.largest[0]),
            }
        return dict(self._fields[key])

    @functools.cached_property
    def _fields(self) -> dict[tuple[int, ...], dict[str, Any]]:
        return {}


@dataclasses.dataclass(frozen=True)
class ColumnMetric:
    """A metric of C columns, from which the mean over any of them can be estimated.

    Attributes:
      values: [C]; NaN where undefined.
      low: [C], lower ends of the intervals.
      high: [C], upper ends.
      covariance: [C, C], widened so that 1.96 errors cover 95 %; not 0 on its diagonal.
      effective: [C], effective numbers of patients that limit the intervals.
      reasons: [C]; why a column is not estimable, or an empty string.
      method: name of the method of the interval.
      cases: labels [n, C] and patients, for the counts.
      least: smallest number that the metric can have. Lower ends may be below it, for means over
        columns; an estimate is not.
    """

    values: Floats
    low: Floats
    high: Floats
    covariance: Floats
    effective: Floats
    reasons: Sequence[str]
    method: str
    cases: Cases
    least: float = -np.inf

    @property
    def estimable(self) -> Booleans:
        """[C]: whether the column is estimable."""
        return np.array([not reason for reason in self.reasons])

    def estimate(self, columns: Sequence[int], counted: Sequence[int] | None = None) -> Estimate:
        """Returns the estimate of the mean over the columns.

        Args:
          columns: column numbers; the mean is not estimable unless each of them is.
          counted: columns whose patients are counted; None counts those of `columns`.
        """
        chosen = list(columns)
        fields = self.cases.fields(chosen if counted is None else counted)
        reasons = [self.reasons[i] for i in chosen if self.reasons[i]]
        if chosen:
            fields["effective"] = _rounded(self.effective[chosen].min())
        else:
            reasons = ["no label is estimable"]
        if reasons:
            return Estimate(None, None, None, **fields, reason=reasons[0])
        if len(chosen) == 1:
            ends = float(self.low[chosen[0]]), float(self.high[chosen[0]])
        else:
            covariance = self.covariance[np.ix_(chosen, chosen)]
            ends = mean_interval(
                self.values[chosen], self.low[chosen], self.high[chosen], covariance
            )
        low, high = max(ends[0], self.least), ends[1]
        return Estimate(float(self.values[chosen].mean()), low, high, **fields)


def auroc(cases: Cases, scores: Floats, weighting: str = "images") -> ColumnMetric:
    """Returns the AUROC with DeLong's variance, clustered by patient (see `delong`).

    Args:
      cases: labels and patients.
      scores: [n, C].
      weighting: `images`: every image of a class has the same weight. `patients`: every patient of
        a class has, shared equally by its images of the class.
    """
    of_patients = weighting == "patients"
    weights = equal_weights(cases.known, cases.patients) if of_patients else None
    areas = delong(cases.known, scores, cases.patients, weights)
    effective, reasons = cases.classes()
    if of_patients:
        effective = np.minimum(cases.positive.patients, cases.negative.patients).astype(float)
        counted = (
            dataclasses.replace(of, effective=of.patients.astype(float)).reasons()
            for of in (cases.positive, cases.negative)
        )
        reasons = [a or b for a, b in zip(*counted, strict=True)]
    return ColumnMetric(
        areas.values,
        *area_limits(areas),
        _floored(widened_covariance(areas), areas.pairs),
        effective,
        reasons,
        DELONG_OF_PATIENTS if of_patients else DELONG,
        cases,
    )


def average_precision(
    cases: Cases, scores: Floats, weights: npt.NDArray[np.generic]
) -> ColumnMetric:
    """Returns the average precision."""
    values = compute_average_precision(cases.known, scores)[0]
    draws = compute_average_precision(cases.known, scores, weights, cases.patients)
    effective, reasons = cases.classes()
    factor = np.sqrt(small_sample_factor(effective))
    covariance = _covariance(draws) * np.outer(factor, factor)
    covariance = _widened(covariance, values, effective)
    variance = np.diag(covariance)
    low, high = np.where(
        variance > NO_VARIANCE,
        wilson_interval(values, variance, effective),
        unseen_interval(values, effective),
    )
    return ColumnMetric(
        values,
        low,
        high,
        _floored(covariance, effective),
        effective,
        reasons,
        RESAMPLED,
        cases,
    )


def proportions(metrics: dict[str, ratios.Ratio], cases: Cases) -> dict[str, ColumnMetric]:
    """Returns metrics that are means over images of numbers in [0, 1], such as the sensitivity.

    PPV and NPV also need MIN_PATIENTS effective patients of both classes: a patient with most
    images of a class decides them by being called or not, and is not in the denominator then.
    """
    result = {}
    for name, ratio in ratios.ratios(metrics, cases.patients).items():
        metric = _ratio_metric(ratio, cases)
        if name.rpartition("/")[2] in ("ppv", "npv"):
            effective, few = cases.classes()
            metric = dataclasses.replace(
                metric,
                effective=np.minimum(metric.effective, effective),
                reasons=[a or b for a, b in zip(few, metric.reasons, strict=True)],
            )
        result[name] = metric
    return result


def _ratio_metric(ratio: ratios.PatientRatio, cases: Cases) -> ColumnMetric:
    behind = Behind.of(ratio.denominators)
    covariance = clustered_covariance(ratio.contributions, behind.effective)
    covariance = _widened(covariance, ratio.values, behind.effective)
    return ColumnMetric(
        ratio.values,
        *wilson_interval(ratio.values, np.diag(covariance), behind.effective),
        _floored(covariance, behind.effective),
        behind.effective,
        behind.reasons(),
        LINEAR,
        cases,
    )


def brier(cases: Cases, scores: Floats) -> ColumnMetric:
    """Returns the Brier score."""
    return proportions({"brier": ratios.brier(cases.known, scores)}, cases)["brier"]


def calibration_error(
    cases: Cases, scores: Floats, weights: npt.NDArray[np.generic]
) -> ColumnMetric:
    """Returns the expected calibration error.

    The upper end is at least the distance that the mean of y - p may have by chance if all images
    of a patient deviate alike: t sqrt(Brier score / k) for k effective patients. Resamples show
    less if one patient has many of the images, since each holds that patient or does not.
    """
    values, length, along = compute_calibration_error(cases.known, scores, cases.patients, weights)
    effective = cases.labelled.effective
    factor = np.sqrt(small_sample_factor(effective)) * t_quantile(effective) / Z
    squares, images = (part.sum(axis=0) for part in ratios.brier(cases.known, scores))
    mean_square = squares / np.maximum(images, 1)
    chance = t_quantile(effective) * np.sqrt(mean_square / np.maximum(effective, 1.0))
    low, high = unseen_interval(values, effective)
    for column in np.flatnonzero((length > 1e-12).any(axis=0)):
        below, above = norm_interval(
            values[column], length[:, column] * factor[column], along[:, column] * factor[column]
        )
        if np.ptp(along[:, column]) > 1e-12:
            # Not cut at 0: an average of ends that are cut would be too high.
            reach = np.nanquantile(length[:, column] * factor[column], (1 + LEVEL) / 2)
            low[column] = values[column] - reach
            high[column] = max(above, values[column] + chance[column])
        else:  # bins differ between resamples, but their sum does not
            low[column] = min(low[column], below)
    high = np.minimum(high, 1.0)
    # Distances of ends hold the bias by noise. It does not average out over labels, so that the
    # intervals of labels are averaged, as if labels were fully correlated.
    error = (high - low) / (2 * Z)
    return ColumnMetric(
        values,
        low,
        high,
        np.outer(error, error),
        effective,
        cases.labelled.reasons(),
        NORM,
        cases,
        least=0.0,
    )


def calibration_line(cases: Cases, log_odds: Floats) -> dict[str, ColumnMetric]:
    """Returns slope and intercept of the calibration, with a t interval by patient.

    Args:
      cases: labels and patients.
      log_odds: [n, C] of the probabilities, finite.
    """
    line = compute_calibration_line(cases.known, log_odds, cases.patients)
    effective, few = cases.classes()
    factor = t_quantile(effective) / Z

    def metric(values: Floats, contributions: Floats, undefined: str) -> ColumnMetric:
        covariance = clustered_covariance(contributions, effective) * np.outer(factor, factor)
        half = Z * np.sqrt(np.diag(covariance))
        reasons = [
            reason or (undefined if np.isnan(value) else "")
            for reason, value in zip(few, values, strict=True)
        ]
        return ColumnMetric(
            values, values - half, values + half, covariance, effective, reasons, LINE, cases
        )

    return {
        "calibration_slope": metric(
            line.slope,
            line.slope_contributions,
            "the probabilities separate the classes, or are all equal",
        ),
        "calibration_intercept": metric(
            line.intercept, line.intercept_contributions, "all probabilities are close to 0 or 1"
        ),
    }


def _covariance(draws: Floats) -> Floats:
    """Returns the covariance [C, C] of resamples [B, C]; NaN (undefined) draws are left out.

    A resample counts for a pair of columns if both are defined in it.
    """
    defined = ~np.isnan(draws)
    filled = np.where(defined, draws, 0.0)
    means = filled.sum(axis=0) / np.maximum(defined.sum(axis=0), 1)
    deviations = np.where(defined, filled - means, 0.0)
    pairs = defined.T.astype(float) @ defined.astype(float)
    return np.asarray(deviations.T @ deviations / np.maximum(pairs - 1, 1))


def _widened(covariance: Floats, values: Floats, effective: Floats) -> Floats:
    """Returns the covariance for intervals of 1.96 errors: of Student's t, and stabilised."""
    factor = proportion_widening(values, np.diag(covariance), effective)
    return covariance * np.outer(factor, factor)


def _floored(covariance: Floats, effective: Floats) -> Floats:
    """Returns the covariance with the variance of `unseen_share` for values without variance."""
    result = covariance.copy()
    none = np.flatnonzero(np.diag(covariance) <= NO_VARIANCE)
    result[none, :] = result[:, none] = 0.0
    result[none, none] = (unseen_share(effective[none]) / Z) ** 2
    return result


def _rounded(effective: float) -> float:
    """Returns an effective number without the noise of rounding."""
    return round(float(effective), 6)
