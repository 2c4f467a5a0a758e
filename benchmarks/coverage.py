"""Coverage of the 95 % intervals in made-up populations whose true metrics are known.

    python benchmarks/coverage.py [--only=even,zipf] [--draws=500 --resamples=200]

A line per interval has the coverage, the shares of truths below and above the interval, its mean
width, and the share of draws in which it is estimable. The populations:

    even        200 patients with 1 to 3 images, 12 % of them positive, three labels
    zipf        200 patients with min(Zipf(1.6), 200) images, 30 % of them positive
    zipf-rare   as zipf, 12 % of them positive
    one-of-10   220 patients with one image, 10 of them positive, of whom one has 100 images
    one-of-30   220 patients with one image, 30 of them positive, of whom one has 100 images
    few         60 patients with 1 to 3 images, 8 of them positive
    two-labels  200 patients with 1 to 3 images; the mean of a label with 7 positive patients and
                one with 80, whose AUROC is 0.80
    runs        120 patients with 1 to 3 images, 20 % of them positive, scored by 3, 5 and 10 runs

A score is normally distributed. Its mean is higher in positives by the shift that the AUROC needs
(equal-variance binormal model: AUROC = Phi(shift / sqrt 2)). Half of its variance belongs to the
patient, half to the image; in uneven populations 0.8 and 0.2. A probability is the sigmoid of
`sharpness` times the log odds of the score: calibrated at 1, overconfident above 1. True metrics
are integrals over the two normal densities. Their prevalence is that of the patients, or of the
images where patients and images are the same in every draw.
"""

import argparse
import dataclasses
from collections import defaultdict
from collections.abc import Iterator

import numpy as np
import pandas as pd
from scipy.special import expit
from scipy.stats import norm

from remedis.evaluation import ratios
from remedis.evaluation.auroc import auroc
from remedis.evaluation.auroc_difference import compare
from remedis.evaluation.calibration_error import bin_count
from remedis.evaluation.effective_patients import (
    clustered_covariance,
    effective_number,
    t_quantile,
)
from remedis.evaluation.evaluate import evaluate
from remedis.evaluation.intervals import (
    MIN_PATIENTS,
    Estimate,
    Z,
    patient_counts,
    percentile_interval,
    wilson_interval,
)
from remedis.evaluation.repeated_runs import auroc_over_runs
from remedis.evaluation.subgroups import subgroups
from remedis.evaluation.thresholds import Thresholds

MODEL_POSITIVE = 0.12  # prevalence that the probabilities assume
# AUROC, sharpness of the probabilities.
AREAS = ((0.8, 1.0), (0.95, 1.6))
# Low, high, truth; None if not estimable.
Bounds = tuple[float, float, float] | None


@dataclasses.dataclass(frozen=True)
class Population:
    """A population of patients.

    Attributes:
      patients: number of patients.
      positive: share of patients that are positive; a number above 1 is a fixed number, the first
        of the patients.
      images: `1-3`, uniformly; `zipf`; or `one`: 100 of the first patient, one of each other.
      shared: share of the variance of scores that belongs to the patient.
      labels: number of labels.
    """

    patients: int
    positive: float
    images: str
    shared: float
    labels: int = 1

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the labels."""
        return tuple("abc"[: self.labels])

    def prevalence(self) -> float:
        """Returns the share of positive images."""
        if self.images == "one":
            return (self.positive + 99) / (self.patients + 99)
        return self.positive / self.patients if self.positive > 1 else self.positive

    def sample(
        self, rng: np.random.Generator, distance: float | np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Returns labels and scores [n, L], and the patient of each image [n].

        Args:
          rng: source of randomness.
          distance: of the mean scores of positives and negatives; a number, or [patients, 1].
        """
        if self.positive > 1:
            positive = np.repeat(np.arange(self.patients)[:, None] < self.positive, self.labels, 1)
        else:
            positive = rng.random((self.patients, self.labels)) < self.positive
        if self.images == "1-3":
            images = rng.integers(1, 4, self.patients)
        elif self.images == "zipf":
            images = np.minimum(rng.zipf(1.6, self.patients), 200)
        else:
            images = np.where(np.arange(self.patients) == 0, 100, 1)
        rows = np.repeat(np.arange(self.patients), images)
        noise = rng.normal(size=positive.shape) * np.sqrt(self.shared)
        of_patient = positive * np.asarray(distance) + noise
        of_image = rng.normal(size=(len(rows), self.labels)) * np.sqrt(1 - self.shared)
        return positive[rows].astype(float), of_patient[rows] + of_image, rows


EVEN = Population(200, 0.12, "1-3", 0.5, labels=3)
POPULATIONS = {
    "even": EVEN,
    "zipf": Population(200, 0.3, "zipf", 0.8),
    "zipf-rare": Population(200, 0.12, "zipf", 0.8),
    "one-of-10": Population(220, 10, "one", 0.8),
    "one-of-30": Population(220, 30, "one", 0.8),
    "few": Population(60, 8, "1-3", 0.5),
}


def shift(area: float) -> float:
    """Returns the difference of the mean scores of positives and negatives for an AUROC."""
    return float(norm.ppf(area) * np.sqrt(2))


def probability(scores: np.ndarray, distance: float, sharpness: float) -> np.ndarray:
    """Returns the probabilities of a model: the sigmoid of sharpness times the log odds."""
    odds = np.log(MODEL_POSITIVE / (1 - MODEL_POSITIVE)) + distance * scores - distance**2 / 2
    return expit(sharpness * odds)


class Truth:
    """True metrics of the whole population, by integrals over the score.

    Attributes:
      metrics: name -> true value.
    """

    def __init__(self, area: float, sharpness: float, cut: float, positive: float) -> None:
        """Integrates over a grid of scores.

        Args:
          area: AUROC.
          sharpness: factor of the log odds; 1 for calibrated probabilities.
          cut: threshold, on the scale of the scores.
          positive: share of positive images.
        """
        distance = shift(area)
        grid = np.linspace(-9, 9 + distance, 100_001)
        step = grid[1] - grid[0]
        positives = norm.pdf(grid - distance) * positive * step
        negatives = norm.pdf(grid) * (1 - positive) * step
        predicted = probability(grid, distance, sharpness)
        # Share of positives less mean probability, summed over all scores up to a point.
        self._predicted = predicted
        self._excess = np.cumsum(positives * (1 - predicted) - negatives * predicted)
        above = norm.sf(grid - distance) * positive
        called = above + norm.sf(grid) * (1 - positive)
        true_positive = norm.sf(cut - distance) * positive
        true_negative = norm.cdf(cut) * (1 - positive)
        false_negative, false_positive = positive - true_positive, 1 - positive - true_negative
        half = predicted >= 0.5
        self.metrics = {
            "auroc": area,
            "average_precision": float((positives * above / called).sum() / positive),
            "brier": float((positives * (1 - predicted) ** 2 + negatives * predicted**2).sum()),
            "accuracy": float(positives[half].sum() + negatives[~half].sum()),
            "youden/sensitivity": true_positive / positive,
            "youden/specificity": true_negative / (1 - positive),
            "youden/ppv": true_positive / (true_positive + false_positive),
            "youden/npv": true_negative / (true_negative + false_negative),
        }

    def calibration_error(self, probabilities: np.ndarray, patients: int) -> float:
        """Returns the population's error with the bins of a sample's probabilities [n]."""
        shares = np.linspace(0, 1, bin_count(patients) + 1)[1:-1]
        edges = np.unique(np.quantile(probabilities, shares))
        at_edges = np.interp(edges, self._predicted, self._excess)
        return float(np.abs(np.diff([0, *at_edges, self._excess[-1]])).sum())


def bounds(estimate: Estimate, truth: float) -> Bounds:
    """Returns the interval of an estimate with the truth."""
    if estimate.low is None or estimate.high is None:
        return None
    return estimate.low, estimate.high, truth


def metric_bounds(
    population: Population, area: float, sharpness: float, seed: int, resamples: int
) -> Iterator[tuple[str, Bounds]]:
    """Yields the intervals of all metrics in one draw, with their true values."""
    distance, names = shift(area), population.names
    cut = distance / 2 + 0.3
    truth = Truth(area, sharpness, cut, population.prevalence())
    labels, scores, rows = population.sample(np.random.default_rng(seed), distance)
    probabilities = probability(scores, distance, sharpness)
    at = float(probability(np.array(cut), distance, sharpness))
    thresholds = Thresholds(dict.fromkeys(names, at), dict.fromkeys(names, at), 0.9)
    result = evaluate(
        labels, probabilities, names, rows, thresholds=thresholds, seed=seed, resamples=resamples
    )
    patients = len(np.unique(rows))
    errors = [truth.calibration_error(of_label, patients) for of_label in probabilities.T]
    truths = {**truth.metrics, "calibration_error": errors[0]}
    for name, true in truths.items():
        metric = result if name == "auroc" else result.metrics[name]
        yield name, bounds(metric.labels["a"], true)
        if len(names) > 1:
            whole = float(np.mean(errors)) if name == "calibration_error" else true
            complete = len(metric.averaged) == len(names)
            yield f"{name}, mean of 3", bounds(metric.mean, whole) if complete else None
    if population is EVEN:
        weights = patient_counts(population.patients, resamples, seed)
        ends = percentile_interval(auroc(labels[:, :1], scores[:, :1], weights, rows)[:, 0])
        yield "(auroc, bootstrap)", ends and (*ends, area)
    else:
        yield from plain_bounds(labels, probabilities, at, rows, truth)
        weighted = evaluate(labels, scores, names, rows, weighting="patients", resamples=40)
        yield "auroc, patients of equal weight", bounds(weighted.labels["a"], area)


def plain_bounds(
    labels: np.ndarray, probabilities: np.ndarray, cut: float, rows: np.ndarray, truth: Truth
) -> Iterator[tuple[str, Bounds]]:
    """Yields intervals of proportions without `stabilised_variance`, for comparison."""
    metrics = ratios.operating_point(labels, probabilities, np.array([cut]))
    metrics["accuracy"] = ratios.accuracy(labels, probabilities)
    for name in ("specificity", "npv", "accuracy"):
        ratio = ratios.ratios({name: metrics[name]}, rows)[name]
        effective = effective_number(ratio.denominators)
        variance = clustered_covariance(ratio.contributions, effective)[0]
        low, high = wilson_interval(
            ratio.values, variance * (t_quantile(effective) / Z) ** 2, effective
        )
        true = truth.metrics[name if name in truth.metrics else f"youden/{name}"]
        enough = effective[0] >= MIN_PATIENTS
        yield f"({name}, variance alone)", (low[0], high[0], true) if enough else None


def gap_bounds(area: float, seed: int, resamples: int) -> Iterator[tuple[str, Bounds]]:
    """Yields the AUROC gap between three sites of 200 patients: all alike, or one worse by 0.1."""
    rng = np.random.default_rng(seed)
    three = dataclasses.replace(EVEN, patients=3 * EVEN.patients, labels=1)
    site = np.arange(three.patients) % 3
    for case, worse in (("alike", 0.0), ("one worse by 0.1", 0.1)):
        distance = np.where(site == 2, shift(area - worse), shift(area))[:, None]
        labels, scores, rows = three.sample(rng, distance)
        table = pd.DataFrame({"site": site[rows].astype(str)})
        groups = subgroups(labels, scores, ("a",), rows, table, seed=seed, resamples=resamples)
        gap = groups["site"]["a"]["gaps"]["auroc"]
        complete = gap is not None and not groups["site"]["a"]["not_estimable"]
        yield f"gap of 3 sites, {case}", (gap["low"], gap["high"], worse) if complete else None


def difference_bounds(
    population: Population, area: float, seed: int, resamples: int
) -> Iterator[tuple[str, Bounds]]:
    """Yields the difference of two models with correlated scores; the second is worse by 0.03."""
    rng, names = np.random.default_rng(seed), population.names
    first, second = shift(area), shift(area - 0.03)
    labels, scores, rows = population.sample(rng, first)
    # The two share half of the variance of patients and of images; the sum of two normals keeps
    # the second AUROC known.
    patients = rng.normal(size=(population.patients, population.labels))[rows]
    images = rng.normal(size=scores.shape)
    own = patients * np.sqrt(population.shared) + images * np.sqrt(1 - population.shared)
    other = labels * second + (scores - labels * first + own) / np.sqrt(2)
    comparison = compare(labels, scores, other, names, rows, seed=seed, resamples=resamples)
    for name, difference in (("difference", comparison.labels["a"]), ("mean", comparison.mean)):
        if name == "mean":
            if len(names) == 1:
                continue
            name = "difference, mean of 3"
            if len(comparison.averaged) < len(names):
                yield name, None
                continue
        low, high = difference.low, difference.high
        yield name, None if low is None or high is None else (low, high, -0.03)
        low, high = difference.bootstrap_low, difference.bootstrap_high
        if population is EVEN:
            yield (
                f"({name}, bootstrap)",
                None if low is None or high is None else (low, high, -0.03),
            )


def two_label_bounds(area: float, seed: int, resamples: int) -> Iterator[tuple[str, Bounds]]:
    """Yields the mean over a rare label with an AUROC of `area` and a common one with 0.80."""
    rng = np.random.default_rng(seed)
    rows = np.repeat(np.arange(200), rng.integers(1, 4, 200))
    labels, scores = [], []
    for count, of_label in ((7, area), (80, 0.8)):
        positive = rng.permutation(200) < count
        patients, images = rng.normal(size=200), rng.normal(size=len(rows))
        labels.append(positive[rows])
        noise = (patients[rows] + images) / np.sqrt(2)
        scores.append(noise + shift(of_label) * positive[rows])
    result = evaluate(
        np.stack(labels, -1).astype(float),
        np.stack(scores, -1),
        ("rare", "common"),
        rows,
        resamples=resamples,
    )
    complete = len(result.averaged) == 2
    yield "auroc, mean of 2", bounds(result.mean, (area + 0.8) / 2) if complete else None


def run_bounds(area: float, seed: int) -> Iterator[tuple[str, Bounds]]:
    """Yields the mean AUROC of runs whose shift varies by 0.05 or by 0.3 from run to run."""
    population = Population(120, 0.2, "1-3", 0.5)
    turns = np.linspace(0.0005, 0.9995, 1000)
    for spread in (0.05, 0.3):
        # The truth is the mean over all runs. The shift is chosen without the spread.
        truth = float(norm.cdf((shift(area) + spread * norm.ppf(turns)) / np.sqrt(2)).mean())
        for runs in (3, 5, 10):
            rng = np.random.default_rng([seed, runs])
            labels, scores, rows = population.sample(rng, 0.0)
            shifts = shift(area) + spread * rng.normal(size=(runs, 1, 1))
            own = rng.normal(size=(runs, *scores.shape))
            # Runs share 0.64 of the variance of the scores.
            mixed = 0.8 * scores + 0.6 * own + shifts * labels
            positive = len(np.unique(rows[labels[:, 0] == 1]))
            estimate = auroc_over_runs(labels, mixed, rows) if positive > 1 else None
            enough = estimate is not None and (estimate.effective or 0) >= 5
            name = f"{runs} runs, spread {spread}"
            yield name, bounds(estimate, truth) if estimate is not None and enough else None


def draw(
    name: str, area: float, sharpness: float, seed: int, resamples: int
) -> Iterator[tuple[str, Bounds]]:
    """Yields the intervals of one draw of the population called `name`."""
    if name == "two-labels":
        yield from two_label_bounds(area, seed, resamples)
    elif name == "runs":
        yield from run_bounds(area, seed)
    else:
        population = POPULATIONS[name]
        yield from metric_bounds(population, area, sharpness, seed, resamples)
        yield from difference_bounds(population, area, seed, resamples)
        if population is EVEN:
            yield from gap_bounds(area, seed, resamples)


def coverage(all_bounds: list[Bounds]) -> str:
    """Returns the columns of a line of the table."""
    known = [each for each in all_bounds if each is not None]
    share = f"{len(known) / len(all_bounds):10.0%}"
    if not known:
        return f"{'-':>8}{'-':>8}{'-':>8}{'-':>8}{share}"
    low, high, truth = np.array(known, dtype=float).T
    return (
        f"{np.mean((low <= truth) & (truth <= high)):8.3f}{np.mean(truth < low):8.3f}"
        f"{np.mean(truth > high):8.3f}{np.mean(high - low):8.3f}{share}"
    )


def main() -> None:
    """Prints a line per interval."""
    choices = (*POPULATIONS, "two-labels", "runs")
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default=",".join(choices), help="populations, comma-separated")
    parser.add_argument("--draws", type=int, default=500)
    parser.add_argument("--resamples", type=int, default=200)
    parsed = parser.parse_args()
    if unknown := set(parsed.only.split(",")) - set(choices):
        parser.error(f"--only={','.join(sorted(unknown))}: choose from {', '.join(choices)}")
    print(
        f"{'population':<12}{'interval':<34}{'AUROC':>6}{'covers':>8}{'below':>8}{'above':>8}"
        f"{'width':>8}{'estimable':>10}"
    )
    for name in parsed.only.split(","):
        for area, sharpness in AREAS:
            draws: defaultdict[str, list[Bounds]] = defaultdict(list)
            for seed in range(parsed.draws):
                for interval, found in draw(name, area, sharpness, seed, parsed.resamples):
                    draws[interval].append(found)
            for interval, all_bounds in draws.items():
                print(f"{name:<12}{interval:<34}{area:6.2f}{coverage(all_bounds)}", flush=True)


if __name__ == "__main__":
    main()
