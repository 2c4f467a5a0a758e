"""Time of all metrics with intervals, compared with a plain loop over scikit-learn.

    python benchmarks/metrics.py [--images=25596 --labels=14 --resamples=1000 --patients=2797]

The defaults are the size of ChestX-ray14's test split. The loop computes AUROC, average precision,
Brier score, and sensitivity and specificity at two thresholds, on the images of each resample. It
runs for a few resamples; its time is extrapolated to all of them.
"""

import argparse
import time

import numpy as np
from scipy.special import expit
from sklearn.metrics import (
    average_precision_score,
    brier_score_loss,
    confusion_matrix,
    roc_auc_score,
)

from remedis.evaluation import thresholds
from remedis.evaluation.evaluate import evaluate

LOOPED = 3  # resamples of the loop


def made_up(
    images: int, columns: int, patients: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[str]]:
    """Returns labels (1 to 40 % positive, 2 % unknown), probabilities, patients and names."""
    rng = np.random.default_rng(0)
    labels = (rng.random((images, columns)) < np.linspace(0.01, 0.4, columns)).astype(float)
    scores = expit(rng.normal(size=labels.shape) + labels).astype(np.float32)
    labels[rng.random(labels.shape) < 0.02] = np.nan
    return (
        labels,
        scores,
        rng.integers(patients, size=images),
        [f"label {i}" for i in range(columns)],
    )


def loop(
    labels: np.ndarray, scores: np.ndarray, patients: np.ndarray, cuts: list[np.ndarray], count: int
) -> float:
    """Returns the seconds per resample of the plain loop."""
    rng = np.random.default_rng(0)
    rows = [np.flatnonzero(patients == patient) for patient in range(patients.max() + 1)]
    start = time.perf_counter()
    for _ in range(count):
        drawn = np.concatenate([rows[i] for i in rng.integers(len(rows), size=len(rows))])
        for column in range(labels.shape[1]):
            target, score = labels[drawn, column], scores[drawn, column]
            known = ~np.isnan(target)
            target, score = target[known], score[known]
            roc_auc_score(target, score)
            average_precision_score(target, score)
            brier_score_loss(target, score)
            for cut in cuts:
                confusion_matrix(target, score >= cut[column])
    return (time.perf_counter() - start) / count


def main() -> None:
    """Prints both times and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=25_596)
    parser.add_argument("--labels", type=int, default=14)
    parser.add_argument("--resamples", type=int, default=1000)
    parser.add_argument("--patients", type=int, default=2_797)
    parsed = parser.parse_args()
    labels, scores, patients, names = made_up(parsed.images, parsed.labels, parsed.patients)
    chosen = thresholds.choose(labels, scores, names)
    start = time.perf_counter()
    result = evaluate(
        labels, scores, names, patients, thresholds=chosen, resamples=parsed.resamples
    )
    seconds = time.perf_counter() - start
    per_resample = loop(labels, scores, patients, list(chosen.arrays().values()), LOOPED)
    print(
        f"{parsed.resamples} resamples of {parsed.images} x {parsed.labels} scores, "
        f"{1 + len(result.metrics)} metrics: {seconds:.1f} s"
    )
    looped = per_resample * parsed.resamples
    print(f"scikit-learn in a loop: {per_resample:.2f} s per resample, {looped:.0f} s in all")
    print(f"ratio: {looped / seconds:.0f}")


if __name__ == "__main__":
    main()
