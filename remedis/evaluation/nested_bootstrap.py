"""Intervals that include the choice of thresholds and calibration on validation.

The other intervals are conditional: they hold for the one calibration and the one threshold that a
validation split of finite size gave, and repeating the whole procedure would vary more. In a nested
bootstrap, every resample draws validation patients, fits the calibration to them, chooses the
thresholds again, and applies both to resampled test patients (Efron and Tibshirani, An Introduction
to the Bootstrap, 1993, chapter 8: the bootstrap imitates every random step of an estimate). The
checkpoint is not trained again: its variance stays out.

The interval is about what the procedure yields with unlimited validation data, such as the
sensitivity that the target asks for. For the sensitivity at the threshold at hand, the conditional
interval is the right one. The table shows the coverage in % of intervals of nominal 95 % in 300
draws (standard error 1.3 %; near 50 %, 2.9 %) of 60 validation and 200 test patients with 1 to 3
images each, 25 % of them positive, at an AUROC of 0.85. The threshold is that of a sensitivity of
0.9 on validation, the calibration is Platt's.
`benchmarks/calibration_coverage.py nested --patients 60` prints it.

    truth                        with unlimited validation data     of the choice at hand
    interval                            conditional     nested      conditional    nested
    sensitivity                                63.3       95.3             93.3     100.0
    specificity                                34.3       93.3             94.7     100.0
    Brier score                                92.0       99.0             94.7      99.7
    calibration slope                          71.3       97.0             95.3     100.0
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from remedis.errors import UserError
from remedis.evaluation import calibration as calibrations
from remedis.evaluation import ratios
from remedis.evaluation.auroc import Floats, Integers
from remedis.evaluation.calibration import Calibration
from remedis.evaluation.calibration_error import bin_count, bins
from remedis.evaluation.calibration_line import fit, separated
from remedis.evaluation.effective_patients import effective_number, small_sample_factor, t_quantile
from remedis.evaluation.evaluation_result import Metric
from remedis.evaluation.intervals import (
    Estimate,
    norm_interval,
    patient_codes,
    patient_counts,
    wilson_interval,
)
from remedis.evaluation.thresholds import choose_by_log_odds

METHOD = "nested bootstrap: calibration and thresholds chosen again in every resample"
NOTE = (
    "These intervals include that thresholds and calibration were chosen on a validation split of "
    "finite size; those of the other tables are conditional on that choice."
)
# A label needs this share of resamples in which both classes are in validation and test.
_DEFINED = 0.9
_UNDEFINED = "undefined in too many resamples, such as those with one class alone in validation"
_LINE = ("calibration_slope", "calibration_intercept")


@dataclasses.dataclass(frozen=True)
class _Split:
    """One split of a table: labels and raw logits [n, L], and the patient [n] of each row."""

    known: Floats
    logits: Floats
    patients: Integers

    @classmethod
    def of(cls, table: pd.DataFrame, split: str, names: Sequence[str]) -> "_Split":
        rows = table[table["split"] == split]
        if rows.empty or any(f"logit/{name}" not in rows for name in names):
            raise UserError(
                f"Nested intervals need the logits of the {split} split, and the table of "
                "predictions does not have them; evaluate a finished run without them."
            )
        known, logits = (
            rows[[f"{kind}/{name}" for name in names]].to_numpy(np.float64)
            for kind in ("label", "logit")
        )
        return cls(known, logits, patient_codes(rows["patient_id"].to_numpy(dtype=object)))

    @property
    def groups(self) -> int:
        return int(self.patients.max()) + 1

    def effective(self) -> Floats:
        """Returns the effective number [L] of patients of the smaller class."""
        classes = (ratios.sum_by_patient(self.known == value, self.patients) for value in (1, 0))
        return np.minimum(*(effective_number(sizes) for sizes in classes))


def nested_intervals(
    table: pd.DataFrame,
    names: Sequence[str],
    evaluated: Mapping[str, Any],
    calibration: Calibration,
    *,
    split: str = "test",
    chosen_on: str = "validation",
    seed: int = 0,
    resamples: int = 200,
) -> dict[str, Any]:
    """Returns the intervals of sensitivity, specificity, PPV, NPV, Brier score, ECE and the line.

    The procedure and its source are those of the module.

    Args:
      table: predictions of both splits, with `split`, `patient_id`, `label/<name>` and
        `logit/<name>`, the raw logits.
      names: names of the L labels: all those of the model, in its order.
      evaluated: the evaluation of `split`, as `evaluate_table` returns it. Its values stay; a
        number that is not estimable there is not estimable here.
      calibration: that of the model; its method is fitted again.
      split: the split that was evaluated.
      chosen_on: the split that calibration and thresholds were chosen on.
      seed: of the resamples.
      resamples: their number. Only standard errors are taken from them: 200 know these to 5 %.

    Returns:
      `resamples`, `note`, and `metrics`: name -> `Metric` as JSON.

    Raises:
      UserError: a split has no rows or no logits, the evaluation has no thresholds, or there are
        too few resamples.
    """
    if evaluated["thresholds"] is None:
        raise UserError("Nested intervals need thresholds, and the evaluation has none.")
    validation, test = (_Split.of(table, name, names) for name in (chosen_on, split))
    target = float(evaluated["thresholds"]["target"])
    drawn = [
        patient_counts(of.groups, resamples, seed + number)
        for number, of in enumerate((validation, test))
    ]
    whole = _Resampled.of(test, calibration, names)
    draws: dict[str, list[Floats]] = {}
    for of_validation, of_test in zip(*drawn, strict=True):
        rows = np.repeat(np.arange(len(validation.known)), of_validation[validation.patients])
        known, logits = validation.known[rows], validation.logits[rows]
        fitted = _fit_again(calibration, logits, known, names)
        cuts = choose_by_log_odds(known, fitted.log_odds(logits), names, target).log_odds_arrays()
        assert cuts is not None
        weights = of_test[test.patients].astype(np.float64)
        for name, values in whole.metrics(fitted, cuts, weights).items():
            draws.setdefault(name, []).append(values)
    effective = np.minimum(validation.effective(), test.effective())
    stacked = {name: np.stack(values) for name, values in draws.items()}
    gaps = stacked.pop("gaps")
    metrics = {
        name: _metric(Metric.from_json(evaluated["metrics"][name]), name, names, values, effective)
        for name, values in stacked.items()
        if name in evaluated["metrics"]
    }
    if "calibration_error" in evaluated["metrics"]:
        errors = Metric.from_json(evaluated["metrics"]["calibration_error"])
        metrics["calibration_error"] = _error_metric(errors, names, gaps, whole.gaps(), effective)
    return {
        "resamples": resamples,
        "note": NOTE,
        "metrics": {name: metric.to_json() for name, metric in metrics.items()},
    }


def _fit_again(
    calibration: Calibration, logits: Floats, known: Floats, names: Sequence[str]
) -> Calibration:
    """Returns the calibration of resampled rows; labels that were left out stay so."""
    fitted = calibrations.fit(logits, known, names, calibration.method, calibration.task)
    left_out = np.isin(names, calibration.left_out)
    return dataclasses.replace(
        fitted,
        scale=tuple(np.where(left_out, 1.0, fitted.scale).tolist()),
        offset=tuple(np.where(left_out, 0.0, fitted.offset).tolist()),
    )


@dataclasses.dataclass(frozen=True)
class _Resampled:
    """The test split, from which a resample's metrics are computed.

    Attributes:
      test: labels, logits and patients.
      bin_of: [n, L], bins of the probabilities of the model's own calibration.
      residual: [n, L], label minus that probability.
    """

    test: _Split
    bin_of: Integers
    residual: Floats

    @classmethod
    def of(cls, test: _Split, calibration: Calibration, names: Sequence[str]) -> "_Resampled":
        probabilities = calibration.probabilities(test.logits)
        bin_of = np.zeros(test.known.shape, np.intp)
        for column in range(len(names)):
            use = ~np.isnan(test.known[:, column])
            if use.any():
                count = bin_count(len(np.unique(test.patients[use])))
                bin_of[use, column] = bins(probabilities[use, column], count)
        return cls(test, bin_of, test.known - probabilities)

    def gaps(self) -> Floats:
        """Returns the calibration gap [L, bins] of every bin in the data as they are."""
        return self._gaps(self.residual, np.ones(len(self.residual)))

    def _gaps(self, residual: Floats, weights: Floats) -> Floats:
        result = np.zeros((residual.shape[1], int(self.bin_of.max()) + 1))
        for column, of in enumerate(residual.T):
            use = ~np.isnan(of)
            total = weights[use].sum()
            sums = np.bincount(
                self.bin_of[use, column], weights[use] * of[use], minlength=result.shape[1]
            )
            result[column] = sums / total if total else np.nan
        return result

    def metrics(
        self, fitted: Calibration, cuts: Mapping[str, Floats], weights: Floats
    ) -> dict[str, Floats]:
        """Returns metrics [L] of a resample, NaN where undefined; and `gaps` [L, bins].

        Args:
          fitted: the calibration of the resample.
          cuts: kind -> thresholds [L] of the log odds.
          weights: [n], how often the resample drew each row.
        """
        known, odds = self.test.known, fitted.log_odds(self.test.logits)
        probabilities = fitted.probabilities(self.test.logits)
        shares = {
            f"{kind}/{name}": ratio
            for kind, cut in cuts.items()
            for name, ratio in ratios.operating_point(known, odds, cut).items()
        }
        shares["brier"] = ratios.brier(known, probabilities)
        result = {}
        for name, (numerator, denominator) in shares.items():
            total = weights @ denominator.astype(np.float64)
            result[name] = np.divide(
                weights @ numerator.astype(np.float64),
                total,
                out=np.full(len(total), np.nan),
                where=total > 0,
            )
        result |= dict(zip(_LINE, _line(known, odds, weights), strict=True))
        result["gaps"] = self._gaps(known - probabilities, weights)
        return result


def _line(known: Floats, odds: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """Returns calibration slope and intercept [L] of weighted rows, NaN where undefined."""
    slope, intercept = (np.full(known.shape[1], np.nan) for _ in range(2))
    for column in range(known.shape[1]):
        use = ~np.isnan(known[:, column]) & (weights > 0)
        y, x, weight = known[use, column], odds[use, column], weights[use]
        if not len(y) or not 0 < y.sum() < len(y):
            continue
        ones = np.ones((len(y), 1))
        intercept[column] = fit(ones, y, x, weight)[0]
        if not separated(y, x):
            design = np.column_stack([(x - x.mean()) / x.std(), ones])
            slope[column] = fit(design, y, np.zeros(len(y)), weight)[0] / x.std()
    return slope, intercept


def _metric(
    metric: Metric, name: str, names: Sequence[str], draws: Floats, effective: Floats
) -> Metric:
    """Returns a metric with the intervals of resamples `draws` [B, L] instead of its own."""

    def widened(estimate: Estimate, columns: Sequence[int]) -> Estimate:
        means = draws[:, list(columns)].mean(axis=1) if len(columns) else np.array([])
        defined = means[~np.isnan(means)]
        if estimate.value is None or len(defined) < max(2, _DEFINED * len(means)):
            return _none(estimate)
        k = float(effective[list(columns)].min())
        factor = float(np.sqrt(small_sample_factor(k)) * t_quantile(k))
        error = float(defined.std(ddof=1))
        low, high = estimate.value - factor * error, estimate.value + factor * error
        if name not in _LINE:
            inside = 0 < estimate.value < 1
            if inside:
                unit = factor / float(t_quantile(1e9))
                low, high = map(float, wilson_interval(estimate.value, (unit * error) ** 2, k))
            low, high = max(low, 0.0), min(high, 1.0)
        # The choice adds uncertainty; it removes none.
        assert estimate.low is not None
        assert estimate.high is not None
        return dataclasses.replace(
            estimate, low=min(low, estimate.low), high=max(high, estimate.high)
        )

    return _replaced(metric, names, widened)


def _error_metric(
    metric: Metric, names: Sequence[str], draws: Floats, gaps: Floats, effective: Floats
) -> Metric:
    """Returns the calibration error with intervals from gaps [B, L, bins] of the resamples."""
    deviation = draws - gaps
    length = np.abs(deviation).sum(axis=-1)
    along = np.where(gaps == 0, np.abs(deviation), deviation * np.sign(gaps)).sum(axis=-1)

    def widened(estimate: Estimate, columns: Sequence[int]) -> Estimate:
        if estimate.value is None or np.isnan(length[:, list(columns)]).any():
            return _none(estimate)
        k = float(effective[list(columns)].min())
        factor = float(np.sqrt(small_sample_factor(k)) * t_quantile(k) / t_quantile(1e9))
        means = (factor * of[:, list(columns)].mean(axis=1) for of in (length, along))
        low, high = norm_interval(estimate.value, *means)
        assert estimate.low is not None
        assert estimate.high is not None
        return dataclasses.replace(
            estimate, low=min(low, estimate.low), high=min(1.0, max(high, estimate.high))
        )

    return _replaced(metric, names, widened)


def _none(estimate: Estimate) -> Estimate:
    return dataclasses.replace(
        estimate, value=None, low=None, high=None, reason=estimate.reason or _UNDEFINED
    )


def _replaced(metric: Metric, names: Sequence[str], widened: Any) -> Metric:
    columns = [list(names).index(name) for name in metric.averaged]
    return dataclasses.replace(
        metric,
        labels={
            name: widened(estimate, [list(names).index(name)])
            for name, estimate in metric.labels.items()
        },
        mean=widened(metric.mean, columns),
        interval=METHOD,
    )
