"""How often the 95 % intervals hold the truth, in a made-up population whose truth is known.

    python benchmarks/coverage.py [--draws=500 --resamples=400]

A draw is 200 patients with 1 to 3 images each, 12 % of them positive, with three labels. A score is
normal, its mean higher in positives by what the AUROC asks for (equal-variance binormal: AUROC =
Phi(shift / sqrt 2)); half of its variance is the patient's, half the image's. Probabilities are
`sharpness` times the log odds of the score: calibrated at 1, too sure of themselves above. Truths
are integrals over the two normal densities. A label with fewer than 5 positive patients is not
estimable, which counts neither way.
"""

import argparse
from collections import defaultdict
from collections.abc import Iterator

import numpy as np
import pandas as pd
from scipy.special import expit
from scipy.stats import norm

from remedis.evaluation.auroc import auroc
from remedis.evaluation.evaluate import evaluate
from remedis.evaluation.intervals import patient_counts, percentile_interval
from remedis.evaluation.paired import compare
from remedis.evaluation.reliability import BINS
from remedis.evaluation.subgroups import subgroups
from remedis.evaluation.thresholds import Thresholds

PATIENTS, POSITIVE, SHARED = 200, 0.12, 0.5
NAMES = ("a", "b", "c")
# AUROC, sharpness of the probabilities.
POPULATIONS = ((0.8, 1.0), (0.95, 1.6))
Ends = tuple[float, float, float]  # low, high, truth


def shift(area: float) -> float:
    """Returns how much higher positives must score for an AUROC."""
    return float(norm.ppf(area) * np.sqrt(2))


def sample(
    rng: np.random.Generator, distance: float | np.ndarray, patients: int = PATIENTS
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns labels and scores [n, 3], and the patient of each image [n]."""
    ill = rng.random((patients, len(NAMES))) < POSITIVE
    rows = np.repeat(np.arange(patients), rng.integers(1, 4, patients))
    person = ill * np.asarray(distance) + rng.normal(size=ill.shape) * np.sqrt(SHARED)
    scores = person[rows] + rng.normal(size=(len(rows), len(NAMES))) * np.sqrt(1 - SHARED)
    return ill[rows].astype(float), scores, rows


def probability(scores: np.ndarray, distance: float, sharpness: float) -> np.ndarray:
    """Returns what the model says: the log odds of a score times the sharpness, as probability."""
    odds = np.log(POSITIVE / (1 - POSITIVE)) + distance * scores - distance**2 / 2
    return expit(sharpness * odds)


class Truth:
    """The metrics of the whole population, by integrals over the score."""

    def __init__(self, area: float, sharpness: float, cut: float) -> None:
        """Takes the AUROC, the sharpness, and the threshold in scores."""
        distance = shift(area)
        grid = np.linspace(-9, 9 + distance, 100_001)
        step = grid[1] - grid[0]
        ill = norm.pdf(grid - distance) * POSITIVE * step
        well = norm.pdf(grid) * (1 - POSITIVE) * step
        self._said = probability(grid, distance, sharpness)
        # What the probabilities up to a point lack of the share of positives.
        self._lack = np.cumsum(ill * (1 - self._said) - well * self._said)
        above = norm.sf(grid - distance) * POSITIVE
        called = above + norm.sf(grid) * (1 - POSITIVE)
        hit = norm.sf(cut - distance) * POSITIVE
        right = norm.cdf(cut) * (1 - POSITIVE)
        miss, alarm = POSITIVE - hit, 1 - POSITIVE - right
        half = self._said >= 0.5
        self.metrics = {
            "auroc": area,
            "average_precision": float((ill * above / called).sum() / POSITIVE),
            "brier": float((ill * (1 - self._said) ** 2 + well * self._said**2).sum()),
            "accuracy": float(ill[half].sum() + well[~half].sum()),
            "youden/sensitivity": hit / POSITIVE,
            "youden/specificity": right / (1 - POSITIVE),
            "youden/ppv": hit / (hit + alarm),
            "youden/npv": right / (right + miss),
        }

    def calibration_error(self, said: np.ndarray) -> float:
        """Returns the population's error with the bins of a sample's probabilities [n]."""
        edges = np.unique(np.quantile(said, np.linspace(0, 1, BINS + 1)[1:-1]))
        at = np.interp(edges, self._said, self._lack)
        return float(np.abs(np.diff([0, *at, self._lack[-1]])).sum())


def metrics(area: float, sharpness: float, seed: int, resamples: int) -> Iterator[tuple[str, Ends]]:
    """Yields the intervals of all metrics in one draw, with their truths."""
    distance = shift(area)
    cut = distance / 2 + 0.3
    truth = Truth(area, sharpness, cut)
    labels, scores, rows = sample(np.random.default_rng(seed), distance)
    said = probability(scores, distance, sharpness)
    at = float(probability(np.array(cut), distance, sharpness))
    chosen = Thresholds(dict.fromkeys(NAMES, at), dict.fromkeys(NAMES, at), 0.9)
    result = evaluate(labels, said, NAMES, rows, thresholds=chosen, seed=seed, resamples=resamples)
    errors = [truth.calibration_error(said[:, i]) for i in range(len(NAMES))]
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
        ends = percentile_interval(auroc(labels[:, :1], scores[:, :1], weights, rows)[:, 0])
        if ends is not None:
            yield "(auroc, percentile bootstrap)", (*ends, area)


def gaps(area: float, seed: int, resamples: int) -> Iterator[tuple[str, Ends]]:
    """Yields the gap of AUROC between three sites of 200 patients, alike and one worse by 0.1."""
    rng = np.random.default_rng(seed)
    site = np.arange(3 * PATIENTS) % 3
    for what, worse in (("alike", 0.0), ("one worse by 0.1", 0.1)):
        distance = np.where(site == 2, shift(area - worse), shift(area))[:, None]
        labels, scores, rows = sample(rng, distance, len(site))
        table = pd.DataFrame({"site": site[rows].astype(str)})
        found = subgroups(labels, scores, NAMES, rows, table, seed=seed, resamples=resamples)
        gap = found["site"]["a"]["gaps"]["auroc"]
        if gap is not None and not found["site"]["a"]["not_estimable"]:
            yield f"gap of 3 sites, {what}", (gap["low"], gap["high"], worse)


def differences(area: float, seed: int, resamples: int) -> Iterator[tuple[str, Ends]]:
    """Yields the difference of two models, the second worse by 0.03, of related scores."""
    rng = np.random.default_rng(seed)
    first, second = shift(area), shift(area - 0.03)
    labels, scores, rows = sample(rng, first)
    # Half of the variance is shared by the two, for an AUROC that is known again.
    centred = scores - labels * first
    other = labels * second + (centred + rng.normal(size=scores.shape)) / np.sqrt(2)
    found = compare(labels, scores, other, NAMES, rows, seed=seed, resamples=resamples)
    for name, of in (("difference", found.labels["a"]), ("difference, mean of 3", found.mean)):
        if of.low is not None and (name == "difference" or len(found.averaged) == len(NAMES)):
            yield f"{name}, DeLong", (of.low, of.high, -0.03)
            yield f"{name}, bootstrap", (of.bootstrap_low, of.bootstrap_high, -0.03)


def main() -> None:
    """Prints a line for every interval: coverage, share of truths below and above, mean width."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=500)
    parser.add_argument("--resamples", type=int, default=400)
    parsed = parser.parse_args()
    print(f"{'':<40}{'AUROC':>7}{'covers':>8}{'below':>8}{'above':>8}{'width':>8}{'draws':>7}")
    for area, sharpness in POPULATIONS:
        found = defaultdict(list)
        for seed in range(parsed.draws):
            for name, ends in metrics(area, sharpness, seed, parsed.resamples):
                found[name].append(ends)
            for name, ends in gaps(area, seed, parsed.resamples):
                found[name].append(ends)
            for name, ends in differences(area, seed, parsed.resamples):
                found[name].append(ends)
        for name, all_ends in found.items():
            low, high, truth = np.array(all_ends, dtype=float).T
            print(
                f"{name:<40}{area:7.2f}{np.mean((low <= truth) & (truth <= high)):8.3f}"
                f"{np.mean(truth < low):8.3f}{np.mean(truth > high):8.3f}"
                f"{np.mean(high - low):8.3f}{len(truth):7d}",
                flush=True,
            )


if __name__ == "__main__":
    main()
