"""Coverage of the ranks of a suite's arms, in made-up sets whose true ranks are known.

    python benchmarks/suite_ranks.py [--draws=400]

A set has patients with two images each, a third of them positive, and arms whose scores share the
patients' noise; a draw of labelled patients is lucky or not for all arms and for each. "tied" is
the share of sets in which all arms of equal quality are tied with each other; "single" is the same
by intervals of single comparisons, which are not widened for the number of pairs; "ranks" is the
share in which the intervals of the ranks hold all true ranks at once; "resampled" is the same of
percentiles of the ranks in draws of patients and seeds, which are not used; "mean rank" and "mean"
are about two sets together: the intervals of the mean ranks, and of the ranks by the mean
difference. "best" is the share in which the best arm is alone on rank 1. In %, nominal 95 or more.
"""

import argparse
import dataclasses
from collections.abc import Sequence

import numpy as np

from remedis.evaluation.label_budget import Cell, LabelledTestSet
from remedis.evaluation.label_budget.grid import complete_grid
from remedis.evaluation.label_budget.learning_curves import learning_curves
from remedis.evaluation.label_budget.quantities import Quantities
from remedis.evaluation.label_budget.test_set import made_test_set
from remedis.suite.ranks import SetDraws, overall

CASES = ((1.0, 1.0), (1.0,) * 4, (1.0,) * 8, (0.6, 0.6, 1.2, 2.2), (0.9, 1.0, 1.1, 1.2))
RESAMPLES = 400


@dataclasses.dataclass
class Shares:
    """Whether each statement of the module holds, one value per draw."""

    tied: list[bool] = dataclasses.field(default_factory=list)
    single: list[bool] = dataclasses.field(default_factory=list)
    ranks: list[bool] = dataclasses.field(default_factory=list)
    resampled: list[bool] = dataclasses.field(default_factory=list)
    mean_rank: list[bool] = dataclasses.field(default_factory=list)
    mean: list[bool] = dataclasses.field(default_factory=list)
    best: list[bool] = dataclasses.field(default_factory=list)


def arms_of(
    separations: Sequence[float], rng: np.random.Generator, patients: int = 80, seeds: int = 5
) -> list[Quantities]:
    """Returns the AUROC of each arm of a made-up set.

    Args:
      separations: by how much an arm moves the scores of positive images, in standard deviations.
      rng: of the draw.
      patients: of the test set.
      seeds: draws of labelled patients.
    """
    ids = np.repeat(np.arange(patients), 2)
    targets = np.repeat(rng.permutation(patients) < patients // 3, 2).astype(float)
    hard, luck = np.repeat(rng.normal(size=patients), 2), rng.normal(size=seeds)
    cells = {}
    for arm, separation in enumerate(separations):
        for seed in range(seeds):
            gain = separation * np.exp(0.1 * luck[seed] + 0.1 * rng.normal())
            noise = 0.7 * hard + 0.7 * rng.normal(size=len(ids))
            cells[Cell(str(arm), "probe", 8, seed)] = (gain * targets + noise)[:, None]
    test = made_test_set(LabelledTestSet(["x"], targets[:, None], ids), "test")
    curves = learning_curves(test, cells, complete_grid(cells, "0"), "0")
    return [curve.quantities() for curve in curves]


def true_ranks(separations: Sequence[float]) -> list[int]:
    """Returns 1 plus the number of better arms, of each arm."""
    return [1 + sum(other > own for other in separations) for own in separations]


def measure(separations: Sequence[float], draws: int, resampled: bool = True) -> Shares:
    """Returns whether each statement holds in each of some draws of two sets.

    Args:
      separations: of the arms.
      draws: number of draws.
      resampled: whether ranks are resampled, too.
    """
    truth, shares = np.array(true_ranks(separations)), Shares()
    equal = [(i, j) for i, a in enumerate(separations) for j in range(i) if a == separations[j]]
    for draw in range(draws):
        rng = np.random.default_rng([draw, len(separations), round(100 * sum(separations))])
        arms = [arms_of(separations, rng) for _ in range(2)]
        sets = [SetDraws.of(of, RESAMPLES, draw, i) for i, of in enumerate(arms)]
        ranked, together = sets[0].ranked(), overall(sets, one_metric=True)
        for name, factor in (("tied", ranked.factor), ("single", 1.0)):
            found = sets[0].ranked(factor)
            ties = np.abs(found.differences) <= found.halves
            pairs = {
                frozenset(pair): tie for pair, tie in zip(found.pairs.tolist(), ties, strict=True)
            }
            getattr(shares, name).append(all(pairs[frozenset(pair)] for pair in equal))
        shares.ranks.append(held(ranked.low, ranked.high, truth))
        if resampled:
            drawn = np.stack(
                [one.draws(RESAMPLES, draw, i)[:, 0] for i, one in enumerate(arms[0])], axis=1
            )
            orders = 1 + (drawn[:, None, :] > drawn[:, :, None]).sum(axis=2)
            low, high = np.quantile(orders[1:], [0.025, 0.975], axis=0)
            shares.resampled.append(held(low, high, truth))
        shares.mean_rank.append(held(together.rank_low, together.rank_high, truth))
        assert together.by_mean is not None
        shares.mean.append(held(together.by_mean.low, together.by_mean.high, truth))
        best = int(np.argmax(separations))
        shares.best.append(bool(ranked.high[best] == 1))
    return shares


def held(low: np.ndarray, high: np.ndarray, truth: np.ndarray) -> bool:
    """Returns whether all intervals hold their truths."""
    return bool(np.all((low <= truth) & (truth <= high)))


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=400)
    draws = parser.parse_args().draws
    names = [field.name for field in dataclasses.fields(Shares)]
    print(f"{'separations':24}" + "".join(f"{name.replace('_', ' '):>11}" for name in names))
    for case in CASES:
        text = f"{len(case)} x {case[0]:g}" if len(set(case)) == 1 else " ".join(map(str, case))
        shares = measure(case, draws)
        values = [getattr(shares, name) for name in names]
        print(f"{text:24}" + "".join(f"{100 * np.mean(of):11.1f}" for of in values), flush=True)


if __name__ == "__main__":
    main()
