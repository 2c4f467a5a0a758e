"""Coverage of the 95 % intervals in a made-up population whose true metrics are known.

    python benchmarks/coverage.py [--draws=500 --resamples=400]

A draw has 200 patients with 1 to 3 images each and three labels; 12 % of the patients are positive.
A score is normally distributed. Its mean is higher in positives by the shift that the AUROC needs
(equal-variance binormal model: AUROC = Phi(shift / sqrt 2)); half of its variance belongs to the
patient, half to the image. A probability is the sigmoid of `sharpness` times the log odds of the
score: calibrated at 1, overconfident above 1. True metrics are integrals over the two normal
densities. A label with fewer than 5 positive patients is not estimable and is not counted.
"""

import argparse
import itertools
from collections import defaultdict
from collections.abc import Iterator

import numpy as np
import pandas as pd
from scipy.special import expit
from scipy.stats import norm

from remedis.evaluation.auroc import auroc
from remedis.evaluation.auroc_difference import compare
from remedis.evaluation.calibration_error import BINS
from remedis.evaluation.evaluate import evaluate
from remedis.evaluation.intervals import patient_counts, percentile_interval
from remedis.evaluation.subgroups import subgroups
from remedis.evaluation.thresholds import Thresholds

PATIENTS, POSITIVE, SHARED = 200, 0.12, 0.5
NAMES = ("a", "b", "c")
# AUROC, sharpness of the probabilities.
POPULATIONS = ((0.8, 1.0), (0.95, 1.6))
Bounds = tuple[float, float, float]  # low, high, truth


def shift(area: float) -> float:
    """Returns the difference of the mean scores of positives and negatives for an AUROC."""
    return float(norm.ppf(area) * np.sqrt(2))


def sample(
    rng: np.random.Generator, distance: float | np.ndarray, patients: int = PATIENTS
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns labels and scores [n, 3], and the patient of each image [n]."""
    positive = rng.random((patients, len(NAMES))) < POSITIVE
    rows = np.repeat(np.arange(patients), rng.integers(1, 4, patients))
    of_patient = positive * np.asarray(distance) + rng.normal(size=positive.shape) * np.sqrt(SHARED)
    scores = of_patient[rows] + rng.normal(size=(len(rows), len(NAMES))) * np.sqrt(1 - SHARED)
    return positive[rows].astype(float), scores, rows


def probability(scores: np.ndarray, distance: float, sharpness: float) -> np.ndarray:
    """Returns the probabilities of a model: the sigmoid of sharpness times the log odds."""
    odds = np.log(POSITIVE / (1 - POSITIVE)) + distance * scores - distance**2 / 2
    return expit(sharpness * odds)


class Truth:
    """True metrics of the whole population, by integrals over the score.

    Attributes:
      metrics: name -> true value.
    """

    def __init__(self, area: float, sharpness: float, cut: float) -> None:
        """Integrates over a grid of scores.

        Args:
          area: AUROC.
          sharpness: factor of the log odds; 1 for calibrated probabilities.
          cut: threshold, on the scale of the scores.
        """
        distance = shift(area)
        grid = np.linspace(-9, 9 + distance, 100_001)
        step = grid[1] - grid[0]
        positives = norm.pdf(grid - distance) * POSITIVE * step
        negatives = norm.pdf(grid) * (1 - POSITIVE) * step
        predicted = probability(grid, distance, sharpness)
        # Share of positives less mean probability, summed over all scores up to a point.
        self._predicted = predicted
        self._excess = np.cumsum(positives * (1 - predicted) - negatives * predicted)
        above = norm.sf(grid - distance) * POSITIVE
        called = above + norm.sf(grid) * (1 - POSITIVE)
        true_positive = norm.sf(cut - distance) * POSITIVE
        true_negative = norm.cdf(cut) * (1 - POSITIVE)
        false_negative, false_positive = POSITIVE - true_positive, 1 - POSITIVE - true_negative
        half = predicted >= 0.5
        self.metrics = {
            "auroc": area,
            "average_precision": float((positives * above / called).sum() / POSITIVE),
            "brier": float((positives * (1 - predicted) ** 2 + negatives * predicted**2).sum()),
            "accuracy": float(positives[half].sum() + negatives[~half].sum()),
            "youden/sensitivity": true_positive / POSITIVE,
            "youden/specificity": true_negative / (1 - POSITIVE),
            "youden/ppv": true_positive / (true_positive + false_positive),
            "youden/npv": true_negative / (true_negative + false_negative),
        }

    def calibration_error(self, probabilities: np.ndarray) -> float:
        """Returns the population's error with the bins of a sample's probabilities [n]."""
        edges = np.unique(np.quantile(probabilities, np.linspace(0, 1, BINS + 1)[1:-1]))
        at_edges = np.interp(edges, self._predicted, self._excess)
        return float(np.abs(np.diff([0, *at_edges, self._excess[-1]])).sum())


def metric_bounds(
    area: float, sharpness: float, seed: int, resamples: int
) -> Iterator[tuple[str, Bounds]]:
    """Yields the intervals of all metrics in one draw, with their true values."""
    distance = shift(area)
    cut = distance / 2 + 0.3
    truth = Truth(area, sharpness, cut)
    labels, scores, rows = sample(np.random.default_rng(seed), distance)
    probabilities = probability(scores, distance, sharpness)
    at = float(probability(np.array(cut), distance, sharpness))
    thresholds = Thresholds(dict.fromkeys(NAMES, at), dict.fromkeys(NAMES, at), 0.9)
    result = evaluate(
        labels, probabilities, NAMES, rows, thresholds=thresholds, seed=seed, resamples=resamples
    )
    errors = [truth.calibration_error(probabilities[:, i]) for i in range(len(NAMES))]
    truths = {**truth.metrics, "calibration_error": errors[0]}
    for name, true in truths.items():
        label = result.labels["a"] if name == "auroc" else result.metrics[name].labels["a"]
        mean = result.mean if name == "auroc" else result.metrics[name].mean
        averaged = result.averaged if name == "auroc" else result.metrics[name].averaged
        if label.low is not None and label.high is not None:
            yield name, (label.low, label.high, true)
        if mean.low is not None and mean.high is not None and len(averaged) == len(NAMES):
            whole = float(np.mean(errors)) if name == "calibration_error" else true
            yield f"{name}, mean of 3", (mean.low, mean.high, whole)
    if result.labels["a"].estimable:
        weights = patient_counts(PATIENTS, resamples, seed)
        bounds = percentile_interval(auroc(labels[:, :1], scores[:, :1], weights, rows)[:, 0])
        if bounds is not None:
            yield "(auroc, percentile bootstrap)", (*bounds, area)


def gap_bounds(area: float, seed: int, resamples: int) -> Iterator[tuple[str, Bounds]]:
    """Yields the AUROC gap between three sites of 200 patients: all alike, or one worse by 0.1."""
    rng = np.random.default_rng(seed)
    site = np.arange(3 * PATIENTS) % 3
    for case, worse in (("alike", 0.0), ("one worse by 0.1", 0.1)):
        distance = np.where(site == 2, shift(area - worse), shift(area))[:, None]
        labels, scores, rows = sample(rng, distance, len(site))
        table = pd.DataFrame({"site": site[rows].astype(str)})
        groups = subgroups(labels, scores, NAMES, rows, table, seed=seed, resamples=resamples)
        gap = groups["site"]["a"]["gaps"]["auroc"]
        if gap is not None and not groups["site"]["a"]["not_estimable"]:
            yield f"gap of 3 sites, {case}", (gap["low"], gap["high"], worse)


def difference_bounds(area: float, seed: int, resamples: int) -> Iterator[tuple[str, Bounds]]:
    """Yields the difference of two models with correlated scores; the second is worse by 0.03."""
    rng = np.random.default_rng(seed)
    first, second = shift(area), shift(area - 0.03)
    labels, scores, rows = sample(rng, first)
    # The two share half of the variance; the sum of two normals keeps the second AUROC known.
    centred = scores - labels * first
    other = labels * second + (centred + rng.normal(size=scores.shape)) / np.sqrt(2)
    comparison = compare(labels, scores, other, NAMES, rows, seed=seed, resamples=resamples)
    for name, difference in (
        ("difference", comparison.labels["a"]),
        ("difference, mean of 3", comparison.mean),
    ):
        if name != "difference" and len(comparison.averaged) < len(NAMES):
            continue
        if difference.low is not None and difference.high is not None:
            yield f"{name}, DeLong", (difference.low, difference.high, -0.03)
        if difference.bootstrap_low is not None and difference.bootstrap_high is not None:
            bounds = (difference.bootstrap_low, difference.bootstrap_high, -0.03)
            yield f"{name}, bootstrap", bounds


def main() -> None:
    """Prints a line per interval: coverage, share of truths below and above it, mean width."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=500)
    parser.add_argument("--resamples", type=int, default=400)
    parsed = parser.parse_args()
    print(f"{'':<40}{'AUROC':>7}{'covers':>8}{'below':>8}{'above':>8}{'width':>8}{'draws':>7}")
    for area, sharpness in POPULATIONS:
        draws: defaultdict[str, list[Bounds]] = defaultdict(list)
        for seed in range(parsed.draws):
            for name, bounds in itertools.chain(
                metric_bounds(area, sharpness, seed, parsed.resamples),
                gap_bounds(area, seed, parsed.resamples),
                difference_bounds(area, seed, parsed.resamples),
            ):
                draws[name].append(bounds)
        for name, all_bounds in draws.items():
            low, high, truth = np.array(all_bounds, dtype=float).T
            print(
                f"{name:<40}{area:7.2f}{np.mean((low <= truth) & (truth <= high)):8.3f}"
                f"{np.mean(truth < low):8.3f}{np.mean(truth > high):8.3f}"
                f"{np.mean(high - low):8.3f}{len(truth):7d}",
                flush=True,
            )


if __name__ == "__main__":
    main()
