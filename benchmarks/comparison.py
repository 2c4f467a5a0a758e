"""Coverage of the differences that `remedis compare` gives besides that of the AUROC.

    python benchmarks/comparison.py [--draws=400] [--only=even,small]

Two models score the same images. The log odds of an image are the true ones of its score, which is
normal with a higher mean in positives; half of the variance of the score is the patient's, and the
two models share three quarters of the variance. Each model calls the images whose score reaches its
own fixed threshold, with a sensitivity of 0.9 in the population.

    even   200 patients with 1 to 3 images, 12 % of them positive, AUROC 0.80
    good   the same with AUROC 0.95
    small  60 patients with 1 to 3 images, 30 % positive, AUROC 0.80
    zipf   200 patients with min(Zipf(1.6), 200) images, 30 % positive, AUROC 0.80
    worse  as `even`, but the second model has AUROC 0.70 and log odds that are 1.6 times the true

In all but `worse` the models are equally good: the true differences are 0. Those of `worse` are
taken from a million images. Printed are the shares of intervals that hold the true difference, and
the mean widths.
"""

import argparse
from collections import defaultdict
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import expit
from scipy.stats import norm

from remedis.evaluation.metric_differences import metric_differences
from remedis.evaluation.thresholds import Thresholds

TARGET, SHARED, COMMON = 0.9, 0.5, 0.75
CELLS = {
    "even": (200, 0.12, (0.80, 0.80), (1.0, 1.0), "even"),
    "good": (200, 0.12, (0.95, 0.95), (1.0, 1.0), "even"),
    "small": (60, 0.30, (0.80, 0.80), (1.0, 1.0), "even"),
    "zipf": (200, 0.30, (0.80, 0.80), (1.0, 1.0), "zipf"),
    "worse": (200, 0.12, (0.80, 0.70), (1.0, 1.6), "even"),
}


def pair(
    rng: np.random.Generator,
    patients: int,
    prevalence: float,
    areas: tuple[float, float],
    sharpness: tuple[float, float],
    sizes: str,
) -> tuple[pd.DataFrame, pd.DataFrame, tuple[Thresholds, Thresholds]]:
    """Returns the predictions of two models on the same images, and their thresholds."""
    counts = (
        rng.integers(1, 4, patients)
        if sizes == "even"
        else np.minimum(rng.zipf(1.6, patients), 200)
    )
    patient = np.repeat(np.arange(patients), counts)
    positive = (rng.random(patients) < prevalence)[patient].astype(float)

    def noise() -> np.ndarray:
        of_patient, of_image = rng.normal(size=patients), rng.normal(size=len(patient))
        return np.sqrt(SHARED) * of_patient[patient] + np.sqrt(1 - SHARED) * of_image

    common = noise()
    tables, chosen = [], []
    for area, factor in zip(areas, sharpness, strict=True):
        distance = norm.ppf(area) * np.sqrt(2)
        score = distance * positive + np.sqrt(COMMON) * common + np.sqrt(1 - COMMON) * noise()

        def odds(of: Any, distance: float = distance, factor: float = factor) -> Any:
            true = np.log(prevalence / (1 - prevalence)) + distance * of - distance**2 / 2
            return factor * true

        table = pd.DataFrame({"path": np.arange(len(patient)).astype(str), "split": "test"})
        table["patient_id"] = patient.astype(str)
        table["label/a"], table["log_odds/a"] = positive, odds(score)
        table["score/a"] = expit(table["log_odds/a"])
        tables.append(table)
        cut = float(odds(distance + norm.ppf(1 - TARGET)))
        probability = {"a": float(expit(cut))}
        both = {"youden": {"a": cut}, "target_sensitivity": {"a": cut}}
        chosen.append(Thresholds(probability, probability, TARGET, both))
    return tables[0], tables[1], (chosen[0], chosen[1])


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--draws", type=int, default=400)
    parser.add_argument("--only", default=",".join(CELLS))
    parsed = parser.parse_args()
    for cell in parsed.only.split(","):
        truth: defaultdict[str, float] = defaultdict(float)
        if cell == "worse":
            whole = metric_differences(
                *pair(np.random.default_rng(10**6), 500_000, *CELLS[cell][1:])[:2],
                "test",
                pair(np.random.default_rng(0), 10, *CELLS[cell][1:])[2],
                resamples=40,
            )
            truth |= {name: whole[name].labels["a"].difference or 0.0 for name in whole}
        held: defaultdict[str, list[bool]] = defaultdict(list)
        widths: defaultdict[str, list[float]] = defaultdict(list)
        for seed in range(parsed.draws):
            first, second, chosen = pair(np.random.default_rng(seed), *CELLS[cell])
            for name, of in metric_differences(
                first, second, "test", chosen, resamples=200
            ).items():
                found = of.labels["a"]
                if found.low is None or found.high is None:
                    continue
                if not name.startswith("youden"):
                    held[name].append(found.low <= truth[name] <= found.high)
                    widths[name].append(found.high - found.low)
        for name, hits in held.items():
            print(
                f"{cell:6} {name:34} truth {truth[name]:+.3f} covered {np.mean(hits):6.1%} "
                f"width {np.mean(widths[name]):.3f} estimable {len(hits) / parsed.draws:.0%}"
            )


if __name__ == "__main__":
    main()
