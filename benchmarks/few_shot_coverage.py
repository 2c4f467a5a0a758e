"""Coverage of the 95 % intervals of few-shot curves in a population with a known expected AUROC.

    python benchmarks/few_shot_coverage.py [--draws=200 --test=300]

A draw is a new pool of training patients and new test patients, with 1 to 3 images each. A label
moves the mean of one of 16 independent features with variance 1, half of it the patient's, by 1.4.
The truth is the AUROC, an integral over normal densities, averaged over probes from 1,000 new
pools. `independent` takes the draws of patients for independent runs. Coverage in %, nominal 95,
with a standard error of 1.5 %, and the mean width of the intervals in brackets:

    labels  pool  shots  share  truth   independent      corrected
         1    26      1   0.08  0.547   95.0% (0.11)   96.5% (0.14)
         1    26      2   0.15  0.588   89.5% (0.10)   97.5% (0.15)
         1    26      5   0.38  0.653   86.0% (0.10)   97.5% (0.19)
         1    26     10   0.77  0.704   75.5% (0.10)   97.5% (0.24)
         1    60      1   0.03  0.547   92.5% (0.11)   95.5% (0.13)
         1    60      2   0.07  0.588   94.5% (0.10)   97.0% (0.12)
         1    60      5   0.17  0.653   92.5% (0.10)   99.5% (0.15)
         1    60     10   0.33  0.704   88.0% (0.10)   99.0% (0.16)
         1    60     20   0.67  0.752   87.0% (0.09)   99.0% (0.17)
         1   400      1   0.01  0.547   98.5% (0.11)   99.5% (0.11)
         1   400      2   0.01  0.588   95.0% (0.09)   95.5% (0.10)
         1   400      5   0.03  0.653   95.5% (0.10)   96.5% (0.10)
         1   400     10   0.05  0.704   95.0% (0.09)   98.5% (0.10)
         1   400     20   0.10  0.752   95.0% (0.09)   97.5% (0.10)
         2    60      1   0.07  0.550   93.0% (0.08)   96.0% (0.10)
         2    60      2   0.13  0.593   89.0% (0.07)   98.5% (0.10)
         2    60      5   0.33  0.648   85.5% (0.07)   97.5% (0.13)
         2    60     10   0.67  0.701   82.5% (0.07)   98.0% (0.16)

The correction is exact for means over patients; probes are less alike than these, so that
intervals of large shares are wider than necessary. A draw of all patients of a class (share 1) is
not in the table: its interval is conditional on the pool.
"""

import argparse
import dataclasses
import functools
import itertools
from collections.abc import Sequence
from unittest import mock

import numpy as np
from scipy.stats import norm

from remedis.evaluation import few_shot
from remedis.evaluation.linear_probe import DEFAULT_PENALTY, linear_probe
from remedis.evaluation.repeated_runs import auroc_over_runs

CHANNELS, SHIFT, SHARED = 16, 1.4, 0.5
SHOTS = (1, 2, 5, 10, 20)
ONE, TWO = (0.5,), (0.5, 0.25)  # the share of positive patients of each label
POPULATIONS = ((ONE, 26), (ONE, 60), (ONE, 400), (TWO, 60))  # with the patients of a pool
Sample = tuple[np.ndarray, np.ndarray, np.ndarray]  # embeddings, labels, patient of each image


@dataclasses.dataclass(frozen=True)
class Cell:
    """The coverage of the intervals of one pool and one number of shots.

    Attributes:
      share: the largest share of the pool's patients of a class that a draw has.
      truth: the expected AUROC of another pool.
      coverage: share of the intervals that hold the truth.
      width: their mean width.
      uncorrected: the coverage if draws are taken for independent runs.
      uncorrected_width: the mean width then.
    """

    share: float
    truth: float
    coverage: float
    width: float
    uncorrected: float
    uncorrected_width: float


def sample(rng: np.random.Generator, positives: Sequence[int], patients: int) -> Sample:
    """Returns embeddings [n, C], labels [n, L] and the patient of each image [n].

    Args:
      rng: draws everything.
      positives: [L], the number of positive patients of each label.
      patients: number of patients.
    """
    labels = np.stack([rng.permutation(patients) < count for count in positives], -1)
    rows = np.repeat(np.arange(patients), rng.integers(1, 4, patients))
    x = rng.normal(size=(patients, CHANNELS))[rows] * np.sqrt(SHARED)
    x += rng.normal(size=x.shape) * np.sqrt(1 - SHARED)
    y = labels[rows].astype(float)
    x[:, : y.shape[1]] += SHIFT * y
    return x.astype(np.float32), y, rows


def area(kernel: np.ndarray, label: int, prevalences: Sequence[float]) -> float:
    """Returns the AUROC, in the population, of the scores `x @ kernel` for a label."""
    others = [k for k in range(len(prevalences)) if k != label]
    total = 0.0
    # Of a positive and a negative image, each other label differs by -1, 0 or 1.
    for steps in itertools.product((-1, 0, 1), repeat=len(others)):
        chance, distance = 1.0, kernel[label]
        for step, k in zip(steps, others, strict=True):
            differ = prevalences[k] * (1 - prevalences[k])
            chance *= differ if step else 1 - 2 * differ
            distance += step * kernel[k]
        total += chance * norm.cdf(distance * SHIFT / np.sqrt(2 * kernel @ kernel))
    return total


@functools.cache
def truth(shots: int, prevalences: tuple[float, ...], probes: int) -> float:
    """Returns the expected AUROC of a probe from new patients, averaged over labels."""
    rng, areas = np.random.default_rng(shots), []
    for _ in range(probes):
        for label, prevalence in enumerate(prevalences):
            # Enough patients of both classes.
            patients = round(shots / min(prevalence, 1 - prevalence))
            positives = [round(patients * share) for share in prevalences]
            x, y, rows = sample(rng, positives, patients)
            of_patient = y[np.unique(rows, return_index=True)[1], label]
            drawn = [np.flatnonzero(of_patient == value)[:shots] for value in (0, 1)]
            inside = np.isin(rows, np.concatenate(drawn))
            probe = linear_probe(x[inside], y[inside, label, None], penalties=(DEFAULT_PENALTY,))
            areas.append(area(probe.kernel[:, 0].astype(float), label, prevalences))
    return float(np.mean(areas))


def coverage(
    pool: int,
    shots: Sequence[int],
    prevalences: tuple[float, ...] = ONE,
    draws: int = 200,
    test: int = 300,
    probes: int = 1000,
    seed: int = 0,
) -> list[Cell]:
    """Returns the coverage for each number of shots, over draws of pools and of test patients."""
    rng = np.random.default_rng(seed)
    positives = [[round(count * share) for share in prevalences] for count in (pool, test)]
    true = {n: truth(n, prevalences, probes) for n in shots}
    found: dict[int, list[list[float]]] = {n: [] for n in shots}
    shares: dict[int, float] = {}
    for _ in range(draws):
        inputs = (*sample(rng, positives[0], pool), *sample(rng, positives[1], test))
        with mock.patch.object(few_shot, "auroc_over_runs", wraps=auroc_over_runs) as estimate:
            curve = few_shot.few_shot(*inputs, shots, seed=int(rng.integers(2**31)))
        for (n, measured), call in zip(curve.items(), estimate.call_args_list, strict=True):
            shares[n] = measured.share or 0.0
            row: list[float] = []
            for each in (measured.estimate, auroc_over_runs(*call.args[:3])):
                assert each.low is not None
                assert each.high is not None
                row += [each.low <= true[n] <= each.high, each.high - each.low]
            found[n].append(row)
    return [Cell(shares[n], true[n], *np.mean(found[n], axis=0)) for n in shots]


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=200)
    parser.add_argument("--test", type=int, default=300, help="test patients")
    parsed = parser.parse_args()
    print("    labels  pool  shots  share  truth   independent      corrected")
    for prevalences, pool in POPULATIONS:
        smallest = min(round(pool * min(share, 1 - share)) for share in prevalences)
        shots = [n for n in SHOTS if n < smallest]
        cells = coverage(pool, shots, prevalences, parsed.draws, parsed.test)
        for n, cell in zip(shots, cells, strict=True):
            print(
                f"    {len(prevalences):6}{pool:6}{n:7}{cell.share:7.2f}{cell.truth:7.3f}"
                f"{cell.uncorrected:8.1%} ({cell.uncorrected_width:.2f})"
                f"{cell.coverage:8.1%} ({cell.width:.2f})",
                flush=True,
            )


if __name__ == "__main__":
    main()
