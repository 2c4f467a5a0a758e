"""Coverage of the intervals of calibration slope and intercept, and of nested intervals.

    python benchmarks/calibration_coverage.py line [--draws=1000]
    python benchmarks/calibration_coverage.py nested [--draws=300 --resamples=100 --patients 60 200]

`line`: a made-up population as in `benchmarks/coverage.py`: scores are normal, with a higher mean
in positives; the patient has the share `shared` of their variance. The log odds of predictions are
`sharpness` times the true ones, so that the true slope is 1 / sharpness; the intercept solves
an integral over the scores. `zipf` gives patients 1 to 200 images by Zipf's law with exponent 1.6.
Draws with fewer than 5 effective patients of a class are not estimable and are not counted.

`nested`: raw logits are `SPREAD` times the score. Platt's calibration is fitted and thresholds are
chosen on validation; test gives the intervals. Two truths: sensitivity, specificity, Brier score
and slope of the chosen calibration and thresholds (`chosen`), and those of the calibration and the
thresholds that unlimited validation data would give (`unlimited`).
"""

import argparse
from collections import defaultdict
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from scipy.optimize import brentq
from scipy.special import expit
from scipy.stats import norm

from remedis.evaluation import calibration
from remedis.evaluation.estimates import Cases, calibration_line
from remedis.evaluation.evaluate import evaluate_table
from remedis.evaluation.nested_bootstrap import nested_intervals
from remedis.evaluation.thresholds import choose_by_log_odds

Images = Callable[[np.random.Generator, int], np.ndarray]
SPREAD, TARGET, SHARED = 10.0, 0.9, 0.5


def even(rng: np.random.Generator, patients: int) -> np.ndarray:
    """Returns 1 to 3 images per patient."""
    return rng.integers(1, 4, patients)


def zipf(rng: np.random.Generator, patients: int) -> np.ndarray:
    """Returns 1 to 200 images per patient, by Zipf's law with exponent 1.6."""
    return np.minimum(rng.zipf(1.6, patients), 200)


def shift(area: float) -> float:
    """Returns the difference of the mean scores of positives and negatives for an AUROC."""
    return float(norm.ppf(area) * np.sqrt(2))


def log_odds(scores: np.ndarray, distance: float, prevalence: float) -> np.ndarray:
    """Returns the true log odds of a positive at a score."""
    return np.log(prevalence / (1 - prevalence)) + distance * scores - distance**2 / 2


def sample(
    rng: np.random.Generator,
    patients: int,
    prevalence: float,
    distance: float,
    shared: float = SHARED,
    images: Images = even,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns labels and scores [n] and the patient [n] of each image."""
    positive = rng.random(patients) < prevalence
    rows = np.repeat(np.arange(patients), images(rng, patients))
    of_patient = positive * distance + rng.normal(size=patients) * np.sqrt(shared)
    scores = of_patient[rows] + rng.normal(size=len(rows)) * np.sqrt(1 - shared)
    return positive[rows].astype(float), scores, rows


class Population:
    """Integrals over the scores of all images of a population."""

    def __init__(self, distance: float, prevalence: float) -> None:
        self.distance, self.prevalence = distance, prevalence
        self.grid = np.linspace(-9, 9 + distance, 20_001)
        step = self.grid[1] - self.grid[0]
        self.positives = norm.pdf(self.grid - distance) * prevalence * step
        self.negatives = norm.pdf(self.grid) * (1 - prevalence) * step
        self.odds = log_odds(self.grid, distance, prevalence)

    def intercept(self, predicted: np.ndarray) -> float:
        """Returns the intercept of predictions with log odds [grid]."""

        def excess(a: float) -> float:
            p = expit(a + predicted)
            return float((self.positives * (1 - p) - self.negatives * p).sum())

        return float(brentq(excess, -30, 30))

    def metrics(self, scale: float, offset: float, cut: float) -> dict[str, float]:
        """Returns true metrics of a calibration of `SPREAD` * score, and of a cut of the score."""
        p = expit(scale * SPREAD * self.grid + offset)
        return {
            "target_sensitivity/sensitivity": float(norm.sf(cut - self.distance)),
            "target_sensitivity/specificity": float(norm.cdf(cut)),
            "brier": float((self.positives * (1 - p) ** 2 + self.negatives * p**2).sum()),
            "calibration_slope": self.distance / (scale * SPREAD),
        }


def line(draws: int) -> None:
    """Prints the coverage of slope and intercept in several populations."""
    print(f"{'patients':>8}{'positive':>9}{'AUROC':>7}{'sharp':>7}{'shared':>7} images"
          f"{'slope':>8}{'width':>7}{'intercept':>10}{'width':>7}{'draws':>7}")  # fmt: skip
    cells: tuple[tuple[int, float, float, float, float, Images], ...] = (
        (200, 0.12, 0.8, 1.0, 0.5, even),
        (200, 0.12, 0.95, 1.6, 0.5, even),
        (100, 0.10, 0.8, 1.0, 0.8, even),
        (60, 0.50, 0.8, 1.0, 0.8, even),
        (2000, 0.12, 0.9, 1.6, 0.5, even),
        (300, 0.30, 0.8, 1.0, 0.8, zipf),
        (100, 0.50, 0.8, 1.0, 0.8, zipf),
    )
    for patients, prevalence, area, sharpness, shared, images in cells:
        distance = shift(area)
        population = Population(distance, prevalence)
        truths = {
            "calibration_slope": 1 / sharpness,
            "calibration_intercept": population.intercept(sharpness * population.odds),
        }
        found = defaultdict(list)
        for seed in range(draws):
            rng = np.random.default_rng(seed)
            y, scores, rows = sample(rng, patients, prevalence, distance, shared, images)
            odds = sharpness * log_odds(scores, distance, prevalence)
            cases = Cases(y[:, None], rows)
            for name, metric in calibration_line(cases, odds[:, None]).items():
                estimate = metric.estimate([0])
                if estimate.low is not None and estimate.high is not None:
                    covers = estimate.low <= truths[name] <= estimate.high
                    found[name].append((covers, estimate.high - estimate.low))
        cells_text = "".join(
            f"{np.mean([c for c, _ in found[name]]):{width}.3f}"
            f"{np.median([w for _, w in found[name]]):7.2f}"
            for name, width in (("calibration_slope", 8), ("calibration_intercept", 10))
        )
        print(
            f"{patients:8d}{prevalence:9.2f}{area:7.2f}{sharpness:7.1f}{shared:7.1f} "
            f"{images.__name__:<6}{cells_text}{len(found['calibration_slope']):7d}",
            flush=True,
        )


def nested(
    draws: int,
    resamples: int,
    validation: Sequence[int],
    prevalence: float = 0.25,
    area: float = 0.85,
) -> None:
    """Prints the coverage of conditional and of nested intervals for both truths.

    Args:
      draws: number of made-up studies.
      resamples: of each nested bootstrap.
      validation: numbers of validation patients.
      prevalence: share of positive patients.
      area: AUROC.
    """
    distance = shift(area)
    population = Population(distance, prevalence)
    # Unlimited data: true log odds, and the score that the target's share of positives reaches.
    unlimited = population.metrics(
        distance / SPREAD,
        float(log_odds(np.array(0.0), distance, prevalence)),
        float(norm.isf(TARGET) + distance),
    )
    print(f"{'validation':>10} {'metric':<32}{'truth':<11}{'conditional':>12}{'nested':>8}"
          f"{'draws':>7}")  # fmt: skip
    for patients in validation:
        covers = defaultdict(list)
        for seed in range(draws):
            rng = np.random.default_rng(seed)
            parts = []
            for split, count in (("validation", patients), ("test", 200)):
                y, scores, rows = sample(rng, count, prevalence, distance)
                parts.append(
                    pd.DataFrame(
                        {
                            "split": split,
                            "patient_id": [f"{split}{row}" for row in rows],
                            "label/a": y,
                            "logit/a": SPREAD * scores,
                        }
                    )
                )
            chosen = parts[0]
            y, logits = chosen[["label/a"]].to_numpy(), chosen[["logit/a"]].to_numpy()
            fitted = calibration.fit(logits, y, ("a",), "platt", patient_ids=chosen["patient_id"])
            thresholds = choose_by_log_odds(y, fitted.log_odds(logits), ("a",), TARGET)
            table = pd.concat(parts, ignore_index=True)
            odds = fitted.log_odds(table[["logit/a"]].to_numpy())[:, 0]
            table["log_odds/a"], table["score/a"] = odds, expit(odds)
            evaluated = evaluate_table(
                table, ("a",), "test", thresholds=thresholds, resamples=40, seed=seed
            )
            again = nested_intervals(
                table, ("a",), evaluated, fitted, seed=seed, resamples=resamples
            )
            assert thresholds.log_odds is not None
            cut = thresholds.log_odds["target_sensitivity"]["a"]
            assert cut is not None
            scale, offset = fitted.scale[0], fitted.offset[0]
            truths = {
                "chosen": population.metrics(scale, offset, (cut - offset) / scale / SPREAD),
                "unlimited": unlimited,
            }
            for truth, values in truths.items():
                for name, value in values.items():
                    pair = (evaluated["metrics"][name], again["metrics"][name])
                    estimates = [metric["labels"]["a"] for metric in pair]
                    if all(estimate["value"] is not None for estimate in estimates):
                        covers[name, truth].append(
                            [of["low"] <= value <= of["high"] for of in estimates]
                        )
        for (name, truth), hits in covers.items():
            conditional, including = np.mean(hits, axis=0)
            print(
                f"{patients:10d} {name:<32}{truth:<11}{conditional:12.3f}{including:8.3f}"
                f"{len(hits):7d}",
                flush=True,
            )


def main() -> None:
    """Prints the table of the part that is named."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("part", choices=("line", "nested"))
    parser.add_argument("--draws", type=int)
    parser.add_argument("--resamples", type=int, default=100)
    parser.add_argument("--patients", type=int, nargs="+", default=[60, 200, 1000])
    parsed = parser.parse_args()
    if parsed.part == "line":
        line(parsed.draws or 1000)
    else:
        nested(parsed.draws or 300, parsed.resamples, parsed.patients)


if __name__ == "__main__":
    main()
